/*
 * Child: the record of one declared unit of work, and at most one active attempt of it.
 *
 * The shell may read all of this between inputs; only the core writes it (but for `host` and
 * `observer`, which are the shell's). Values go through the functions of child_change.c, each of
 * which keeps the invariants: one attempt at most, cancel and abort once per attempt, a status that
 * only moves along the table in child_change.c.
 */
#pragma once

#include "core/core.h"
#include "core/model/restart_limit.h"
#include "core/model/supervisor.h"
#include "core/model/timer.h"

/* In checkpoints a timer is known by its number. */
enum child_timer {
    TIMER_STOP = 0,          /* stop deadline, then abort deadline */
    TIMER_START = 1,         /* backoff or cool-down is over */
    TIMER_START_TIMEOUT = 2, /* not ready in time */
    TIMER_HEARTBEAT = 3,     /* silent for too long */
    TIMER_WINDOW = 4,        /* the oldest exit leaves the restart window */
    TIMER_HEALTH = 5,        /* the next health check, then its timeout */
    TIMER_PLACE = 6,         /* it gives back its place among the restarts in flight */
    TIMER_CHANGE = 7,        /* what it does on its own word, a drain, takes too long */
    TIMER_RUN = 8,           /* its run timeout expired */
    TIMER_SCHEDULE = 9,      /* it may be due by its schedule */
    CHILD_TIMERS,
};

/* A declaration as it is kept: one block of memory for all its strings and the limit's ring. */
struct child_config {
    struct child_declaration declaration;
    struct child **targets; /* requires, then after; NULL where the child was removed */
    uint64_t *ring;
};

/* How far a Reload by command has come. */
enum reload_phase {
    RELOAD_IDLE = 0,
    RELOAD_SIGNALLED = 1, /* RELOADING=1 has to come */
    RELOAD_ANNOUNCED = 2, /* READY=1 has to come */
    RELOAD_COMMANDED = 3, /* its commands have to end */
};

/* How the main process of an attempt has ended, while others of it are still there. */
struct main_end {
    bool gone; /* it has; else nothing of this means anything */
    bool unknown, by_signal, core_dumped, oom_killed;
    int code, signal;
    enum exit_kind kind; /* by what had been asked for then */
};

/* The one running incarnation. */
/* The commands that the events of an attempt's stop carry (docs/decisions.md, "Who a stop is for").
 * 0: none, the policy's. */
struct stop_causes {
    uint64_t asked;    /* first: the stop is for this one */
    uint64_t deadline; /* set the deadline that runs */
    uint64_t abort;    /* wants the abort when it passes, where the declaration wants a report */
};

/* The last signal of a Kill; cause 0: there was none. */
struct kill {
    int signal;
    uint64_t cause;
};

struct attempt {
    bool active;
    bool spawned;   /* it is there: the executor said so, or it was heard of */
    bool confirmed; /* the executor said so */
    bool delayed;   /* its start waits for something that proctord lacks */
    bool cancel_delivered;
    bool abort_requested;
    bool reloading; /* RELOADING=1 came, READY=1 has not yet */
    enum reload_phase reload;
    bool notifies;         /* it has ever sent a message */
    bool stopping;         /* STOPPING=1 came: it is on its way out, for good */
    bool proven;           /* it has been ready for reset_after, once */
    bool silent;           /* its heartbeat is overdue */
    bool unhealthy;        /* its health checks fail */
    bool failed_check;     /* forced to end by that, and not by a silence */
    bool check_open;       /* a health check has been asked for, and not been answered */
    bool check_passed;     /* one has, once */
    uint32_t checks;       /* asked for so far; the number of the last one */
    uint32_t check_misses; /* in a row */
    enum exit_kind forced; /* its exit counts as this: timed-out, unhealthy; else EXIT_NONE */
    uint32_t stop_step;    /* how many of the further signals of its stop have gone out */
    struct main_end main;
    bool ran_out; /* of the time that it may run */
    enum child_status status;
    uint64_t generation;
    uint64_t number;
    uint32_t pid;          /* 0: not known yet */
    uint64_t reload_usec;  /* monotonic, of the signal */
    uint64_t reload_cause; /* its command */
    uint64_t started_usec; /* monotonic */
    uint64_t ready_usec;   /* monotonic, when it became ready; 0: it is not */
    struct stop_causes stop;
    struct kill kill;
};

