/*
 * Reference model: a second, slow and obvious implementation of semantics.md, to run beside the
 * core. After each input both must show the same.
 *
 * It knows the vocabulary and the shapes of messages from the core's headers, and calls none of the
 * core's functions. Lists are walked, names are compared, nothing is cached. The one thing that it
 * cannot know is what the core's generator draws for a backoff: it is told (reference_drew()) and
 * checks that the draw was a possible one.
 */
#pragma once

#include "core/core.h"

/* Stop, start, start timeout, heartbeat, window, health, place, change, run. */
#define REF_TIMERS     9
#define REF_SCOPES_MAX 64

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
};

struct ref_attempt {
    bool delayed; /* its start waits for something that the supervisor lacks */
    bool active, spawned, early, cancelled, aborted; /* early: heard of before its spawn result */
    bool by_hand; /* a command asked for its stop, and no policy */
    enum exit_kind forced;
    enum child_status status;
    uint64_t generation, number, started, ready_since;
    bool stopping;                                               /* it has said so */
    bool reloading;                                              /* it says that it is, */
    enum { REF_NO_RELOAD, REF_SIGNALLED, REF_ANNOUNCED } reload; /* and one was asked for, */
    uint64_t reload_signal;                                      /* at this time */
    bool proven; /* it has been ready for reset_after, once */
    bool silent, unhealthy, check_open, check_passed;
    uint32_t checks, check_misses;
    uint32_t stop_step; /* how many of the further signals of its stop it has had */
    bool ran_out;       /* of the time that it may run */
    bool main_gone;     /* others are there; it ended so: */
    struct completion main;
    enum exit_kind main_exit;
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
    bool wanted, born, gave_up, on_trial, automatic;
    uint32_t cool_downs;
    uint64_t generation, attempts, restart_count;
    bool has_past;  /* a child of this id was removed: its generation is the last of that one */
    uint64_t token; /* of the last start */
    struct ref_attempt attempt;
    enum stop_state stop_state;
    enum failure_phase failure;
    enum fence_phase fence;
    bool pending, pending_by_resume, pending_by_hand;
    uint64_t pending_generation, pending_attempt, pending_target, duplicates;
    uint32_t scope; /* starts with those who share this number; 0: with nobody */
    uint64_t backoff_n, backoff_previous;
    uint64_t waits;  /* its place in the queue for dependencies, 0: not in it */
    uint64_t queued; /* its place in the queue of its supervisor's restarts */
    bool in_flight;
    bool is_job;
    bool comes_back;     /* by the command that is carried out */
    bool named_to_start; /* with others, and has not been asked yet */
    bool looked_at;      /* in a walk over those that it requires */
    /* One of several that are asked to go together; asked, and goes when those that depend on it
     * are gone; and by whom. */
    bool named, waits_to_go, goes_by_hand;
    uint64_t *exits;
    uint32_t used;
    enum readiness readiness;
    enum reload_result reload_result;
    uint64_t heartbeat, heartbeat_realtime;
    bool stale;
    enum exit_kind exit;
    enum exit_decision decision;
    uint64_t exit_generation, exit_attempt;
    uint64_t stale_reports;
    uint32_t leftovers; /* processes that were there when its main process had ended */
    enum shutdown_result result;
    uint64_t
        left; /* when its start was due that the shutdown withdrew; 0: none waited for a time */
    bool with_machine; /* the end that is handled is the machine's */
    bool drew;
    uint64_t drawn;
    uint64_t deadline[REF_TIMERS], order[REF_TIMERS];
};

struct ref_group {
    const struct group_declaration *declaration;
    uint64_t *exits;
    uint32_t used;
    uint64_t level, since; /* of the bucket: microseconds' worth of tokens taken, and when */
};

struct ref_supervisor {
    const struct supervisor_declaration *declaration; /* the caller's */
    uint64_t member;
    uint32_t above; /* itself for the root, which is number 0 */
    uint64_t *exits;
    uint32_t used;
    struct ref_group *groups;
};

