#include "start.h"

#include "private.h"

/* ---- what it waits for ----------------------------------------------------------------------- */

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

const char *start_dependency_list(const struct start_dependency *dependency)
{
    if (!dependency->id)
        return "";
    return dependency->required ? "requires" : "after";
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

void start_move(struct core *core, struct child *child, enum start_wait to)
{
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

/* ---- asking for it --------------------------------------------------------------------------- */

void start_request(struct core *core, struct child *child, uint64_t cause, bool automatic)
{
    child->start_cause = cause;
    child->automatic_start = automatic;
    if (dependency_holds_up(core, child)) {
        child->wanted = true;
        return;
    }
    start_move(core, child, START_WAITS_FOR_NOTHING);
    if (restart_queue_admit(core, child))
        child_start(core, child);
}

void start_schedule(struct core *core, struct child *child, uint64_t deadline_usec)
{
    child_arm(core, child, TIMER_START, deadline_usec);
    start_move(core, child, START_BACKOFF);
}

void start_is_due(struct core *core, struct child *child)
{
    if (child->scope)
        start_move(core, child, START_SCOPE);
    else
        start_request(core, child, child->start_cause, child->automatic_start);
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

void start_settle(struct core *core)
{
    strategy_look(core);
    restart_queue_look(core);
    dependency_wake(core);
    jobs_look(core);
}
