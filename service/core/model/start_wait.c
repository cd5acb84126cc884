/*
 * What a start waits for is one word (enum start_wait) with one setter, instead
 * of the several flags that could contradict each other. Whatever list the
 * child stands in belongs to that word: leaving the state leaves the list.
 */
#include "core/model/start_wait.h"

#include "core/model/child_change.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/restart_queue.h"
#include "core/model/supervisor.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/vocabulary.h"

/* ---- what it waits for ----------------------------------------------------------------------- */

/* The word as it is shown: a hold and a fence come before it, since nothing
 * else matters while they last. In a shutdown nothing is waited for. */
enum start_wait child_waits_for(const struct child *child)
{
    if (child->fence_phase == FENCE_CLOSED)
        return START_WAITS_FOR_NOTHING;
    if (child->operation != CHILD_ACTIVE)
        return START_HELD;
    if (child->attempt.active)
        return child->pending.active && child->fence_phase != FENCE_READY_TO_START
                   ? START_FENCED
                   : START_WAITS_FOR_NOTHING;
    if (child->job && child->job->state == JOB_QUEUED)
        return START_QUEUED;
    return child->start;
}

/* ---- from one to the next -------------------------------------------------------------------- */

#define TO(wait) (1u << START_##wait)

/* Each can be withdrawn, and each start can be brought into the scope of others. */
static bool may_follow(enum start_wait from, enum start_wait to)
{
    static const unsigned next[] = {
        [START_WAITS_FOR_NOTHING] = TO(BACKOFF) | TO(SCOPE) | TO(DEPENDENCY) | TO(QUEUED),
        [START_BACKOFF] = TO(WAITS_FOR_NOTHING) | TO(SCOPE) | TO(DEPENDENCY) | TO(QUEUED),
        [START_SCOPE] = TO(WAITS_FOR_NOTHING) | TO(DEPENDENCY) | TO(QUEUED),
        [START_DEPENDENCY] = TO(WAITS_FOR_NOTHING) | TO(SCOPE) | TO(QUEUED),
        [START_QUEUED] = TO(WAITS_FOR_NOTHING) | TO(SCOPE) | TO(DEPENDENCY),
    };

    return from < sizeof(next) / sizeof(next[0]) && (next[from] & 1u << to);
}

/* Each state's own end; those without a list or a timer have none. */
static void leave(struct core *core, struct child *child)
{
    switch (child->start) {
    case START_BACKOFF:
        child_disarm(core, child, TIMER_START);
        return;
    case START_DEPENDENCY:
        dependency_leave(core, child);
        return;
    case START_QUEUED:
        restart_queue_leave(core, child);
        return;
    case START_SCOPE:
    case START_WAITS_FOR_NOTHING:
    case START_HELD:
    case START_FENCED:
        return;
    }
}

/* The one setter. Moves that the table does not allow are errors in a rule. */
void start_move(struct core *core, struct child *child, enum start_wait to)
{
    child->named_to_start = false;
    if (child->start == to)
        return;
    INVARIANT(may_follow(child->start, to));
    leave(core, child);
    child->start = to;
    core_changed(core, child);
}

void start_restore(struct child *child)
{
    if (child->timers[TIMER_START].deadline_usec > 0)
        child->start = START_BACKOFF;
    else if (child->scope && child->pending.active && !child->attempt.active)
        child->start = START_SCOPE;
}

/* ---- several at once ------------------------------------------------------------------------- */

void start_name(struct child *child)
{
    child->named_to_start = true;
}

/* Only as far down the heap as deadlines have passed. */
static void name_due_from(struct core *core, uint32_t position)
{
    struct timer *timer = position <= core->timers.count ? core->timers.timers[position] : NULL;

    if (!timer || timer->deadline_usec > core_now(core))
        return;
    if (timer->kind == TIMER_START && timer != &core->shutdown_bound)
        start_name(child_of_timer(timer));
    name_due_from(core, 2 * position);
    name_due_from(core, 2 * position + 1);
}

void start_name_due(struct core *core)
{
    name_due_from(core, 1);
}

/* Now, or when its old attempt is gone. */
static bool is_resumed(const struct child *child)
{
    if (child->operation == CHILD_ACTIVE || child->operation == CHILD_REMOVED || child->job ||
        child->stop_waits)
        return false;
    return child->wanted && child->config->declaration.has_process &&
           (!child->attempt.active || child->comes_back);
}

void start_name_resumed(struct core *core, const struct supervisor *supervisor)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        return;
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child))
        if (is_resumed(child))
            start_name(child);
}

void start_forget_named(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child))
        if (child->start != START_BACKOFF)
            child->named_to_start = false;
}

/* ---- asking for it --------------------------------------------------------------------------- */

void start_schedule(struct core *core, struct child *child, uint64_t deadline_usec)
{
    child_arm(core, child, TIMER_START, deadline_usec);
    start_move(core, child, START_BACKOFF);
}

void start_with_others(struct core *core, struct child *child)
{
    INVARIANT(child->scope && child->pending.active && !child->attempt.active);
    if (child->start != START_BACKOFF)
        start_move(core, child, START_SCOPE);
}

void start_withdraw(struct core *core, struct child *child)
{
    start_move(core, child, START_WAITS_FOR_NOTHING);
}

void dependency_append(struct core *core, struct child *child)
{
    child->waiting_previous = core->waiting_last;
    child->waiting_next = NULL;
    *(core->waiting_last ? &core->waiting_last->waiting_next : &core->waiting_first) = child;
    core->waiting_last = child;
}

void dependency_restore(struct core *core, struct child *child)
{
    child->start = START_DEPENDENCY;
    dependency_append(core, child);
}

/* Out of the list of those that wait for a dependency. */
void dependency_leave(struct core *core, struct child *child)
{
    child->awaited = 0;
    if (core->muted)
        return;
    *(child->waiting_previous ? &child->waiting_previous->waiting_next : &core->waiting_first) =
        child->waiting_next;
    *(child->waiting_next ? &child->waiting_next->waiting_previous : &core->waiting_last) =
        child->waiting_previous;
    child->waiting_next = child->waiting_previous = NULL;
}
