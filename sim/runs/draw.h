/*
 * Draw: what a generated world is, before anything happens in it: its supervisors and children,
 * what their processes do, what each may be redeclared as, and which faults strike.
 */
#pragma once

#include "world/world.h"

#define CHILDREN_MAX 5
#define NODES_MAX    4 /* supervisors, with the root */
#define SWARM_JOBS   6
#define MODELS_MAX   3
#define USEC_SEC     UINT64_C(1000000)
#define USEC_MSEC    UINT64_C(1000)
#define COUNT_OF(a)  ((uint32_t)(sizeof(a) / sizeof((a)[0])))

/* What a turn can bring, the dull thing first. */
enum turn {
    TURN_NOTHING,
    TURN_RESTART,
    TURN_PAUSE,
    TURN_RESUME,
    TURN_QUARANTINE,
    TURN_KILL,
    TURN_END,
    TURN_REMOVE,
    TURN_ADD,
    TURN_STORM,
    TURN_REDECLARE,
    TURN_REDECLARE_SUPERVISOR,
    TURN_SCOPE,
    TURN_REMOVE_SET,
    TURN_JOB,
    TURN_CANCEL_JOB,
    TURN_RELOAD,
    TURN_DRY_RUN,
    TURN_IN_VAIN,
    TURN_REOPEN,
    TURN_REBOOT,
    TURN_SHUTDOWN,
    TURN_HURRY,
    TURNS_KINDS,
};

/* A supervisor; `other` is what it is redeclared as. */
struct node {
    struct supervisor_declaration declaration, other;
    struct group_declaration groups[2], other_groups[2];
    char path[16];
    uint32_t above, limit; /* the last position that it can have */
    bool changed;
};

struct swarm {
    struct node nodes[NODES_MAX];
    struct supervisor_declaration supervisors[NODES_MAX];
    uint32_t n_nodes;
    char ids[CHILDREN_MAX][16];
    uint32_t under[CHILDREN_MAX];
    struct child_declaration jobs[SWARM_JOBS];
    struct model job_models[SWARM_JOBS];
    char job_ids[SWARM_JOBS][16];
    uint32_t job_actors[SWARM_JOBS];
    uint32_t n_jobs;
    struct child_declaration declarations[CHILDREN_MAX], others[CHILDREN_MAX];
    struct model models[CHILDREN_MAX][MODELS_MAX];
    const char *requires[CHILDREN_MAX][CHILDREN_MAX], *after[CHILDREN_MAX][CHILDREN_MAX];
    bool changed[CHILDREN_MAX];
    uint32_t n;
    uint32_t missing_verbs; /* bit mask: this seed does without */
    unsigned turns;
    bool over;
};

/* One of the first n numbers, 0 being the dull one. */
uint32_t draw_number(struct world *world, uint32_t n);

/* What a process does. */
struct model draw_program(struct world *world);

/* How long it may take, what it has to say and answer. */
void draw_times(struct world *world, struct child_declaration *d);

/* The whole of it, before the first turn. */
void draw_world(struct world *world);
