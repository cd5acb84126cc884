/*
 * A child for tests: does what its arguments say, one step after the other.
 *
 *   store=NAME     gives a memory file that contains NAME, under it; bare `store`: under none
 *   unstore=NAME   FDSTOREREMOVE=1
 *   store-lingering=PORT   a socket whose close waits for its peer there, which never reads
 *   store-contents=FILE what LISTEN_FDS contain, memory files, goes into FILE, and their names
 *   ready, not-ready, beat, status=TEXT, reloading, stopping, mainpid   what it says
 *   say=TEXT       a message as it stands, ; between its lines
 *   barrier        waits until all it has said has been heard; exit code 5 where it is not
 *   flood          says that it lives, as fast as it can
 *   wait=FIFO      until the test opens the FIFO for writing
 *   wait-term      until SIGTERM comes (blocked from the start, so that none is missed)
 *   wait-hup       until SIGHUP comes (blocked from the start)
 *   reloading-now  RELOADING=1 with MONOTONIC_USEC of now; reloading-before: of ten seconds ago
 *   ignore-term    SIGTERM does nothing
 *   count-terms=FILE   each SIGTERM from now on is a line in FILE, and does nothing else
 *   together=FILE  "+", and 20 ms later "-", is appended: how many do so at once can be counted
 *   fork=FILE      a process of its own session-mate that stays; its PID goes into FILE
 *   shell=FILE     a shell runs it, beside what follows
 *   daemon=FILE    the same, but double-forked into a session of its own
 *   chain=FIFO     a chain of processes, each of which starts the next one in a session of its own,
 *                  and goes; all have FIFO open, and it ends with the one who reads it
 *   hand-over      a new process says MAINPID= of itself and does the rest; the old one stays
 *   hand-over-session   the same, in a session of its own
 *   lose-main-thread    another thread does the rest, and the main thread ends
 *   fail-first     exit code 1 if this is attempt 1
 *   log=FILE       a line "GENERATION ATTEMPT" is appended
 *   serve          answers each connection with its generation, until SIGTERM comes
 *   listen-names=FILE   LISTEN_FDNAMES goes into FILE
 *   result=TEXT, result-bytes=N   written to $PROCTOR_RESULT_FD
 *   live=MSEC      so long, as a load
 *   pause, exit=N, die=N
 */
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static const char *value_of(const char *step, const char *name)
{
    size_t length = strlen(name);
    return strncmp(step, name, length) == 0 && step[length] == '=' ? step + length + 1 : NULL;
}

static void block(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void wait_for(int signal)
{
    sigset_t set;
    int got;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigwait(&set, &got);
}

static void stay(const char *file)
{
    char temporary[4096];
    snprintf(temporary, sizeof(temporary), "%s.new", file);
    FILE *out = fopen(temporary, "w");
    fprintf(out, "%d\n", (int)getpid());
    fclose(out);
    rename(temporary, file);
    for (;;)
        pause();
}

static void run_shell(const char *file)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execl("/bin/sh", "sh", file, NULL);
    _exit(127);
}

static void nothing(int signal)
{
    (void)signal;
}

/* What comes after SIGTERM waits for the next one. */
static void serve(void)
{
    const char *generation = getenv("PROCTOR_GENERATION");
    struct pollfd polled[16];
    int n = sd_listen_fds(0);
    sigset_t none, pending;

    signal(SIGTERM, nothing);
    sigemptyset(&none);
    for (int i = 0; i < n; i++)
        polled[i] = (struct pollfd){.fd = SD_LISTEN_FDS_START + i, .events = POLLIN};
    while (sigpending(&pending) == 0 && !sigismember(&pending, SIGTERM)) {
        if (ppoll(polled, (nfds_t)n, NULL, &none) < 0)
            return;
        for (int i = 0; i < n; i++)
            if (polled[i].revents & POLLIN) {
                int fd = accept(polled[i].fd, NULL, NULL);
                if (write(fd, generation, strlen(generation)) < 0)
                    exit(3);
                close(fd);
            }
    }
}

