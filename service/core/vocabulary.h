/*
 * The vocabulary: every enumeration that is seen on the bus, in events, in JSON and in scenarios,
 * with its one table of words (see vocabulary.c). The words are those of semantics.md; they are
 * stable. Each *_to_string() returns a constant string and accepts only values of its enum.
 */
#pragma once

#include <stdint.h>

enum child_operation {
    CHILD_ACTIVE,
    CHILD_PAUSED,
    CHILD_QUARANTINED,
    CHILD_REMOVED,
};

enum child_status {
    CHILD_STATUS_NONE,
    CHILD_STARTING,
    CHILD_RUNNING,
    CHILD_READY,
    CHILD_CANCELLING,
    CHILD_STOPPED,
};

/* What asks for a stop, where several are stopped in order. */
enum stop_by {
    STOP_BY_POLICY,
    STOP_BY_PAUSE,
    STOP_BY_QUARANTINE,
    STOP_BY_REMOVE,
    STOP_BY_RESTART,
    STOP_BY_RESUME,
    STOP_BY_RELOAD,
    STOP_BY_START,
    STOP_BY_PRIMARY,
    STOP_BY_SHUTDOWN,
};

enum stop_state {
    STOP_NO_ACTIVE_ATTEMPT,
    STOP_IDLE,
    STOP_CANCEL_DELIVERED,
    STOP_COMPLETED,
    STOP_FAILED,
};

enum readiness {
    READINESS_UNREPORTED,
    READINESS_READY,
    READINESS_NOT_READY,
};

enum fence_phase {
    FENCE_OPEN,
    FENCE_WAITING_FOR_OLD_STOP,
    FENCE_ABORTING_OLD,
    FENCE_READY_TO_START,
    FENCE_CLOSED,
};

/* Why a child that is meant to run has no attempt; the first of these that holds. */
enum start_wait {
    START_WAITS_FOR_NOTHING,
    START_HELD,       /* paused, quarantined or being removed */
    START_FENCED,     /* its old attempt is still there */
    START_BACKOFF,    /* a time: its backoff or cool-down, or when its budget has a token */
    START_SCOPE,      /* those that are restarted with it are still there */
    START_DEPENDENCY, /* one that it requires, or comes after */
    START_QUEUED,     /* its turn, among its supervisor's restarts or among the jobs */
};

enum fence_decision {
    FENCE_STARTED_IMMEDIATELY,
    FENCE_QUEUED_AFTER_STOP,
    FENCE_ALREADY_PENDING,
    FENCE_BLOCKED_BY_SHUTDOWN,
    FENCE_REJECTED,
};

enum child_change {
    CHANGE_NONE,     /* it has been declared so before */
    CHANGE_IN_PLACE, /* all of it is in force at once */
    CHANGE_PENDING,  /* keys of the process wait for its next start */
    CHANGE_RESTART,  /* and it is restarted for them */
};

enum failure_phase {
    FAILURE_NONE,
    FAILURE_SPAWN,
    FAILURE_WAIT_COMPLETION,
    FAILURE_WAIT_ABORT,
};

enum exit_kind {
    EXIT_NONE, /* no attempt has ended yet */
    EXIT_SUCCEEDED,
    EXIT_FAILED,
    EXIT_SIGNALED,
    EXIT_TIMED_OUT,
    EXIT_UNHEALTHY,
    EXIT_OOM_KILLED,
    EXIT_CANCELLED,
    EXIT_SPAWN_FAILED,
};

enum child_role { ROLE_SERVICE, ROLE_WORKER, ROLE_JOB, ROLE_SIDECAR };
enum criticality { CRITICALITY_CRITICAL, CRITICALITY_OPTIONAL };
enum restart_policy { RESTART_PERMANENT, RESTART_TRANSIENT, RESTART_TEMPORARY };
enum on_limit {
    ON_LIMIT_QUARANTINE,
    ON_LIMIT_COOL_DOWN,
    ON_LIMIT_STOP,
    ON_LIMIT_ESCALATE,
    ON_LIMIT_SHUTDOWN_TREE,
};
enum jitter { JITTER_NONE, JITTER_EQUAL, JITTER_FULL, JITTER_DECORRELATED };
/* What became of the last Reload of a child. */
enum reload_result {
    RELOAD_NONE, /* there was none */
    RELOAD_PENDING,
    RELOAD_DONE,
    RELOAD_NOT_ANNOUNCED,
    RELOAD_TIMED_OUT,
    RELOAD_INTERRUPTED,
};

