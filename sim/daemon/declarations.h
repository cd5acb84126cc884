/*
 * Declarations: children, supervisors and jobs that come, and change.
 */
#pragma once

#include "world/world.h"

/* Each is handled whole, by the core, the reference model and the checks. */
int world_declare(struct world *world, const uint32_t *actors, size_t count, struct error *error);
/* With supervisors, each after the one above it and before what is below it; the caller's. */
int world_declare_tree(struct world *world, const struct supervisor_declaration *supervisors,
                       size_t n_supervisors, const uint32_t *actors, size_t count,
                       struct error *error);
int world_redeclare_supervisor(struct world *world,
                               const struct supervisor_declaration *declaration,
                               struct error *error);
int world_redeclare(struct world *world, uint32_t actor,
                    const struct child_declaration *declaration, enum redeclare_how how,
                    struct error *error);

/* Takes in a job; the actor is a child called jobs/N, with the number that the job will have. */
int world_run_job(struct world *world, uint32_t actor, const char *name, enum same_name same_name,
                  struct error *error);

/* Two in one set. */
int world_redeclare_two(struct world *world, const struct child_declaration *const two[2],
                        enum redeclare_how how);

/* What is to be refused, with this error, and changes nothing. */
void world_declare_in_vain(struct world *world, const struct child_declaration *declarations,
                           size_t count, int wanted);
void world_redeclare_in_vain(struct world *world, const struct child_declaration *declaration);
