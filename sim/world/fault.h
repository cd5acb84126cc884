/*
 * Fault: what goes wrong between the daemon and its processes, as often as the world says and where
 * the schedule lets it.
 */
#pragma once

#include "world/world.h"

/* Whether a fault of this rate does, at this time. */
bool fault_strikes(struct world *world, uint16_t per_mille);

/* How late. */
uint64_t fault_delay(struct world *world);
void fault_note(struct world *world, const struct actor *actor, const char *what,
                struct attempt_id id);

/* Sends a report on its way into the core, which it may reach late, or twice. */
void fault_send(struct world *world, struct actor *actor, const struct report *report,
                uint64_t delay);
