/*
 * Health checks: a child is asked, at intervals, whether it is well. The core says when to ask
 * and what to make of the answer; how it is asked is up to the executor. At most one question is
 * open; without an answer by its timeout it is withdrawn, and counts as a miss. With `readiness:
 * check` the first pass makes the child ready; until then it is asked at least each second.
 *
 * Misses count from the first pass on: a child that has never been well is still starting, and that
 * is for the start timeout. So many misses in a row are a silence (liveness.c), and a pass ends it.
 */
#pragma once

#include <stdbool.h>

struct child;
struct core;

/* The attempt runs. */
void health_begin(struct core *core, struct child *child);

/* It is asked in another way, or another thing, from now on: as after a start. Only a child that
 * was found ill stays so until a check passes. */
void health_change(struct core *core, struct child *child);

/* The process that checked has gone with the proctord that asked it: that is no miss. */
void health_recovered(struct core *core);

/* The time has come to ask, or the question has been open for too long. */
void health_due(struct core *core, struct child *child);
void health_answered(struct core *core, struct child *child, bool passed, const char *why);
