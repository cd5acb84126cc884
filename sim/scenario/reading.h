/*
 * Reading: what all readers of a scenario use.
 */
#pragma once

#include "scenario/scenario.h"

/* A text that lives as long as the scenario. */
int reading_text(struct reader *reader, const struct node *node, const char **text);

/* Room for the items of a list, and for one more that ends it. */
void *reading_list(struct reader *reader, const struct node *node, size_t size);
