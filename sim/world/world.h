/*
 * World: what the core lives in while it is simulated. A virtual clock, a queue of what is to
 * happen with a total order (time, then a tie that the schedule breaks), an executor with its own
 * count of processes, and clients. The core is the daemon's, unchanged.
 *
 * A world is one block of memory (memory.h). world_step() (daemon/step.h) lets the next thing
 * happen; each input that goes into the core goes into the reference model too, and then every
 * check is made. The first check that fails ends the run: world->verdict says which, when and why.
 *
 * Reading order: world.c, daemon/inputs.c and daemon/executor.c (ports), checks/checks.c.
 */
#pragma once

#include "core/model/child.h"
#include "core/core.h"
#include "world/memory.h"
#include "world/model.h"
#include "world/record.h"
#include "reference/report.h"
#include "world/schedule.h"

#include <setjmp.h>

#define MSEC UINT64_C(1000000) /* nanoseconds */
#define SEC  (1000 * MSEC)

#define WORLD_START_NSEC    SEC
#define WORLD_REALTIME_USEC UINT64_C(1700000000000000)
#define WORLD_PROCESSES     4  /* attempts of a child that are remembered */
#define WORLD_HISTORY       16 /* reports that can be repeated */
#define WORLD_COUNTED_MAX   64
#define WORLD_INPUTS_MAX    UINT64_C(5000000)
#define WORLD_STATE_BITS    16
#define WORLD_SUPERVISORS   32 /* at most, with the root */
#define WORLD_MAX_JOBS      2
#define WORLD_DOUBTS        16
#define COVERAGE_WORDS      3
#define WORLD_CAP           4 /* restarts in flight of a supervisor that does not say */

enum check {
    CHECK_NONE,
    CHECK_ONE_ATTEMPT,     /* 1 */
    CHECK_MONOTONE,        /* 2 */
    CHECK_NO_LATE_START,   /* 3 */
    CHECK_STALE,           /* 4 */
    CHECK_CANCEL_ONCE,     /* 5 */
    CHECK_HOLD,            /* 6 */
    CHECK_WINDOW,          /* 7 */
    CHECK_OUTCOME,         /* 8 */
    CHECK_SHUTDOWN_REPORT, /* 9 */
    CHECK_EVENTS,          /* 10 */
    CHECK_REQUIRES,        /* 11 */
    CHECK_SCOPE,           /* 12 */
    CHECK_CAP,             /* 13 */
    CHECK_JOBS,
    CHECK_RECOVERY,     /* 14 */
    CHECK_NOTHING_LEFT, /* 15 */
    CHECK_TIMERS,       /* 16 */
    CHECK_MEMORY,       /* 17 */
    CHECK_CAUSES,
    CHECK_TOLD, /* what happens is reported, once, and as it is */
    CHECK_SHOWN,
    CHECK_LIVENESS,
    CHECK_REFERENCE,
    CHECK_INVARIANT,   /* the core's own assertion */
    CHECK_ENDLESS,     /* an input that is never handled to its end, or a run without end */
    CHECK_EXPECTATION, /* what a scenario says */
    CHECKS,
};

/* How often each fault strikes, per mille; 0: never; and from when to when. */
struct faults {
    uint16_t delay;         /* a report comes later */
    uint16_t duplicate;     /* a report comes twice */
    uint16_t late_notify;   /* a message comes after its sender's exit */
    uint16_t replay;        /* at a client's turn, an old report is repeated */
    uint16_t spawn_failure; /* EAGAIN, ENOMEM or ENOENT */
    uint16_t slow_spawn;
    uint16_t lack;       /* the supervisor lacks something for a start, which waits for it */
    uint16_t exit_first; /* the exit is reported before the spawn result */
    uint16_t lost_cancel;
    uint16_t lost_abort;
    uint16_t late_timer;
    uint16_t wall_jump; /* at a client's turn */
    uint16_t crash; /* the same: the daemon dies, or will in its next input; or its disk is full */
    uint64_t from_nsec, until_nsec;
};

enum process_state {
    PROCESS_UNBORN,
    PROCESS_ALIVE,
    PROCESS_LEFTOVER, /* the main process is gone, another one is not */
    PROCESS_FOLLOWED, /* none is left, and commands run after it */
    PROCESS_KEPT,     /* the attempt is over, and what it left lives on */
    PROCESS_GONE,
};