enum readiness_policy {
    READINESS_IMMEDIATE,
    READINESS_EXPLICIT,
    READINESS_EXIT,
    READINESS_JOB, /* the same, and its start timeout ends when its program runs */
    READINESS_CHECK,
};
/* Of a sidecar: it is started before its primary and cancelled when that is gone; or started when
 * its primary is ready, and cancelled with it. */
enum sidecar_order { SIDECAR_AROUND, SIDECAR_WITH };
enum on_stale { ON_STALE_REPORT, ON_STALE_RESTART };
enum timeout_action { TIMEOUT_KILL, TIMEOUT_REPORT };

/* What becomes of those who are there when the main process has ended. */
enum leftovers { LEFTOVERS_WAIT, LEFTOVERS_KILL, LEFTOVERS_KEEP };
enum strategy { STRATEGY_ONE_FOR_ONE, STRATEGY_ONE_FOR_ALL, STRATEGY_REST_FOR_ONE };
enum escalation { ESCALATION_PARENT, ESCALATION_QUARANTINE_SCOPE, ESCALATION_SHUTDOWN_TREE };

enum command_verb {
    COMMAND_PAUSE,
    COMMAND_RESUME,
    COMMAND_QUARANTINE,
    COMMAND_RESTART,
    COMMAND_REMOVE,
    COMMAND_RELOAD,
    COMMAND_KILL,
};

/* What the supervisor does about an exit. */
enum exit_decision {
    DECISION_RESTART,       /* after its backoff */
    DECISION_LEAVE,         /* the restart policy leaves this exit alone */
    DECISION_HOLD,          /* a hold forbids the restart */
    DECISION_FENCE_RELEASE, /* a restart waited behind this attempt */
    DECISION_REMOVE,        /* the record goes away */
    DECISION_SHUTDOWN,      /* the tree shuts down */
    DECISION_GIVE_UP,       /* the restart limit is used up, or the exit code is fatal */
    DECISION_FUSE,          /* the limit of its group is used up */
    DECISION_MELTDOWN,      /* the limit of its supervisor is used up */
};

/* What a supervisor does. */
enum supervisor_state {
    SUPERVISOR_RUNNING,
    SUPERVISOR_RESTARTING,
    SUPERVISOR_MELTED_DOWN,
    SUPERVISOR_STOPPING,
    SUPERVISOR_STOPPED,
};

enum shutdown_phase {
    SHUTDOWN_IDLE,
    SHUTDOWN_REQUEST_STOP,
    SHUTDOWN_GRACEFUL_DRAIN,
    SHUTDOWN_ABORT_STRAGGLERS,
    SHUTDOWN_RECONCILE,
    SHUTDOWN_COMPLETED,
};

enum shutdown_result {
    SHUTDOWN_PENDING, /* still in the pipeline; not part of a complete report */
    SHUTDOWN_ALREADY_EXITED,
    SHUTDOWN_GRACEFUL,
    SHUTDOWN_ABORTED,
    SHUTDOWN_ABORT_FAILED,
    SHUTDOWN_LATE_REPORT,
};

enum resource_state { RESOURCE_CLEANED, RESOURCE_RECORDED, RESOURCE_NOT_OWNED, RESOURCE_FAILED };

enum report_kind {
    REPORT_SPAWNED,
    REPORT_SPAWN_FAILED,
    REPORT_EXIT,
    REPORT_READINESS,
    REPORT_HEARTBEAT,
    REPORT_STATUS,
    REPORT_HEALTH,
    REPORT_DELAY,     /* proctord lacks something for a start, or no longer does */
    REPORT_MAIN_EXIT, /* others of the attempt are still there */
};

