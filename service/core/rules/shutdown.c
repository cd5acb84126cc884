/*
 * The shutdown of the tree, in phases that only move forward. Each child gets a
 * row in the report when it begins, and the row is settled by the child's end,
 * its abort, or the failure of its abort; the shutdown is complete when no row
 * is open. A child that ends after that is a late report: the answer has gone
 * out already.
 *
 * A bound for the whole only shortens: two callers with different bounds get
 * the earlier one.
 */
#include "core/rules/shutdown.h"

#include "core/model/archive.h"
#include "core/model/child_change.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/rules/fence.h"
#include "core/rules/jobs.h"
#include "core/rules/stop.h"
#include "core/rules/strategy.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/vocabulary.h"

#include <string.h>

static void advance(struct core *core, enum shutdown_phase phase)
{
    while (core->shutdown_phase < phase) {
        core->shutdown_phase++;
        EMIT(core, EVENT_SHUTDOWN_PHASE_CHANGED, NULL, core->shutdown_command,
             FIELD_TEXT_OF("phase", shutdown_phase_to_string(core->shutdown_phase)),
             FIELD_NUMBER_OF("left", core->shutdown_unsettled));
    }
}

static void complete_when_settled(struct core *core)
{
    if (core->shutdown_unsettled > 0 || core->shutdown_phase == SHUTDOWN_COMPLETED)
        return;
    advance(core, SHUTDOWN_RECONCILE);
    advance(core, SHUTDOWN_COMPLETED);
    timer_clear(&core->timers, &core->shutdown_bound);
    EMIT_BARE(core, EVENT_SHUTDOWN_COMPLETED, NULL, core->shutdown_command);
}

static void withdraw_start(struct core *core, struct child *child)
{
    fence_withdraw(core, child, core->shutdown_command, "shutdown");
    start_withdraw(core, child);
    child_disarm(core, child, TIMER_SCHEDULE);
    fence_set_phase(child, FENCE_CLOSED);
    core_changed(core, child);
}

/* Which processes were there when it was aborted: an abort of all ends the main process first. */
static enum shutdown_why why_aborted(const struct child *child)
{
    return child->attempt.main.gone ? SHUTDOWN_WHY_LEFTOVERS : SHUTDOWN_WHY_TOO_SLOW;
}

/* A child without a process is settled at once, with the exit it had. */
static void open_row(struct core *core, struct child *child, uint64_t start_usec)
{
    *child->shutdown = (struct child_shutdown){
        .result = SHUTDOWN_PENDING,
        .phase = SHUTDOWN_REQUEST_STOP,
        .generation = child->attempt.active ? child->attempt.generation : child->generation,
        .attempt = child_attempt(child),
        .cancel_delivered = child->attempt.active && child->attempt.cancel_delivered,
        .cgroup = RESOURCE_NOT_OWNED,
        .why = child->attempt.active && child->attempt.abort_requested ? why_aborted(child)
                                                                       : SHUTDOWN_WHY_NONE,
        .start_usec = start_usec,
    };
    if (child->attempt.active) {
        core->shutdown_unsettled++;
        return;
    }
    child->shutdown->result = SHUTDOWN_ALREADY_EXITED;
    child->shutdown->exit = child->last_exit->kind;
    child->shutdown->exit_code = child->last_exit->code;
    child->shutdown->exit_signal = child->last_exit->signal;
    child->shutdown->why = SHUTDOWN_WHY_HAD_NONE;
}

/* In the reverse order of the tree, and those that depend on others first. A
 * stop that was only reported before (timeout_action) is insisted on: a
 * shutdown has to end. */
static void ask_all_to_go(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child)) {
        stop_order_name(core, child);
        /* A deadline that has passed before, and was only reported, counts no more. */
        child_insist(core, child, core->shutdown_command, TIMEOUT_KILL);
    }
    for (struct child *child = supervisor_last(&core->root); child;
         child = supervisor_previous(&core->root, child))
        stop_order_go(core, child, core->shutdown_command, "shutdown");
}

/* Everything that could still start something is withdrawn before the first
 * cancel: the strategies, the queue of jobs, pending starts. The time of a
 * pending start is kept in the row for the next proctord. */
