/*
 * Supervisor: a node of the supervision tree, with an ordered list of members: children and other
 * supervisors (Erlang/OTP's supervisor). The root always exists.
 *
 * The whole tree is one list of members: a supervisor, then what is below it, then its next
 * sibling. That is the order in which children are started; backwards, the order in which they are
 * stopped. What belongs to a supervisor is one stretch of the list, from its node to its tail, so
 * that the scope of a strategy is walked without looking at anybody else.
 *
 * The shell may read all of this between inputs; only the core writes it (but for `observer`).
 */
#pragma once

#include "core/model/budget.h"
#include "core/model/declaration.h"
#include "core/model/restart_limit.h"

struct core;
struct child;
struct supervisor;

#define SUPERVISORS_MAX      1000
#define SUPERVISOR_DEPTH_MAX 8 /* with the root */

/* A place in the tree. */
struct member {
    struct member *next, *previous;
    struct supervisor *supervisor; /* NULL: the root's own */
    bool is_supervisor;
};

/* Which children are restarted together: the members of a supervisor, or of one of its groups. */
struct scope {
    struct supervisor *supervisor;
    bool restarting; /* its members are being stopped, to be started together */
    struct scope *next;
};

struct group {
    struct group_declaration declaration;
    struct restart_limit limit;
    struct budget budget;
    struct scope scope;
};

/* A declaration as it is kept: one block of memory. */
struct supervisor_config {
    struct supervisor_declaration declaration;
    struct group *groups; /* what its groups do, in the same order */
    uint64_t *ring;
};

/* Of the children below a supervisor, at whatever depth: */
struct tally {
    uint32_t children;
    uint32_t attempts; /* have one */
    uint32_t held;
    uint32_t scoped; /* wait for those that are restarted with them */
};

struct supervisor {
    struct member member;
    struct member *tail; /* the last of what is below it; its own where nothing is */
    struct supervisor *next;
    const char *path; /* "" for the root; within config */
    struct supervisor_config *config;
    struct restart_limit limit; /* over the failures of its members */
    struct scope scope;
    uint32_t depth;   /* 1: the root */
    uint32_t members; /* children and supervisors directly under it */
    uint64_t listed;  /* grows with each change of the list of members */
    struct tally tally;
    bool melted_down; /* and no child under it has been started since */
    bool discarded;   /* goes with its last member */

    uint32_t in_flight; /* automatic restarts of its children that are not ready yet */
    uint32_t queued;    /* those that wait for their turn: */
    struct child *queue_first, *queue_last;
    bool released; /* there may be room */
    struct supervisor *released_next;

    bool changed; /* for core_take_changed_supervisor() */
    struct supervisor *changed_next;
    void *observer; /* the bus's */
};

/* What every room may rely on, of a supervisor that is handed to it. */
static inline bool supervisor_is_sound(const struct supervisor *supervisor)
{
    return supervisor && supervisor->config && supervisor->path && supervisor->tail;
}

enum supervisor_state supervisor_state(const struct core *core,
                                       const struct supervisor *supervisor);

/* What has been counted, as it is now: failures of its own children where it has a limit for them,
 * and meltdowns of the supervisors below it in any case. */
struct restart_limit_view supervisor_window(const struct core *core,
                                            const struct supervisor *supervisor);

/* Its limit as it is now; burst 0 and not limited where it has none. */
struct restart_limit_view supervisor_limit(const struct core *core,
                                           const struct supervisor *supervisor);

/* How many automatic restarts of its children may be on their way at once. */
uint32_t supervisor_cap(const struct core *core, const struct supervisor *supervisor);
