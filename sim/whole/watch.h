/*
 * Watch: what is checked from outside, by the kernel's own tables, whatever proctord believes.
 *
 * At most one working copy of a child: nothing starts before the last process of the old attempt is
 * gone. No signal of proctord reaches a process that is not ours. Everybody gets the stop signal,
 * and the time of its manifest, before SIGKILL.
 */
#pragma once

#include "whole/habit.h"

struct watch {
    struct machine *machine;
    const struct habits *habits;
    uint64_t starts, signals, kills; /* how often it was looked at */
    bool disk_failed; /* a proctord that finds no journal ends what it finds at once */
    bool hurried;     /* a second signal has told proctord to hurry: SIGKILL comes when it likes */
};

/* Before the task begins as the actor. Each fails the machine where something is wrong. */
void watch_start(struct watch *watch, const struct task *task, const struct player *actor);
/* Time has passed: the loop's thread must have been in its poll. */
void watch_loop(struct watch *watch, const struct task *proctord);
void watch_signal(struct watch *watch, const struct task *sender, const struct task *to,
                  int signal);
