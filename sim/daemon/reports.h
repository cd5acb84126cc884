/*
 * Reports: what the executor and the timer tell the core.
 */
#pragma once

#include "world/world.h"

void world_report(struct world *world, const struct report *report);
void world_timer(struct world *world);
void world_set_clock(struct world *world, int64_t by_usec); /* later by so much, or earlier */
