/*
 * The core's own generator, so that a run can be repeated: SplitMix64 (Steele, Lea, Flood 2014).
 * The only randomness that any decision of the core may use.
 */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);

/* A number from low to high, both included; low <= high. */
uint64_t random_between(struct random *random, uint64_t low, uint64_t high);
