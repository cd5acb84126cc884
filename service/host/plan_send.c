/*
 * A plan on its way to the spawner, with its descriptors. Large ones go as a
 * file in memory.
 */
#include "host/plan_send.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Never waits: a spawner that does not read is replaced. */
static int send_bytes(int socket, const void *bytes, size_t size, const int *fds, size_t n_fds)
{
    struct iovec data = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    union {
        char bytes[CMSG_SPACE(PLAN_DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control = {};
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};

    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
    memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
    for (int i = 0; i < 4; i++)
        if (sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        else if (errno != EINTR)
            break;
    return -errno;
}

/* The spawner maps it privately, so nothing that is changed later is seen. */
static int memory_file(const struct plan *plan)
{
    int fd = memfd_create("proctor-plan", MFD_CLOEXEC);

    for (size_t at = 0; fd >= 0 && at < plan->size;) {
        ssize_t n = write(fd, (const char *)plan + at, plan->size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int error = n < 0 ? errno : EIO;
            close(fd);
            return -error;
        }
        at += (size_t)n;
    }
    return fd < 0 ? -errno : fd;
}

/* An inline plan is never as small as the number that stands for a file. */
static int send_with(int socket, const struct plan *plan, int *fds, size_t n_fds)
{
    uint64_t instead = 0; /* of the plan, which comes as a file */

    if (plan->size <= PLAN_INLINE)
        return send_bytes(socket, plan, plan->size, fds, n_fds);
    int file = memory_file(plan);
    if (file < 0)
        return file;
    fds[n_fds] = file;
    int r = send_bytes(socket, &instead, sizeof(instead), fds, n_fds + 1);
    close(file);
    return r;
}

/* In the order in which the spawner takes them out again. */
static size_t collect(const struct plan *plan, const struct launch_descriptors *descriptors,
                      int status, int fds[PLAN_DESCRIPTORS_MAX])
{
    size_t n = 0;

    fds[n++] = status;
    fds[n++] = descriptors->input;
    fds[n++] = descriptors->output;
    if (plan->flags & PLAN_IN_CGROUP)
        fds[n++] = descriptors->cgroup;
    for (uint32_t i = 0; i < plan->n_sockets; i++)
        fds[n++] = descriptors->sockets[i];
    return n;
}

int plan_send(int socket, const struct plan *plan, const struct launch_descriptors *descriptors,
              int status)
{
    int fds[PLAN_DESCRIPTORS_MAX];

    INVARIANT(plan->n_sockets <= CHILD_DESCRIPTORS_MAX + 1);
    return send_with(socket, plan, fds, collect(plan, descriptors, status, fds));
}
