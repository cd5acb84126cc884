/*
 * Ledger: what is known of each child from the events alone. An event is checked against what was
 * entered before it, and then entered; the other checks compare the core's records with that.
 */
#pragma once

#include "world/world.h"

/* As the core's sink: numbered without a gap, in an order that makes sense. */
void checks_event(struct world *world, const struct event *event);

/* Whether its start counts among the restarts that are in flight. */
bool ledger_holds_place(const struct world *world, const struct ledger *ledger);
bool ledger_is_unbounded(const struct actor *actor);
