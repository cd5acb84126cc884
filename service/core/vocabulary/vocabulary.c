/*
 * The words for the enums of the core, made from one table each, so that the
 * bus, the JSON, events and scenarios cannot disagree about them.
 */
#include "core/vocabulary/vocabulary.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* One word each, looked up by value; a hole or a value outside the table is our own mistake. */
#define WORD_OF(table, value) word_of(table, sizeof(table) / sizeof(table[0]), (size_t)(value))

static const char *word_of(const char *const *table, size_t size, size_t value)
{
    INVARIANT(value < size && table[value]);
    return table[value];
}

static const char *const child_operation_words[] = {
    [CHILD_ACTIVE] = "active",
    [CHILD_PAUSED] = "paused",
    [CHILD_QUARANTINED] = "quarantined",
    [CHILD_REMOVED] = "removed",
};

const char *child_operation_to_string(enum child_operation operation)
{
    return WORD_OF(child_operation_words, operation);
}

static const char *const child_status_words[] = {
    [CHILD_STATUS_NONE] = "none", [CHILD_STARTING] = "starting",     [CHILD_RUNNING] = "running",
    [CHILD_READY] = "ready",      [CHILD_CANCELLING] = "cancelling", [CHILD_STOPPED] = "stopped",
};

const char *child_status_to_string(enum child_status status)
{
    return WORD_OF(child_status_words, status);
}

static const char *const stop_state_words[] = {
    [STOP_NO_ACTIVE_ATTEMPT] = "no-active-attempt",
    [STOP_IDLE] = "idle",
    [STOP_CANCEL_DELIVERED] = "cancel-delivered",
    [STOP_COMPLETED] = "completed",
    [STOP_FAILED] = "failed",
};

const char *stop_state_to_string(enum stop_state state)
{
    return WORD_OF(stop_state_words, state);
}

static const char *const reload_result_words[] = {
    [RELOAD_NONE] = "none",           [RELOAD_PENDING] = "pending",
    [RELOAD_DONE] = "done",           [RELOAD_NOT_ANNOUNCED] = "not-announced",
    [RELOAD_TIMED_OUT] = "timed-out", [RELOAD_INTERRUPTED] = "interrupted",
    [RELOAD_FAILED] = "failed",
};

const char *reload_result_to_string(enum reload_result result)
{
    return WORD_OF(reload_result_words, result);
}

static const char *const stop_by_words[] = {
    [STOP_BY_POLICY] = "policy",         [STOP_BY_PAUSE] = "pause",
    [STOP_BY_QUARANTINE] = "quarantine", [STOP_BY_REMOVE] = "remove",
    [STOP_BY_RESTART] = "restart",       [STOP_BY_RESUME] = "resume",
    [STOP_BY_RELOAD] = "reload",         [STOP_BY_START] = "start",
    [STOP_BY_PRIMARY] = "primary",       [STOP_BY_SHUTDOWN] = "shutdown",
};

const char *stop_by_to_string(enum stop_by by)
{
    return WORD_OF(stop_by_words, by);
}

enum stop_by stop_by_from_string(const char *word)
{
    enum stop_by by = STOP_BY_POLICY;

    while (strcmp(stop_by_to_string(by), word) != 0)
        by++;
    return by;
}

static const char *const readiness_words[] = {
    [READINESS_UNREPORTED] = "unreported",
    [READINESS_READY] = "ready",
    [READINESS_NOT_READY] = "not-ready",
};

const char *readiness_to_string(enum readiness readiness)
{
    return WORD_OF(readiness_words, readiness);
}

static const char *const fence_phase_words[] = {
    [FENCE_OPEN] = "open",
    [FENCE_WAITING_FOR_OLD_STOP] = "waiting-for-old-stop",
    [FENCE_ABORTING_OLD] = "aborting-old",
    [FENCE_READY_TO_START] = "ready-to-start",
    [FENCE_CLOSED] = "closed",
};

const char *fence_phase_to_string(enum fence_phase phase)
{
    return WORD_OF(fence_phase_words, phase);
}