struct process {
    enum process_state state;
    struct attempt_id id;
    uint32_t pid;
    const struct model *model;
    struct traits traits;
    enum leftovers leftovers;
    size_t next_step;
    uint32_t wait_serial; /* a pending continuation with another number is void */
    bool waits_for_cancel, waits_for_reload;
    bool has_reload;       /* a reload signal that no step has waited for yet */
    const char *waits_for; /* a name that the scenario fires */
    unsigned cancels, aborts, escalations;
    bool reported;                /* its completion has been reported */
    bool stillborn;               /* it could not be spawned */
    bool delayed;                 /* the daemon waits for what it lacks for it */
    bool obeys;                   /* a cancel has moved it to go */
    bool told_cancel, told_abort; /* the executor has done it; whether it was heard or not */
    bool heard_cancel;            /* by all of it: */
    uint64_t cancel_nsec;         /* then */
    struct completion completion;
    uint64_t beat_usec;
    uint64_t result_bytes; /* written, of a job */
    uint64_t born_nsec;
    enum step_kind health; /* STEP_HEALTHY, or how it answers when it is asked */
};

/* The stop of an attempt (checks/causes.c): the commands that its events carry. */
struct stop_ledger {
    bool under_way, aborted;
    bool changed;      /* a newer declaration came meanwhile */
    bool forced;       /* by a time limit or for its health: its deadline aborts */
    bool no_deadline;  /* none runs */
    uint64_t cause;    /* the child that it is for */
    uint64_t deadline; /* whose deadline runs */
    uint64_t abort;    /* the command that wants more than a report when it passes */
    uint64_t fence;    /* whose restart waits for it */
    uint64_t asked;    /* what changed last what is wanted of it: its stop may be late for that */
    uint64_t asked_first; /* the same, but first; a later command does not take its place */
    uint64_t start;       /* what the attempt itself was started for */
    uint64_t failed;      /* the event that said that it did */
    uint64_t kill;        /* the last Kill of the attempt, and its signal */
    int64_t kill_signal, signal_asked;
    bool told_left; /* that its main process has ended and others are there */
    uint64_t left;  /* the command that its leftovers are for */
    uint32_t steps; /* further signals that it has had */
};

/* What the checks know of a child, from events and calls alone. */
struct ledger {
    uint32_t serial; /* of the record that this is about */
    bool held, removed;
    bool born;
    bool started, running, ready; /* of the active attempt, by its events */
    bool succeeded;               /* how the last one ended */
    uint64_t started_nsec;
    bool fence_entered;
    bool queued, in_flight;
    uint64_t run_delay; /* drawn for its next run; the reference is not there yet at the first */
    uint64_t generation, attempts;
    const struct child_config *config;
    uint64_t interval_usec; /* of its window, and how many are in it */
    uint32_t burst;
    uint64_t *counted; /* monotonic times of counted exits, with room for */
    uint32_t counted_max, n_counted;
    struct stop_ledger stop;
};

#define SHOWN_FACTS 26

struct shown_supervisor {
    const struct supervisor *supervisor; /* NULL: none was shown */
    uint64_t facts;
};

struct actor {
    const struct child_declaration *declaration;
    const struct model *models; /* one for each attempt; the last one for all later ones */
    size_t n_models;
    struct child *child; /* NULL: not declared, or removed */
    uint32_t serial;
    struct ref_child *reference;
    struct process processes[WORLD_PROCESSES];
    uint32_t starts;      /* of the present record */
    uint32_t fail_spawns; /* so many of the next spawns fail, with fail_errno */
    int fail_errno;
    uint32_t lose_cancels, lose_aborts;
    uint64_t lack_usec; /* so long its next start waits for something */
    bool hold_reports;  /* exits are reported when the scenario lets them */
    struct ledger ledger;
    const void *agreed[4]; /* declarations that agreement.c has compared, by their address */
    uint32_t shown_serial; /* and 1, of the record that was shown; 0: none was */
    uint64_t shown[SHOWN_FACTS];
};

enum input_kind {
    INPUT_SPAWNED,
    INPUT_SPAWN_FAILED,
    INPUT_COMPLETED,
    INPUT_NOTIFY,
    INPUT_CHECKED,
    INPUT_START_DELAYED,
    INPUT_MAIN_EXITED,
    INPUT_COMMANDS_ENDED,
    INPUT_TIMER,
    INPUT_COMMAND,
    INPUT_SHUTDOWN,
    INPUT_HURRY,
    INPUT_REOPEN,
    INPUT_DECLARE,
    INPUT_REDECLARE,
    INPUT_REDECLARE_SUPERVISOR,
    INPUT_COMMAND_SCOPE,
    INPUT_REMOVE,
    INPUT_RUN_JOB,
    INPUT_RECOVERED,
    INPUT_DURABILITY,
    INPUT_REEXECUTE,
};

