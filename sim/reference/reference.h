/*
 * Reference model: a second, slow and obvious implementation of semantics.md, to run beside the
 * core. After each input both must show the same.
 *
 * It knows the vocabulary and the shapes of messages from the core's headers, and calls none of the
 * core's functions but those of the calendar, which are arithmetic. Lists are walked, names are
 * compared, nothing is cached. The one thing that it cannot know is what the core's generator draws
 * for a backoff: it hears it (reference_drew()) and checks that the draw was a possible one.
 */
#pragma once

#include "core/core.h"
#include "reference/told.h"

/* Stop, start, start timeout, heartbeat, window, health, place, change, run, schedule. */
#define REF_TIMERS     10
#define REF_SCOPES_MAX 64
#define REF_WORDS      64 /* buckets of texts that are kept */

enum ref_timer {
    REF_STOP,
    REF_START,
    REF_START_TIMEOUT,
    REF_HEARTBEAT,
    REF_WINDOW,
    REF_HEALTH,
    REF_PLACE,  /* among the restarts in flight */
    REF_CHANGE, /* what it does on its own word takes too long */
    REF_RUN,    /* its run timeout expired */
    REF_SCHEDULE,
};

struct ref_attempt {
    bool delayed; /* its start waits for something that the supervisor lacks */
    bool active, spawned, early, cancelled, aborted; /* early: heard of before its spawn result */
    bool by_hand; /* a command asked for its stop, and no policy */
    enum exit_kind forced;
    enum child_status status;
    uint64_t generation, number, started, ready_since;
    bool stopping;  /* it has said so */
    bool reloading; /* it says that it is, */
    enum {
        REF_NO_RELOAD,
        REF_SIGNALLED,
        REF_ANNOUNCED,
        REF_COMMANDED
    } reload;               /* and one was asked for, */
    uint64_t reload_signal; /* at this time */
    bool proven;            /* it has been ready for reset_after, once */
    bool silent, unhealthy, check_open, check_passed;
    bool failed_check; /* forced to end by its health checks */
    bool notifies;     /* it has ever said something */
    uint32_t pid;
    uint64_t reload_command; /* that asked for the reload */
    uint64_t kill_command;   /* the last Kill; 0: there was none */
    int kill_signal;
    uint32_t checks, check_misses;
    uint32_t stop_step; /* how many of the further signals of its stop it has had */
    bool ran_out;       /* of the time that it may run */
    bool main_gone;     /* others are there; it ended so: */
    struct completion main;
    enum exit_kind main_exit;
};

/* How the last attempt ended. */
struct ref_exit {
    int code, signal;
    bool core_dumped, early, own_stop, failed_check, ran_out;
    uint64_t realtime;
    const char *reason;
};

/* The last report of an attempt that is not there any more. */
struct ref_stale {
    enum report_kind kind;
    uint64_t generation, attempt, realtime;
};

/* A row of the report of the shutdown; its result is the child's. */
struct ref_row {
    enum shutdown_phase phase;
    uint64_t generation, attempt;
    bool cancelled;
    enum exit_kind exit;
    int code, signal;
    const char *reason;
    enum resource_state cgroup;
};

