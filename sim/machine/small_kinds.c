/*
 * Kinds of descriptions that are a number or less: eventfd, timerfd, signalfd,
 * pidfd.
 */
#include "machine/small_kinds.h"

#include "kernel/signals.h"
#include "kernel/wait.h"
#include "machine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void free_object(struct description *description)
{
    free(description->object);
}

/* ---- eventfd --------------------------------------------------------------------------------- */

struct event_count {
    uint64_t count;
    bool semaphore;
};

/* The whole count, or one if it is a semaphore. */
static ssize_t read_event(struct description *description, struct runner *reader, void *bytes,
                          size_t size)
{
    struct event_count *event = description->object;
    uint64_t taken = event->semaphore && event->count > 0 ? 1 : event->count;

    (void)reader;
    if (size < sizeof(taken))
        return -EINVAL;
    if (taken == 0)
        return -EAGAIN;
    event->count -= taken;
    memcpy(bytes, &taken, sizeof(taken));
    return sizeof(taken);
}

/* -EAGAIN if the count would overflow. */
static ssize_t write_event(struct description *description, struct runner *writer,
                           const void *bytes, size_t size)
{
    struct event_count *event = description->object;
    uint64_t more;

    (void)writer;
    if (size < sizeof(more))
        return -EINVAL;
    memcpy(&more, bytes, sizeof(more));
    if (more > UINT64_MAX - 1 - event->count)
        return more == UINT64_MAX ? -EINVAL : -EAGAIN;
    event->count += more;
    description->moves++;
    return sizeof(more);
}

static unsigned poll_event(struct description *description, struct runner *asking)
{
    const struct event_count *event = description->object;

    (void)asking;
    return (event->count > 0 ? EPOLLIN : 0u) | (event->count < UINT64_MAX - 1 ? EPOLLOUT : 0u);
}

static const struct description_kind event_kind = {"eventfd", read_event, write_event, poll_event,
                                                   free_object};

struct description *event_fd_new(unsigned count, int flags)
{
    struct event_count *event = calloc(1, sizeof(*event));

    if (!event)
        return NULL;
    *event = (struct event_count){count, flags & EFD_SEMAPHORE};
    return description_new(&event_kind, event, 2 | (flags & EFD_NONBLOCK));
}

/* ---- timerfd --------------------------------------------------------------------------------- */

struct timer {
    struct timer *next;
    struct machine *machine;
    int clock;
    uint64_t due, interval;   /* nanoseconds since boot; due 0: it is off */
    uint64_t seen;            /* expiries before this moment are known */
    bool is_wall;             /* due at a moment of the wall clock */
    bool by_clock, cancelled; /* TFD_TIMER_CANCEL_ON_SET; it was set, and nobody has read of it */
};

static struct timer *timers; /* all that there are */

static uint64_t nsec_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static struct timespec time_of(uint64_t nsec)
{
    return (struct timespec){(time_t)(nsec / 1000000000), (long)(nsec % 1000000000)};
}

static uint64_t expiries(const struct timer *timer)
{
    uint64_t now = timer->machine->now_nsec;

    if (timer->due == 0 || timer->due > now)
        return 0;
    return timer->interval == 0 ? 1 : (now - timer->due) / timer->interval + 1;
}

/* How often it has expired. -ECANCELED once after the clock was set, if that
 * was asked for. */
static ssize_t read_timer(struct description *description, struct runner *reader, void *bytes,
                          size_t size)
{
    struct timer *timer = description->object;
    uint64_t count = expiries(timer);

    (void)reader;
    if (size < sizeof(count))
        return -EINVAL;
    if (timer->cancelled) {
        timer->cancelled = false;
        return -ECANCELED;
    }
    if (count == 0)
        return -EAGAIN;
    timer->due = timer->interval == 0 ? 0 : timer->due + count * timer->interval;
    memcpy(bytes, &count, sizeof(count));
    return sizeof(count);
}

static unsigned poll_timer(struct description *description, struct runner *asking)
{
    (void)asking;
    const struct timer *timer = description->object;

    return timer->cancelled || expiries(timer) > 0 ? EPOLLIN : 0;
}

static void release_timer(struct description *description)
{
    struct timer *timer = description->object;
    struct timer **at = &timers;

    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    free(timer);
}

static const struct description_kind timer_kind = {"timerfd", read_timer, NULL, poll_timer,
                                                   release_timer};

struct description *timer_fd_new(struct machine *machine, int clock, int flags)
{
    struct timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        return NULL;
    *timer = (struct timer){.next = timers, .machine = machine, .clock = clock};
    timers = timer;
    return description_new(&timer_kind, timer, flags & TFD_NONBLOCK);
}

bool timer_fd_is_one(const struct description *description)
{
    return description && description->kind == &timer_kind;
}

/* Times of the wall clock are converted; they move when that clock is set. */
int timer_fd_set(struct description *description, int flags, const struct itimerspec *it,
                 struct itimerspec *before)
{
    struct timer *timer = description->object;
    uint64_t now = timer->machine->now_nsec, due = nsec_of(&it->it_value);

