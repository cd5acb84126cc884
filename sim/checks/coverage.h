/*
 * Coverage: which states of a child, exits, decisions and results a run has been through, so that a
 * campaign can tell what it has never seen.
 */
#pragma once

#include "world/world.h"

void coverage_mark(struct world *world, const struct child *child);
