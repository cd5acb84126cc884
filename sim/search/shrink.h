/*
 * Shrink: the shortest schedule that still fails the same check.
 *
 * As a schedule is a list in which 0 is dull and everything behind the end is 0, shorter and
 * smaller is simpler: cut the end off, zero whole stretches, take stretches out, lower what is
 * left, until nothing helps any more (in the manner of Hypothesis and of delta debugging).
 */
#pragma once

#include "runs/run.h"

struct shrunk {
    uint32_t *choices; /* owned by the caller */
    size_t count;
    struct result result;
    uint64_t tries;
};

/* The schedule given must fail. Stops after `seconds`. */
void shrink(const struct run *run, const uint32_t *choices, size_t count, double seconds,
            struct shrunk *shrunk);
