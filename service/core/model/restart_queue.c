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
