/*
 * Start: the next attempt of a child, or why one that is meant to run has none (semantics.md
 * section 5): held, fenced, backoff, scope, dependency, queued. Exactly one of them.
 */
#pragma once

#include "reference/reference.h"

/* Why it has no attempt, and for a dependency which one, and whether it is required. */
struct ref_wait {
    enum start_wait reason;
    const char *target;
    bool required;
};

void ref_start_or_wait(struct ref *r, struct ref_child *c, bool automatic);
/* Those that waited for room among the restarts in flight. */
void ref_start_queued(struct ref *r);
struct ref_wait reference_waits_for(struct ref *r, const struct ref_child *c);
