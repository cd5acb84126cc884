/*
 * Story: what a run of the whole daemon is, before anything happens in it: the manifest, what its
 * programs do, the kernel it is on, what is done to proctord and when, and which faults strike.
 *
 * Drawn from a schedule (story_draw()), or written down in a scenario (story_read.h).
 */
#pragma once

#include "whole/bus_plug.h"
#include "whole/habit.h"
#include "world/schedule.h"

#define STORY_ACTORS   20
#define STORY_MOMENTS  64
#define STORY_MANIFEST 8192

enum moment_kind {
    MOMENT_NOTHING,
    MOMENT_COMPARE,   /* clients that listen compare what they know */
    MOMENT_END,       /* SIGTERM to proctord: the run is over when it has ended */
    MOMENT_KILL,      /* SIGKILL to proctord; what starts services starts it again */
    MOMENT_KILL_AT,   /* the same at the call after `which` more */
    MOMENT_REEXECUTE, /* SIGUSR1 */
    MOMENT_RELOAD,    /* SIGHUP */
    MOMENT_DIE,       /* a child's main process dies by a signal that is not proctord's */
    MOMENT_KILL_SPAWNER,
    MOMENT_POWER,    /* the power goes, and comes back */
    MOMENT_BUS,      /* the broker dies, or comes back if it is not there */
    MOMENT_STOP,     /* SIGTERM to proctord, and when it has ended it is started again */
    MOMENT_CLOCK,    /* the wall clock is set */
    MOMENT_JOURNALD, /* journald stops reading, reads on, or is not there */
    MOMENT_CHANGE,   /* the other manifest is written, and read: SIGHUP */
    /* From here on only in scenarios. */
    MOMENT_SIGNAL,   /* any other to proctord */
    MOMENT_COMMAND,  /* over the bus, by the operator */
    MOMENT_EXPECT,   /* what must be so */
    MOMENT_MANIFEST, /* another one is written */
    MOMENT_MUTE_BUS, /* the broker takes what comes, and answers nothing; or speaks again */
    MOMENT_HANG,     /* a folder is on a mount that does not answer any more */
    MOMENT_STRANGER, /* a foreign process gets the number of a child's first one, and its
                        group */
    MOMENT_REMEMBER, /* the descriptors that proctord has */
    MOMENT_REST,     /* an upgrade later it has as many, if nothing else has happened */
    MOMENTS
};

extern const char *const moment_words[MOMENTS];

/* What must be so: a fact and its value, as texts. */
struct story_claim {
    const char *fact, *value;
    size_t line, column;
};

struct moment {
    uint64_t at_nsec; /* since the start of the run */
    enum moment_kind kind;
    uint32_t which;      /* actor, a number of calls, or a signal */
    int64_t change_nsec; /* MOMENT_CLOCK */
    /* Of scenarios: */
    const char *text;                 /* the child, a manifest, or a folder */
    const char *member, *reason;      /* MOMENT_COMMAND */
    bool waits, is_question;          /* of the command */
    const char *refused;              /* what its error says; NULL: it is no error */
    const struct story_claim *claims; /* of its outcome, or MOMENT_EXPECT */
    size_t n_claims, line, column;
    bool is_end; /* proctord ends by itself then, and is not started again */
};

struct story_faults {
    uint16_t call_error;  /* per mille of proctord's calls that can fail for want of something */
    uint16_t short_write; /* of the disk */
    uint16_t disk_error;
};

/* What the kernel of a scenario is like. */
struct story_kernel {
    struct cgroup_profile cgroups;
    uint64_t sync_nsec; /* a sync of the disk takes so long */
    const char **fifos; /* that stand where files are expected, up to a NULL; or NULL */
    size_t n_fifos;
};

struct story {
    char manifest[STORY_MANIFEST], changed[STORY_MANIFEST]; /* changed: of MOMENT_CHANGE */
    struct player actors[STORY_ACTORS];
    size_t n_actors;
    struct moment moments[STORY_MOMENTS];
    size_t n_moments;
    uint64_t faults_until_nsec;
    struct story_faults faults;
    struct bus_story bus;
    bool cgroups, power; /* --durability=power */
    bool journald;       /* there is one */
    bool melts;          /* a child's failures may end the tree */
    pid_t pid_max;
    struct story_kernel kernel;
    uint64_t seed;           /* of the first random order */
    const char *path, *name; /* of its scenario; NULL: it is drawn */
    uint64_t end_nsec;       /* when the run gives up on proctord */
};

void story_draw(struct schedule *schedule, struct story *story);
