/*
 * Play: a scenario, step by step, in a world of its own.
 */
#pragma once

#include "runs/run.h"
#include "scenario/scenario.h"

/* One whole run. *world is set as soon as there is one. */
void scenario_run(const struct run *run, struct world **world);

/* Makes the world with its children declared, and nothing more. */
struct world *scenario_world(const struct run *run, struct world **world);

/* Does what a step says. Returns false where it has nothing to act on. */
bool scenario_perform(struct world *world, const struct subject *scenario,
                      const struct scenario_step *step);