struct ref_child {
    const struct child_declaration *declaration; /* the newest; the caller's */
    const struct child_declaration
        *process; /* that has the keys of the process that are in force */
    const char *id;
    bool here;
    uint64_t member; /* its number among all members ever declared */
    uint32_t supervisor;
    int group; /* of its supervisor; -1: none */
    enum child_operation operation;
    uint64_t operation_realtime, operation_command;
    const char *operation_by, *operation_reason;
    bool wanted, born, gave_up, on_trial, automatic;
    uint32_t cool_downs;
    uint64_t generation, attempts, restart_count;
    bool has_past;  /* a child of this id was removed: its generation is the last of that one */
    uint64_t token; /* of the last start */
    struct ref_attempt attempt;
    enum stop_state stop_state;
    enum failure_phase failure;
    bool failure_recoverable;
    const char *failure_reason;
    enum fence_phase fence;
    bool pending, pending_by_resume, pending_by_hand;
    uint64_t pending_generation, pending_attempt, pending_target, duplicates;
    uint32_t scope; /* starts with those that share this number; 0: with none */
    uint64_t backoff_n, backoff_previous;
    uint64_t waits;  /* its place in the queue for dependencies, 0: not in it */
    uint64_t queued; /* its place in the queue of its supervisor's restarts */
    bool in_flight;
    bool is_job;
    bool comes_back;     /* by the command that is carried out */
    bool named_to_start; /* with others, and has not been asked yet */
    bool looked_at;      /* in a walk over those that it requires */
    /* One of several that are asked to go together; asked, and goes when those that depend on it
     * are gone; and by which command. */
    bool named, waits_to_go, goes_by_hand;
    const char *goes_by;
    uint64_t *exits;
    uint32_t used;
    uint64_t limit_updated;
    enum readiness readiness;
    const char *status_text;
    int said_errno;
    uint64_t started_realtime;
    uint64_t next_run, last_run, run_delay; /* by its schedule; by the wall clock */
    bool run_owed;
    bool by_budget; /* the time that it waits for is its group's */
    enum reload_result reload_result;
    uint64_t heartbeat, heartbeat_realtime;
    bool stale;
    enum exit_kind exit;
    enum exit_decision decision;
    uint64_t exit_generation, exit_attempt;
    struct ref_exit how;
    uint64_t stale_reports;
    struct ref_stale last_stale;
    uint32_t leftovers; /* processes that were there when its main process had ended */
    enum shutdown_result result;
    struct ref_row row;
    struct ref_child *planned_by; /* of a dry run: the command starts it for this one */
    bool made_wanted;
    uint64_t
        left; /* when its start was due that the shutdown withdrew; 0: none waited for a time */
    enum exit_kind ended; /* how the attempt has, whose end is handled */
    bool unknown;         /* nobody saw how */
    bool fatal;           /* the exit that is handled ends automatic restarts */
    bool with_machine;    /* the end that is handled is the machine's */
    bool drew;
    uint64_t drawn;
    uint64_t deadline[REF_TIMERS], order[REF_TIMERS];
};

struct ref_group {
    const struct group_declaration *declaration;
    uint64_t *exits;
    uint32_t used;
    uint64_t limit_updated;
    uint64_t level, since; /* of the bucket: microseconds' worth of tokens taken, and when */
};

struct ref_supervisor {
    const struct supervisor_declaration *declaration; /* the caller's */
    uint64_t member;
    uint32_t above; /* itself for the root, which is number 0 */
    uint64_t *exits;
    uint32_t used;
    uint64_t limit_updated;
    bool melted_down; /* and nobody below it has been started since */
    struct ref_group *groups;
};

struct ref_job {
    const char *name;
    struct ref_child *child;
    enum job_state state;
    enum job_result result;
    int code, signal;
    uint64_t queued, started, finished, cpu, command;
    uint64_t bytes;
    bool truncated;
};

struct ref {
    struct ref_child *children; /* as they were declared, with room for capacity */
    struct ref_child **order;   /* as the tree orders them */
    uint32_t count, capacity;
    struct ref_supervisor *supervisors;
    uint32_t n_supervisors, supervisors_max;
    uint64_t members;
    uint32_t scopes[REF_SCOPES_MAX], n_scopes; /* being restarted, the oldest first */
    struct ref_job *jobs; /* as they were taken in, with room for the capacity */
    uint32_t n_jobs, max_jobs;
    uint32_t cap; /* of restarts in flight, where a supervisor does not say */
    void *(*allocate)(void *userdata, size_t size);
    void *userdata;
    uint64_t now, realtime; /* by the last input */
    uint64_t ahead;         /* what the machine's clock lacks since it was started again */
    uint64_t next_order, next_wait, next_command;
    enum shutdown_phase phase;
    bool by_policy, by_signal;
    int exit_code; /* of the program, when its tree is down */
    uint64_t shutdown_command;
    uint64_t bound, bound_order; /* when those that are left are aborted; 0: there is none */
    bool dry;                    /* a question: no other is touched */
    unsigned plan;               /* and what would be done */
    struct ref_word *words[REF_WORDS];
    struct ref_told_list *told; /* what has happened in this input; NULL: no command asks */
    uint32_t n_told, n_calls;
    uint32_t tenths; /* of the ranges of equal, full and decorrelated jitter, that were drawn */
    char *wrong;     /* an impossible draw; NULL while there was none */
};

/* The time of the next input, by the machine's clocks: called before it. */
void reference_clock(struct ref *r, uint64_t uptime, uint64_t realtime);

/* The machine has been started again; its clocks read this. */
void reference_reboot(struct ref *r, uint64_t uptime, uint64_t realtime);
void ref_arm(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t deadline);
void ref_disarm(struct ref_child *c, enum ref_timer timer);
void ref_arm_timeout(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t timeout);
struct ref_child *reference_find(struct ref *r, const char *id);
uint32_t ref_kept(const uint64_t *exits, uint32_t used, uint64_t now, uint64_t interval);
void ref_prune(struct ref *r, struct ref_child *c);

/* The time of the last change of a limit, which grows with each. */
void ref_touch(const struct ref *r, uint64_t *updated);
