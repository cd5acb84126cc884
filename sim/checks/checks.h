/*
 * Checks: the safety properties of every run, numbered as in docs/simulator.md. They look at calls
 * and events as they come, and at the core's records after each input; they decide nothing.
 */
#pragma once

#include "world/world.h"

/* As the core's ports are called. */
void checks_start(struct world *world, struct actor *actor, struct attempt_id id);
void checks_cancel(struct world *world, struct actor *actor, struct process *process);
void checks_abort(struct world *world, struct actor *actor, struct process *process);
void checks_escalate(struct world *world, struct actor *actor, const struct process *process);
void checks_forget(struct world *world, struct actor *actor);
void checks_event(struct world *world, const struct event *event);

/* Around each input. */
struct checks_before {
    uint64_t allocations, calls;
    bool stale;
    struct child copy; /* where stale */
};
void checks_before(struct world *world, const struct report *report, struct checks_before *before);
void checks_after(struct world *world, const struct checks_before *before);

/* After a command that was carried out: its outcome against the record, and against what the
 * reference model says. */
void checks_outcome(struct world *world, const struct command *command,
                    const struct outcome *outcome, const struct outcome *expected);

/* When a new daemon has taken over: whoever is to go has been told, though the one before may have
 * died before it could. */
void checks_recovered(struct world *world);

/* When faults have stopped and everything has had its time. */
void checks_at_the_end(struct world *world);

/* The core's records and the reference model's, all of them. */
void checks_agreement(struct world *world);
