/*
 * Calls: what must hold when the core's ports are called. One attempt of a child at a time, no
 * start under a hold or behind a shutdown, no second cancel; and what happens to one child starts
 * or stops another only where a rule says so.
 */
#pragma once

#include "world/world.h"

/* As the core's ports are called. */
void checks_start(struct world *world, struct actor *actor, struct attempt_id id);
/* Before the model carries out a call of the core: whether it was allowed now.
 */
void checks_cancel(struct world *world, struct actor *actor, struct process *process);
void checks_abort(struct world *world, struct actor *actor, struct process *process);
void checks_escalate(struct world *world, struct actor *actor, const struct process *process);
void checks_forget(struct world *world, struct actor *actor);

/* Whether the child stands anywhere below the supervisor. */
bool checks_is_below(const struct child *child, const struct supervisor *supervisor);
