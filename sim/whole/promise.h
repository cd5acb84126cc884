/*
 * Promise: what a client was told of a child, and what must be so from then on, whatever comes to
 * an end meanwhile: proctord by a signal, by an order or by an upgrade, the bus, the power.
 *
 * A child that was paused or quarantined does not start, and does not run on, until a client asks
 * for it; no two starts of a child have the same number, and neither its generation nor its fencing
 * token ever go down. Which of two commands that are on their way at the same time comes first
 * nobody outside knows: then nothing is promised.
 */
#pragma once

#include "bus/client.h"
#include "whole/habit.h"

#define PROMISES 8

struct promise {
    char child[HABIT_CHILD_MAX];
    uint64_t held_nsec; /* since when it is to stay down; 0: it is not */
    uint64_t lifted_nsec, lift_answered_nsec;
    uint32_t lifts; /* on their way */
    uint64_t generation, attempt, fence;
};

struct promises {
    struct machine *machine;
    const struct habits *habits;
    struct promise list[PROMISES];
    uint64_t made; /* how many holds were acknowledged */
    bool clock_went_back, power_was_lost;
    bool disk_failed; /* what was not written is not known later: numbers may come again */
    bool lasting;     /* they outlive a loss of power, too */
};

/* Of an observer (bus/client.h); userdata: the promises. */
void promises_commanded(void *userdata, const char *member, const char *child);
void promises_answered(void *userdata, const struct peer_call *call,
                       const struct bus_message *answer);

/* Each fails the machine if a promise is broken. */
void promises_start(struct promises *promises, const struct task *task, const char *child);
void promises_check_rest(const struct promises *promises);

void promises_lose_power(struct promises *promises);
