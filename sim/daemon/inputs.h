/*
 * Inputs: what comes into the core of a simulated daemon. Each is handled whole, by the core, the
 * reference model and the checks, before the next one.
 */
#pragma once

#include "world/world.h"

/* Before the core handles it; actor: the child that it is about, or NULL. */
void inputs_begin(struct world *world, enum input_kind kind, struct actor *actor);
