/*
 * Executor: the core's ports in the simulated world, and what of it a daemon's death leaves in
 * doubt.
 */
#pragma once

#include "world/world.h"

void executor_ports(struct world *world, struct core_ports *ports);
/* A new daemon does again what may not have been done. */
void executor_do_again(struct world *world, const struct doubt *doubt);
