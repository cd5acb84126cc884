/*
 * Liveness: what must have happened when nothing more is going to happen. At
 * the end of a run, when no input is left, every child must be where its
 * operation wants it, and a shutdown must be complete.
 *
 * The exceptions are the point: a process that hangs, or a time that is not
 * over, may keep a child from arriving; anything else is a fault.
 */
#include "checks/arrival.h"

#include "core/model/start_wait.h"
#include "core/rules/dependency.h"
#include "world/process.h"

/* Whether a process of this child cannot be ended: its abort was lost, or the
 * operator said that it is only to be reported. */
static bool hangs(const struct actor *actor)
{
    for (int i = 0; i < WORLD_PROCESSES; i++) {
        const struct process *process = &actor->processes[i];
        if (process->state != PROCESS_ALIVE && process->state != PROCESS_LEFTOVER &&
            process->state != PROCESS_FOLLOWED)
            continue;
        if (process->aborts > 0)
            return true; /* an abort that was lost, or could not end it */
        if (process->cancels > 0 &&
            actor->child->config->declaration.timeout_action == TIMEOUT_REPORT)
            return true; /* the operator wants to know, and no more */
    }
    return false;
}

/* The scope that a child waits for: one of it is still stopping, or its backoff runs. */
static bool scope_is_under_way(const struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *child = world->actors[i].child;
        if (child && child->scope &&
            (child->attempt.active || child->timers[TIMER_START].deadline_usec > 0))
            return true;
    }
    return false;
}

static bool queue_is_full(const struct world *world, const struct supervisor *supervisor)
{
    return supervisor->in_flight >= supervisor_cap(world->core, supervisor);
}

/* Of the last signal: the others have a deadline. */
static uint64_t last_stop_time(const struct child_declaration *d)
{
    return d->n_further_stops > 0 ? d->further_stops[d->n_further_stops - 1].usec
                                  : d->stop_timeout_usec;
}

/* Until a deadline, or without one for as long as it likes. */
static bool has_time_to_go(const struct child *child)
{
    const struct child_declaration *d = &child->config->declaration;
    const struct attempt *attempt = &child->attempt;

    if (child->timers[TIMER_STOP].deadline_usec > 0)
        return true;
    return attempt->active && attempt->abort_requested
               ? d->abort_timeout_usec == 0
               : attempt->active && attempt->cancel_delivered && last_stop_time(d) == 0;
}

/* One child. The last condition is a child that is meant to run while nothing
 * will ever start it: no timer, no dependency, no queue. */
static void check_arrival(struct world *world, struct actor *actor)
{
    const struct child *child = actor->child;

    if (hangs(actor) || has_time_to_go(child))
        return; /* it cannot go, or its time to go is not over */
    if (child->stop_waits && child->held_up > 0)
        return; /* nor is that of one that it waits for */
    if (child->operation != CHILD_ACTIVE && child->attempt.active)
        world_fail(world, CHECK_LIVENESS, "%s is %s and still has an attempt", child->id,
                   child_operation_to_string(child->operation));
    else if (child->operation == CHILD_REMOVED && !world->shutdown_begun)
        world_fail(world, CHECK_LIVENESS, "%s is removed and still there", child->id);
    else if (child->pending.active && child->start != START_DEPENDENCY && !child->scope &&
             child->start != START_QUEUED)
        world_fail(world, CHECK_LIVENESS, "the restart of %s still waits behind its fence",
                   child->id);
    else if (child->attempt.active && !child->attempt.spawned)
        world_fail(world, CHECK_LIVENESS, "the start of %s has no answer", child->id);
    else if (!world->shutdown_begun && child->operation == CHILD_ACTIVE && child->wanted &&
             child->config->declaration.has_process && !child->attempt.active &&
             child->timers[TIMER_START].deadline_usec == 0 &&
             !(child->start == START_DEPENDENCY && child_awaits(child).id) &&
             !(child->scope && scope_is_under_way(world)) &&
             !(child->start == START_QUEUED && queue_is_full(world, child->member.supervisor)))
        world_fail(world, CHECK_LIVENESS, "%s is meant to run and nothing will start it",
                   child->id);
}

/* After a recovery: every process that was to be stopped has been told so, by
 * the daemon before or by this one. */
void checks_recovered(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++) {
        struct actor *actor = &world->actors[i];
        const struct attempt *attempt = actor->child ? &actor->child->attempt : NULL;
        if (!attempt || !attempt->active)
            continue;
        const struct process *process = world_process(actor, attempt->number);
        if (!process || process->state == PROCESS_GONE || process->stillborn)
            continue;
        if ((attempt->cancel_delivered && !process->told_cancel) ||
            (attempt->abort_requested && !process->told_abort))
            world_fail(world, CHECK_RECOVERY, "%s: attempt %ju is to go, and has not been told",
                       actor->declaration->id, (uintmax_t)attempt->number);
    }
}

/* Entry, at the end of a run. */
void checks_at_the_end(struct world *world)
{
    bool waiting = false; /* the time of one to stop is not over */

    for (uint32_t i = 0; i < world->n_actors; i++)
        if (world->actors[i].child) {
            check_arrival(world, &world->actors[i]);
            waiting = waiting || has_time_to_go(world->actors[i].child);
        }
    if (world->shutdown_begun && !world->shutdown_completed && !waiting)
        world_fail(world, CHECK_LIVENESS, "the shutdown does not complete");
}
