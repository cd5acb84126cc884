/*
 * The core: decides everything, waits for nothing.
 *
 * It is a state machine with one door in and one set of ports out. Inputs are the functions below:
 * declarations, commands, what the executor found out, what a child said, and the passing of time.
 * Each input is handled to its end before the next one; the ports are called in one deterministic
 * order and must not call back: what a port finds out comes in later, as an input.
 *
 *     struct core *core;
 *     core_new(&ports, &settings, &core);
 *     core_declare(core, declarations, count, NULL, &problem);   // children start
 *     core_spawned(core, id, pid);                               // the executor says so
 *     core_completed(core, id, &completion);                     // restarts are decided here
 *     core_command(core, &command, &outcome, &error);            // exactly one outcome each
 *     core_timer(core);                                          // when the armed timer is due
 *
 * Only core_new(), core_run_job() and what declares allocate. All times are microseconds. Children
 * stay valid until their removal event; a room that keeps something about a child hangs it on
 * child->host or child->observer (see child.h). The idea: Erlang/OTP's supervisor, made a pure
 * function in the way of TigerBeetle and FoundationDB, so that a simulator can run it.
 */
#pragma once

#include "core/model/declaration.h"
#include "core/model/era.h"
#include "core/model/job.h"
#include "core/model/restart_limit.h"
#include "core/model/supervisor.h"
#include "core/outcome.h"
#include "core/query.h"
#include "core/report.h"
#include "core/vocabulary/error.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive;
struct core;
struct child;
struct core_input; /* input_archive.h */

/* Limits on what others can make grow. */
#define CORE_CHILDREN_MAX 100000
#define REASON_MAX        256      /* bytes of a reason, without the terminator */
#define REQUESTER_MAX     128      /* bytes of "who asked" */
#define REQUESTER_SIGNAL  "signal" /* no caller: a signal to the daemon */

struct command {
    enum command_verb verb;
    const char *child;     /* id */
    const char *reason;    /* not blank */
    const char *requester; /* who asked, for people: "alice (uid 1000)" */
    const char *origin;    /* from where, for the audit: "pid 17, busctl, :1.4"; may be NULL */
    bool dry_run;
    int signal; /* COMMAND_KILL */
    bool whole; /* COMMAND_KILL: all processes, not just the main one */
};

#define SIGNAL_RELOAD_COMMANDS 0

struct core_ports {
    void *userdata; /* of the clock, the memory, the executor and the journal */

    /* Clock. */
    uint64_t (*monotonic)(void *userdata);
    uint64_t (*realtime)(void *userdata);

    /* Memory; allocate() returns zeroed memory or NULL. */
    void *(*allocate)(void *userdata, size_t size);
    void (*release)(void *userdata, void *memory);

    /*
     * Executor. start() answers with core_spawned() or core_spawn_failed(), and a started attempt
     * ends with exactly one core_completed(), after its last process is gone; core_main_exited()
     * comes before it where the main process is gone and others, or commands after it, are not.
     * cancel() and abort() are called at most once for an attempt, and mean all processes of it.
     * With `leftovers: keep` core_completed() comes with the end of the main process and says how
     * many it leaves. forget() says that the child's record goes away.
     */
    void (*start)(void *userdata, struct child *child, struct attempt_id id);
    void (*cancel)(void *userdata, struct child *child, struct attempt_id id);
    void (*abort)(void *userdata, struct child *child, struct attempt_id id);
    /* May be NULL. The next signal of a stop, to the same processes as the cancel before it. */
    void (*escalate)(void *userdata, struct child *child, struct attempt_id id, int signal);
    /* May be NULL: nobody asks. check() is answered with core_checked() and the same number, or
     * withdrawn with check_end(). */
    void (*check)(void *userdata, struct child *child, struct attempt_id id, uint32_t number);
    void (*check_end)(void *userdata, struct child *child, struct attempt_id id);
    /* SIGNAL_RELOAD_COMMANDS: the commands of `reload` are run, from the first one on, and answered
     * with core_commands_ended(); when they run already, they are run again after that. */
    int (*kill)(void *userdata, struct child *child, struct attempt_id id, int signal, bool whole);
    void (*forget)(void *userdata, struct child *child);
    void (*set_timer)(void *userdata, uint64_t deadline_usec); /* monotonic, once; 0: none */

