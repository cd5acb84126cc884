/*
 * The stop: asking (cancel), insisting (a deadline) and killing (abort), and
 * the restart that waits for it behind the fence. Each happens once per
 * attempt. The causes are kept apart: who asked, what set the deadline, and who
 * would kill can be three different commands, and the events name the right
 * one.
 */
#include "core/rules/stop.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/restart_queue.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/private.h"
#include "core/rules/fence.h"
#include "core/rules/watch.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/vocabulary.h"

/* Sidecars that go with the primary are asked in the same moment, those around
 * it when it is gone. From here on the attempt cannot become ready any more,
 * and no watch of its life applies. */
bool child_cancel(struct core *core, struct child *child, uint64_t cause, const char *command)
{
    struct attempt *attempt = &child->attempt;
    if (!attempt->active || attempt->cancel_delivered || attempt->abort_requested)
        return false;

    sidecars_follow(core, child, cause);
    attempt->cancel_delivered = true;
    attempt->stop = (struct stop_causes){.asked = cause, .deadline = cause, .abort = cause};
    child_set_status(core, child, CHILD_CANCELLING);
    child->stop_state = STOP_CANCEL_DELIVERED;
    liveness_stop_watching(core, child);
    child_arm_timeout(core, child, TIMER_STOP, child->config->declaration.stop_timeout_usec);
    stop_order_withdraw(core, child);
    stop_order_update(core, child);
    core->plan |= PLAN_STOP;
    restart_queue_end(core, child);
    EMIT(core, EVENT_CHILD_CONTROL_CANCEL_DELIVERED, child, cause,
         FIELD_TEXT_OF("command", command));
    if (!core->muted)
        core->ports.cancel(core->ports.userdata, child, child_attempt_id(child));
    core_changed(core, child);
    return true;
}

/* An attempt may be killed without having been asked (leftovers: kill, a
 * shutdown that was cut short); then the abort is also its stop. */
void child_abort(struct core *core, struct child *child, uint64_t cause)
{
    struct attempt *attempt = &child->attempt;
    if (!attempt->active || attempt->abort_requested)
        return;

    if (!attempt->cancel_delivered)
        attempt->stop.asked = cause;
    attempt->stop.deadline = cause;
    attempt->abort_requested = true;
    restart_queue_end(core, child);
    liveness_stop_watching(core, child);
    child_arm_timeout(core, child, TIMER_STOP, child->config->declaration.abort_timeout_usec);
    stop_order_withdraw(core, child);
    stop_order_update(core, child);
    EMIT_BARE(core, EVENT_CHILD_CONTROL_ABORT_REQUESTED, child, cause);
    if (child->fence_phase == FENCE_WAITING_FOR_OLD_STOP) {
        fence_set_phase(child, FENCE_ABORTING_OLD);
        EMIT(core, EVENT_CHILD_RESTART_FENCE_ABORT_REQUESTED, child, child->pending.cause,
             FIELD_NUMBER_OF("target_generation", child->pending.target_generation));
    }
    if (!core->muted)
        core->ports.abort(core->ports.userdata, child, child_attempt_id(child));
    core_changed(core, child);
}

/* A deadline for a stop that has none, such as one whose deadline was only
 * reported. One that runs is not prolonged: asking again does not win time. */
void child_insist(struct core *core, struct child *child, uint64_t cause, enum timeout_action wants)
{
    const struct child_declaration *declaration = &child->config->declaration;
    struct attempt *attempt = &child->attempt;

    if (!attempt->active || !(attempt->cancel_delivered || attempt->abort_requested))
        return;
    if (wants == TIMEOUT_KILL)
        attempt->stop.abort = cause;
    if (child->timers[TIMER_STOP].deadline_usec > 0)
        return;
    attempt->stop.deadline = cause;
    child_arm_timeout(core, child, TIMER_STOP,
                      attempt->abort_requested ? declaration->abort_timeout_usec
                                               : child_stop_time(child));
    stop_order_update(core, child);
}

