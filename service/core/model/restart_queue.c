/*
 * The places for automatic restarts of one supervisor, and the queue for them.
 * A place is held from the start until the child is ready, has ended, or is
 * stopped; a second after the start a child that has not reached its program
 * gives its place back (TIMER_PLACE), so that one on a dead mount does not
 * block the others.
 */
#include "core/model/restart_queue.h"

#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"

#define PLACE_USEC 1000000

bool restart_queue_has_room(const struct core *core, const struct supervisor *supervisor)
{
    return supervisor->in_flight < supervisor_cap(core, supervisor);
}

/* At the end of the queue, without an event: for a checkpoint, and as the
 * silent half of queueing. */
void restart_queue_restore(struct child *child)
{
    struct supervisor *supervisor = child->member.supervisor;

    child->start = START_QUEUED;
    child->queue_next = NULL;
    child->queue_previous = supervisor->queue_last;
    *(supervisor->queue_last ? &supervisor->queue_last->queue_next : &supervisor->queue_first) =
        child;
    supervisor->queue_last = child;
    supervisor->queued++;
}

/* Out of the queue for any reason; whether it starts is the caller's
 * decision. */
void restart_queue_leave(struct core *core, struct child *child)
{
    struct supervisor *supervisor = child->member.supervisor;

    if (core->muted)
        return;
    *(child->queue_previous ? &child->queue_previous->queue_next : &supervisor->queue_first) =
        child->queue_next;
    *(child->queue_next ? &child->queue_next->queue_previous : &supervisor->queue_last) =
        child->queue_previous;
    child->queue_next = child->queue_previous = NULL;
    supervisor->queued--;
    core_changed_supervisor(core, supervisor);
}

void restart_queue_begin(struct core *core, struct child *child)
{
    if (core->muted || !child->automatic_start)
        return;
    child->in_flight = true;
    child->member.supervisor->in_flight++;
    child_arm(core, child, TIMER_PLACE, core_after(core, PLACE_USEC));
    core_changed_supervisor(core, child->member.supervisor);
}

void restart_queue_released(struct core *core, struct supervisor *supervisor)
{
    if (supervisor->released)
        return;
    supervisor->released = true;
    supervisor->released_next = core->released;
    core->released = supervisor;
}

/* The place is free. The supervisor is only noted down; the next in the queue
 * is started at the end of the input. */
void restart_queue_end(struct core *core, struct child *child)
{
    struct supervisor *supervisor = child->member.supervisor;

    if (core->muted || !child->in_flight)
        return;
    child->in_flight = false;
    child_disarm(core, child, TIMER_PLACE);
    INVARIANT(supervisor->in_flight > 0);
    supervisor->in_flight--;
    restart_queue_released(core, supervisor);
    core_changed_supervisor(core, supervisor);
}

void restart_queue_forget(struct core *core, struct supervisor *supervisor)
{
    for (struct supervisor **link = &core->released; *link; link = &(*link)->released_next)
        if (*link == supervisor) {
            *link = supervisor->released_next;
            return;
        }
}
