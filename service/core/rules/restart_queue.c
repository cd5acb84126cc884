/*
 * Restart queue: at most so many automatic restarts of a supervisor's children are on their way at
 * once, so that a thousand that fail together do not come back together. Who finds no room waits,
 * first come first served, and can be seen waiting; a restart by hand does not queue.
 *
 * A restart is on its way from the start of its attempt until the child is ready, is asked to go,
 * or has ended. A child that says itself when it is ready, and may take for ever about it (no start
 * timeout), has left the way when it runs: it must not hold up the others. Nor must one that has
 * not come to its program within a second, as its folder lies on a mount that does not answer.
 */
#include "core/private.h"
#include "core/rules/start.h"

#define PLACE_USEC 1000000

static bool has_room(const struct core *core, const struct supervisor *supervisor)
{
    return supervisor->in_flight < supervisor_cap(core, supervisor);
}

/* At the end of the queue, without a word. */
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

static void enter(struct core *core, struct child *child)
{
    struct supervisor *supervisor = child->member.supervisor;

    start_move(core, child, START_QUEUED);
    restart_queue_restore(child);
    EMIT(core, EVENT_CHILD_RESTART_QUEUED, child, child->start_cause,
         FIELD_TEXT_OF("supervisor", supervisor->path),
         FIELD_NUMBER_OF("in_flight", supervisor->in_flight),
         FIELD_NUMBER_OF("position", supervisor->queued));
    core_changed(core, child);
    core_changed_supervisor(core, supervisor);
}

/* Whether the start that has been asked for may be made now; otherwise it is queued. */
bool restart_queue_admit(struct core *core, struct child *child)
{
    const struct supervisor *supervisor = child->member.supervisor;

    INVARIANT(child->start == START_WAITS_FOR_NOTHING);
    if (!child->automatic_start || (supervisor->queued == 0 && has_room(core, supervisor)))
        return true;
    child->wanted = true;
    enter(core, child);
    return false;
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

/* Its attempt has been started. */
void restart_queue_begin(struct core *core, struct child *child)
{
    if (core->muted || !child->automatic_start)
        return;
    child->in_flight = true;
    child->member.supervisor->in_flight++;
    child_arm(core, child, TIMER_PLACE, core_after(core, PLACE_USEC));
    core_changed_supervisor(core, child->member.supervisor);
}

/* There may be room in its queue. */
void restart_queue_released(struct core *core, struct supervisor *supervisor)
{
    if (supervisor->released)
        return;
    supervisor->released = true;
    supervisor->released_next = core->released;
    core->released = supervisor;
}

/* Its attempt is not on its way any more. */
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

/* The end of each input: who is first in a queue with room is started. */
void restart_queue_look(struct core *core)
{
    while (core->released && !core->muted) {
        struct supervisor *supervisor = core->released;
        core->released = supervisor->released_next;
        supervisor->released = false;
        while (supervisor->queue_first && has_room(core, supervisor)) {
            struct child *child = supervisor->queue_first;
            if (dependency_holds_up(core, child))
                continue;
            start_move(core, child, START_WAITS_FOR_NOTHING);
            child_start(core, child);
        }
    }
}

/* The supervisor goes away. */
void restart_queue_forget(struct core *core, struct supervisor *supervisor)
{
    for (struct supervisor **link = &core->released; *link; link = &(*link)->released_next)
        if (*link == supervisor) {
            *link = supervisor->released_next;
            return;
        }
}
