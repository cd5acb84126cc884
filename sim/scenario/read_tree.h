/*
 * Read tree: the children of a scenario: children with what their processes do, below supervisors.
 */
#pragma once

#include "scenario/scenario.h"

/* A child, with its models. */
int read_tree_actor(struct reader *reader, const struct node *node, const char *above,
                    struct scenario_actor *actor);

/* Room for one more; NULL: there is none. */
struct scenario_actor *read_tree_new_actor(struct reader *reader, struct subject *scenario);
int read_tree(struct reader *reader, const struct node *node, void *target);
