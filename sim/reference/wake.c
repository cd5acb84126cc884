/*
 * What can happen now and could not before, after each input: starts whose wait
 * is over, jobs that have room.
 */
#include "reference/wake.h"

#include "reference/dependency.h"
#include "reference/job.h"
#include "reference/start.h"
#include "reference/stop.h"
#include "reference/tree.h"

#include <string.h>

static bool is_blocked(const struct ref *r, uint32_t number)
{
    for (uint32_t i = 0; i < number; i++)
        if (r->jobs[i].state != JOB_FINISHED && strcmp(r->jobs[i].name, r->jobs[number].name) == 0)
            return true;
    return false;
}

/* In the order in which they were queued. */
static void start_jobs(struct ref *r)
{
    for (uint32_t i = 0; i < r->n_jobs && r->phase == SHUTDOWN_IDLE; i++) {
        struct ref_job *job = &r->jobs[i];
        if (job->state != JOB_QUEUED || ref_jobs(r, JOB_RUNNING) >= r->max_jobs ||
            is_blocked(r, i) || !ref_may_start(r, job->child))
            continue;
        job->state = JOB_RUNNING;
        job->started = r->now;
        job->child->wanted = true;
        ref_start_or_wait(r, job->child, false);
    }
}

void reference_wake(struct ref *r)
{
    ref_wake(r);
}

static bool is_going(const struct ref_child *c, uint32_t scope)
{
    return c->here && c->scope == scope && (c->attempt.active || c->deadline[REF_START] > 0);
}

/* Where the last of a scope is gone and its backoff is over, its members start in order. */
static bool start_scope(struct ref *r, uint32_t scope)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_going(r->order[i], scope))
            return false;
    ref_end_scope(r, scope);
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (!c->here || c->scope != scope)
            continue;
        c->scope = 0;
        if (c->pending)
            ref_start_or_wait(r, c, !c->pending_by_hand);
    }
    return true;
}

/* All that wait are examined, the one that waits longest first. Returns whether one was started. */
static bool start_waiting(struct ref *r)
{
    bool any = false;
    uint64_t last = 0;
    for (;;) {
        struct ref_child *next = NULL;
        for (uint32_t i = 0; i < r->count; i++) {
            struct ref_child *c = &r->children[i];
            if (c->here && c->waits > last && (!next || c->waits < next->waits))
                next = c;
        }
        if (!next)
            return any;
        last = next->waits;
        if (!ref_may_start(r, next))
            continue;
        ref_start_or_wait(r, next, next->automatic);
        any = true;
    }
}

void ref_wake(struct ref *r)
{
    ref_let_go(r);
    for (uint32_t i = 0; i < r->n_scopes;)
        if (!start_scope(r, r->scopes[i]))
            i++;
    ref_start_queued(r);
    while (start_waiting(r)) /* a start that fails at once may be what another one waited for */
        ;
    start_jobs(r);
}