static void begin(struct core *core, uint64_t timeout_usec, const char *requester,
                  const char *reason, bool by_policy)
{
    uint64_t command = core_new_command(core);

    core->shutdown_command = command;
    core->shutdown_by_policy = by_policy;
    EMIT(core, EVENT_SHUTDOWN_REQUESTED, NULL, command, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("reason", reason), FIELD_NUMBER_OF("timeout_usec", timeout_usec));
    strategy_forget(core);
    jobs_stop(core);
    for (struct supervisor *supervisor = &core->root; supervisor; supervisor = supervisor->next)
        core_changed_supervisor(core, supervisor);
    for (struct child *child = core_first(core); child; child = core_next(child)) {
        uint64_t start_usec = child->timers[TIMER_START].deadline_usec;
        withdraw_start(core, child);
        open_row(core, child, start_usec);
    }
    advance(core, SHUTDOWN_REQUEST_STOP);
    ask_all_to_go(core);
    advance(core, SHUTDOWN_GRACEFUL_DRAIN);
    complete_when_settled(core);
}

void shutdown_begin_by_policy(struct core *core, const char *reason, int exit_code)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        return;
    core->shutdown_exit_code = exit_code;
    begin(core, 0, "policy", reason, true);
}

/* Only here is a row closed, so that the count of the open ones is always
 * right. */
static void settle(struct core *core, struct child *child, enum shutdown_result result,
                   enum shutdown_why why)
{
    child->shutdown->result = result;
    child->shutdown->phase = core->shutdown_phase;
    child->shutdown->cancel_delivered = child->attempt.cancel_delivered; /* by any request */
    child->shutdown->why = why;
    INVARIANT(core->shutdown_unsettled > 0);
    core->shutdown_unsettled--;
    complete_when_settled(core);
}

/* An attempt that was aborted is reported as such even if its process happened
 * to end by itself: nobody can know. */
void shutdown_child_gone(struct core *core, struct child *child)
{
    struct child_shutdown *row = child->shutdown;
    bool aborted = child->attempt.abort_requested;

    row->exit = child->last_exit->kind;
    row->exit_code = child->last_exit->code;
    row->exit_signal = child->last_exit->signal;
    if (row->result != SHUTDOWN_PENDING) {
        shutdown_late_report(core, child);
        return;
    }
    EMIT_BARE(core, aborted ? EVENT_CHILD_SHUTDOWN_ABORTED : EVENT_CHILD_SHUTDOWN_GRACEFUL, child,
              core->shutdown_command);
    if (aborted)
        settle(core, child, SHUTDOWN_ABORTED,
               row->why != SHUTDOWN_WHY_NONE ? row->why : why_aborted(child));
    else
        settle(core, child, SHUTDOWN_GRACEFUL, SHUTDOWN_WHY_ENDED);
}

void shutdown_child_aborting(struct core *core, struct child *child)
{
    if (child->shutdown->result == SHUTDOWN_PENDING)
        child->shutdown->why = why_aborted(child);
    advance(core, SHUTDOWN_ABORT_STRAGGLERS);
}

void shutdown_abort_failed(struct core *core, struct child *child)
{
    if (child->shutdown->result != SHUTDOWN_PENDING)
        return;
    EMIT(core, EVENT_CHILD_SHUTDOWN_ABORTED, child, core->shutdown_command,
         FIELD_TEXT_OF("result", shutdown_result_to_string(SHUTDOWN_ABORT_FAILED)));
    child->shutdown->cgroup = RESOURCE_FAILED;
    settle(core, child, SHUTDOWN_ABORT_FAILED, SHUTDOWN_WHY_STILL_THERE);
}

void shutdown_late_report(struct core *core, struct child *child)
{
    child->shutdown->result = SHUTDOWN_LATE_REPORT;
    child->shutdown->why = SHUTDOWN_WHY_LATE;
    EMIT_BARE(core, EVENT_CHILD_SHUTDOWN_LATE_REPORT, child, core->shutdown_command);
}

/* To join a shutdown that is another's is a command of its own, whatever it changes: the audit
 * says who asked for it, and why. */
static uint64_t join(struct core *core, uint64_t timeout_usec, const char *requester,
                     const char *reason)
{
    uint64_t id = core_new_command(core);

    EMIT(core, EVENT_COMMAND_ACCEPTED, NULL, id, FIELD_TEXT_OF("command", "shutdown"),
         FIELD_TEXT_OF("by", requester), FIELD_TEXT_OF("reason", reason),
         FIELD_NUMBER_OF("timeout_usec", timeout_usec));
    return id;
}

/* A bound counts from the call that gives it, and only ever shortens. */
static void set_bound(struct core *core, uint64_t timeout_usec, uint64_t command)
{
    uint64_t deadline_usec = core_after(core, timeout_usec);
    uint64_t runs_usec = core->shutdown_bound.deadline_usec;

    if (timeout_usec == 0 || core->shutdown_phase == SHUTDOWN_COMPLETED ||
        (runs_usec > 0 && runs_usec <= deadline_usec))
        return;
    core->shutdown_bound_command = command;
    timer_set(&core->timers, &core->shutdown_bound, deadline_usec);
}