struct report {
    enum input_kind kind; /* one of the first six */
    uint32_t actor;
    struct attempt_id id;
    uint32_t pid;
    int error;
    struct completion completion;
    struct notify_message message;
    uint32_t check; /* the number of a health check, and its answer */
    bool passed;
    enum child_commands commands; /* INPUT_COMMANDS_ENDED */
    bool lacks;                   /* INPUT_START_DELAYED: false: it continues */
};

enum pending_kind { PENDING_REPORT, PENDING_STEP, PENDING_BEAT, PENDING_END, PENDING_TURN };

struct pending {
    uint64_t due_nsec;
    uint64_t order;
    enum pending_kind kind;
    uint32_t actor;
    uint32_t serial;      /* PENDING_STEP, _BEAT, _END: of the record, */
    uint64_t attempt;     /* and of the attempt */
    uint32_t wait_serial; /* PENDING_STEP */
    bool dies;            /* PENDING_END: of the main process, not of what it left */
    struct report report;
};

struct verdict {
    enum check check;
    uint64_t input;
    char text[256];
};

/* A cancel or an abort of which a new daemon cannot know whether it has been done. */
struct doubt {
    uint32_t actor;
    uint64_t attempt;
    bool abort;
};

struct world {
    struct memory *memory;
    struct core *core;
    struct schedule *schedule;
    uint64_t now_nsec;
    uint64_t boot_usec; /* when the machine's clock was 0; it reads what has passed since */
    uint32_t boots;
    bool rebooted; /* the daemon looks for the first time since then */
    struct era era;
    int64_t wall_offset_usec;
    uint64_t timer_usec, timer_due_nsec, timer_order;
    struct pending *pending;
    uint32_t n_pending, pending_max;
    uint64_t next_order;
    struct actor *actors;
    uint32_t n_actors, actors_max;
    struct ref reference;
    struct faults faults;
    struct report *history; /* WORLD_HISTORY of them; NULL: nothing is remembered */
    uint32_t n_history;
    uint32_t next_pid;

    uint64_t inputs;
    uint64_t hash; /* of all events and calls so far */
    enum input_kind input;
    struct actor *input_actor; /* the child that the present input is about, or NULL */
    bool in_core;
    bool melting;         /* the present input makes a supervisor melt down */
    uint64_t calls;       /* of the executor's ports */
    uint64_t allocations; /* by the core */
    uint64_t sequence, commands;
    uint64_t commands_before;                 /* the present input */
    uint64_t shutdown_command, bound_command; /* whose the shutdown is, and its bound */
    uint64_t bound_usec;                      /* when that passes; UINT64_MAX: never */
    struct disk *disk;                        /* the journal; NULL: there is none */
    bool full;                                /* the disk */
    bool cut; /* the daemon dies in this input, or the next, after: */
    uint32_t effects_left;
    bool dead;       /* it has: what it asks for now never happens */
    bool recovering; /* the core lives through the past: nothing of that is new */
    /* With a journal: what the last input asked for, WORLD_DOUBTS at most. */
    struct doubt *in_doubt;
    uint32_t n_in_doubt;
    uint64_t jobs; /* taken in */
    bool shutdown_begun, shutdown_completed;
    struct shown_supervisor shown_supervisors[WORLD_SUPERVISORS];
    uint64_t marks[COVERAGE_WORDS]; /* "sometimes": see checks/coverage.h */
    unsigned char *states; /* coverage: one bit for each state of a child seen; not in the block */
    struct verdict verdict;

    bool (*turn)(struct world *world, void *userdata); /* PENDING_TURN; false: it is over */
    void *turn_userdata;
    void (*observe)(void *userdata, const struct record *record);
    void *observe_userdata;
};

/* What the machine's clocks read, and the core's time by them. */
struct two_clocks world_clocks(const struct world *world);
/* The time of the world, in microseconds. */
uint64_t world_usec(const struct world *world);

/* From the world's block, zeroed; never NULL. */
void *world_allocate(struct world *world, size_t size);

/* Adds a child that can be declared; declaration and models stay the caller's, in the block or
 * for longer than it. Returns the actor's number. */
uint32_t world_add_actor(struct world *world, const struct child_declaration *declaration,
                         const struct model *models, size_t n_models);
/* NULL if no actor has this id. */
struct actor *world_find(struct world *world, const char *id);
uint32_t world_number_of(const struct world *world, const struct actor *actor);

struct heard world_heard(const struct report *report); /* in the reference model's terms */

/* What the executor says, for people, of a failed or delayed spawn, or a health check. */
const char *world_words(const struct report *report);

/* Says that a check failed; only the first one counts. */
void world_fail(struct world *world, enum check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void world_note(struct world *world, const struct record *record);
/* Two runs with the same hash have done the same. */
uint64_t world_hash(const struct world *world);

const char *check_to_string(enum check check);
