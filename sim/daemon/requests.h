/*
 * Requests: what clients, and signals to the daemon, ask of the core.
 */
#pragma once

#include "world/world.h"

/* Each is handled whole, by the core, the reference model and the checks. */
int world_command(struct world *world, const struct command *command, struct outcome *outcome,
                  struct error *error);
/* The same on every child below the supervisor of that path. */
int world_command_scope(struct world *world, const struct command *command, struct error *error);
void world_remove(struct world *world, const char *const *ids, uint32_t n);
/* bound_usec: of the whole; 0: none */
void world_shutdown(struct world *world, uint64_t bound_usec, const char *by, const char *why);
void world_hurry(struct world *world);
void world_reopen(struct world *world); /* where a shutdown has begun */
void world_reexecute(struct world *world);

/* The daemon says that it is up; and that it has refused a manifest. */
void world_announce(struct world *world);
void world_reject(struct world *world);
