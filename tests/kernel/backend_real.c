#include "backend.h"

#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHANNEL     100 /* where a puppet's end of its channel is */
#define MESSAGE_MAX 8192
#define PATIENCE    5000 /* milliseconds */

extern const struct calls calls_real;

static struct {
    int ends[PUPPETS], pidfds[PUPPETS];
    pid_t numbers[PUPPETS];
    char folder[256], cgroup[512];
} real;

/* ---- in a puppet ----------------------------------------------------------------------------- */

static void serve(unsigned puppet);

static void answer(unsigned puppet, const char *text)
{
    send(CHANNEL + (int)puppet, text, strlen(text) + 1, MSG_NOSIGNAL);
}

static int clone_process(const char *text)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    unsigned of_parent;
    char into[512] = "";

    sscanf(text, "%*u %u %511s", &of_parent, into);
    if (of_parent) {
        arguments.flags |= CLONE_PARENT;
        arguments.exit_signal = 0;
    }
    if (*into) {
        int fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return -errno;
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)fd;
    }
    long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
    return pid < 0 ? -errno : (int)pid;
}

static void fork_one(unsigned puppet, const char *text)
{
    char number[32];
    int pid = clone_process(text);

    if (pid == 0) {
        serve((unsigned)atoi(text));
        _exit(0);
    }
    snprintf(number, sizeof(number), "%d", pid);
    answer(puppet, number);
}

static pid_t main_thread;

static void *serve_instead(void *userdata)
{
    unsigned puppet = (unsigned)(uintptr_t)userdata;
    char path[64], text[512] = "";

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)main_thread);
    for (int tries = 0; tries < 1000 && !strstr(text, ") Z"); tries++) {
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, text, sizeof(text) - 1);

        text[n > 0 ? n : 0] = '\0';
        close(fd);
        poll(NULL, 0, 1);
    }
    answer(puppet, "ok");
    serve(puppet);
    return NULL;
}

static void end_main_thread(unsigned puppet)
{
    pthread_t thread;

    main_thread = (pid_t)syscall(SYS_gettid);
    pthread_create(&thread, NULL, serve_instead, (void *)(uintptr_t)puppet);
    syscall(SYS_exit, 0);
}

static void execute(unsigned puppet)
{
    char number[16];
    char *arguments[] = {"kernel-programs", "--puppet", number, NULL};

    snprintf(number, sizeof(number), "%u", puppet);
    execv("/proc/self/exe", arguments);
    answer(puppet, "cannot");
}

static void take_words(unsigned puppet, char *text)
{
    char *words[16], *reply = NULL;
    size_t size;
    int n = 0;

    for (char *word = text; word && n < 16; n++)
        words[n] = strsep(&word, "\n");
    FILE *out = open_memstream(&reply, &size);
    step_take(&calls_real, NULL, n, words, out);
    fclose(out);
    answer(puppet, reply);
    free(reply);
}

