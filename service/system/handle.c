/*
 * Processes by descriptor: signals that can only reach the one that was meant.
 */
#include "system/handle.h"

#include "system/again.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNAL_PROCESS_GROUP (1U << 2) /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */
#define TRIES                4

bool handle_has_ended(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int n = -1;

    for (int i = 0; n < 0 && i < TRIES; i++)
        n = poll(&end, 1, 0);
    return n > 0 && (end.revents & (POLLIN | POLLHUP)) != 0;
}

static int send_signal(int pidfd, int signal, unsigned flags)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, flags) < 0 ? -errno : 0;
}

int handle_signal(int pidfd, int signal)
{
    return send_signal(pidfd, signal, 0);
}

bool handle_is_reaped(int pidfd)
{
    return handle_signal(pidfd, 0) == -ESRCH;
}

int handle_signal_group(int pidfd, pid_t leader, int signal)
{
    int r = pidfd >= 0 ? send_signal(pidfd, signal, SIGNAL_PROCESS_GROUP) : -EINVAL;

    if (r != -EINVAL)
        return r;
    if (leader <= 1)
        return -ENOSYS;
    return kill(-leader, signal) < 0 ? -errno : 0;
}

int handle_signal_child(pid_t pid, int signal)
{
    int pidfd = again_pidfd(pid);

    if (pidfd < 0)
        return kill(pid, signal) < 0 ? -errno : 0;
    int r = handle_signal(pidfd, signal);
    close(pidfd);
    return r;
}
