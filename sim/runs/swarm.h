/*
 * Swarm: generated worlds. Each seed draws its own children, its own subset of features, of verbs
 * and of faults ("Swarm Testing", Groce et al.), then clients ask for things, turn by turn, and at
 * the end the faults stop and everybody has to arrive where they should be.
 *
 * Everything is drawn from the schedule, the world itself too: a shorter schedule is a smaller
 * world, and an empty one is a single child that runs in peace.
 */
#pragma once

#include "runs/run.h"

/* One whole run. *world is set as soon as there is one. */
void swarm_run(const struct run *run, struct world **world);
