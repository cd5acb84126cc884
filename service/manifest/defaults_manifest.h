/*
 * Defaults: what a supervisor's manifest says for the children in its list, and in the lists below.
 *
 * They are merged into each child's mapping before it is read, so that everything that reads,
 * compares or shows a child sees what is in force. A child's own keys win, key by key, also within
 * stop, backoff, restart_limit, heartbeat and health_check; then those of the nearest supervisor.
 * What does not fit a child's kind is left out.
 */
#pragma once

#include "manifest/reader.h"

#define DEFAULTS_WEIGHT_MAX 2048 /* bytes and nodes of those of one supervisor */

/* Looks at the `defaults` of a supervisor, and merges them over those that it inherits (NULL:
 * none). The nodes live in the arena. Returns 0 with what holds for its list, -EINVAL, or -ENOMEM.
 */
int manifest_read_defaults(struct reader *reader, struct arena *arena, const struct node *node,
                           const struct node *inherited, const struct node **defaults);

/* A child's mapping with what it does not say itself; the same where there is nothing to add, NULL
 * without memory. */
const struct node *manifest_with_defaults(struct arena *arena, const struct node *child,
                                          const struct node *defaults);