struct last_exit {
    enum exit_kind kind;
    int code;
    int signal;
    bool core_dumped;
    bool early;        /* a success that counts: it came too soon */
    bool own_stop;     /* timed out in a stop that it began itself */
    bool failed_check; /* unhealthy by its health checks, and not by a silence */
    uint64_t usec;     /* realtime */
    uint64_t generation;
    uint64_t attempt;
    enum exit_decision decision;
    bool ran_out; /* timed-out: by its run timeout */
    char reason[FAILURE_REASON_MAX];
};

struct stale_report {
    enum report_kind kind;
    uint64_t generation;
    uint64_t attempt;
    uint64_t usec; /* realtime; 0: there was none */
    uint64_t count;
};

/* A restart that waits behind the fence for the old attempt to be gone. */
struct pending_restart {
    bool active;
    bool by_resume; /* a Resume that met an attempt still cancelling */
    uint64_t old_generation;
    uint64_t old_attempt;
    uint64_t target_generation;
    uint64_t cause;
    uint64_t duplicates;
};

enum shutdown_why {
    SHUTDOWN_WHY_NONE = 0,
    SHUTDOWN_WHY_HAD_NONE = 1,
    SHUTDOWN_WHY_ENDED = 2,
    SHUTDOWN_WHY_TOO_SLOW = 3,
    SHUTDOWN_WHY_STILL_THERE = 4,
    SHUTDOWN_WHY_LATE = 5,
    SHUTDOWN_WHY_LEFTOVERS = 6,
    SHUTDOWN_WHY_CUT_SHORT = 7, /* by its bound, or a second signal */
};

struct child_shutdown {
    enum shutdown_result result;
    enum shutdown_phase phase;
    uint64_t generation;
    uint64_t attempt;
    bool cancel_delivered;
    enum exit_kind exit;
    int exit_code;
    int exit_signal;
    enum shutdown_why why;
    enum resource_state cgroup;
    uint64_t start_usec; /* when the start was due that was withdrawn; 0: none waited for a time */
};

/* Who wanted the operation that a child is in, and why. */
struct operation_words {
    char by[REQUESTER_MAX + 1];
    char reason[REASON_MAX + 1];
};

/* What it says of itself, STATUS= of sd_notify(3). */
struct status_text {
    char text[STATUS_TEXT_MAX + 1];
};

/* Whether a child is on its way up by itself. */
enum way { WAY_NOT_LOOKED_AT, WAY_BLOCKED, WAY_UP };

struct child {
    struct member member;                       /* its place in the tree */
    struct group *group;                        /* of its supervisor; NULL: none */
    struct job *job;                            /* the job that it is; NULL: it is none */
    struct child *primary;                      /* of a sidecar */
    struct child *first_sidecar, *next_sidecar; /* bound to it; with it, to the same primary */
    bool goes_around;                           /* the primary that it is bound to */
    struct child *index_next;
    struct child *waiting_next, *waiting_previous;
    struct child *changed_next;
    bool changed;
    uint8_t mark;           /* of a walk over dependencies; 0 between inputs */
    bool comes_back;        /* by the command that is carried out, see requirement.h */
    bool made_wanted;       /* by the command that is tried, see plan.h */
    bool named_to_start;    /* with others, and has not been asked for yet, see start_wait.h */
    enum way way;           /* within a walk of dependency.c: what it has found out; */
    struct child *way_next; /* and those that it has looked at before */
    struct child *planned_by, *brings_first, *brings_next; /* planner; those beside it; next */
    enum start_wait start; /* what its start waits for; only start_move() changes it */
    uint32_t awaited;      /* the number of that one (dependency.h), as it was shown last */
    bool in_flight;        /* its attempt is such a restart, and on its way */
    struct scope *scope;   /* its start waits for those that are restarted with it */
    struct child *queue_next, *queue_previous;
    uint32_t slot, serial;

