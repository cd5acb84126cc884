/*
 * Read steps: what happens in a scenario, and when: steps in time; or, for an exploration, actions
 * at any time.
 */
#pragma once

#include "scenario/scenario.h"

int read_steps_max_jobs(struct reader *reader, const struct node *node, void *target);
int read_steps(struct reader *reader, const struct node *node, void *target);

/* What an exploration does: each action at any time. */
int read_steps_explore(struct reader *reader, const struct node *node, void *target);
