/*
 * Noticing that the wall clock was set: a timer that the kernel cancels then
 * (TFD_TIMER_CANCEL_ON_SET).
 */
#include "host/wall_clock.h"

#include "core/query.h"
#include "host/host.h"
#include "log/log.h"
#include "host/process.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <unistd.h>

#define NEVER_SEC (INT64_C(1) << 32) /* in 2106: then it looks once for nothing */

static int set_timer(int fd)
{
    const struct itimerspec never = {.it_value = {.tv_sec = NEVER_SEC}};

    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0
               ? -errno
               : 0;
}

/* What read(2) says does not matter: it takes back that the timer is cancelled. */
static int was_set(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct host *host = userdata;
    uint64_t expiries;

    (void)source;
    (void)events;
    if (read(fd, &expiries, sizeof(expiries)) < 0 && errno == EAGAIN)
        return 0;
    set_timer(fd);
    if (host->clock_was_set)
        host->clock_was_set(host->clock_userdata);
    if (!host->core || !core_awaits_clock(host->core))
        return 0;
    core_clock_set(host->core);
    host_settle(host);
    return 0;
}

void host_on_clock(struct host *host, void (*told)(void *userdata), void *userdata)
{
    host->clock_was_set = told;
    host->clock_userdata = userdata;
}

/* The timer itself never fires. */
static int watch(struct host *host, int fd)
{
    int r = set_timer(fd);

    if (r == 0)
        r = sd_event_add_io(host->event, &host->wall_source, fd, EPOLLIN, was_set, host);
    if (r >= 0)
        r = sd_event_source_set_io_fd_own(host->wall_source, 1);
    return r;
}

/* Without the flag, schedules notice it later, and that is logged. */
int host_watch_wall_clock(struct host *host)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    int r = fd < 0 ? -errno : watch(host, fd);

    if (r >= 0)
        return 0;
    if (fd >= 0)
        close(fd);
    if (r == -EINVAL) {
        log_print(LOG_WARNING, "the kernel does not tell when the wall clock is set: schedules "
                               "notice it with their next run");
        return 0;
    }
    return r;
}

void host_unwatch_wall_clock(struct host *host)
{
    host->wall_source = sd_event_source_disable_unref(host->wall_source);
}