static void serve(unsigned puppet)
{
    char text[MESSAGE_MAX];

    for (;;) {
        ssize_t n = recv(CHANNEL + (int)puppet, text, sizeof(text), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(0); /* the process that gave orders has gone */
        if (strncmp(text, "fork\n", 5) == 0)
            fork_one(puppet, text + 5);
        else if (strncmp(text, "exit\n", 5) == 0)
            _exit(atoi(text + 5));
        else if (strcmp(text, "main-ends") == 0)
            end_main_thread(puppet);
        else if (strcmp(text, "exec") == 0)
            execute(puppet);
        else
            take_words(puppet, text);
    }
}

int backend_puppet(unsigned puppet)
{
    answer(puppet, "ok");
    serve(puppet);
    return 0;
}

/* ---- in the process that gives the orders ---------------------------------------------------- */

/* Sends and waits for the answer. False: the puppet has ended. */
static bool ask(unsigned puppet, const char *text, size_t size, char reply[MESSAGE_MAX])
{
    struct pollfd both[2] = {{real.ends[puppet], POLLIN, 0}, {real.pidfds[puppet], POLLIN, 0}};

    send(real.ends[puppet], text, size, MSG_NOSIGNAL);
    for (;;) {
        if (poll(both, 2, PATIENCE) <= 0)
            return false;
        if (both[0].revents & POLLIN) {
            ssize_t n = recv(real.ends[puppet], reply, MESSAGE_MAX - 1, 0);

            reply[n > 0 ? n : 0] = '\0';
            return true;
        }
        if (both[1].revents)
            return false;
    }
}

static void know(unsigned puppet, pid_t number)
{
    real.numbers[puppet] = number;
    real.pidfds[puppet] = (int)syscall(SYS_pidfd_open, number, 0);
}

static int real_fork(unsigned puppet, unsigned child, bool of_parent, const char *into)
{
    char text[1024], reply[MESSAGE_MAX];

    snprintf(text, sizeof(text), "fork\n%u %u %s", child, of_parent ? 1 : 0, into ? into : "");
    if (!ask(puppet, text, strlen(text) + 1, reply))
        return -ESRCH;
    int number = atoi(reply);
    if (number > 0)
        know(child, number);
    return number;
}

static void real_order(unsigned puppet, int n_words, char *words[], FILE *out)
{
    char text[MESSAGE_MAX] = "", reply[MESSAGE_MAX];
    size_t used = 0;

    for (int i = 0; i < n_words; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "\n" : "", words[i]);
    if (ask(puppet, text, used + 1, reply))
        fputs(reply, out);
    else
        fputs("it has ended", out);
}

static pid_t real_number(unsigned puppet)
{
    return real.numbers[puppet];
}

static pid_t real_init(void)
{
    return getpid();
}

/* Where cgroup2 is mounted. */
static bool find_cgroups(char point[400])
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;

    while (file && !found && getline(&line, &capacity, file) > 0)
        found = strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %399s", point) == 1;
    free(line);
    if (file)
        fclose(file);
    return found;
}

static const char *real_cgroup(void)
{
    char point[400];

    if (*real.cgroup)
        return real.cgroup;
    if (!find_cgroups(point))
        return NULL;
    snprintf(real.cgroup, sizeof(real.cgroup), "%s/kernel-programs-%d", point, (int)getpid());
    if (mkdir(real.cgroup, 0755) < 0)
        *real.cgroup = '\0';
    return *real.cgroup ? real.cgroup : NULL;
}

static bool real_begin(const char *profile)
{
    (void)profile;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGCHLD, SIG_IGN); /* as PID 1 of the model: nothing of ours stays a zombie */
    for (int i = 0; i < PUPPETS; i++) {
        int ends[2];

        real.pidfds[i] = -1;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
            return false;
        dup2(ends[1], CHANNEL + i);
        close(ends[1]);
        real.ends[i] = fcntl(ends[0], F_DUPFD_CLOEXEC, CHANNEL + PUPPETS);
        close(ends[0]);
    }
    const char *above = getenv("TMPDIR");
    snprintf(real.folder, sizeof(real.folder), "%s/kernel-programs-XXXXXX", above ? above : "/tmp");
    if (!mkdtemp(real.folder) || chmod(real.folder, 0755) < 0 || chdir(real.folder) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < PUPPETS; i++)
            close(real.ends[i]);
        signal(SIGCHLD, SIG_DFL);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
        umask(022);
        setsid();
        serve(0);
    }
    know(0, pid);
    return pid > 0;
}

static void remove_folders(const char *path)
{
    char command[640];

    /* A cgroup has files that go with it. */
    snprintf(command, sizeof(command), "find '%s' -depth -type d -exec rmdir {} + 2>/dev/null",
             path);
    if (system(command) < 0)
        perror("find");
}

static void real_end(void)
{
    char command[300];

    for (int i = 0; i < PUPPETS; i++) {
        struct pollfd ended = {real.pidfds[i], POLLIN, 0};

        if (real.pidfds[i] < 0)
            continue;
        syscall(SYS_pidfd_send_signal, real.pidfds[i], SIGKILL, NULL, 0);
        poll(&ended, 1, PATIENCE);
    }
    signal(SIGCHLD, SIG_DFL);
    if (chdir("/") < 0)
        perror("/");
    snprintf(command, sizeof(command), "rm -rf '%s'", real.folder);
    if (system(command) < 0)
        perror("rm");
    if (*real.cgroup)
        remove_folders(real.cgroup);
}

const struct backend backend_real = {
    .begin = real_begin,
    .fork = real_fork,
    .order = real_order,
    .number = real_number,
    .init = real_init,
    .cgroup = real_cgroup,
    .end = real_end,
};