enum event_kind {
    EVENT_CHILD_STARTING,
    EVENT_CHILD_RUNNING,
    EVENT_CHILD_READY,
    EVENT_CHILD_NOT_READY,
    EVENT_CHILD_HEARTBEAT_STALE,
    EVENT_CHILD_HEARTBEAT_RECOVERED,
    EVENT_CHILD_EXITED,
    EVENT_CHILD_BACKOFF_SCHEDULED,
    EVENT_CHILD_RESTART_QUEUED,
    EVENT_CHILD_RESTARTED,
    EVENT_CHILD_QUARANTINED,
    EVENT_CHILD_OPERATION_CHANGED,
    EVENT_CHILD_CONTROL_CANCEL_DELIVERED,
    EVENT_CHILD_CONTROL_ABORT_REQUESTED,
    EVENT_CHILD_CONTROL_STOP_COMPLETED,
    EVENT_CHILD_CONTROL_STOP_FAILED,
    EVENT_CHILD_CONTROL_COMMAND_COMPLETED,
    EVENT_CHILD_RESTART_LIMIT_UPDATED,
    EVENT_CHILD_RUNTIME_STATE_REMOVED,
    EVENT_CHILD_RESTART_FENCE_ENTERED,
    EVENT_CHILD_RESTART_FENCE_ABORT_REQUESTED,
    EVENT_CHILD_RESTART_FENCE_RELEASED,
    EVENT_CHILD_RESTART_CONFLICT,
    EVENT_CHILD_ATTEMPT_STALE_REPORT,
    EVENT_CHILD_SPAWN_FAILED,
    EVENT_CHILD_ADDED,
    EVENT_CHILD_DECLARATION_REJECTED,
    EVENT_MELTDOWN,
    EVENT_ESCALATED,
    EVENT_GROUP_FUSE_TRIGGERED,
    EVENT_BUDGET_EXHAUSTED,
    EVENT_SHUTDOWN_REQUESTED,
    EVENT_SHUTDOWN_PHASE_CHANGED,
    EVENT_CHILD_SHUTDOWN_CANCEL_DELIVERED,
    EVENT_CHILD_SHUTDOWN_GRACEFUL,
    EVENT_CHILD_SHUTDOWN_ABORTED,
    EVENT_CHILD_SHUTDOWN_LATE_REPORT,
    EVENT_SHUTDOWN_COMPLETED,
    EVENT_COMMAND_ACCEPTED,
    EVENT_COMMAND_REJECTED,
    EVENT_JOB_QUEUED,
    EVENT_JOB_FINISHED,
    EVENT_SUPERVISOR_STARTED,
    EVENT_SUPERVISOR_RECOVERED,
    EVENT_DURABILITY_CHANGED,
    EVENT_SUPERVISOR_REEXECUTING,
    EVENT_CHILD_START_DELAYED,
    EVENT_CHILD_RELOAD_COMPLETED,
    EVENT_CHILD_LEFTOVERS,
    EVENT_CHILD_CONTROL_STOP_ESCALATED,
    EVENT_KINDS, /* how many there are */
};

const char *child_operation_to_string(enum child_operation operation);
const char *child_status_to_string(enum child_status status);
const char *stop_state_to_string(enum stop_state state);
const char *reload_result_to_string(enum reload_result result);
const char *stop_by_to_string(enum stop_by by);
enum stop_by stop_by_from_string(const char *word); /* one of these words */
const char *readiness_to_string(enum readiness readiness);
const char *start_wait_to_string(enum start_wait wait); /* "" for nothing */
const char *fence_phase_to_string(enum fence_phase phase);
const char *fence_decision_to_string(enum fence_decision decision);
const char *child_change_to_string(enum child_change change);
const char *failure_phase_to_string(enum failure_phase phase);
const char *exit_kind_to_string(enum exit_kind kind);
const char *child_role_to_string(enum child_role role);
const char *criticality_to_string(enum criticality criticality);
const char *restart_policy_to_string(enum restart_policy policy);
const char *on_limit_to_string(enum on_limit action);
const char *jitter_to_string(enum jitter jitter);
const char *readiness_policy_to_string(enum readiness_policy policy);
const char *sidecar_order_to_string(enum sidecar_order order);
const char *on_stale_to_string(enum on_stale action);
const char *timeout_action_to_string(enum timeout_action action);
const char *leftovers_to_string(enum leftovers leftovers);
const char *strategy_to_string(enum strategy strategy);
const char *escalation_to_string(enum escalation escalation);
const char *command_verb_to_string(enum command_verb verb);
const char *exit_decision_to_string(enum exit_decision decision);
const char *supervisor_state_to_string(enum supervisor_state state);
const char *shutdown_phase_to_string(enum shutdown_phase phase);
const char *shutdown_result_to_string(enum shutdown_result result);
const char *resource_state_to_string(enum resource_state state);
const char *report_kind_to_string(enum report_kind kind);
const char *event_kind_to_string(enum event_kind kind);

/* Finds the kind that a word names. Returns 0, or -EINVAL where there is none. */
int event_kind_from_string(const char *word, enum event_kind *kind);