static void write_names(const char *file)
{
    char temporary[4096];
    snprintf(temporary, sizeof(temporary), "%s.new", file);
    FILE *out = fopen(temporary, "w");
    fprintf(out, "%s\n", getenv("LISTEN_FDNAMES"));
    fclose(out);
    rename(temporary, file);
}

static void write_result(const char *data, size_t size)
{
    if (write(atoi(getenv("PROCTOR_RESULT_FD")), data, size) < 0)
        _exit(4);
}

static void say_lines(const char *text)
{
    char *lines = strdup(text);

    for (char *c = lines; *c; c++)
        *c = *c == ';' ? '\n' : *c;
    sd_notify(0, lines);
    free(lines);
}

static void store(const char *name)
{
    char text[256] = "FDSTORE=1";
    int fd = memfd_create("kept", 0);

    if (name)
        snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
    name = name ? name : "nameless";
    if (write(fd, name, strlen(name)) < 0 || sd_pid_notify_with_fds(0, 0, text, &fd, 1) < 0)
        _exit(6);
    close(fd);
}

static void store_lingering(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger linger = {1, 20};
    char block[65536] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        _exit(7);
    while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
        ;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    sd_pid_notify_with_fds(0, 0, "FDSTORE=1", &fd, 1);
    /* Ours stays open: a process that ends does not linger, and proctord has the last one then. */
}

static void write_contents(const char *file)
{
    char temporary[4096], content[256];
    int n = getenv("LISTEN_FDS") ? atoi(getenv("LISTEN_FDS")) : 0;

    snprintf(temporary, sizeof(temporary), "%s.new", file);
    FILE *out = fopen(temporary, "w");
    fprintf(out, "%s", n > 0 ? getenv("LISTEN_FDNAMES") : "none");
    for (int fd = 3; fd < 3 + n; fd++) {
        ssize_t size = pread(fd, content, sizeof(content), 0);
        fprintf(out, " %.*s", size > 0 ? (int)size : 1, size > 0 ? content : "-");
    }
    fclose(out);
    rename(temporary, file);
}

static void say_reloading(uint64_t ago_usec)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - ago_usec);
}

static void say(const char *step)
{
    const char *text;

    if (strcmp(step, "ready") == 0)
        sd_notify(0, "READY=1");
    else if (strcmp(step, "not-ready") == 0)
        sd_notify(0, "READY=0");
    else if (strcmp(step, "beat") == 0)
        sd_notify(0, "WATCHDOG=1");
    else if (strcmp(step, "reloading") == 0)
        sd_notify(0, "RELOADING=1");
    else if (strcmp(step, "reloading-now") == 0)
        say_reloading(0);
    else if (strcmp(step, "reloading-before") == 0)
        say_reloading(10000000);
    else if (strcmp(step, "stopping") == 0)
        sd_notify(0, "STOPPING=1");
    else if (strcmp(step, "barrier") == 0 && sd_notify_barrier(0, 20000000) < 0)
        _exit(5);
    else if (strcmp(step, "flood") == 0)
        for (;;)
            sd_notify(0, "WATCHDOG=1");
    else if (strcmp(step, "mainpid") == 0)
        sd_notifyf(0, "MAINPID=%d", (int)getpid());
    else if ((text = value_of(step, "say")))
        say_lines(text);
    else if ((text = value_of(step, "status")))
        sd_notifyf(0, "STATUS=%s", text);
}

static void hand_over(bool own_session)
{
    if (fork() > 0)
        for (;;)
            pause();
    if (own_session)
        setsid();
    say("mainpid");
}

static int terms = -1;

static void count_term(int signal)
{
    (void)signal;
    if (write(terms, "TERM\n", 5) != 5)
        _exit(6);
}

/* Blocked from the start where a later step waits for it; here each one that comes is seen. */
static void count_terms(const char *file)
{
    struct sigaction action = {.sa_handler = count_term, .sa_flags = SA_RESTART};

    terms = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600);
    sigaction(SIGTERM, &action, NULL);
}