    /* The input that is handled next, before anything is done about it. May be NULL: no journal is
     * kept. What is pointed to is valid only while this runs. */
    void (*record)(void *userdata, const struct core_input *input);

    /* Sink: what has happened, and which records of theirs are going away. These two may be NULL.
     */
    void *sink; /* its userdata */
    void (*event)(void *sink, const struct event *event);
    void (*forget_supervisor)(void *sink, struct supervisor *supervisor);
    void (*forget_job)(void *sink, struct job *job);
};

struct core_settings {
    uint64_t seed;                   /* of the core's generator */
    uint32_t max_restarts_in_flight; /* of a supervisor that does not say; 0: 4 */
};

/* Where in a declaration something is wrong, if not in a dependency. */
enum { PROBLEM_ELSEWHERE = -1, PROBLEM_SUPERVISOR = -2, PROBLEM_GROUP = -3 };

/* Where a set of declarations is wrong: the child number `declaration`, and the dependency by its
 * index in requires, then after; or one of the above. Or the supervisor number `declaration`. */
struct declaration_problem {
    bool of_supervisor;
    size_t declaration;
    int dependency;
    struct error error;
};

/* Returns 0 or -ENOMEM. The ports are copied. */
int core_new(const struct core_ports *ports, const struct core_settings *settings,
             struct core **core);
void core_free(struct core *core);

/* A part of the tree. The order of members is that of the two lists, with each supervisor where
 * its `position` says, or before the first member under it that would come earlier. */
struct tree_declaration {
    const struct child_declaration *children;
    size_t n_children;
    const struct supervisor_declaration *supervisors;
    size_t n_supervisors;
};

/*
 * Declares a set, all or none, and starts those that start on their own. Everything in the
 * declarations is copied. A child belongs to the supervisor that its id names before the last
 * segment. The root may be among the supervisors: that is what it is from now on. Returns 0;
 * -EEXIST for an id or path that is taken; -ENOENT for a dependency, a group or a supervisor that
 * is neither in the set nor in the tree; -ELOOP for a cycle; -EINVAL for a supervisor that is
 * nested too deeply, and for a sidecar
 * without a proper primary; -ESHUTDOWN; -E2BIG over CORE_CHILDREN_MAX or SUPERVISORS_MAX; -ENOMEM.
 * `requester` and `reason` go into the events.
 */
int core_declare_tree(struct core *core, const struct tree_declaration *tree, const char *requester,
                      const char *reason, struct declaration_problem *problem);

/* Hears of each child that a dry run would start, in the order of the tree (plan.h). */
struct plan_visitor {
    void (*visit)(void *userdata, const char *id);
    void *userdata;
};

/* A dry run of a command that is not one of a child or scope: what declaring the set would say.
 * Nothing changes, and command-accepted says who asked; `command`: its word, NULL in journals of
 * before. `starts` may be NULL. */
int core_dry_run(struct core *core, const char *command, const struct tree_declaration *tree,
                 const struct plan_visitor *starts, const char *requester, const char *reason,
                 struct declaration_problem *problem);

/* Children only. */
int core_declare(struct core *core, const struct child_declaration *declarations, size_t count,
                 const char *requester, const char *reason, struct declaration_problem *problem);

/* What becomes of a process that was started with other keys of the process. The numbers stand in
 * journals; those of before there was a choice say 0. */
