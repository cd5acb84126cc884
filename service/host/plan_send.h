/*
 * A plan on its way to the spawner, with the descriptors that it goes with: in the message, or,
 * where it is too long for one, as a file in memory.
 */
#pragma once

#include "host/plan.h"
#include "host/spawner.h"

/* status: the launch's end of its socket. All stay the caller's. Returns 0 or a negative errno. */
int plan_send(int socket, const struct plan *plan, const struct launch_descriptors *descriptors,
              int status);
