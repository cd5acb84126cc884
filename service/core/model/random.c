/*
 * SplitMix64 (Steele, Lea, Flood 2014): one number of state, so that it fits
 * into a checkpoint, and the same sequence on every machine.
 */
#include "core/model/random.h"

#include "core/vocabulary/invariant.h"

uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t random_between(struct random *random, uint64_t low, uint64_t high)
{
    INVARIANT(low <= high);
    uint64_t span = high - low + 1; /* 0: the whole range of 64 bits */
    uint64_t drawn = random_next(random);

    return span == 0 ? drawn : low + drawn % span;
}