enum redeclare_how {
    REDECLARE_RESTARTS = 0, /* each child that has an attempt is restarted, whatever has changed */
    REDECLARE_WAITS = 1,    /* the new keys wait for its next start, */
    REDECLARE_APPLIES = 2,  /* or it is restarted for them, through the fence */
};

/*
 * Gives children new declarations of the same ids, all or none. Keys of supervision are in force at
 * once; keys of the process where there is no attempt, and else as `how` says. Dependencies must be
 * in the tree. Errors as core_declare(), -ENOENT for an id that is not in the tree, and -EINVAL for
 * a job.
 */
int core_redeclare(struct core *core, const struct child_declaration *declarations, size_t count,
                   enum redeclare_how how, const char *requester, const char *reason,
                   struct declaration_problem *problem);

/* What it would say; nothing changes. `starts` may be NULL. */
int core_check_redeclare(struct core *core, const struct child_declaration *declarations,
                         size_t count, const struct plan_visitor *starts,
                         struct declaration_problem *problem);

/* What it would be for one child. */
/* Returns 0, -ENOENT for an id that is not in the tree, or -ENOMEM. */
int core_change_of(struct core *core, const struct child_declaration *declaration, bool restart,
                   enum child_change *change);

/*
 * Gives a supervisor that is in the tree a new declaration, from the next exit on. What it and its
 * groups have counted stays counted; a member that names a group which no longer exists is in none.
 * Returns 0, -ENOENT, -ESHUTDOWN, -EINVAL or -ENOMEM.
 */
int core_redeclare_supervisor(struct core *core, const struct supervisor_declaration *declaration,
                              struct declaration_problem *problem);

/* The supervisor goes away when its last member does: now, where it has none. Not for the root. */
void core_discard_supervisor(struct core *core, struct supervisor *supervisor);

/*
 * Handles a command. Returns 0 with the outcome filled in; -ENOENT for a child that is not there;
 * -EINVAL with an error that names the argument; for COMMAND_KILL and COMMAND_RELOAD also the
 * executor's error.
 */
int core_command(struct core *core, const struct command *command, struct outcome *outcome,
                 struct error *error);

/*
 * Carries out a verb on every child below the supervisor that command->child names by its path:
 * Pause, Quarantine and Remove in the reverse order of the tree, Resume in its order. Restart stops
 * all that run, in reverse order, and starts them together, in order, when the last is gone. A
 * child is asked to go when those that depend on it are gone (stop_order.h). Each child has its own
 * outcome, passed to visit() in that order. Returns how many there were; -ENOENT for a supervisor
 * that is not there; -EINVAL with an error that names the argument.
 */
int core_command_scope(struct core *core, const struct command *command,
                       void (*visit)(void *userdata, const struct outcome *outcome), void *userdata,
                       struct error *error);

/*
 * Takes in a job; declaration->id is its name, one segment, and it has a process. It starts at once
 * where a place is free. Returns 0; -EEXIST where one of the name is under way and same_name says
 * reject; -EINVAL for a declaration that is no job; -ENOENT for a dependency that is not there;
 * -E2BIG over JOBS_MAX; -ESHUTDOWN; -ENOMEM.
 */
int core_run_job(struct core *core, const struct child_declaration *declaration,
                 enum same_name same_name, const char *requester, const char *reason,
                 struct job **job, struct declaration_problem *problem);

/* A dry run of it: answers as it would; nothing changes. */
int core_plan_job(struct core *core, const struct child_declaration *declaration,
                  enum same_name same_name, struct job_plan *plan,
                  struct declaration_problem *problem);

/* Lets go of a finished job. Returns 0, or -EBUSY. */
int core_forget_job(struct core *core, struct job *job);

/* How many may run at once, 1 to JOBS_AT_ONCE_MAX; those that run already continue. */
void core_set_max_jobs(struct core *core, uint32_t max_jobs);

/* Removes children, one id a line, as Remove does each, those that depend on others first: what a
 * reload does with those whose declarations are gone. An id that is not there is left out. */
