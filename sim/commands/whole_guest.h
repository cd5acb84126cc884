/*
 * Whole guest: the proctord that commands run in the simulated machine, and runs of it.
 */
#pragma once

#include "machine/guest.h"
#include "whole/whole.h"

/* NULL: those that were built or installed with this program. From now on this program stays on one
 * core. Says on stderr what is wrong, and returns a negative errno then. */
int whole_guest_new(const char *proctord, const char *seam, bool random_addresses,
                    struct guest **guest);

/* One run of a scenario with the choices of the schedule. */
void whole_guest_run(struct guest *guest, const struct story *story, struct schedule *schedule,
                     FILE *told, struct whole_result *result);
