/*
 * Scenario: a race written down, in YAML: which children are there, what happens when, and what
 * must be so at each point. docs/simulator.md tells the keys; mistakes are reported with line and
 * column.
 *
 * A step sees the world as it is after everything that was due by then. After the last step the
 * scenario waits for its `eventually`, then faults stop, what was held back is let go, and
 * everybody must arrive where they should be.
 */
#pragma once

#include "daemon/crash.h"
#include "scenario/facts.h"

#define SCENARIO_FILE_MAX  (1024 * 1024)
#define SCENARIO_STEPS_MAX 10000

enum action {
    ACTION_NONE,
    ACTION_EXPECT,
    ACTION_COMMAND,
    ACTION_SHUTDOWN,
    ACTION_HURRY,
    ACTION_REMOVE_SET,
    ACTION_REOPEN,
    ACTION_ADD,
    ACTION_REDECLARE,
    ACTION_REDECLARE_SUPERVISOR,
    ACTION_RUN_JOB,
    ACTION_FIRE,
    ACTION_REPORT,     /* a report with an identity that the scenario chooses */
    ACTION_LATE_EXIT,  /* the last exit report of a child, repeated */
    ACTION_LATE_READY, /* a READY=1 of its latest process, alive or not */
    ACTION_END,        /* its main process ends by itself */
    ACTION_FAIL_SPAWN,
    ACTION_DELAY_SPAWN,
    ACTION_LOSE_CANCEL,
    ACTION_LOSE_ABORT,
    ACTION_HOLD_REPORTS,
    ACTION_RELEASE_REPORTS,
    ACTION_WALL_JUMP,
    ACTION_CRASH,  /* of the daemon */
    ACTION_REBOOT, /* of the machine */
};

enum crash_point {
    CRASH_NOW,
    CRASH_UPGRADE, /* on purpose: another program takes its place */
    CRASH_TORN,    /* with a part of a record behind the last whole one */
    CRASH_WITHIN,  /* in the next input */
};

struct scenario_step {
    size_t line, column;
    const char *word; /* the key that named the action */
    enum action action;
    uint64_t at_usec;
    enum command_verb verb;
    const char *child; /* or the name that is fired */
    const char *reason, *by, *refused;
    bool dry_run, whole, scope;
    const char **ids; /* ACTION_REMOVE_SET; ACTION_ADD: what its dry run names */
    size_t n_ids;
    int signal;
    uint32_t actor;                        /* ACTION_ADD */
    struct child_declaration *declaration; /* ACTION_ADD, ACTION_REDECLARE */
    bool restart;                          /* ACTION_REDECLARE: for the keys of the process */
    struct supervisor_declaration *supervisor;
    const char *job; /* its name; child is jobs/N */
    struct claims claims, outcome;
    bool has_outcome;
    enum input_kind report;
    unsigned notify;
    uint64_t generation, attempt, times, extend_usec, lack_usec;
    struct completion completion;
    int error;
    int64_t jump_usec;
    enum crash_point crash;
    uint64_t effects;      /* CRASH_WITHIN: that have happened then */
    uint64_t timeout_usec; /* ACTION_SHUTDOWN: of the whole */
    uint64_t off_usec;     /* ACTION_REBOOT: the machine is off */
    enum wall wall;        /* and its wall clock then */
};

struct wanted_event {
    enum event_kind kind;
    const char *child; /* NULL: any */
    bool has_cause;
    uint64_t cause; /* the number of the command that it has to carry; 0: none */
    uint64_t count; /* of `count` */
    size_t line, column;
};

struct scenario_actor {
    struct child_declaration declaration;
    struct model *models;
    size_t n_models;
    bool later; /* declared by a step */
};

struct eventually {
    uint64_t within_usec;
    struct claims claims;
};

/* Read with scenario_read(); everything lives in its arena. */
struct subject {
    struct arena arena;
    const char *path, *text, *name, *about;
    const char **covers, **source;
    size_t n_covers, n_source;
    struct scenario_actor *actors;
    size_t n_actors, actors_max;
    struct faults faults;
    uint64_t faults_from_usec, faults_until_usec;
    uint64_t seed;
    struct supervisor_declaration *supervisors; /* each before what is in its list */
    size_t n_supervisors;
    uint32_t max_jobs;
    struct scenario_step *steps, *actions;
    size_t n_steps, n_actions;
    uint64_t depth;
    bool crashes;          /* the daemon dies in it, so there is a journal */
    bool crash_everywhere; /* explore: once, at any point */
    bool prompt; /* explore: spawn results come at once, as the daemon's executor gives them */
    struct wanted_event *includes, *excludes, *counts;
    size_t n_includes, n_excludes, n_counts;
    bool in_order;
    struct eventually *eventually;
    size_t n_eventually;
};

/* Returns 0, or -EINVAL or -ENOMEM with the error filled in. */
int scenario_parse(const char *text, const char *path, struct subject **scenario,
                   struct manifest_error *error);
/* The same from a file; says what is wrong on stderr. Returns NULL then. */
struct subject *scenario_read(const char *path);
void scenario_free(struct subject *scenario);
