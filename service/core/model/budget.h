/*
 * Budget: how many automatic restarts a group may have, as a token bucket that starts full and
 * fills evenly. What finds it empty is not refused: it takes the next token to come, and learns how
 * long that is, so that no child is forgotten and the order is that of asking.
 *
 * Instead of counting tokens it keeps the time at which the bucket would be full again (the generic
 * cell rate algorithm, ITU-T I.371): whole numbers only, and nothing to do while time passes.
 */
#pragma once

#include <stdint.h>

struct budget {
    uint64_t interval_usec; /* in which the bucket fills from empty; 0: there is no limit */
    uint64_t token_usec;    /* in which one token comes */
    uint64_t full_usec;     /* monotonic: when it is full again */
};

/* `tokens` in each interval; 0: no limit. */
void budget_init(struct budget *budget, uint32_t tokens, uint64_t interval_usec);

/* Takes a token; returns how long until it may be used, 0: now. */
uint64_t budget_take(struct budget *budget, uint64_t now_usec);
