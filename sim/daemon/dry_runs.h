/*
 * Dry runs of declarations: what the core says that they would start, beside the reference model.
 */
#pragma once

#include "world/world.h"

/* What a scenario says of it. */
struct dry_run_claim {
    const char **ids;
    size_t n;
};

/* Of a set of new children, as an input of its own: the audit has it. Nothing changes. `claim` may
 * be NULL. */
void dry_run_declare(struct world *world, const uint32_t *actors, size_t count,
                     const struct dry_run_claim *claim);

/* Of a job that has been taken in: its dry run said whether it runs at once, and whether it will.
 */
void dry_run_compare_job(struct world *world, const struct actor *actor,
                         const struct job_plan *plan);

/* Within an input, in the core, of newer declarations. */
void dry_run_redeclare(struct world *world, const struct child_declaration *set, size_t count);
