/*
 * Shown: what the bus shows of a child and of a supervisor (service/bus/child_object.c and
 * supervisor_object.c), as it was when a change was last signalled. Whatever differs must have been
 * marked as changed by the core; otherwise a client that trusts the signals keeps the old value
 * forever.
 */
#pragma once

#include "world/world.h"

/* After an input: looks at everything, and takes what was marked. */
void shown_check(struct world *world);

/* There is another core: the new daemon shows everything again. */
void shown_forget(struct world *world);
