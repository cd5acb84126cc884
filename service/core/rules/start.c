/*
 * The start itself, and the two queues before it: what a child depends on, and
 * the places for restarts of its supervisor. A manual start does not queue for
 * a place; it still waits for its dependencies.
 *
 * The generation is proposed here and becomes the child's when its program runs
 * (report.c), so that a start that fails does not use up a generation.
 */
#include "core/rules/start.h"

#include "core/model/child_change.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/restart_queue.h"
#include "core/model/start_wait.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/model/tally.h"
#include "core/private.h"
#include "core/rules/dependency.h"
#include "core/rules/liveness.h"
#include "core/rules/stop.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"

/* Into the queue of its supervisor, at the end. */
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

/* Those that come later do not overtake: with a queue, one more waits even if
 * there is room. */
bool restart_queue_admit(struct core *core, struct child *child)
{
    const struct supervisor *supervisor = child->member.supervisor;

    INVARIANT(child->start == START_WAITS_FOR_NOTHING);
    if (!child->automatic_start ||
        (supervisor->queued == 0 && restart_queue_has_room(core, supervisor)))
        return true;
    child->wanted = true;
    enter(core, child);
    return false;
}

/* Supervisors that have got room are collected in a list, so that the end of
 * each input looks at those and not at all. A dependency that has gone
 * meanwhile moves the child from one queue to the other. */
void restart_queue_look(struct core *core)
{
    while (core->released && !core->muted) {
        struct supervisor *supervisor = core->released;
        core->released = supervisor->released_next;
        supervisor->released = false;
        while (supervisor->queue_first && restart_queue_has_room(core, supervisor)) {
            struct child *child = supervisor->queue_first;
            if (dependency_holds_up(core, child))
                continue;
            start_move(core, child, START_WAITS_FOR_NOTHING);
            child_start(core, child);
        }
    }
}

/* A child of the seed kind: it is declared and has nothing to start. */
static void fail_without_process(struct core *core, struct child *child)
{
    child->wanted = false;
    if (child->fence_phase == FENCE_READY_TO_START) { /* it was the target of a restart */
        child->pending = (struct pending_restart){};
        fence_set_phase(child, FENCE_OPEN);
    }
    liveness_forget_success(core, child);
    child_fail(core, child, FAILURE_SPAWN, false,
               "the child has no process: its manifest has no exec");
    EMIT(core, EVENT_CHILD_SPAWN_FAILED, child, child->start_cause,
         FIELD_TEXT_OF("reason", child->failure->reason), FIELD_SIGNED_OF("errno", 0));
}

static bool requires(const struct child *child, const struct child *target)
{
    const struct child_declaration *declaration = &child->config->declaration;

    for (size_t i = declaration->role == ROLE_SIDECAR ? 1 : 0; i < declaration->n_requires; i++)
        if (child->config->targets[i] == target)
            return true;
    return false;
}

/* Nothing asks it to stop yet, and it would be started again. */
static bool is_restarted_along(const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    return attempt->active && !attempt->cancel_delivered && !attempt->abort_requested &&
           !attempt->main.gone && !child->stop_waits && !child->pending.active && !child->job &&
           child->operation == CHILD_ACTIVE &&
           child->config->declaration.restart != RESTART_TEMPORARY;
}

/* Those that run with the attempt before this one. */
static void restart_dependents(struct core *core, const struct child *target)
{
    if (core->muted || !target->config->declaration.restart_dependents)
        return;
    for (struct child *child = supervisor_last(&core->root); child;
         child = supervisor_previous(&core->root, child))
        if (is_restarted_along(child) && requires(child, target))
            fence_enter(core, child, 0, false, "policy");
}

/* The one place that starts an attempt. The fencing token is the wall clock, or
 * one more than the last: it grows with every start, also after a restored
 * backup or a lost state directory. */
void child_start(struct core *core, struct child *child)
{
    INVARIANT(!child->attempt.active && child->start == START_WAITS_FOR_NOTHING && !child->scope);
    INVARIANT(child->operation == CHILD_ACTIVE && core->shutdown_phase == SHUTDOWN_IDLE);

    core->plan |= PLAN_START;
    core_changed(core, child);
    if (!child->config->declaration.has_process) {
        fail_without_process(core, child);
        return;
    }

    child->wanted = true;
    child->on_trial = child->on_trial || (child->gave_up && child->automatic_start);
    child->gave_up = false;
    child->attempt = (struct attempt){
        .status = CHILD_STARTING,
        .generation = child_next_generation(child),
        .number = ++child->attempts,
        .started_usec = core_now(core),
    };
    child->fence = child->fence + 1 > core_realtime(core) ? child->fence + 1 : core_realtime(core);
    child_set_active(core, child, true);
    child->started_usec = core_realtime(core);
    child->stop_state = STOP_IDLE;
    if (child->status_text->text[0])
        *child->status_text = (struct status_text){};
    child->notify_errno = 0;
    liveness_begin(core, child);
    child_arm_timeout(core, child, TIMER_START_TIMEOUT,
                      child->config->declaration.start_timeout_usec);
    restart_queue_begin(core, child);
    supervisor_comes_up(core, child->member.supervisor);
    EMIT(core, EVENT_CHILD_STARTING, child, child->start_cause,
         FIELD_FLAG_OF("automatic", child->automatic_start));
    if (!core->muted)
        core->ports.start(core->ports.userdata, child, child_attempt_id(child));
    restart_dependents(core, child);
}

/* Asked for by a command, the policy, the tree or a schedule; whether it
 * happens now depends on what it must wait for. */
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

void start_is_due(struct core *core, struct child *child)
{
    if (child->scope)
        start_move(core, child, START_SCOPE);
    else
        start_request(core, child, child->start_cause, child->automatic_start);
}

/* Returns whether one was started. */
static bool start_who_may(struct core *core)
{
    struct dependency_walk walk = {};
    bool any = false;

    for (struct child *child = core->waiting_first, *next; child; child = next) {
        next = child->waiting_next;
        if (dependency_holds_up_in(core, child, &walk))
            continue;
        any = true;
        dependency_forget_ways(&walk);
        start_move(core, child, START_WAITS_FOR_NOTHING);
        if (restart_queue_admit(core, child))
            child_start(core, child);
    }
    dependency_forget_ways(&walk);
    return any;
}

void dependency_wake(struct core *core)
{
    while (!core->muted && start_who_may(core))
        ;
}
