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

/* What is shrunk: runs of something that a schedule determines. */
struct shrink_subject {
    struct schedule *schedule;
    void *userdata;
    /* Runs it with the schedule as it has been begun: whether it fails as it did at first. */
    bool (*fails)(void *userdata);
};

/* The schedule given must fail. Returns how many runs were made; *choices: the caller's to free. */
uint64_t shrink_schedule(const struct shrink_subject *subject, const uint32_t *given,
                         size_t n_given, double seconds, uint32_t **choices, size_t *count);

/* The schedule given must fail. Stops after `seconds`. */
void shrink(const struct run *run, const uint32_t *choices, size_t count, double seconds,
            struct shrunk *shrunk);
