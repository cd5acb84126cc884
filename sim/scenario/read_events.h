/*
 * Read events: what must come of it: events, in what order and how often, what must always hold,
 * and what must be so in the end.
 */
#pragma once

#include "scenario/scenario.h"

int read_events(struct reader *reader, const struct node *node, void *target);

/* What must hold after each input. */
int read_events_always(struct reader *reader, const struct node *node, void *target);

/* What must be so within a time after the last step. */
int read_events_eventually(struct reader *reader, const struct node *node, void *target);
