/*
 * Run: one life of a simulated world from its first input to its last check, and what came of it.
 *
 * A run is fully determined by what it is a run of (a generated world, or a scenario), its seed,
 * and its schedule. The core's own assertions, and an input that is never handled to its end, are
 * caught and count as failed checks.
 */
#pragma once

#include "world/schedule.h"
#include "world/world.h"

#define RUN_MEMORY (UINT64_C(256) << 20) /* address space of a world */

struct result {
    struct verdict verdict;
    uint64_t hash;
    uint64_t inputs;
    uint64_t simulated_nsec;
    uint64_t marks[COVERAGE_WORDS];
};

struct subject; /* what runs are made of: see scenario/scenario.h */

struct run {
    struct memory *memory;
    struct schedule *schedule;
    const struct subject *subject; /* NULL: a generated world */
    uint64_t seed;
    unsigned char *states; /* coverage, or NULL */
    void (*observe)(void *userdata, const struct record *record);
    void *observe_userdata;
    bool (*stop_after)(void *userdata,
                       struct world *world); /* looked at after each step; may be NULL */
};

/* The schedule has been begun by the caller, with the seed or with a given list. */
void run_once(const struct run *run, struct result *result);

/* For callers that drive a world themselves: catches what the core's assertions raise, and what
 * takes longer than `seconds` (0: no limit). Returns false when `drive` did not come back by
 * itself; the world's verdict says why. */
bool run_guarded(struct world **world, void (*drive)(void *userdata), void *userdata,
                 unsigned seconds);
