/*
 * From the death of a child to its next start.
 */
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * The child writes its first moment into a FIFO and dies by itself; the time of its death is taken
 * by its killer: the bench, with the clock read right before the signal.
 */
static uint64_t read_stamp(int fifo, int *pid)
{
    struct {
        uint64_t nsec;
        int pid;
        int pad;
    } record;
    struct pollfd ready = {.fd = fifo, .events = POLLIN};

    if (poll(&ready, 1, 10000) <= 0 || read(fifo, &record, sizeof(record)) != sizeof(record))
        die("no child");
    *pid = record.pid;
    return record.nsec;
}

static void floor_start(const char *program, const char *fifo, int *pidfd, pid_t *pid)
{
    char *arguments[] = {(char *)program, (char *)fifo, NULL};
    *pid = vfork();
    if (*pid == 0) {
        execv(program, arguments);
        _exit(127);
    }
    *pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
}

static void floor_latency(const char *program, double *values, size_t n)
{
    int fifo = open(path_of("fifo"), O_RDWR), pidfd, stamped;
    char name[512];
    pid_t pid;

    strcpy(name, path_of("fifo"));
    floor_start(program, name, &pidfd, &pid);
    read_stamp(fifo, &stamped);
    for (size_t i = 0; i < n; i++) {
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        siginfo_t info;
        uint64_t killed = now_nsec();
        kill(pid, SIGKILL);
        poll(&ended, 1, -1);
        waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
        close(pidfd);
        floor_start(program, name, &pidfd, &pid);
        values[i] = (double)(read_stamp(fifo, &stamped) - killed) / 1e6;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pidfd);
    close(fifo);
}

static void proctor_latency(const char *program, double *values, size_t n)
{
    char exec[1100];
    struct daemon d;
    int fifo = open(path_of("fifo"), O_RDWR), pid;

    snprintf(exec, sizeof(exec), "%s, %s", program, path_of("fifo"));
    write_manifest(1, exec,
                   "    restart: permanent\n    restart_limit: {burst: 10000}\n"
                   "    backoff: {initial: 0s, max: 0s, jitter: none}\n");
    start(&d, NULL);
    read_stamp(fifo, &pid);
    for (size_t i = 0; i < n; i++) {
        uint64_t killed = now_nsec();
        kill(pid, SIGKILL);
        values[i] = (double)(read_stamp(fifo, &pid) - killed) / 1e6;
    }
    stop(&d);
    close(fifo);
}

void death_to_start(const char *program)
{
    enum { N = 500 };
    static double floor[N], proctor[N];

    mkfifo(path_of("fifo"), 0600);
    floor_latency(program, floor, N);
    proctor_latency(program, proctor, N);
    figure("death-to-start-p50", "ms", percentile(proctor, N, 0.5), percentile(floor, N, 0.5),
           1.25);
    figure("death-to-start-p99", "ms", percentile(proctor, N, 0.99), percentile(floor, N, 0.99), 2);
}
