/*
 * Small kinds: descriptions that are little more than a number: eventfd, timerfd, signalfd, pidfd,
 * inotify.
 */
#pragma once

#include "kernel/signal_set.h"
#include "machine/description.h"

#include <stdbool.h>
#include <time.h>

struct machine;
struct task;

/* flags: EFD_SEMAPHORE and EFD_NONBLOCK. These functions return NULL without
 * memory. */
struct description *event_fd_new(unsigned count, int flags);

/* clock: CLOCK_MONOTONIC, CLOCK_REALTIME and those like them. */
struct description *timer_fd_new(struct machine *machine, int clock, int flags);
bool timer_fd_is_one(const struct description *description);
/* it: as timerfd_settime(2) has it; before may be NULL. */
int timer_fd_set(struct description *timer, int flags, const struct itimerspec *it,
                 struct itimerspec *before);
/* The wall clock has been set by so much. */
void timer_fd_clock_set(const struct machine *machine, int64_t change_nsec);
/* When one of all timers is due, in nanoseconds since boot; MACHINE_NEVER: none is. */
uint64_t timer_fd_next(void);

struct description *signal_fd_new(signal_set set, int flags);
bool signal_fd_set(struct description *description, signal_set set); /* false: it is none */

/* Holds the task. */
struct description *pid_fd_new(struct task *task, int flags);
struct task *pid_fd_task(const struct description *description); /* NULL: it is none */

/* Watches nothing. */
struct description *inotify_new(int flags);