static const char *const start_wait_words[] = {
    [START_WAITS_FOR_NOTHING] = "", [START_HELD] = "held",   [START_FENCED] = "fenced",
    [START_BACKOFF] = "backoff",    [START_SCOPE] = "scope", [START_DEPENDENCY] = "dependency",
    [START_QUEUED] = "queued",
};

const char *start_wait_to_string(enum start_wait wait)
{
    return WORD_OF(start_wait_words, wait);
}

static const char *const fence_decision_words[] = {
    [FENCE_STARTED_IMMEDIATELY] = "started-immediately",
    [FENCE_QUEUED_AFTER_STOP] = "queued-after-stop",
    [FENCE_ALREADY_PENDING] = "already-pending",
    [FENCE_BLOCKED_BY_SHUTDOWN] = "blocked-by-shutdown",
    [FENCE_REJECTED] = "rejected",
};

const char *fence_decision_to_string(enum fence_decision decision)
{
    return WORD_OF(fence_decision_words, decision);
}

static const char *const failure_phase_words[] = {
    [FAILURE_NONE] = "none",
    [FAILURE_SPAWN] = "spawn",
    [FAILURE_WAIT_COMPLETION] = "wait-completion",
    [FAILURE_WAIT_ABORT] = "wait-abort",
};

const char *failure_phase_to_string(enum failure_phase phase)
{
    return WORD_OF(failure_phase_words, phase);
}

static const char *const child_change_words[] = {
    [CHANGE_NONE] = "unchanged",
    [CHANGE_IN_PLACE] = "in-place",
    [CHANGE_PENDING] = "pending",
    [CHANGE_RESTART] = "restart",
};

const char *child_change_to_string(enum child_change change)
{
    return WORD_OF(child_change_words, change);
}

static const char *const exit_kind_words[] = {
    [EXIT_NONE] = "none",
    [EXIT_SUCCEEDED] = "succeeded",
    [EXIT_FAILED] = "failed",
    [EXIT_SIGNALED] = "signaled",
    [EXIT_TIMED_OUT] = "timed-out",
    [EXIT_UNHEALTHY] = "unhealthy",
    [EXIT_OOM_KILLED] = "oom-killed",
    [EXIT_CANCELLED] = "cancelled",
    [EXIT_SPAWN_FAILED] = "spawn-failed",
};

const char *exit_kind_to_string(enum exit_kind kind)
{
    return WORD_OF(exit_kind_words, kind);
}

static const char *const child_role_words[] = {
    [ROLE_SERVICE] = "service",
    [ROLE_WORKER] = "worker",
    [ROLE_JOB] = "job",
    [ROLE_SIDECAR] = "sidecar",
};

const char *child_role_to_string(enum child_role role)
{
    return WORD_OF(child_role_words, role);
}

static const char *const criticality_words[] = {
    [CRITICALITY_CRITICAL] = "critical",
    [CRITICALITY_OPTIONAL] = "optional",
};

const char *criticality_to_string(enum criticality criticality)
{
    return WORD_OF(criticality_words, criticality);
}

static const char *const restart_policy_words[] = {
    [RESTART_PERMANENT] = "permanent",
    [RESTART_TRANSIENT] = "transient",
    [RESTART_TEMPORARY] = "temporary",
};

const char *restart_policy_to_string(enum restart_policy policy)
{
    return WORD_OF(restart_policy_words, policy);
}

static const char *const on_limit_words[] = {
    [ON_LIMIT_QUARANTINE] = "quarantine",
    [ON_LIMIT_COOL_DOWN] = "cool-down",
    [ON_LIMIT_STOP] = "stop",
    [ON_LIMIT_ESCALATE] = "escalate",
    [ON_LIMIT_SHUTDOWN_TREE] = "shutdown-tree",
};

const char *on_limit_to_string(enum on_limit action)
{
    return WORD_OF(on_limit_words, action);
}

static const char *const on_end_words[] = {
    [ON_END_NOTHING] = "nothing",
    [ON_END_SHUTDOWN_TREE] = "shutdown-tree",
};

const char *on_end_to_string(enum on_end action)
{
    return WORD_OF(on_end_words, action);
}

