/*
 * Checks: the safety properties of every run, numbered as in docs/simulator.md. They look at calls
 * (calls.h) and events (ledger.h) as they come, and at the core's records after each input; they
 * decide nothing.
 */
#pragma once

#include "core/model/seldom.h"
#include "world/world.h"

/* Around each input. */
struct checks_before {
    uint64_t allocations, calls;
    bool stale;
    struct child copy; /* where stale */
    struct seldom_copy seldom;
};
/* Around each input: keeps what must not change by it. */
void checks_before(struct world *world, const struct report *report, struct checks_before *before);
/* Runs all checks; the first that fails is the verdict of the world. */
void checks_after(struct world *world, const struct checks_before *before);
