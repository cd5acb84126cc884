/*
 * loop-watch COMMAND...: becomes the command, and lets a process beside it look at its first
 * thread, the event loop, every millisecond: in which system call it is, and whether it sleeps
 * there. A line for each call but epoll_wait(2), the loop's own poll, in which it was seen asleep
 * for $LOOP_WATCH_MSEC (default 50) or longer goes into the file $LOOP_WATCH: "MSEC CALL"; and at
 * the end "longest MSEC CALL". What comes before the first epoll_wait is the start, and what comes
 * after the last one is the end; they do not count, nor do moments in which it only waits for a
 * processor, nor those in which the one that looks does. Of several calls between two polls the
 * longest is printed.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NSEC 1000000
#define GAP_USEC   20000 /* between two looks: we had no processor, and have seen nothing */

static pid_t loop;
static FILE *report;
static uint64_t limit_usec;

static uint64_t now_usec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Whole, or empty when the thread has gone. */
static int read_proc(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static char state_of(const char *stat)
{
    const char *end = strrchr(stat, ')');
    return end && end[1] ? end[2] : '?';
}

/* One call as /proc/PID/syscall shows it: number, arguments, stack and place. */
struct call {
    char text[256];
    long number;                    /* -1: it is not in one */
    uint64_t since_usec, seen_usec; /* from the first to the last look that found it */
};

static uint64_t longest_usec;
static long longest_call = -1;

static int is_own_poll(long number)
{
    return number == SYS_epoll_wait || number == SYS_epoll_pwait
#ifdef SYS_epoll_pwait2
           || number == SYS_epoll_pwait2
#endif
        ;
}

/* Of calls after which the loop has not come to its poll yet: perhaps it never does. */
static uint64_t pending_usec;
static struct call pending;

static void end_call(const struct call *call)
{
    uint64_t took = call->seen_usec - call->since_usec;

    if (call->number < 0 || is_own_poll(call->number) || took <= pending_usec)
        return;
    pending_usec = took;
    pending = *call;
}

static void loop_goes_on(void)
{
    if (pending_usec > longest_usec) {
        longest_usec = pending_usec;
        longest_call = pending.number;
    }
    if (pending_usec >= limit_usec) {
        fprintf(report, "%llu %s\n", (unsigned long long)pending_usec / 1000, pending.text);
        fflush(report);
    }
    pending_usec = 0;
}

/* A look in which it is asleep in the same call as in the one just before it adds to that. */
static void look(struct call *call, const char *stat, const char *text, int *begun)
{
    uint64_t now = now_usec();
    char state = state_of(stat);
    int asleep = (state == 'S' || state == 'D') && strncmp(text, "running", 7) != 0;

    if (asleep && call->number >= 0 && now - call->seen_usec < GAP_USEC &&
        strcmp(call->text, text) == 0) {
        call->seen_usec = now;
        return;
    }
    if (*begun)
        end_call(call);
    call->number = asleep ? atol(text) : -1;
    if (is_own_poll(call->number)) {
        *begun = 1;
        loop_goes_on();
    }
    snprintf(call->text, sizeof(call->text), "%s", text);
    call->since_usec = call->seen_usec = now;
}

static void watch(void)
{
    struct timespec pause = {.tv_nsec = PAUSE_NSEC};
    char path[64], stat[512], text[256];
    struct call call = {.number = -1};
    int begun = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)loop, (int)loop);
    int stat_fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)loop, (int)loop);
    int call_fd = open(path, O_RDONLY | O_CLOEXEC);
    while (read_proc(stat_fd, stat, sizeof(stat)) && state_of(stat) != 'Z' &&
           read_proc(call_fd, text, sizeof(text))) {
        text[strcspn(text, "\n")] = '\0';
        look(&call, stat, text, &begun);
        nanosleep(&pause, NULL);
    }
    if (begun)
        fprintf(report, "longest %llu %ld\n", (unsigned long long)longest_usec / 1000,
                longest_call);
    fclose(report);
}

/* No child's process, and out of the command's group and cgroup: it must not be taken for its. */
static void begin_watching(void)
{
    const char *msec = getenv("LOOP_WATCH_MSEC");
    int status;

    report = fopen(getenv("LOOP_WATCH") ?: "/dev/null", "ae");
    limit_usec = (msec ? strtoull(msec, NULL, 10) : 50) * 1000;
    pid_t between = fork();
    if (between < 0 || !report)
        _exit(127);
    if (between > 0) {
        waitpid(between, &status, 0);
        fclose(report);
        return;
    }
    setsid();
    if (fork() != 0)
        _exit(0);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    watch();
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 127;
    loop = getpid();
    begin_watching();
    execv(argv[1], argv + 1);
    return 127;
}