static const char *const jitter_words[] = {
    [JITTER_NONE] = "none",
    [JITTER_EQUAL] = "equal",
    [JITTER_FULL] = "full",
    [JITTER_DECORRELATED] = "decorrelated",
};

const char *jitter_to_string(enum jitter jitter)
{
    return WORD_OF(jitter_words, jitter);
}

static const char *const sidecar_order_words[] = {
    [SIDECAR_AROUND] = "around",
    [SIDECAR_WITH] = "with",
};

const char *sidecar_order_to_string(enum sidecar_order order)
{
    return WORD_OF(sidecar_order_words, order);
}

static const char *const readiness_policy_words[] = {
    [READINESS_IMMEDIATE] = "immediate", [READINESS_EXPLICIT] = "explicit",
    [READINESS_EXIT] = "exit",           [READINESS_JOB] = "exit",
    [READINESS_CHECK] = "check",
};

const char *readiness_policy_to_string(enum readiness_policy policy)
{
    return WORD_OF(readiness_policy_words, policy);
}

static const char *const on_stale_words[] = {
    [ON_STALE_REPORT] = "report",
    [ON_STALE_RESTART] = "restart",
};

const char *on_stale_to_string(enum on_stale action)
{
    return WORD_OF(on_stale_words, action);
}

static const char *const timeout_action_words[] = {
    [TIMEOUT_KILL] = "kill",
    [TIMEOUT_REPORT] = "report",
};

const char *timeout_action_to_string(enum timeout_action action)
{
    return WORD_OF(timeout_action_words, action);
}

static const char *const leftovers_words[] = {
    [LEFTOVERS_WAIT] = "wait",
    [LEFTOVERS_KILL] = "kill",
    [LEFTOVERS_KEEP] = "keep",
};

const char *leftovers_to_string(enum leftovers leftovers)
{
    return WORD_OF(leftovers_words, leftovers);
}

static const char *const strategy_words[] = {
    [STRATEGY_ONE_FOR_ONE] = "one-for-one",
    [STRATEGY_ONE_FOR_ALL] = "one-for-all",
    [STRATEGY_REST_FOR_ONE] = "rest-for-one",
};

const char *strategy_to_string(enum strategy strategy)
{
    return WORD_OF(strategy_words, strategy);
}

static const char *const escalation_words[] = {
    [ESCALATION_PARENT] = "parent",
    [ESCALATION_QUARANTINE_SCOPE] = "quarantine-scope",
    [ESCALATION_SHUTDOWN_TREE] = "shutdown-tree",
};

const char *escalation_to_string(enum escalation escalation)
{
    return WORD_OF(escalation_words, escalation);
}

static const char *const command_verb_words[] = {
    [COMMAND_PAUSE] = "pause",     [COMMAND_RESUME] = "resume", [COMMAND_QUARANTINE] = "quarantine",
    [COMMAND_RESTART] = "restart", [COMMAND_REMOVE] = "remove", [COMMAND_RELOAD] = "reload",
    [COMMAND_KILL] = "kill",
};

const char *command_verb_to_string(enum command_verb verb)
{
    return WORD_OF(command_verb_words, verb);
}

static const char *const exit_decision_words[] = {
    [DECISION_RESTART] = "restart",   [DECISION_LEAVE] = "leave",
    [DECISION_HOLD] = "hold",         [DECISION_FENCE_RELEASE] = "fence-release",
    [DECISION_REMOVE] = "remove",     [DECISION_SHUTDOWN] = "shutdown",
    [DECISION_GIVE_UP] = "give-up",   [DECISION_FUSE] = "group-fuse",
    [DECISION_MELTDOWN] = "meltdown",
};

const char *exit_decision_to_string(enum exit_decision decision)
{
    return WORD_OF(exit_decision_words, decision);
}

static const char *const supervisor_state_words[] = {
    [SUPERVISOR_RUNNING] = "running",         [SUPERVISOR_RESTARTING] = "restarting",
    [SUPERVISOR_MELTED_DOWN] = "melted-down", [SUPERVISOR_STOPPING] = "stopping",
    [SUPERVISOR_STOPPED] = "stopped",
};

