#include "start.h"

#include "private.h"

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
    if (child->timers[TIMER_START].deadline_usec > 0)
        return START_BACKOFF;
    if (child->scope && child->pending.active)
        return START_SCOPE;
    if (child->waiting)
        return START_DEPENDENCY;
    return child->queued || (child->job && child->job->state == JOB_QUEUED)
               ? START_QUEUED
               : START_WAITS_FOR_NOTHING;
}

const char *start_dependency_list(const struct start_dependency *dependency)
{
    if (!dependency->id)
        return "";
    return dependency->required ? "requires" : "after";
}
