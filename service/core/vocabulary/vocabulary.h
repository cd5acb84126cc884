/*
 * The vocabulary: every enumeration that is seen on the bus, in events, in JSON and in scenarios,
 * with its one table of words (see vocabulary.c). The words are those of semantics.md; they are
 * stable. Each *_to_string() returns a constant string and accepts only values of its enum.
 *
 * A number that is written down here stands in journals, checkpoints and handovers: it never
 * changes, and a new one is appended. checkpoint.c, model/input_archive.h,
 * model/declaration_archive.c and bus/wait_handover.c assert how many there are.
 */
#pragma once

#include <stdint.h>

enum child_operation {
    CHILD_ACTIVE = 0,
    CHILD_PAUSED = 1,
    CHILD_QUARANTINED = 2,
    CHILD_REMOVED = 3,
};

enum child_status {
    CHILD_STATUS_NONE = 0,
    CHILD_STARTING = 1,
    CHILD_RUNNING = 2,
    CHILD_READY = 3,
    CHILD_CANCELLING = 4,
    CHILD_STOPPED = 5,
};

/* What asks for a stop, where several are stopped in order. */
enum stop_by {
    STOP_BY_POLICY = 0,
    STOP_BY_PAUSE = 1,
    STOP_BY_QUARANTINE = 2,
    STOP_BY_REMOVE = 3,
    STOP_BY_RESTART = 4,
    STOP_BY_RESUME = 5,
    STOP_BY_RELOAD = 6,
    STOP_BY_START = 7,
    STOP_BY_PRIMARY = 8,
    STOP_BY_SHUTDOWN = 9,
};

enum stop_state {
    STOP_NO_ACTIVE_ATTEMPT = 0,
    STOP_IDLE = 1,
    STOP_CANCEL_DELIVERED = 2,
    STOP_COMPLETED = 3,
    STOP_FAILED = 4,
};

enum readiness {
    READINESS_UNREPORTED = 0,
    READINESS_READY = 1,
    READINESS_NOT_READY = 2,
};

enum fence_phase {
    FENCE_OPEN = 0,
    FENCE_WAITING_FOR_OLD_STOP = 1,
    FENCE_ABORTING_OLD = 2,
    FENCE_READY_TO_START = 3,
    FENCE_CLOSED = 4,
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
    FENCE_STARTED_IMMEDIATELY = 0,
    FENCE_QUEUED_AFTER_STOP = 1,
    FENCE_ALREADY_PENDING = 2,
    FENCE_BLOCKED_BY_SHUTDOWN = 3,
    FENCE_REJECTED = 4,
};

enum child_change {
    CHANGE_NONE,     /* it has been declared so before */
    CHANGE_IN_PLACE, /* all of it is in force at once */
    CHANGE_PENDING,  /* keys of the process wait for its next start */
    CHANGE_RESTART,  /* and it is restarted for them */
};

enum failure_phase {
    FAILURE_NONE = 0,
    FAILURE_SPAWN = 1,
    FAILURE_WAIT_COMPLETION = 2,
    FAILURE_WAIT_ABORT = 3,
};

enum exit_kind {
    EXIT_NONE = 0, /* no attempt has ended yet */
    EXIT_SUCCEEDED = 1,
    EXIT_FAILED = 2,
    EXIT_SIGNALED = 3,
    EXIT_TIMED_OUT = 4,
    EXIT_UNHEALTHY = 5,
    EXIT_OOM_KILLED = 6,
    EXIT_CANCELLED = 7,
    EXIT_SPAWN_FAILED = 8,
};

enum child_role { ROLE_SERVICE = 0, ROLE_WORKER = 1, ROLE_JOB = 2, ROLE_SIDECAR = 3 };
enum criticality { CRITICALITY_CRITICAL = 0, CRITICALITY_OPTIONAL = 1 };
enum restart_policy { RESTART_PERMANENT = 0, RESTART_TRANSIENT = 1, RESTART_TEMPORARY = 2 };
enum on_limit {
    ON_LIMIT_QUARANTINE = 0,
    ON_LIMIT_COOL_DOWN = 1,
    ON_LIMIT_STOP = 2,
    ON_LIMIT_ESCALATE = 3,
    ON_LIMIT_SHUTDOWN_TREE = 4,
};
/* What becomes of the tree when a child has ended, and is not restarted. */
enum on_end { ON_END_NOTHING = 0, ON_END_SHUTDOWN_TREE = 1 };
enum jitter { JITTER_NONE = 0, JITTER_EQUAL = 1, JITTER_FULL = 2, JITTER_DECORRELATED = 3 };
/* What became of the last Reload of a child. */
enum reload_result {
    RELOAD_NONE = 0, /* there was none */
    RELOAD_PENDING = 1,
    RELOAD_DONE = 2,
    RELOAD_NOT_ANNOUNCED = 3,
    RELOAD_TIMED_OUT = 4,
    RELOAD_INTERRUPTED = 5,
    RELOAD_FAILED = 6, /* one of its commands has */
};

