/*
 * hostile-parent COMMAND...: runs a command with everything that a process can inherit set to
 * something odd: what proctord's children get must not depend on it.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTORS 777 /* the soft limit; the hard one stays */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        perror(path);
    if (fd >= 0)
        close(fd);
}

static void spoil_signals(void)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } ignore = {.handler = SIG_IGN};
    unsigned long all = ~0UL;

    for (int i = 1; i <= 64; i++)
        syscall(SYS_rt_sigaction, i, &ignore, NULL, sizeof(all));
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
}

/* A slice of its own and a bound on the speed of the processor, if the kernel has them. */
static void spoil_use(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice, deadline, period;
        uint32_t least_use, most_use;
    } own = {.size = sizeof(own), .nice = 5, .slice = 7000000};

    syscall(SYS_sched_setattr, 0, &own, 0);
    own.flags = 0x20 | 0x40;
    own.least_use = 100;
    own.most_use = 200;
    syscall(SYS_sched_setattr, 0, &own, 0);
}

static void spoil_scheduling(void)
{
    cpu_set_t first;

    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof(first), &first);
    setpriority(PRIO_PROCESS, 0, 5);
    spoil_use();
    syscall(SYS_ioprio_set, 1, 0, 3 << 13); /* idle */
    prctl(PR_SET_TIMERSLACK, 12345678, 0, 0, 0);
}

int main(int argc, char **argv)
{
    struct rlimit limit;

    if (argc < 2)
        return 1;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 10; fd < 20; fd++)
        dup2(STDERR_FILENO, fd);
    setenv("SECRET", "of proctord's own", 1);
    setenv("PROCTOR_CHILD", "somebody", 1);
    write_file("/proc/self/oom_score_adj", "321");
    write_file("/proc/self/coredump_filter", "0x1");
    personality(PER_LINUX | ADDR_NO_RANDOMIZE);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (chdir("/usr") < 0)
        return 1;
    umask(0077);
    spoil_scheduling();
    spoil_signals();
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
