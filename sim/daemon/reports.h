/*
 * Reports: what the executor and the timer tell the core.
 */
#pragma once

#include "world/world.h"

void world_report(struct world *world, const struct report *report);
void world_timer(struct world *world);
