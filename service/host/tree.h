/*
 * Tree: all processes of one attempt, or of one health check, and what can be done with them: send
 * a signal, wait until they are gone, kill.
 *
 *     whole ──first process reaped, others there──▶ left ──kill──▶ killed ──nobody there──▶ gone
 *       └───────────────kill────────────────────────────────────────▲
 *
 * With cgroups the kernel says which processes are in it: a leaf. Without, the tree is put together
 * from the group that its first process led, from the descendants of that process while it lives,
 * and from those of our own children (the subreaper's orphans) that say in their environment that
 * they belong to it, with their descendants (census.h, which also says why none escapes). Numbers
 * are only used to find a process: it is signalled by a handle, after it has been compared with
 * what was found.
 *
 * A tree that is left or killed is examined until no process is there. One that is killed is killed
 * again at each look: cgroup.kill passes over a process whose main thread has ended, and without
 * cgroups a process may fork while it is looked for. How long a tree is waited for is not decided
 * here: the core's deadlines are, for attempts, and a check's is its answer.
 */
#pragma once

#include "host/cgroup.h"
#include "core/core.h"
#include "host/told.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct host;

enum tree_state { TREE_WHOLE, TREE_LEFT, TREE_KILLED, TREE_GONE };

struct tree {
    struct host *host;
    enum tree_state state;
    struct attempt_id id;
    uint32_t check;             /* number of the health check that it is of; 0: of none */
    char leaf[CGROUP_LEAF_MAX]; /* "": no cgroup */
    pid_t first;                /* its first process, while it lives: it is signalled apart */
    int group;                  /* handle of the process that leads or led its group; -1 */
    pid_t leader;               /* that process, while it is our child and not reaped; 0 */
    pid_t number;               /* of the group: tells which have had the group's signal; 0 */
    bool keeps;                 /* what is left of it is to stay */
    bool everywhere;            /* its orphans may be anybody's: an earlier proctord started them */

    struct told told;         /* those that have had the last stop signal */
    uint64_t late_usec;       /* when those that came after it are looked for, */
    uint64_t late_pause_usec; /* and how long after the last time */
    uint64_t since_usec;      /* that its first process has been gone; 0: it has not */
    uint64_t moment;          /* of the census: a count after it says who is there */
    uint64_t met_usec;        /* when a process of it was met last, or it was left; 0: it was not */
    pid_t witness;            /* one of ours that was found at the last look; 0: none */

    bool doubtful; /* none was found at the last look, and not all could be looked at */
    void (*emptied)(struct tree *tree); /* called once; the tree is gone then */
    void (*settled)(struct tree *tree); /* called once, when it is not in doubt; NULL: it was */
    void *userdata;
    sd_event_source *watch;
    struct tree *next, *previous; /* of the host's */
};

/* How many processes are there, but for the first one while it lives. Zombies are not. One that
 * cannot be looked at just now, and may be a stranger's, counts only where no other is known. */
size_t tree_count(const struct tree *tree);
/* Whether no process is there that is waited for. Without cgroups, those that say that they belong
 * to it, but run as other users, are killed then: they have lost the attempt that they belonged
 * to. */
bool tree_is_empty(struct tree *tree);

/* To each of them once, but for the first one while it lives. */
void tree_signal(const struct tree *tree, int signal);

/* Lets it run on where its cgroup is frozen. */
void tree_thaw(const struct tree *tree);

/* All but the first one while it lives; the caller frees the crowd. */
void tree_find(const struct tree *tree, struct crowd *crowd);
/* A signal of its stop, to those that have been found: the crowd is taken over. One that comes
 * later has it, too (told.h). */
void tree_tell(struct tree *tree, int signal, struct crowd *crowd);

/* SIGKILL to all of them, the first one too where a cgroup has it; and again until they are gone,
 * if the tree is left, or when it is. */
void tree_kill(struct tree *tree);

/* Its first process has been reaped, and it is not empty: emptied() is called when it is. Not from
 * within this call. */
void tree_leave(struct tree *tree, void (*emptied)(struct tree *tree), void *userdata);
/* Whether it may be that no process is there, as of the last look. Without cgroups one that is on
 * its way into its program, or out of this world, cannot say of which tree it is; no longer than
 * for a second this counts as doubt. Then settled() is called, if the tree has not been emptied. */
bool tree_is_in_doubt(const struct tree *tree);

/* It is examined no more. */
void tree_forget(struct tree *tree);

/* Looks at those that are left or killed: a child of ours has ended, or some time has passed. Looks
 * again when that is due. */
void trees_look(struct host *host, bool time_has_passed);
