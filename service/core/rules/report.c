/*
 * Reports from the executor. Each names the attempt that it is about; what does
 * not fit the present attempt is stale: it is counted and reported, but never
 * acted on. That is what makes late, doubled and reordered reports harmless:
 * the executor may be wrong about time, never about identity.
 *
 * Reports may also arrive in an order that implies another one (an exit before
 * the word that it has started): then what is implied is done first.
 */
#include "core/rules/report.h"

#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/rules/delay.h"
#include "core/rules/exit.h"
#include "core/rules/health.h"
#include "core/rules/leftovers.h"
#include "core/rules/liveness.h"
#include "core/rules/reload.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/vocabulary.h"

static bool is_active(const struct child *child, struct attempt_id id)
{
    return child->attempt.active && child->attempt.generation == id.generation &&
           child->attempt.number == id.attempt;
}

/* A report of an attempt that is not there any more changes this, and nothing else. */
static void record_stale(struct core *core, struct child *child, struct attempt_id id,
                         enum report_kind kind)
{
    *child->last_stale = (struct stale_report){
        .kind = kind,
        .generation = id.generation,
        .attempt = id.attempt,
        .usec = core_realtime(core),
        .count = child->last_stale->count + 1,
    };
    EMIT(core, EVENT_CHILD_ATTEMPT_STALE_REPORT, child, 0,
         FIELD_TEXT_OF("report", report_kind_to_string(kind)),
         FIELD_NUMBER_OF("reported_generation", id.generation),
         FIELD_NUMBER_OF("reported_attempt", id.attempt));
    core_changed(core, child);
}

/* The child whose active attempt a report is about; otherwise it is recorded as stale. */
static struct child *reported(struct core *core, struct attempt_id id, enum report_kind kind)
{
    struct child *child = core_child_of(core, id);

    if (child && !is_active(child, id)) {
        record_stale(core, child, id, kind);
        return NULL;
    }
    return child;
}

/* The program runs: from here on it is a generation. The fence opens only now,
 * so that a start that fails is still the same restart, and is tried again
 * under the same number. */
static void commit_spawn(struct core *core, struct child *child, uint32_t pid)
{
    struct attempt *attempt = &child->attempt;
    bool restarted = child->born;
    bool fenced = child->fence_phase == FENCE_READY_TO_START;

    delay_end(core, child);
    child_disarm(core, child, TIMER_PLACE);
    attempt->spawned = true;
    attempt->confirmed = pid > 0;
    attempt->pid = pid;
    child->born = true;
    child->generation = attempt->generation;
    child_forget_failure(child);
    if (attempt->status == CHILD_STARTING)
        child_set_status(core, child, CHILD_RUNNING);
    EMIT(core, EVENT_CHILD_RUNNING, child, child->start_cause, FIELD_NUMBER_OF("pid", pid));
    if (fenced) {
        uint64_t cause = child->pending.cause;
        child->pending = (struct pending_restart){};
        fence_set_phase(child, FENCE_OPEN);
        EMIT_BARE(core, EVENT_CHILD_RESTART_FENCE_RELEASED, child, cause);
    }
    if (restarted) {
        child->restart_count += child->automatic_start;
        EMIT(core, EVENT_CHILD_RESTARTED, child, child->start_cause,
             FIELD_FLAG_OF("automatic", child->automatic_start),
             FIELD_NUMBER_OF("restart_count", child->restart_count));
    }
    liveness_spawned(core, child);
    health_begin(core, child);
    if (!child->attempt.cancel_delivered && !child->attempt.abort_requested)
        child_arm_timeout(core, child, TIMER_RUN, child->config->declaration.run_timeout_usec);
    core_changed(core, child);
}

/* The word of the executor about an attempt that had been heard of before. */
static void confirm_spawn(struct core *core, struct child *child, uint32_t pid)
{
    child->attempt.confirmed = true;
    if (child->attempt.pid == 0)
        child->attempt.pid = pid;
    core_changed(core, child);
}

/* A process that has spoken has shown that it runs; the executor's own report
 * then only adds the PID. */
