/*
 * Explore: every interleaving of a scenario's actions with everything that is under way, up to a
 * bound.
 *
 * Time stands still in an exploration but for the timer: whatever has been sent may arrive before
 * or after anything else, and the earliest deadline may pass at any moment. States are recognised
 * by a hash of all that matters for what can come (64 bits: with n states, the chance that two were
 * taken for one is about n^2 / 2^65); what cannot be distinguished by waiting, such as stamps and
 * command numbers, is left out. Steps that concern different children in a tree without
 * dependencies are not tried in both orders (sleep sets, Godefroid 1996): fewer steps, the same
 * states.
 */
#pragma once

#include "runs/run.h"

struct explored {
    uint64_t states, transitions, duplicates, ends;
    unsigned deepest;
    bool exhausted;
    double seconds;
    struct verdict verdict;
    uint32_t path[1024]; /* to the failure: which of the possible steps, each time */
    size_t n_path;
};

/* depth 0: what the scenario says, else 1000. Stops after `seconds` (0: never) or states_max. */
void explore(const struct run *run, unsigned depth, double seconds, uint64_t states_max,
             struct explored *explored);

/* Walks one path again, with the run's observer. */
void explore_path(const struct run *run, const uint32_t *path, size_t count,
                  struct explored *explored);