static void be_together(const char *file)
{
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600);

    if (write(fd, "+", 1) != 1)
        _exit(6);
    poll(NULL, 0, 20);
    if (write(fd, "-", 1) != 1)
        _exit(6);
    close(fd);
}

static void become_chain(const char *fifo)
{
    int fd = open(fifo, O_WRONLY);
    struct pollfd reader = {.fd = fd};

    if (fd < 0)
        _exit(1);
    signal(SIGTERM, SIG_IGN);
    while (poll(&reader, 1, 0) == 0) {
        if (fork() != 0)
            _exit(0);
        setsid();
        usleep(100);
    }
    _exit(0);
}

static void act(const char *step)
{
    const char *value;

    say(step);
    if (strcmp(step, "hand-over") == 0 || strcmp(step, "hand-over-session") == 0)
        hand_over(strcmp(step, "hand-over-session") == 0);
    if (strcmp(step, "wait-term") == 0)
        wait_for(SIGTERM);
    else if (strcmp(step, "wait-hup") == 0)
        wait_for(SIGHUP);
    else if (strcmp(step, "ignore-term") == 0)
        signal(SIGTERM, SIG_IGN);
    else if (strcmp(step, "serve") == 0)
        serve();
    else if ((value = value_of(step, "listen-names")))
        write_names(value);
    else if ((value = value_of(step, "store")) || strcmp(step, "store") == 0)
        store(value);
    else if ((value = value_of(step, "store-lingering")))
        store_lingering(value);
    else if ((value = value_of(step, "unstore")))
        sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", value);
    else if ((value = value_of(step, "store-contents")))
        write_contents(value);
    else if ((value = value_of(step, "result")))
        write_result(value, strlen(value));
    else if ((value = value_of(step, "result-bytes")))
        for (long left = atol(value); left > 0; left--)
            write_result("x", 1);
    else if ((value = value_of(step, "chain")))
        become_chain(value);
    else if (strcmp(step, "pause") == 0)
        for (;;)
            pause();
    else if (strcmp(step, "fail-first") == 0 && strcmp(getenv("PROCTOR_ATTEMPT"), "1") == 0)
        _exit(1);
    else if ((value = value_of(step, "count-terms")))
        count_terms(value);
    else if ((value = value_of(step, "together")))
        be_together(value);
    else if ((value = value_of(step, "live")))
        poll(NULL, 0, atoi(value));
    else if ((value = value_of(step, "exit")))
        _exit(atoi(value));
    else if ((value = value_of(step, "die"))) {
        signal(atoi(value), SIG_DFL); /* a sanitizer would report it, and exit instead */
        kill(getpid(), atoi(value));
    } else if ((value = value_of(step, "wait")))
        close(open(value, O_RDONLY));
    else if ((value = value_of(step, "fork")) && fork() == 0)
        stay(value);
    else if ((value = value_of(step, "shell")) && fork() == 0)
        run_shell(value);
    else if ((value = value_of(step, "daemon")) && fork() == 0) {
        setsid();
        if (fork() == 0)
            stay(value);
        _exit(0);
    } else if ((value = value_of(step, "log"))) {
        FILE *out = fopen(value, "a");
        fprintf(out, "%s %s\n", getenv("PROCTOR_GENERATION"), getenv("PROCTOR_ATTEMPT"));
        fclose(out);
    }
}

static void *act_all(void *steps)
{
    for (char **step = steps; *step; step++) {
        pthread_t other;
        if (strcmp(*step, "lose-main-thread") == 0 &&
            pthread_create(&other, NULL, act_all, step + 1) == 0)
            pthread_exit(NULL);
        act(*step);
    }
    _exit(0); /* no leak check: it traces itself, and hangs on the signal that a stop sends last */
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "wait-term") == 0 || strcmp(argv[i], "serve") == 0)
            block(SIGTERM);
        else if (strcmp(argv[i], "wait-hup") == 0)
            block(SIGHUP);
    act_all(argv + 1);
}
