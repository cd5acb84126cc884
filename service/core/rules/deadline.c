/*
 * Deadlines that have passed. The timers of all children stand in one heap;
 * this file takes the first ones out and calls the rule that each belongs to.
 * The rules may arm, disarm and remove as they like, so the heap is asked again
 * after each one, never walked.
 */
#include "core/rules/deadline.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/restart_limit.h"
#include "core/model/restart_queue.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/rules/due.h"
#include "core/rules/health.h"
#include "core/rules/liveness.h"
#include "core/rules/restart.h"
#include "core/rules/settle.h"
#include "core/rules/shutdown.h"
#include "core/rules/start.h"
#include "core/rules/stop.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/vocabulary.h"

/* Its stop is the policy's: the attempt was ended by force, or its main process ended by itself and
 * left others. */
static bool nobody_asked(const struct child *child)
{
    const struct main_end *main = &child->attempt.main;

    return child->attempt.forced != EXIT_NONE || (main->gone && main->kind != EXIT_CANCELLED);
}

static bool deadline_aborts(const struct core *core, const struct child *child)
{
    return core->shutdown_phase != SHUTDOWN_IDLE || nobody_asked(child) ||
           (child->pending.active && !child->pending.by_resume) ||
           child->config->declaration.timeout_action == TIMEOUT_KILL;
}

/* Whose abort it is that follows from the deadline. */
static uint64_t abort_cause(const struct core *core, const struct child *child)
{
    const struct stop_causes *stop = &child->attempt.stop;

    if (child->config->declaration.timeout_action == TIMEOUT_KILL || nobody_asked(child))
        return stop->deadline;
    return core->shutdown_phase != SHUTDOWN_IDLE ? core->shutdown_command : stop->abort;
}

/* A stop that failed is not over: the attempt is still active and its fence
 * stays closed. It is reported, because only an operator can do more now. */
static void stop_failed(struct core *core, struct child *child, enum failure_phase phase,
                        bool recoverable, const char *reason)
{
    child->stop_state = STOP_FAILED;
    child_fail(core, child, phase, recoverable, reason);
    EMIT(core, EVENT_CHILD_CONTROL_STOP_FAILED, child, child->attempt.stop.deadline,
         FIELD_TEXT_OF("phase", failure_phase_to_string(phase)), FIELD_TEXT_OF("reason", reason),
         FIELD_TEXT_OF("status", child_status_to_string(child->attempt.status)),
         FIELD_TEXT_OF("stop_state", stop_state_to_string(STOP_FAILED)),
         FIELD_FLAG_OF("recoverable", recoverable));
}

static void abort_deadline(struct core *core, struct child *child)
{
    stop_failed(core, child, FAILURE_WAIT_ABORT, false, "still there after the abort");
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        shutdown_abort_failed(core, child);
}

/* With timeout_action: report, a deadline is only reported; a restart and a
 * shutdown still kill, as they cannot continue otherwise. */
static void stop_deadline(struct core *core, struct child *child)
{
    if (child->attempt.abort_requested) {
        abort_deadline(core, child);
        return;
    }

    stop_failed(core, child, FAILURE_WAIT_COMPLETION, true, "did not end within its stop timeout");
    if (deadline_aborts(core, child)) {
        child_abort(core, child, abort_cause(core, child));
        if (core->shutdown_phase != SHUTDOWN_IDLE)
            shutdown_child_aborting(core, child);
    }
}

/* The time of one signal is over, and another one is left to be tried. */
static void escalate(struct core *core, struct child *child)
{
    const struct stop_step *step =
        &child->config->declaration.further_stops[child->attempt.stop_step++];

    child_arm_timeout(core, child, TIMER_STOP, step->usec);
    EMIT(core, EVENT_CHILD_CONTROL_STOP_ESCALATED, child, child->attempt.stop.deadline,
         FIELD_SIGNED_OF("signal", step->signal),
         FIELD_NUMBER_OF("step", child->attempt.stop_step + 1));
    if (core->ports.escalate && !core->muted)
        core->ports.escalate(core->ports.userdata, child, child_attempt_id(child), step->signal);
    core_changed(core, child);
}

/* Further signals of stop.signals come before the abort; whatever it was, those
 * that wait for this child in a stop are released, since one that cannot be
 * ended must not hold up the others. */
static void child_stop_deadline(struct core *core, struct child *child)
{
    INVARIANT(child->attempt.active);
    bool hears = !child->attempt.main.gone || child->left > 0; /* else only commands are there */
    if (!child->attempt.abort_requested && hears &&
        child->attempt.stop_step < child->config->declaration.n_further_stops)
        escalate(core, child);
    else
        stop_deadline(core, child);
    stop_order_update(core, child); /* nothing waits for one that cannot be ended */
}

/* Exits leave the window by age, without any event that would say so. The timer
 * is armed for the next one that leaves, so that RestartsUsed is true at any
 * time, also when nothing happens. */
static void window_moves(struct core *core, struct child *child)
{
    bool changed = restart_limit_prune(&child->restart_limit, core_now(core), core_realtime(core));
    uint64_t next = restart_limit_next_change(&child->restart_limit);

    if (next > 0)
        child_arm(core, child, TIMER_WINDOW, next);
    if (changed)
        restart_tell_limit(core, child, "window");
}

/* The timer has been taken out of the heap; the rule arms it again if it wants
 * to. */
static void fire(struct core *core, struct child *child, enum child_timer timer)
{
    switch (timer) {
    case TIMER_STOP:
        child_stop_deadline(core, child);
        return;
    case TIMER_START:
        start_is_due(core, child);
        return;
    case TIMER_START_TIMEOUT:
        stop_force(core, child, EXIT_TIMED_OUT);
        return;
    case TIMER_HEARTBEAT:
        liveness_silent(core, child);
        return;
    case TIMER_WINDOW:
        window_moves(core, child);
        return;
    case TIMER_HEALTH:
        health_due(core, child);
        return;
    case TIMER_PLACE:
        restart_queue_end(core, child);
        return;
    case TIMER_CHANGE:
        liveness_too_long(core, child);
        return;
    case TIMER_RUN:
        liveness_ran_out(core, child);
        return;
    case TIMER_SCHEDULE:
        due_look(core, child);
        return;
    case CHILD_TIMERS:
        break;
    }
    INVARIANT(false);
}

/* The bound of the shutdown is the one timer that belongs to no child. A
 * deadline that fires has its wall time erased first, so that a checkpoint in
 * between does not bring it back. */
static void fire_first(struct core *core, struct timer *timer)
{
    if (timer == &core->shutdown_bound) {
        shutdown_bound_passed(core);
        return;
    }
    struct child *child = child_of_timer(timer);
    child_deadline_moves(core, child, (enum child_timer)timer->kind, 0);
    timer_clear(&core->timers, timer);
    fire(core, child, (enum child_timer)timer->kind);
}

/* Rules may arm timers that are due at once, such as a backoff of zero. The
 * bound on the number of rounds keeps an error from turning into an endless
 * loop: what is left then fires with the next input. */
void deadline_fire(struct core *core)
{
    uint64_t now = core_now(core);
    uint32_t left = core->children * CHILD_TIMERS + 1;
    struct timer *timer;

    start_name_due(core);
    while (left-- > 0 && (timer = timer_first(&core->timers)) && timer->deadline_usec <= now) {
        fire_first(core, timer);
        settle_waiting(core);
    }
    core->armed_usec = 0; /* it has fired: the shell has none armed now */
    settle_timer(core);
}