enum readiness_policy {
    READINESS_IMMEDIATE = 0,
    READINESS_EXPLICIT = 1,
    READINESS_EXIT = 2,
    READINESS_JOB = 3, /* the same, and its start timeout ends when its program runs */
    READINESS_CHECK = 4,
};
/* Of a sidecar: it is started before its primary and cancelled when that is gone; or started when
 * its primary is ready, and cancelled with it. */
enum sidecar_order { SIDECAR_AROUND = 0, SIDECAR_WITH = 1 };
enum on_stale { ON_STALE_REPORT = 0, ON_STALE_RESTART = 1 };
enum timeout_action { TIMEOUT_KILL = 0, TIMEOUT_REPORT = 1 };

/* What becomes of the processes that are left when the main process has ended. */
enum leftovers { LEFTOVERS_WAIT = 0, LEFTOVERS_KILL = 1, LEFTOVERS_KEEP = 2 };
enum strategy { STRATEGY_ONE_FOR_ONE = 0, STRATEGY_ONE_FOR_ALL = 1, STRATEGY_REST_FOR_ONE = 2 };
enum escalation {
    ESCALATION_PARENT = 0,
    ESCALATION_QUARANTINE_SCOPE = 1,
    ESCALATION_SHUTDOWN_TREE = 2
};

enum command_verb {
    COMMAND_PAUSE = 0,
    COMMAND_RESUME = 1,
    COMMAND_QUARANTINE = 2,
    COMMAND_RESTART = 3,
    COMMAND_REMOVE = 4,
    COMMAND_RELOAD = 5,
    COMMAND_KILL = 6,
};

/* What the supervisor does about an exit. */
enum exit_decision {
    DECISION_RESTART = 0,       /* after its backoff */
    DECISION_LEAVE = 1,         /* the restart policy leaves this exit alone */
    DECISION_HOLD = 2,          /* a hold forbids the restart */
    DECISION_FENCE_RELEASE = 3, /* a restart waited behind this attempt */
    DECISION_REMOVE = 4,        /* the record goes away */
    DECISION_SHUTDOWN = 5,      /* the tree shuts down */
    DECISION_GIVE_UP = 6,       /* the restart limit is used up, or the exit code is fatal */
    DECISION_FUSE = 7,          /* the limit of its group is used up */
    DECISION_MELTDOWN = 8,      /* the limit of its supervisor is used up */
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
    SHUTDOWN_IDLE = 0,
    SHUTDOWN_REQUEST_STOP = 1,
    SHUTDOWN_GRACEFUL_DRAIN = 2,
    SHUTDOWN_ABORT_STRAGGLERS = 3,
    SHUTDOWN_RECONCILE = 4,
    SHUTDOWN_COMPLETED = 5,
};

enum shutdown_result {
    SHUTDOWN_PENDING = 0, /* still in the pipeline; not part of a complete report */
    SHUTDOWN_ALREADY_EXITED = 1,
    SHUTDOWN_GRACEFUL = 2,
    SHUTDOWN_ABORTED = 3,
    SHUTDOWN_ABORT_FAILED = 4,
    SHUTDOWN_LATE_REPORT = 5,
};

enum resource_state {
    RESOURCE_CLEANED = 0,
    RESOURCE_RECORDED = 1,
    RESOURCE_NOT_OWNED = 2,
    RESOURCE_FAILED = 3
};

/* Commands that are run for a child that has been started, as the manifest names them. The numbers
 * stand in journals. */
enum child_commands {
    COMMANDS_RELOAD = 0,
    COMMANDS_STOP = 1,
    COMMANDS_AFTER_STOP = 2,
    COMMANDS_AFTER_START = 3
};

enum report_kind {
    REPORT_SPAWNED = 0,
    REPORT_SPAWN_FAILED = 1,
    REPORT_EXIT = 2,
    REPORT_READINESS = 3,
    REPORT_HEARTBEAT = 4,
    REPORT_STATUS = 5,
    REPORT_HEALTH = 6,
    REPORT_DELAY = 7,     /* proctord lacks something for a start, or no longer does */
    REPORT_MAIN_EXIT = 8, /* others of the attempt are still there, or commands after it */
    REPORT_COMMANDS = 9,  /* that were run for the child beside its program */
};

/* event_table.def has them, with all that is said of each. */
enum event_kind {
#define EVENT(kind, number, ...) kind = number,
#include "core/vocabulary/event_table.def"
#undef EVENT
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
const char *on_end_to_string(enum on_end action);
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
const char *child_commands_to_string(enum child_commands commands);
const char *event_kind_to_string(enum event_kind kind);

/* Finds the kind that a word names. Returns 0, or -EINVAL where there is none. */
int event_kind_from_string(const char *word, enum event_kind *kind);
