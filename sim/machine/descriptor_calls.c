/*
 * Descriptor calls: numbers of descriptors, waiting for several of them, and the small kinds.
 */
#include "kernel/wait.h"
#include "machine/call_lists.h"
#include "machine/epoll.h"
#include "machine/file_kind.h"
#include "machine/pipe.h"
#include "machine/small_kinds.h"
#include "machine/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#define POLLED_MAX 4096
#define EVENTS_MAX 1024
#define NSEC_MSEC  UINT64_C(1000000)

static struct descriptors *table_of(const struct runner *runner)
{
    return program_of(runner->task)->descriptors;
}

static int64_t add(struct runner *runner, struct description *description, bool close_on_exec)
{
    return descriptors_add(table_of(runner), description, 0, close_on_exec);
}

/* ---- numbers --------------------------------------------------------------------------------- */

int64_t call_close(struct runner *runner, const uint64_t *a)
{
    return descriptors_close(table_of(runner), (int)a[0]);
}

/* Closes, or marks for the next exec. */
int64_t call_close_range(struct runner *runner, const uint64_t *a)
{
    struct descriptors *table = table_of(runner);

    if (!(a[2] & CLOSE_RANGE_CLOEXEC)) {
        descriptors_close_range(table, (unsigned)a[0], (unsigned)a[1]);
        return 0;
    }
    for (size_t i = a[0]; i < table->room && i <= a[1]; i++)
        table->list[i].close_on_exec = true;
    return 0;
}

int64_t call_dup(struct runner *runner, const uint64_t *a)
{
    struct description *description = runner_description(runner, a[0]);
    return description ? add(runner, description_hold(description), false) : -EBADF;
}

int64_t call_dup2(struct runner *runner, const uint64_t *a)
{
    struct description *description = runner_description(runner, a[0]);

    if (!description)
        return -EBADF;
    if (a[0] == a[1])
        return (int64_t)a[1];
    return descriptors_set(table_of(runner), (int)a[1], description_hold(description), false);
}

int64_t call_dup3(struct runner *runner, const uint64_t *a)
{
    struct description *description = runner_description(runner, a[0]);

    if (!description || a[0] == a[1])
        return description ? -EINVAL : -EBADF;
    return descriptors_set(table_of(runner), (int)a[1], description_hold(description),
                           a[2] & O_CLOEXEC);
}

static int64_t change_flags(struct description *description, int flags)
{
    const int changeable = O_APPEND | O_NONBLOCK;
    struct open_file *file = file_kind_of(description);

    description->flags = (description->flags & ~changeable) | (flags & changeable);
    if (file)
        file->flags = description->flags;
    return 0;
}

static int64_t lock_file(const struct description *description, int kind, bool waits)
{
    struct open_file *file = file_kind_of(description);

    if (!file)
        return -EINVAL;
    int r = file_lock(file, (kind == F_UNLCK ? 8 : kind == F_WRLCK ? 2 : 1) | 4);
    return r == -EAGAIN && waits ? MACHINE_CALL_WAITS : r;
}

