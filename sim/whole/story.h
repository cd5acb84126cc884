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

#define STORY_ACTORS   6
#define STORY_MOMENTS  16
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
    MOMENT_POWER, /* the power goes, and comes back */
    MOMENT_BUS,   /* the broker dies, or comes back if it is not there */
    MOMENTS
};

extern const char *const moment_words[MOMENTS];

struct moment {
    uint64_t at_nsec; /* since the start of the run */
    enum moment_kind kind;
    uint32_t which; /* actor, or a number of calls */
};

struct story_faults {
    uint16_t call_error;  /* per mille of proctord's calls that can fail for want of something */
    uint16_t short_write; /* of the disk */
    uint16_t disk_error;
};

struct story {
    char manifest[STORY_MANIFEST];
    struct player actors[STORY_ACTORS];
    size_t n_actors;
    struct moment moments[STORY_MOMENTS];
    size_t n_moments;
    uint64_t faults_until_nsec;
    struct story_faults faults;
    struct bus_story bus;
    bool cgroups, power; /* --durability=power */
    pid_t pid_max;
    uint64_t end_nsec; /* when the run gives up on proctord */
};

void story_draw(struct schedule *schedule, struct story *story);
