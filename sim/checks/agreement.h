/*
 * Agreement: the core's records and answers are those of the reference model, field by field. The
 * model was written from the text: where they differ, one of the two has read it wrongly.
 */
#pragma once

#include "world/world.h"

/* All records, of children, supervisors and jobs. */
void checks_agreement(struct world *world);

/* After a command that was carried out: its outcome against the record, and against what the
 * reference model says. */
void checks_outcome(struct world *world, const struct command *command,
                    const struct outcome *outcome, const struct outcome *expected);

/* What a start waits for: the core and the reference model tell the same. */
void checks_wait(struct world *world, const struct actor *actor);