/* Only the commands that proctord, its libraries and helpers use. */
int64_t call_fcntl(struct runner *runner, const uint64_t *a)
{
    struct descriptors *table = table_of(runner);
    struct description *description = runner_description(runner, a[0]);
    struct flock lock;

    if (!description)
        return -EBADF;
    switch (a[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return descriptors_add(table, description_hold(description), (int)a[2],
                               a[1] == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return table->list[a[0]].close_on_exec;
    case F_SETFD:
        table->list[a[0]].close_on_exec = a[2] & FD_CLOEXEC;
        return 0;
    case F_GETFL:
        return description->flags;
    case F_SETFL:
        return change_flags(description, (int)a[2]);
    case F_SETLK:
    case F_SETLKW:
        if (calls_read(runner, a[2], &lock, sizeof(lock)) < 0)
            return -EFAULT;
        return lock_file(description, lock.l_type, a[1] == F_SETLKW);
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        return pipe_is_end(description) ? PIPE_BYTES : -EBADF;
    case F_ADD_SEALS:
        return 0;
    default:
        return -EINVAL;
    }
}

int64_t call_kcmp(struct runner *runner, const uint64_t *a)
{
    const struct description *one = runner_description(runner, a[3]);
    const struct description *other = runner_description(runner, a[4]);

    if (a[2] != 0)
        return -EOPNOTSUPP;
    return !one || !other ? -EBADF : one == other ? 0 : one->number < other->number ? 1 : 2;
}

/* Only the question how much can be read. */
int64_t call_ioctl(struct runner *runner, const uint64_t *a)
{
    const struct description *description = runner_description(runner, a[0]);
    const struct unix_socket *socket = unix_socket_of(description);
    int available;

    if (!description)
        return -EBADF;
    if (a[1] != FIONREAD || (!socket && !pipe_is_end(description)))
        return -ENOTTY;
    available = (int)(socket ? unix_socket_available(socket) : pipe_available(description));
    return calls_write(runner, a[2], &available, sizeof(available));
}

/* ---- pipes and small kinds ------------------------------------------------------------------- */

/* If the second descriptor cannot be had, the first is closed again. */
int64_t call_pipe2(struct runner *runner, const uint64_t *a)
{
    struct description *ends[2];
    int numbers[2], r = pipe_new((int)a[1] & O_NONBLOCK, ends);

    if (r < 0)
        return r;
    numbers[0] = (int)add(runner, ends[0], a[1] & O_CLOEXEC);
    numbers[1] = (int)add(runner, ends[1], a[1] & O_CLOEXEC);
    if (numbers[0] < 0 || numbers[1] < 0) {
        for (int i = 0; i < 2; i++)
            if (numbers[i] >= 0)
                descriptors_close(table_of(runner), numbers[i]);
        return numbers[0] < 0 ? numbers[0] : numbers[1];
    }
    return calls_write(runner, a[0], numbers, sizeof(numbers));
}

int64_t call_eventfd2(struct runner *runner, const uint64_t *a)
{
    return add(runner, event_fd_new((unsigned)a[0], (int)a[1]), a[1] & O_CLOEXEC);
}

int64_t call_timerfd_create(struct runner *runner, const uint64_t *a)
{
    return add(runner, timer_fd_new(runner->machine, (int)a[0], (int)a[1]), a[1] & O_CLOEXEC);
}

/* The old setting is returned if it is asked for. */
int64_t call_timerfd_settime(struct runner *runner, const uint64_t *a)
{
    struct description *timer = runner_description(runner, a[0]);
    struct itimerspec set, before;

    if (!timer_fd_is_one(timer))
        return timer ? -EINVAL : -EBADF;
    if (calls_read(runner, a[2], &set, sizeof(set)) < 0)
        return -EFAULT;
    int r = timer_fd_set(timer, (int)a[1], &set, &before);
    return r < 0 || a[3] == 0 ? r : calls_write(runner, a[3], &before, sizeof(before));
}

/* With a descriptor it changes the set of that one. */
int64_t call_signalfd4(struct runner *runner, const uint64_t *a)
{
    signal_set set;

    if (a[2] != sizeof(set))
        return -EINVAL;
    if (calls_read(runner, a[1], &set, sizeof(set)) < 0)
        return -EFAULT;
    if ((int)a[0] < 0)
        return add(runner, signal_fd_new(set, (int)a[3]), a[3] & O_CLOEXEC);
    struct description *known = runner_description(runner, a[0]);
    return !known ? -EBADF : signal_fd_set(known, set) ? (int64_t)a[0] : -EINVAL;
}

int64_t call_pidfd_open(struct runner *runner, const uint64_t *a)
{
    struct task *task;
    int r = pid_fd_open(runner->machine->tasks, (pid_t)a[0], &task);

    if (r < 0)
        return r;
    int64_t number = add(runner, pid_fd_new(task, (int)a[1] & O_NONBLOCK), true);
    task_release(task);
    return number;
}

/* Takes a descriptor out of another process. */
int64_t call_pidfd_getfd(struct runner *runner, const uint64_t *a)
{
    const struct description *pid_fd = runner_description(runner, a[0]);
    const struct task *task = pid_fd_task(pid_fd);

    if (!task)
        return pid_fd ? -EBADF : -EBADF;
    if (!program_of(task))
        return task_is_alive(task) ? -EBADF : -ESRCH;
    struct description *found = descriptors_get(program_of(task)->descriptors, (int)a[1]);
    return found ? add(runner, description_hold(found), true) : -EBADF;
}

int64_t call_inotify_init1(struct runner *runner, const uint64_t *a)
{
    return add(runner, inotify_new((int)a[0] & O_NONBLOCK), a[0] & O_CLOEXEC);
}

int64_t call_inotify_add_watch(struct runner *runner, const uint64_t *a)
{
    return runner_description(runner, a[0]) ? 1 : -EBADF;
}

int64_t call_inotify_rm_watch(struct runner *runner, const uint64_t *a)
{
    return runner_description(runner, a[0]) ? 0 : -EBADF;
}

/* ---- waiting for several --------------------------------------------------------------------- */

int64_t call_epoll_create1(struct runner *runner, const uint64_t *a)
{
    return add(runner, epoll_new(0), a[0] & O_CLOEXEC);
}

/* The target is remembered by number and description, as Linux does it. */
int64_t call_epoll_ctl(struct runner *runner, const uint64_t *a)
{
    struct description *epoll = runner_description(runner, a[0]);
    struct description *target = runner_description(runner, a[2]);
    struct epoll_event event = {};

    if (!epoll || !target)
        return -EBADF;
    if (!epoll_is_one(epoll))
        return -EINVAL;
    if (a[1] != EPOLL_CTL_DEL && calls_read(runner, a[3], &event, sizeof(event)) < 0)
        return -EFAULT;
    return epoll_change(epoll, (int)a[1], (int)a[2], target, &event);
}

static uint64_t deadline_in(const struct runner *runner, int64_t nsec)
{
    return nsec < 0 ? MACHINE_NEVER : runner->machine->now_nsec + (uint64_t)nsec;
}

/* Waits in the model's time, never in real time. */
int64_t call_epoll_wait(struct runner *runner, const uint64_t *a)
{
    struct description *epoll = runner_description(runner, a[0]);
    struct epoll_event list[EVENTS_MAX];
    int room = (int)a[2] < EVENTS_MAX ? (int)a[2] : EVENTS_MAX, timeout = (int)a[3];

    if (!epoll_is_one(epoll))
        return epoll ? -EINVAL : -EBADF;
    if (room <= 0)
        return -EINVAL;
    int n = epoll_collect(epoll, runner, list, room);
    if (n > 0)
        return calls_write(runner, a[1], list, (size_t)n * sizeof(*list)) < 0 ? -EFAULT : n;
    if (n == 0 && !calls_is_late(runner, deadline_in(runner, timeout * (int64_t)NSEC_MSEC)))
        return MACHINE_CALL_WAITS;
    return n;
}

/* Marks what is ready; a number that is not open is POLLNVAL and not an
 * error. */
static int look_at(struct runner *runner, struct pollfd *list, size_t n)
{
    int ready = 0;

    for (size_t i = 0; i < n; i++) {
        struct description *description = runner_description(runner, (uint64_t)list[i].fd);
        list[i].revents = 0;
        if (list[i].fd < 0)
            continue;
        if (!description)
            list[i].revents = POLLNVAL;
        else if (description->kind->poll)
            list[i].revents = (short)(description->kind->poll(description, runner) &
                                      ((unsigned)list[i].events | POLLERR | POLLHUP));
        ready += list[i].revents != 0;
    }
    return ready;
}

/* The list is read again at each try, since the guest's memory is the only
 * place where it is kept. */
static int64_t poll_until(struct runner *runner, const uint64_t *a, uint64_t deadline)
{
    size_t n = a[1];
    struct pollfd *list = n <= POLLED_MAX ? calloc(n + 1, sizeof(*list)) : NULL;
    int64_t ready;

    if (!list)
        return -EINVAL;
    ready = calls_read(runner, a[0], list, n * sizeof(*list));
    if (ready == 0)
        ready = look_at(runner, list, n);
    if (ready == 0 && !calls_is_late(runner, deadline))
        ready = MACHINE_CALL_WAITS;
    else if (ready >= 0 && calls_write(runner, a[0], list, n * sizeof(*list)) < 0)
        ready = -EFAULT;
    free(list);
    return ready;
}

int64_t call_poll(struct runner *runner, const uint64_t *a)
{
    return poll_until(runner, a, deadline_in(runner, (int)a[2] * (int64_t)NSEC_MSEC));
}

int64_t call_ppoll(struct runner *runner, const uint64_t *a)
{
    struct timespec timeout;

    if (a[2] == 0)
        return poll_until(runner, a, MACHINE_NEVER);
    if (calls_read(runner, a[2], &timeout, sizeof(timeout)) < 0)
        return -EFAULT;
    return poll_until(runner, a,
                      deadline_in(runner, timeout.tv_sec * INT64_C(1000000000) + timeout.tv_nsec));
}

/* ---- from one to the other ------------------------------------------------------------------- */

#define SPLICE_MAX 65536

/* What does not go out is lost: only used to throw away what a pipe has. */
int64_t call_splice(struct runner *runner, const uint64_t *a)
{
    struct description *from = runner_description(runner, a[0]);
    struct description *to = runner_description(runner, a[2]);
    static char bytes[SPLICE_MAX];
    size_t size = a[4] < sizeof(bytes) ? a[4] : sizeof(bytes);

    if (!from || !to)
        return -EBADF;
    if (!from->kind->read || !to->kind->write)
        return -EINVAL;
    ssize_t n = from->kind->read(from, runner, bytes, size);
    if (n <= 0)
        return a[5] & SPLICE_F_NONBLOCK ? n : calls_would_wait(from, n);
    return to->kind->write(to, runner, bytes, (size_t)n);
}
