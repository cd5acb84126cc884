/*
 * Wall clock: whether it was set. The kernel cancels a timer of that clock when it is set,
 * and when the machine wakes up (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET); the timer itself is
 * never due. Only schedules depend on that clock: where there are none, the core is not told.
 */
#pragma once

struct host;

/* Returns 0 or a negative errno. A kernel that cannot tell is reported, and done without. */
int host_watch_wall_clock(struct host *host);
void host_unwatch_wall_clock(struct host *host);