const char *supervisor_state_to_string(enum supervisor_state state)
{
    return WORD_OF(supervisor_state_words, state);
}

static const char *const shutdown_phase_words[] = {
    [SHUTDOWN_IDLE] = "idle",
    [SHUTDOWN_REQUEST_STOP] = "request-stop",
    [SHUTDOWN_GRACEFUL_DRAIN] = "graceful-drain",
    [SHUTDOWN_ABORT_STRAGGLERS] = "abort-stragglers",
    [SHUTDOWN_RECONCILE] = "reconcile",
    [SHUTDOWN_COMPLETED] = "completed",
};

const char *shutdown_phase_to_string(enum shutdown_phase phase)
{
    return WORD_OF(shutdown_phase_words, phase);
}

static const char *const shutdown_result_words[] = {
    [SHUTDOWN_PENDING] = "pending",           [SHUTDOWN_ALREADY_EXITED] = "already-exited",
    [SHUTDOWN_GRACEFUL] = "graceful",         [SHUTDOWN_ABORTED] = "aborted",
    [SHUTDOWN_ABORT_FAILED] = "abort-failed", [SHUTDOWN_LATE_REPORT] = "late-report",
};

const char *shutdown_result_to_string(enum shutdown_result result)
{
    return WORD_OF(shutdown_result_words, result);
}

static const char *const resource_state_words[] = {
    [RESOURCE_CLEANED] = "cleaned",
    [RESOURCE_RECORDED] = "recorded",
    [RESOURCE_NOT_OWNED] = "not-owned",
    [RESOURCE_FAILED] = "failed",
};

const char *resource_state_to_string(enum resource_state state)
{
    return WORD_OF(resource_state_words, state);
}

static const char *const report_kind_words[] = {
    [REPORT_SPAWNED] = "spawned",     [REPORT_SPAWN_FAILED] = "spawn-failed",
    [REPORT_EXIT] = "exit",           [REPORT_READINESS] = "readiness",
    [REPORT_HEARTBEAT] = "heartbeat", [REPORT_STATUS] = "status",
    [REPORT_HEALTH] = "health",       [REPORT_DELAY] = "delay",
    [REPORT_MAIN_EXIT] = "main-exit", [REPORT_COMMANDS] = "commands",
};

const char *report_kind_to_string(enum report_kind kind)
{
    return WORD_OF(report_kind_words, kind);
}

static const char *const child_commands_words[] = {[COMMANDS_RELOAD] = "reload",
                                                   [COMMANDS_STOP] = "stop",
                                                   [COMMANDS_AFTER_STOP] = "after_stop",
                                                   [COMMANDS_AFTER_START] = "after_start"};

const char *child_commands_to_string(enum child_commands commands)
{
    return WORD_OF(child_commands_words, commands);
}

static const char *const event_kind_words[] = {
#define EVENT(kind, number, word, ...) [kind] = word,
#include "core/vocabulary/event_table.def"
#undef EVENT
};

/* As many rows as numbers, and these are 0, 1, 2 ...: no word is missing. */
enum {
#define EVENT(kind, number, ...) +1
    EVENT_ROWS = 0
#include "core/vocabulary/event_table.def"
#undef EVENT
    ,
#define EVENT(kind, number, ...) +number
    EVENT_SUM = 0
#include "core/vocabulary/event_table.def"
#undef EVENT
};

_Static_assert((int)EVENT_KINDS == EVENT_ROWS &&
                   (int)EVENT_KINDS * (EVENT_KINDS - 1) / 2 == EVENT_SUM,
               "a number of event_table.def is left out or stands twice");

const char *event_kind_to_string(enum event_kind kind)
{
    return WORD_OF(event_kind_words, kind);
}

int event_kind_from_string(const char *word, enum event_kind *kind)
{
    for (size_t i = 0; i < EVENT_KINDS; i++)
        if (strcmp(event_kind_words[i], word) == 0) {
            *kind = (enum event_kind)i;
            return 0;
        }
    return -EINVAL;
}
