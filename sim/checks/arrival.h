/*
 * Arrival: when faults have stopped and everything has had its time, everybody is where it was
 * meant to be: what was to stop has stopped, what was to run runs or has a reason not to.
 */
#pragma once

#include "world/world.h"

/* At the end of a run, when nothing is planned any more. */
void checks_at_the_end(struct world *world);

/* When a new daemon has taken over: each that is to stop has been told, though the one before may
 * have died before it could. */
void checks_recovered(struct world *world);