    if (before) {
        before->it_interval = time_of(timer->interval);
        before->it_value = time_of(timer->due > now ? timer->due - now : 0);
    }
    if (due > 0 && !(flags & TFD_TIMER_ABSTIME))
        due += now;
    else if (due > 0 && (timer->clock == CLOCK_REALTIME || timer->clock == CLOCK_REALTIME_ALARM))
        due = (int64_t)due > timer->machine->wall_nsec ? due - (uint64_t)timer->machine->wall_nsec
                                                       : 1;
    timer->due = due;
    timer->interval = nsec_of(&it->it_interval);
    timer->is_wall = (flags & TFD_TIMER_ABSTIME) &&
                     (timer->clock == CLOCK_REALTIME || timer->clock == CLOCK_REALTIME_ALARM);
    timer->by_clock = (flags & TFD_TIMER_CANCEL_ON_SET) && (flags & TFD_TIMER_ABSTIME) &&
                      timer->clock == CLOCK_REALTIME;
    timer->cancelled = false;
    description->moves++;
    return 0;
}

void timer_fd_clock_set(const struct machine *machine, int64_t change_nsec)
{
    for (struct timer *timer = timers; timer; timer = timer->next) {
        if (timer->machine != machine || !timer->is_wall || timer->due == 0)
            continue;
        timer->cancelled = timer->by_clock;
        int64_t due = (int64_t)timer->due - change_nsec;
        timer->due = due > 1 ? (uint64_t)due : 1;
    }
}

uint64_t timer_fd_next(void)
{
    uint64_t next = MACHINE_NEVER;

    for (const struct timer *timer = timers; timer; timer = timer->next)
        if (timer->due > timer->machine->now_nsec && timer->due < next)
            next = timer->due;
    return next;
}

/* ---- signalfd -------------------------------------------------------------------------------- */

/* The fields that Linux fills in for this kind of signal. */
static void tell_signal(const siginfo_t *from, struct signalfd_siginfo *to)
{
    *to = (struct signalfd_siginfo){.ssi_signo = (uint32_t)from->si_signo,
                                    .ssi_errno = from->si_errno,
                                    .ssi_code = from->si_code,
                                    .ssi_pid = (uint32_t)from->si_pid,
                                    .ssi_uid = from->si_uid};
    if (from->si_signo == SIGCHLD)
        to->ssi_status = from->si_status;
    else if (from->si_code == SI_QUEUE)
        to->ssi_ptr = (uint64_t)(uintptr_t)from->si_ptr;
    if (from->si_code == SI_QUEUE)
        to->ssi_int = from->si_int;
}

/* As many as fit. */
static ssize_t read_signal(struct description *description, struct runner *reader, void *bytes,
                           size_t size)
{
    const signal_set *set = description->object;
    struct signalfd_siginfo *list = bytes;
    size_t n = 0;
    siginfo_t info;

    if (size < sizeof(*list))
        return -EINVAL;
    while (n < size / sizeof(*list) && signal_take(reader->thread, *set, &info) > 0)
        tell_signal(&info, &list[n++]);
    return n > 0 ? (ssize_t)(n * sizeof(*list)) : -EAGAIN;
}

static unsigned poll_signal(struct description *description, struct runner *asking)
{
    const signal_set *set = description->object;
    return signal_is_pending(asking->thread, *set) ? EPOLLIN : 0;
}

static const struct description_kind signal_kind = {"signalfd", read_signal, NULL, poll_signal,
                                                    free_object};

struct description *signal_fd_new(signal_set set, int flags)
{
    signal_set *own = malloc(sizeof(*own));

    if (!own)
        return NULL;
    *own = set & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    return description_new(&signal_kind, own, flags & SFD_NONBLOCK);
}

bool signal_fd_set(struct description *description, signal_set set)
{
    if (description->kind != &signal_kind)
        return false;
    *(signal_set *)description->object = set & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    description->moves++;
    return true;
}

/* ---- pidfd ----------------------------------------------------------------------------------- */

static unsigned poll_pid(struct description *description, struct runner *asking)
{
    (void)asking;
    return pid_fd_poll(description->object);
}

static void release_pid(struct description *description)
{
    task_release(description->object);
}

static const struct description_kind pid_kind = {"pidfd", NULL, NULL, poll_pid, release_pid};

struct description *pid_fd_new(struct task *task, int flags)
{
    return description_new(&pid_kind, task_hold(task), 2 | flags);
}

struct task *pid_fd_task(const struct description *description)
{
    return description && description->kind == &pid_kind ? description->object : NULL;
}

/* ---- inotify --------------------------------------------------------------------------------- */

static ssize_t read_nothing(struct description *description, struct runner *reader, void *bytes,
                            size_t size)
{
    (void)description;
    (void)reader;
    (void)bytes;
    (void)size;
    return -EAGAIN;
}

static unsigned poll_nothing(struct description *description, struct runner *asking)
{
    (void)description;
    (void)asking;
    return 0;
}

static const struct description_kind inotify_kind = {"inotify", read_nothing, NULL, poll_nothing,
                                                     free_object};

struct description *inotify_new(int flags)
{
    return description_new(&inotify_kind, NULL, flags);
}
