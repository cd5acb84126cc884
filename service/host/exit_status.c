/*
 * How a process ended, even if another process has reaped it: our own children
 * by waitid(2); adopted ones from their zombie in /proc, or from what the pidfd
 * still knows (Linux 6.15).
 */
#include "host/exit_status.h"

#include "system/handle.h"
#include "system/proc_stat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct pidfd_exit_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code; /* as wait(2) has it */
    uint32_t reserved[2];
};

#define PIDFD_EXIT_INFO      _IOWR(0xFF, 11, struct pidfd_exit_info)
#define PIDFD_EXIT_INFO_MASK (1u << 3)

/* A status as in wait(2), for one that was not waited for. */
static void explain(int status, siginfo_t *info)
{
    if (WIFSIGNALED(status)) {
        info->si_code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
        info->si_status = WTERMSIG(status);
    } else {
        info->si_code = CLD_EXITED;
        info->si_status = WEXITSTATUS(status);
    }
}

/* The kernel shows a status of 0 to a reader without permission: this link asks it the
 * same question, and answers of a zombie, too. */
static bool may_know_status(pid_t pid)
{
    char path[64], name[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    return readlink(path, name, sizeof(name)) >= 0;
}

/* The descriptor is asked after reading, as the PID may have changed hands. */
static int status_of_zombie(pid_t pid, int pidfd, siginfo_t *info)
{
    uint64_t status;

    if (!may_know_status(pid) || proc_stat_read(pid, PROC_STAT_EXIT_CODE, &status) < 0 ||
        handle_is_reaped(pidfd)) /* what was read may be another process's */
        return -EAGAIN;
    explain((int)status, info);
    return 1;
}

static int status_of_reaped(int pidfd, siginfo_t *info)
{
    struct pidfd_exit_info exit = {.mask = PIDFD_EXIT_INFO_MASK};

    if (ioctl(pidfd, PIDFD_EXIT_INFO, &exit) < 0 || !(exit.mask & PIDFD_EXIT_INFO_MASK))
        return -ENODATA;
    explain(exit.exit_code, info);
    return 1;
}

/* Returns 1 where it has been reaped, 0 where there is nothing to reap yet, or a negative errno.
 * The C library's waitid() does not tell what was used. */
static int reap(pid_t pid, int pidfd, siginfo_t *info, struct rusage *usage)
{
    idtype_t type = pidfd >= 0 ? P_PIDFD : P_PID;
    id_t id = pidfd >= 0 ? (id_t)pidfd : (id_t)pid;

    *info = (siginfo_t){};
    if (syscall(SYS_waitid, type, id, info, WEXITED | WNOHANG, usage) < 0)
        return -errno;
    return info->si_pid != 0;
}

/* Returns 1 with a status, 0 if it still runs, and an error if its status is
 * lost. */
int exit_status_take(pid_t pid, int pidfd, siginfo_t *info, struct rusage *usage)
{
    int r = reap(pid, pidfd, info, usage);
    if (r > 0)
        return 1;
    if (pidfd < 0)
        return r == 0 ? 0 : -ENODATA;
    if (!handle_has_ended(pidfd))
        return 0;
    if (r == 0 && reap(pid, pidfd, info, usage) > 0) /* it has ended in between */
        return 1;
    r = handle_is_reaped(pidfd) ? -EAGAIN : status_of_zombie(pid, pidfd, info);
    return r == -EAGAIN && handle_is_reaped(pidfd) ? status_of_reaped(pidfd, info) : r;
}