    struct child_config *config;
    struct child_config *next_config; /* a newer declaration that waits until its attempt ends */
    struct lineage *lineage;          /* memory for what it leaves behind */
    /* What few children ever have; set with seldom_put() (seldom.h). */
    struct failure *failure;
    struct last_exit *last_exit;
    struct child_shutdown *shutdown;
    struct stale_report *last_stale;
    struct operation_words *words;
    struct status_text *status_text;
    const char *id;   /* within config */
    const char *name; /* last segment of the id */

    enum child_operation operation;
    uint64_t operation_usec; /* realtime of the last change by a person or a limit */
    uint64_t operation_cause;

    bool wanted;   /* it is meant to run */
    bool born;     /* a spawn has succeeded: generation counts */
    bool gave_up;  /* its limit is used up and it has not been started since */
    bool on_trial; /* the one try after a cool-down */
    uint32_t cool_downs;
    bool
        has_past; /* its generation, while it is not born, is the last of a removed one of its id */
    uint64_t generation;
    uint64_t fence;    /* token of the last start: larger than that of any start of its id before */
    uint64_t attempts; /* ever tried */
    struct attempt attempt;
    enum stop_state stop_state;
    bool stop_named; /* among several that are to go, within one input; see stop_order.h */
    bool stop_waits; /* asked to go: it does when those that depend on it are gone */
    bool stop_released;
    bool holds_up;    /* it is counted in those that it depends on: */
    uint32_t held_up; /* so many depend on it and are on their way out */
    enum stop_by stop_by;
    uint64_t stop_cause;     /* of the stop that waits */
    struct child *stop_next; /* whose turn comes after it */

    enum fence_phase fence_phase;
    struct pending_restart pending;

    uint64_t backoff_n;
    uint64_t backoff_previous_usec;
    uint64_t restart_count; /* automatic restarts */
    bool by_budget;         /* the time that it waits for is that of its group's budget */
    uint64_t start_cause;   /* command behind the start that waits */
    bool automatic_start;   /* the start that waits is the policy's */
    struct restart_limit restart_limit;

    enum readiness readiness;
    enum reload_result reload_result;
    uint64_t heartbeat_usec_monotonic; /* 0: none yet */
    uint64_t heartbeat_usec;           /* realtime */
    bool heartbeat_stale;
    int notify_errno;

    uint64_t started_usec; /* realtime of the last start */
    /* By its schedule; realtime, 0: none. */
    uint64_t next_run_usec, last_run_usec;
    bool run_owed; /* one was due that could not be made */
    uint32_t left; /* processes that were there when its main process had ended */
    struct timer timers[CHILD_TIMERS];

    void *host;     /* the executor's */
    void *observer; /* the bus's */
};

/* What every room may rely on, of a child that is handed to it. */
static inline bool child_is_sound(const struct child *child)
{
    return child && child->config && child->id && child->id[0] && child->name;
}

/* What the bus shows: the status of the active attempt, `none` without one. */
enum child_status child_status(const struct child *child);

/* Which attempt its last one is, active or not. */
struct attempt_id child_attempt_id(const struct child *child);

/* The number of the active attempt, 0 without one. */
uint64_t child_attempt(const struct child *child);

/* The generation that its next start has: one more than its id ever had. */
uint64_t child_next_generation(const struct child *child);

/* Realtime of the next automatic restart, 0 where none waits. */
uint64_t child_next_restart_usec(const struct core *core, const struct child *child);

/* Realtime of the stop or abort deadline, 0 where none runs. */
uint64_t child_stop_deadline_usec(const struct core *core, const struct child *child);
