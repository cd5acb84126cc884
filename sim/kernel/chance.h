/*
 * Chance: the runner of the kernel's model decides what could go in more than one way. 0 is always
 * the dull choice (no fault, the oldest first), so that a shrunk list of choices is short.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct chance {
    void *userdata;
    uint32_t (*choose)(void *userdata, uint32_t n); /* 0 to n - 1; n is at least 1 */
};

/* 0 without a chance, and from one. */
uint32_t chance_choose(const struct chance *chance, uint32_t n);

/* Whether a fault with this rate strikes. A rate of 0 is no choice. */
bool chance_strikes(const struct chance *chance, unsigned per_mille);