void core_remove(struct core *core, const char *ids, const char *requester, const char *reason);

/*
 * Begins the shutdown of the tree; a second call begins none. Returns the id of the command that
 * began it. timeout_usec (0: none) bounds the whole, from now on: whatever is left then is aborted
 * at once. A later call can only shorten the bound.
 */
uint64_t core_shutdown_within(struct core *core, uint64_t timeout_usec, const char *requester,
                              const char *reason);
uint64_t core_shutdown(struct core *core, const char *requester, const char *reason);

/* Aborts every attempt at once: the second SIGTERM. Begins a shutdown where there is none. */
void core_hurry(struct core *core, const char *requester, const char *reason);

/* Begins a tree again that was shut down, or is about to be, with all that is known of it
 * (reopen.c). The starts are timers that are due. Any other tree it leaves alone. */
void core_reopen(struct core *core);

/* Reports. Those that do not belong to the active attempt are recorded as stale, and no more. */
void core_spawned(struct core *core, struct attempt_id id, uint32_t pid);
void core_spawn_failed(struct core *core, struct attempt_id id, int error, const char *reason);
/* Proctord lacks something for the start (descriptors, memory, processes), as the reason says;
 * NULL: it continues. Meanwhile no deadline of the child's runs. */
void core_start_delayed(struct core *core, struct attempt_id id, const char *reason);
void core_completed(struct core *core, struct attempt_id id, const struct completion *completion);
/* The main process has ended so, and completion->left others of the attempt are there. 0: none is,
 * also of those that were told before, and the commands of after_stop are run now. */
void core_main_exited(struct core *core, struct attempt_id id, const struct completion *completion);
void core_notify(struct core *core, struct attempt_id id, const struct notify_message *message);

/* Commands that were run for the child beside its program have ended; `why` names the one that
 * failed and says, for people, why. */
void core_commands_ended(struct core *core, struct attempt_id id, enum child_commands commands,
                         bool passed, const char *why);

/* The answer to a health check; `why` says, for people, what went wrong where it did not pass. */
void core_checked(struct core *core, struct attempt_id id, uint32_t number, bool passed,
                  const char *why);

/* The armed deadline has passed (or not: an early call does no harm). */
void core_timer(struct core *core);

/* The wall clock was set, or the machine has slept. Only schedules depend on it, and the shell need
 * not tell where there are none. */
bool core_awaits_clock(const struct core *core);
void core_clock_set(struct core *core);

/* Handles an input of a journal again, at its own times. */
void core_replay(struct core *core, const struct core_input *input);

/*
 * A checkpoint: the whole state of a core, without what the shell has hung on it. Reading fills in
 * a core that core_new() has just made, and returns -EBADMSG, with the core only fit to be freed,
 * where the bytes cannot be right; -ENOMEM. The core's time is at least
 * that of the latest moment that it tells of.
 */
int core_archive(struct core *core, struct archive *archive);

/* Says that the supervisor is up: one event. */
void core_announce(struct core *core, const char *version);

/* What a recovery has found, for its event. */
struct recovery {
    uint64_t inputs;        /* handled again, behind the checkpoint */
    uint64_t adopted;       /* attempts that are still alive */
    uint64_t lost;          /* that ended meanwhile, or were never begun */
    uint64_t damaged_bytes; /* of the journal, that were put aside, and of its tail */
};

/* Says that the supervisor has come back, with what it knew: one event. */
void core_recovered(struct core *core, const struct recovery *recovery);

/* Says that the shell cannot write down what happens any more, or can again: one event. */
void core_durability(struct core *core, bool durable, const char *why);

/* Says that the program is about to be replaced in place, and on whose request: one event. What
 * comes next is a recovery. */
void core_reexecute(struct core *core, const char *requester, const char *reason);

/* Emits the event of a declaration that was refused before it came here. */
void core_declaration_rejected(struct core *core, const char *requester, const char *why);