/* A second request joins the first. Only its bound can change anything. */
void shutdown_request(struct core *core, uint64_t timeout_usec, const char *requester,
                      const char *reason)
{
    uint64_t command = 0;

    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        command = join(core, timeout_usec, requester, reason);
    } else {
        core->shutdown_by_signal = strcmp(requester, REQUESTER_SIGNAL) == 0;
        begin(core, timeout_usec, requester, reason, false);
        command = core->shutdown_command;
    }
    set_bound(core, timeout_usec, command);
}

/* What is left is killed at once, last started first. */
static void cut_short(struct core *core, uint64_t cause)
{
    if (core->shutdown_unsettled > 0)
        advance(core, SHUTDOWN_ABORT_STRAGGLERS);
    for (struct child *child = supervisor_last(&core->root); child;
         child = supervisor_previous(&core->root, child)) {
        if (child->shutdown->result == SHUTDOWN_PENDING && !child->attempt.abort_requested)
            child->shutdown->why = SHUTDOWN_WHY_CUT_SHORT;
        child_abort(core, child, cause);
    }
}

void shutdown_bound_passed(struct core *core)
{
    timer_clear(&core->timers, &core->shutdown_bound);
    cut_short(core, core->shutdown_bound_command);
}

/* A second signal. It is a command of its own in the audit, since it is another
 * decision, perhaps of another person. */
void shutdown_hurry(struct core *core, const char *requester, const char *reason)
{
    uint64_t id = 0;

    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        id = core_new_command(core);
        EMIT(core, EVENT_COMMAND_ACCEPTED, NULL, id, FIELD_TEXT_OF("command", "hurry"),
             FIELD_TEXT_OF("by", requester), FIELD_TEXT_OF("reason", reason));
    } else {
        shutdown_request(core, 0, requester, reason);
    }
    cut_short(core, id > 0 ? id : core->shutdown_command);
}

/* The bound is part of a checkpoint only while it runs. One in a state without
 * a shutdown is damage. */
void shutdown_archive_bound(struct core *core, struct archive *a)
{
    struct timer *timer = &core->shutdown_bound;
    uint64_t deadline_usec = timer->deadline_usec, order = timer->order;
    bool is_under_way =
        core->shutdown_phase != SHUTDOWN_IDLE && core->shutdown_phase != SHUTDOWN_COMPLETED;

    ARCHIVE(a, core->shutdown_bound_command);
    archive_deadline(a, &deadline_usec);
    if (deadline_usec == 0)
        return;
    ARCHIVE(a, order);
    if (!is_under_way)
        a->failed = true;
    if (a->reading && !a->failed)
        timer_restore(&core->timers, timer, deadline_usec, order);
}

uint64_t core_shutdown_deadline(const struct core *core)
{
    return core->shutdown_bound.deadline_usec;
}

/* The words of the report, for people. */
static const char *reason_of(enum shutdown_why why)
{
    static const char *const reasons[] = {
        [SHUTDOWN_WHY_NONE] = "",
        [SHUTDOWN_WHY_HAD_NONE] = "had no attempt when the shutdown began",
        [SHUTDOWN_WHY_ENDED] = "ended after the cancel",
        [SHUTDOWN_WHY_TOO_SLOW] = "did not end within its stop timeout",
        [SHUTDOWN_WHY_STILL_THERE] = "still there after the abort",
        [SHUTDOWN_WHY_LEFTOVERS] = "what its main process left was killed",
        [SHUTDOWN_WHY_LATE] = "its end was reported after the abort timeout",
        [SHUTDOWN_WHY_CUT_SHORT] = "was still there when the shutdown was cut short",
    };
    return reasons[why];
}

/* One row, as the reply of Shutdown has it; children that were added after it
 * began do not exist. */
bool core_shutdown_row(const struct core *core, struct child *child, struct shutdown_row *row)
{
    if (core->shutdown_phase == SHUTDOWN_IDLE)
        return false;

    const struct child_shutdown *shutdown = child->shutdown;
    *row = (struct shutdown_row){
        .child = child,
        .result = shutdown->result,
        .generation = shutdown->generation,
        .attempt = shutdown->attempt,
        .cancel_delivered = shutdown->cancel_delivered,
        .exit = shutdown->exit,
        .exit_code = shutdown->exit_code,
        .exit_signal = shutdown->exit_signal,
        .phase = shutdown->phase,
        .reason = reason_of(shutdown->why),
        .cgroup = shutdown->cgroup,
    };
    return true;
}