void report_spawned(struct core *core, struct attempt_id id, uint32_t pid)
{
    struct child *child = reported(core, id, REPORT_SPAWNED);

    if (child && child->attempt.confirmed)
        record_stale(core, child, id, REPORT_SPAWNED); /* said twice */
    else if (child && child->attempt.spawned)
        confirm_spawn(core, child, pid);
    else if (child)
        commit_spawn(core, child, pid);
}

void report_spawn_failed(struct core *core, struct attempt_id id, int error, const char *reason)
{
    struct child *child = reported(core, id, REPORT_SPAWN_FAILED);

    if (child && child->attempt.spawned)
        record_stale(core, child, id, REPORT_SPAWN_FAILED);
    else if (child)
        exit_spawn_failed(core, child, error, reason);
}

/* An exit proves the start. */
void report_completed(struct core *core, struct attempt_id id, const struct completion *completion)
{
    struct child *child = reported(core, id, REPORT_EXIT);

    if (child) {
        if (!child->attempt.spawned)
            commit_spawn(core, child, 0); /* it ended before the executor's word came */
        exit_completed(core, child, completion);
    }
}

/* With a reason it begins, without one it ends. */
void report_start_delayed(struct core *core, struct attempt_id id, const char *reason)
{
    struct child *child = reported(core, id, REPORT_DELAY);

    if (child && child->attempt.spawned)
        record_stale(core, child, id, REPORT_DELAY);
    else if (child && reason)
        delay_begin(core, child, reason);
    else if (child)
        delay_end(core, child);
}

/* The main process is gone, and others are left. */
void report_main_exited(struct core *core, struct attempt_id id,
                        const struct completion *completion)
{
    struct child *child = reported(core, id, REPORT_MAIN_EXIT);

    if (child && child->attempt.main.gone && completion->left == 0 && child->left > 0) {
        leftovers_followed(core, child);
    } else if (child && child->attempt.main.gone) {
        record_stale(core, child, id, REPORT_MAIN_EXIT); /* said twice */
    } else if (child) {
        if (!child->attempt.spawned)
            commit_spawn(core, child, 0);
        leftovers_begin(core, child, completion);
    }
}

static enum report_kind report_of(const struct notify_message *message)
{
    if (message->flags & (NOTIFY_READY | NOTIFY_NOT_READY))
        return REPORT_READINESS;
    return message->flags & NOTIFY_HEARTBEAT ? REPORT_HEARTBEAT : REPORT_STATUS;
}

/* A message proves the start, too. */
void report_message(struct core *core, struct attempt_id id, const struct notify_message *message)
{
    struct child *child = reported(core, id, report_of(message));

    if (child) {
        if (!child->attempt.spawned)
            commit_spawn(core, child, 0); /* a process that speaks has been started */
        liveness_message(core, child, message);
    }
}

void report_commands(struct core *core, struct attempt_id id, enum child_commands commands,
                     bool passed, const char *why)
{
    struct child *child = reported(core, id, REPORT_COMMANDS);
    bool reloads = commands == COMMANDS_RELOAD;

    if (child && reloads && child->attempt.reload != RELOAD_COMMANDED) {
        record_stale(core, child, id, REPORT_COMMANDS); /* nothing waits for them any more */
        return;
    }
    if (!child)
        return;
    if (!child->attempt.spawned)
        commit_spawn(core, child, 0);
    if (!passed)
        EMIT(core, EVENT_CHILD_COMMAND_FAILED, child, reloads ? child->attempt.reload_cause : 0,
             FIELD_TEXT_OF("commands", child_commands_to_string(commands)),
             FIELD_TEXT_OF("why", why));
    if (reloads)
        reload_commands_ended(core, child, passed);
}

/* The number tells the answer to the open question from one that was
 * withdrawn. */
void report_checked(struct core *core, struct attempt_id id, uint32_t number, bool passed,
                    const char *why)
{
    struct child *child = reported(core, id, REPORT_HEALTH);

    if (child && (!child->attempt.check_open || child->attempt.checks != number))
        record_stale(core, child, id, REPORT_HEALTH); /* nothing waits for it any more */
    else if (child)
        health_answered(core, child, passed, why);
}
