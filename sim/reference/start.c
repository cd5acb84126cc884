/*
 * Starting a child: whether it may, whether there is room, and what an attempt
 * begins with.
 */
#include "reference/start.h"

#include "reference/attempt.h"
#include "reference/dependency.h"
#include "reference/job.h"
#include "reference/stop.h"

#include <string.h>

static uint32_t in_flight(struct ref *r, uint32_t s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->count; i++)
        n += r->children[i].here && r->children[i].supervisor == s && r->children[i].in_flight;
    return n;
}

static uint32_t queued(struct ref *r, uint32_t s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->count; i++)
        n += r->children[i].here && r->children[i].supervisor == s && r->children[i].queued > 0;
    return n;
}

static struct ref_child *first_queued(struct ref *r, uint32_t s)
{
    struct ref_child *first = NULL;
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = &r->children[i];
        if (c->here && c->supervisor == s && c->queued > 0 && (!first || c->queued < first->queued))
            first = c;
    }
    return first;
}

static bool below_cap(struct ref *r, uint32_t s)
{
    uint32_t cap = r->supervisors[s].declaration->max_restarts_in_flight;
    return in_flight(r, s) < (cap > 0 ? cap : r->cap);
}

static bool has_room(struct ref *r, const struct ref_child *c)
{
    return !first_queued(r, c->supervisor) && below_cap(r, c->supervisor);
}

static bool requires(const struct ref_child *c, const struct ref_child *target)
{
    const struct child_declaration *d = c->declaration;
    for (size_t i = d->role == ROLE_SIDECAR ? 1 : 0; i < d->n_requires; i++)
        if (strcmp(d->requires[i], target -> id) == 0)
            return true;
    return false;
}

/* Those that run with the one that was there before it are restarted, the last of the tree first. A
 * temporary child and a job run once; who stops already, or is restarted anyway, is left alone. */
static void restart_dependents(struct ref *r, const struct ref_child *target)
{
    if (r->dry || !target->declaration->restart_dependents)
        return;
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        if (c->here && requires(c, target) && c->attempt.active && !c->attempt.cancelled &&
            !c->attempt.aborted && !c->attempt.main_gone && !c->waits_to_go && !c->pending &&
            c->operation == CHILD_ACTIVE && !c->is_job &&
            c->declaration->restart != RESTART_TEMPORARY)
            ref_enter_fence(r, c, false, false, "policy");
    }
}

/* The attempt begins here, with everything about the one before forgotten. */
static void start(struct ref *r, struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    c->waits = 0;
    r->plan |= PLAN_START;
    ref_disarm(c, REF_START);
    if (!c->process->has_process) {
        c->wanted = false;
        ref_fail(r, c, FAILURE_SPAWN, false, "the child has no process: its manifest has no exec");
        c->readiness = READINESS_UNREPORTED;
        if (c->fence == FENCE_READY_TO_START) { /* there is nothing more to wait for */
            c->fence = FENCE_OPEN;
            c->pending = c->pending_by_resume = false;
        }
        TELL(r, c, EVENT_CHILD_SPAWN_FAILED, FIELD_TEXT_OF("reason", c->failure_reason),
             FIELD_SIGNED_OF("errno", 0));
        return;
    }
    c->wanted = true;
    c->on_trial = c->on_trial || (c->gave_up && c->automatic);
    c->gave_up = false;
    c->attempt = (struct ref_attempt){.active = true,
                                      .status = CHILD_STARTING,
                                      .started = r->now,
                                      .generation = ref_next_generation(c),
                                      .number = ++c->attempts};
    c->token = c->token + 1 > r->realtime ? c->token + 1 : r->realtime;
    c->in_flight = c->automatic;
    c->started_realtime = r->realtime;
    c->status_text = "";
    c->said_errno = 0;
    for (uint32_t s = c->supervisor; !r->dry; s = r->supervisors[s].above) {
        r->supervisors[s].melted_down = false;
        if (s == 0)
            break;
    }
    c->stop_state = STOP_IDLE;
    c->readiness = READINESS_UNREPORTED;
    c->stale = false;
    c->heartbeat = c->heartbeat_realtime = 0;
    if (d->heartbeat_usec > 0 && d->heartbeat_required)
        ref_arm_timeout(r, c, REF_HEARTBEAT, d->stale_after_usec);
    ref_arm_timeout(r, c, REF_START_TIMEOUT, d->start_timeout_usec);
    if (c->in_flight)
        ref_arm(r, c, REF_PLACE, r->now + 1000000);
    TELL(r, c, EVENT_CHILD_STARTING, FIELD_FLAG_OF("automatic", c->automatic));
    ref_call(r, c, REF_CALL_START);
    restart_dependents(r, c);
}

/* Waits for what it needs, or for its place among those that start. */
void ref_start_or_wait(struct ref *r, struct ref_child *c, bool automatic)
{
    c->automatic = automatic;
    c->queued = 0;
    c->named_to_start = false;
    if (!ref_may_start(r, c)) {
        c->wanted = true;
        if (c->waits == 0)
            c->waits = ++r->next_wait;
    } else if (automatic && !has_room(r, c)) {
        c->wanted = true;
        c->waits = 0;
        c->queued = ++r->next_wait;
        TELL(r, c, EVENT_CHILD_RESTART_QUEUED,
             FIELD_TEXT_OF("supervisor", r->supervisors[c->supervisor].declaration->path),
             FIELD_NUMBER_OF("in_flight", in_flight(r, c->supervisor)),
             FIELD_NUMBER_OF("position", queued(r, c->supervisor)));
    } else {
        start(r, c);
    }
}

void ref_start_queued(struct ref *r)
{
    for (uint32_t s = 0; s < r->n_supervisors; s++)
        for (struct ref_child *c; below_cap(r, s) && (c = first_queued(r, s));) {
            c->queued = 0;
            if (ref_may_start(r, c))
                start(r, c);
            else
                c->waits = ++r->next_wait;
        }
}

/* Why a child does not start: the first reason that applies. */
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
    } else if (ref_is_queued_job(r, c)) {
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
        wait.target = ref_obstacle(r, c, &wait.required);
        wait.reason = wait.target ? START_DEPENDENCY : START_WAITS_FOR_NOTHING;
    }
    return wait;
}
