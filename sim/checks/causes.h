/*
 * Causes: which command a stop is for. A ledger of each attempt's stop, kept from events alone,
 * says which command each further event of it has to carry (docs/decisions.md, "Who a stop is
 * for").
 */
#pragma once

#include "world/world.h"

/* Before an input: whatever it accepts has a larger number. */
void causes_begin(struct world *world);

/* Enters the event, after it was looked at. */
void causes_event(struct world *world, const struct event *event);