void child_withdraw_starts(struct core *core, struct child *child, uint64_t cause,
                           const char *command)
{
    fence_withdraw(core, child, cause, command);
    start_withdraw(core, child);
}

void stop_force(struct core *core, struct child *child, enum exit_kind kind)
{
    if (child->attempt.cancel_delivered || child->attempt.abort_requested)
        return; /* it is stopping already, for another reason */
    child->attempt.forced = kind;
    child_cancel(core, child, 0, exit_kind_to_string(kind));
}

/* The restart of a child whose attempt is there. If the abort has gone out
 * already, the phase says so at once. */
void fence_enter(struct core *core, struct child *child, uint64_t cause, bool by_resume,
                 const char *command)
{
    INVARIANT(child->attempt.active && !child->pending.active);

    child->pending = (struct pending_restart){
        .active = true,
        .by_resume = by_resume,
        .old_generation = child->attempt.generation,
        .old_attempt = child->attempt.number,
        .target_generation = child->attempt.generation + 1,
        .cause = cause,
    };
    fence_set_phase(child, FENCE_WAITING_FOR_OLD_STOP);
    EMIT(core, EVENT_CHILD_RESTART_FENCE_ENTERED, child, cause, FIELD_TEXT_OF("command", command),
         FIELD_NUMBER_OF("target_generation", child->pending.target_generation));
    stop_order_go(core, child, cause, command);
    if (child->attempt.abort_requested)
        fence_set_phase(child, FENCE_ABORTING_OLD);
    else
        child_insist(core, child, cause, by_resume ? TIMEOUT_REPORT : TIMEOUT_KILL);
    core->plan |= PLAN_RESTART;
    core_changed(core, child);
}

/* Its cancel has gone out, in its turn. */
static void shutdown_cancelled(struct core *core, struct child *child)
{
    child->shutdown->cancel_delivered = true;
    EMIT_BARE(core, EVENT_CHILD_SHUTDOWN_CANCEL_DELIVERED, child, core->shutdown_command);
}

static bool goes_along(const struct child *sidecar)
{
    return sidecar->attempt.active && !sidecar->attempt.cancel_delivered &&
           !sidecar->attempt.abort_requested && !sidecar->stop_waits;
}

/* In a shutdown every child is asked for itself, in the order of the tree. */
void sidecars_follow(struct core *core, struct child *primary, uint64_t cause)
{
    if (core->muted || core->shutdown_phase != SHUTDOWN_IDLE)
        return; /* in a shutdown each is asked for itself */
    for (struct child *child = primary->first_sidecar; child; child = child->next_sidecar)
        if (goes_along(child) && !(child->goes_around && primary->attempt.active)) {
            /* A target that is on its way is the old one now. */
            fence_withdraw(core, child, cause, "primary");
            fence_enter(core, child, cause, false, "primary");
        }
}

static bool deliver(struct core *core, struct child *child, uint64_t cause, const char *command)
{
    if (!child_cancel(core, child, cause, command))
        return false;
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        shutdown_cancelled(core, child);
    return true;
}

/* A child that others depend on waits until those that are stopping are gone.
 * The cause of a stop that waits is that of the first request. */
bool stop_order_go(struct core *core, struct child *child, uint64_t cause, const char *command)
{
    if (!child->stop_named || child->held_up == 0)
        return deliver(core, child, cause, command);
    core->plan |= PLAN_STOP;
    if (!child->stop_waits) { /* else it is for the one that asked first */
        child->stop_cause = cause;
        child->stop_by = stop_by_from_string(command);
    }
    stop_order_set_waits(core, child, true);
    stop_order_set_named(core, child, false);
    return false;
}

/* The last of those that it waited for has gone. The list is emptied from the
 * front, as delivering a stop may release others. */
void stop_order_look(struct core *core)
{
    for (struct child *child; (child = core->released_stops);) {
        core->released_stops = child->stop_next;
        child->stop_next = NULL;
        child->stop_released = false;
        if (child->stop_waits && child->held_up == 0)
            deliver(core, child, child->stop_cause, stop_by_to_string(child->stop_by));
    }
}
