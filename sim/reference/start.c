/*
 * The reference model's starts: why a child that is meant to run has no attempt (semantics.md
 * section 5): held, fenced, backoff, scope, dependency, queued. Exactly one of them.
 */
#include "reference/tree.h"

struct ref_wait reference_waits_for(struct ref *r, const struct ref_child *c)
{
    struct ref_wait wait = {};

    if (r->phase != SHUTDOWN_IDLE) {
        wait.reason = START_WAITS_FOR_NOTHING; /* every start that waits is withdrawn */
    } else if (c->operation != CHILD_ACTIVE) {
        wait.reason = START_HELD;
    } else if (c->attempt.active) {
        if (c->fence == FENCE_WAITING_FOR_OLD_STOP || c->fence == FENCE_ABORTING_OLD)
            wait.reason = START_FENCED;
    } else if (jobs_is_queued(r, c)) {
        wait.reason = START_QUEUED;
    } else if (!c->wanted) {
        wait.reason = START_WAITS_FOR_NOTHING;
    } else if (c->deadline[REF_START] > 0) {
        wait.reason = START_BACKOFF;
    } else if (c->scope > 0) {
        wait.reason = START_SCOPE;
    } else if (c->queued > 0) {
        wait.reason = START_QUEUED;
    } else {
        wait.target = tree_obstacle(r, c, &wait.required);
        wait.reason = wait.target ? START_DEPENDENCY : START_WAITS_FOR_NOTHING;
    }
    return wait;
}