struct ref_job {
    const char *name;
    struct ref_child *child;
    enum job_state state;
    enum job_result result;
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
    uint64_t ahead;         /* what the machine's clock lacks since it was started anew */
    uint64_t next_order, next_wait, next_command;
    enum shutdown_phase phase;
    bool by_policy;
    uint64_t bound, bound_order; /* when whoever is left is aborted; 0: there is none */
    bool dry;                    /* a question: nobody else is touched */
    char *wrong;                 /* an impossible draw; NULL while there was none */
};

/* The time of the next input, by the machine's clocks: called before it. */
void reference_clock(struct ref *r, uint64_t uptime, uint64_t realtime);
/* The machine has been started anew; its clocks read this. */
void reference_reboot(struct ref *r, uint64_t uptime, uint64_t realtime);

/* A supervisor, after the one above it; the root, "", comes first. Said once more, it is a new
 * declaration. */
void reference_supervise(struct ref *r, const struct supervisor_declaration *d);
/* Whether the members of a supervisor, or of a group of it (-1: none), are being restarted
 * together. */
bool reference_restarts(const struct ref *r, uint32_t supervisor, int group);
void reference_wake(struct ref *r); /* after it */
/* Another daemon goes on with what this one did. */
void reference_recovered(struct ref *r);

/* exits has room for burst + 1 times. Returns NULL when there is no room. */
struct ref_child *reference_declare(struct ref *r, const struct child_declaration *d,
                                    uint64_t *exits);
void reference_declared(struct ref *r, uint32_t first);
/* Whether a job may be taken in: 0, or the error that it has to get. Then its child is declared,
 * and it is. */
int reference_may_run(struct ref *r, const char *name, enum same_name same_name);
void reference_run_job(struct ref *r, struct ref_child *c, const char *name,
                       enum same_name same_name);
void reference_redeclare(struct ref *r, const struct child_declaration *d, enum redeclare_how how);
/* What that would be, where it is restarted for it or not. */
enum child_change reference_change(struct ref *r, const struct child_declaration *d, bool restart);
/* Whether keys of the process wait for its next start. */
bool reference_waits(const struct ref_child *c);
struct ref_child *reference_find(struct ref *r, const char *id);

/* Why it has no attempt, and for a dependency which one, and whether it is required. */
struct ref_wait {
    enum start_wait reason;
    const char *target;
    bool required;
};
struct ref_wait reference_waits_for(struct ref *r, const struct ref_child *c);

/* What the core drew for this child's next delay, told before the input is. */
void reference_drew(struct ref_child *c, uint64_t delay);

/* Returns 0 with what the outcome has to say, or the error that the command has to get. */
int reference_command(struct ref *r, const struct command *command, struct outcome *o);
/* The same on every child below a supervisor; outcomes has room for all. Returns how many. */
int reference_command_scope(struct ref *r, const struct command *command, struct outcome *outcomes);
/* Removes those of these ids that are there, in this order. */
void reference_remove(struct ref *r, const char *const *ids, uint32_t n);
void reference_shutdown(struct ref *r, uint64_t timeout); /* of the whole; 0: none */
void reference_hurry(struct ref *r);
/* The next proctord begins a tree again that was shut down, or was about to be. */
void reference_reopen(struct ref *r);

/* What is heard of an attempt: completion for an exit, message for what it said. */
struct heard {
    enum report_kind kind;
    struct attempt_id id;
    const struct completion *completion;
    const struct notify_message *message;
    uint32_t check; /* the number of a health check, and its answer */
    bool passed;
    bool lacks; /* the supervisor lacks something for the start; or no longer does */
};

void reference_hear(struct ref *r, struct ref_child *c, const struct heard *heard);

/* Whether it would be about an attempt that is not there any more, or was told before. */
bool reference_is_stale(const struct ref_child *c, const struct heard *heard);
void reference_timer(struct ref *r);
