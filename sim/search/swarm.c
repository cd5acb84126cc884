#include "search/swarm.h"

#include "checks/arrival.h"
#include "daemon/crash.h"
#include "daemon/declarations.h"
#include "daemon/disk.h"
#include "daemon/requests.h"
#include "daemon/step.h"
#include "world/process.h"
#include "world/queue.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CHILDREN_MAX 5
#define NODES_MAX    4 /* supervisors, with the root */
#define SWARM_JOBS   6
#define MODELS_MAX   3
#define TURNS        24
#define USEC_SEC     UINT64_C(1000000)
#define USEC_MSEC    UINT64_C(1000)
#define DRAIN_NSEC   (240 * SEC)
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

static const char *const names[CHILDREN_MAX] = {"a", "b", "c", "d", "e"};
static const char *const node_names[NODES_MAX] = {"", "s", "t", "u"};
static const char *const group_names[2] = {"g", "h"};

#define S(...)                                                                                     \
    (const struct step[]){__VA_ARGS__}, sizeof((struct step[]){__VA_ARGS__}) / sizeof(struct step)

static const struct model programs[] = {
    {NULL, 0},
    {S({STEP_READY})},
    {S({STEP_RUN, 500 * USEC_MSEC}, {STEP_EXIT, 1})},
    {S({STEP_EXIT, 1})},
    {S({STEP_READY}, {STEP_RUN, 5 * USEC_SEC}, {STEP_EXIT, 0})},
    {S({STEP_BEAT}, {STEP_READY}, {STEP_BEAT_EVERY, 15 * USEC_SEC})},
    {S({STEP_READY}, {STEP_CANCEL_TAKES, 400 * USEC_MSEC})},
    {S({STEP_READY}, {STEP_IGNORE_CANCEL})},
    {S({STEP_READY}, {STEP_RUN, 3 * USEC_SEC}, {STEP_NOT_READY}, {STEP_RUN, USEC_SEC},
       {STEP_READY})},
    {S({STEP_EXIT, 78})},
    {S({STEP_IGNORE_CANCEL}, {STEP_HANG, 2 * USEC_SEC})},
    {S({STEP_READY}, {STEP_IGNORE_CANCEL}, {STEP_HEEDS, 3})},
    {S({STEP_IGNORE_CANCEL}, {STEP_HANG, MODEL_FOREVER})},
    {S({STEP_DOUBLE_FORK}, {STEP_READY}, {STEP_RUN, 2 * USEC_SEC}, {STEP_DIE, 11})},
    {S({STEP_DOUBLE_FORK}, {STEP_LEFT_TAKES, 900 * USEC_MSEC}, {STEP_READY},
       {STEP_RUN, 3 * USEC_SEC}, {STEP_EXIT, 0})},
    {S({STEP_DOUBLE_FORK}, {STEP_LEFT_IGNORES}, {STEP_HANG, 3 * USEC_SEC}, {STEP_READY},
       {STEP_RUN, 2 * USEC_SEC}, {STEP_EXIT, 1})},
    {S({STEP_DOUBLE_FORK}, {STEP_LEFT_TAKES, 2 * USEC_SEC}, {STEP_READY},
       {STEP_CANCEL_TAKES, 300 * USEC_MSEC})},
    {S({STEP_EXTEND, 20 * USEC_SEC}, {STEP_RUN, 8 * USEC_SEC}, {STEP_READY})},
    {S({STEP_READY}, {STEP_RUN, USEC_SEC}, {STEP_OOM})},
    {S({STEP_READY}, {STEP_RELOADING}, {STEP_DIE, 6})},
    {S({STEP_READY}, {STEP_WAIT_RELOAD}, {STEP_RELOADING_SINCE, 0}, {STEP_RUN, 2 * USEC_SEC},
       {STEP_READY}, {STEP_WAIT_RELOAD}, {STEP_RELOADING}, {STEP_STOPPING}, {STEP_RUN, USEC_SEC})},
    {S({STEP_READY}, {STEP_WAIT_RELOAD}, {STEP_BEAT}, {STEP_READY}, {STEP_RUN, 400 * USEC_MSEC},
       {STEP_RELOADING_SINCE, 10 * USEC_SEC}, {STEP_RUN, 300 * USEC_MSEC}, {STEP_READY},
       {STEP_RUN, 900 * USEC_MSEC}, {STEP_RELOADING}, {STEP_RUN, 5 * USEC_SEC}, {STEP_READY})},
    {S({STEP_READY}, {STEP_RELOADING}, {STEP_WAIT_RELOAD}, {STEP_RELOADING},
       {STEP_EXTEND, 40 * USEC_SEC}, {STEP_RUN, 20 * USEC_SEC}, {STEP_READY})},
    {S({STEP_BEAT_EVERY, 500 * USEC_MSEC}, {STEP_READY}, {STEP_RUN, 2 * USEC_SEC}, {STEP_STOPPING},
       {STEP_RUN, 4 * USEC_SEC}, {STEP_STOPPING}, {STEP_READY}, {STEP_EXIT, 0})},
    {S({STEP_READY}, {STEP_RUN, USEC_SEC}, {STEP_STOPPING}, {STEP_RUN, USEC_SEC}, {STEP_EXIT, 3})},
    {S({STEP_READY}, {STEP_RUN, 2 * USEC_SEC}, {STEP_TRIGGER})},
    {S({STEP_BEAT}, {STEP_READY}, {STEP_RUN, 40 * USEC_SEC}, {STEP_BEAT})},
    {S({STEP_READY}, {STEP_RUN, 70 * USEC_SEC}, {STEP_EXIT, 1})},
    {S({STEP_READY}, {STEP_WAIT_CANCEL}, {STEP_EXTEND, 15 * USEC_SEC}, {STEP_RUN, 12 * USEC_SEC},
       {STEP_EXIT, 0})},
    {S({STEP_RUN, 2 * USEC_SEC}, {STEP_READY}, {STEP_CANCEL_TAKES, 3 * USEC_SEC})},
    {S({STEP_READY}, {STEP_RUN, 12 * USEC_SEC}, {STEP_UNHEALTHY}, {STEP_RUN, 9 * USEC_SEC},
       {STEP_HEALTHY})},
    {S({STEP_READY}, {STEP_UNHEALTHY}, {STEP_RUN, 5 * USEC_SEC}, {STEP_HEALTHY},
       {STEP_RUN, 5 * USEC_SEC}, {STEP_MUTE})},
};

static uint32_t choose(struct world *world, uint32_t n)
{
    return schedule_choose(world->schedule, n);
}

/* ---- the world ------------------------------------------------------------------------------- */

static uint64_t pick(struct world *world, const uint64_t *values, uint32_t n)
{
    return values[choose(world, n)];
}

#define PICK(world, ...)                                                                           \
    pick(world, (const uint64_t[]){__VA_ARGS__}, COUNT_OF(((const uint64_t[]){__VA_ARGS__})))

/* Which exits are as good as 0, and which cannot be mended: rarely another than by default. */
static void draw_codes(struct world *world, struct child_declaration *d)
{
    static const struct exit_codes kinds[] = {{.count = 0}, {{1}, 1}, {{3, 78}, 2}};

    if (choose(world, 8) == 1)
        d->fatal_exit_codes = kinds[choose(world, COUNT_OF(kinds))];
    if (choose(world, 8) == 1)
        d->success_exit_codes = kinds[choose(world, COUNT_OF(kinds))];
}

static void draw_policy(struct world *world, struct child_declaration *d)
{
    static const enum restart_policy policies[] = {RESTART_TRANSIENT, RESTART_PERMANENT,
                                                   RESTART_TEMPORARY};
    d->restart = policies[choose(world, COUNT_OF(policies))];
    d->burst = (uint32_t)PICK(world, 3, 0, 1, 2, 10);
    d->interval_usec = PICK(world, 10 * USEC_SEC, USEC_SEC, 60 * USEC_SEC, 300 * USEC_SEC);
    d->on_limit = (enum on_limit)choose(world, ON_LIMIT_SHUTDOWN_TREE + 1);
    d->criticality = (enum criticality)choose(world, 2);
    d->backoff.jitter = (enum jitter)choose(world, JITTER_DECORRELATED + 1);
    d->backoff.initial_usec = PICK(world, 100 * USEC_MSEC, 0, USEC_SEC, 3 * USEC_SEC);
    d->backoff.max_usec = PICK(world, 10 * USEC_SEC, USEC_SEC);
    d->backoff.reset_after_usec = PICK(world, 60 * USEC_SEC, 2 * USEC_SEC);
    draw_codes(world, d);
}

/* Only the last one may have as long as it likes. */
static void draw_further_stops(struct world *world, struct child_declaration *d)
{
    static const int signals[] = {SIGQUIT, SIGINT};

    d->n_further_stops = d->stop_timeout_usec > 0 ? (uint32_t)PICK(world, 0, 0, 0, 1, 2) : 0;
    for (uint32_t i = 0; i < d->n_further_stops; i++)
        d->further_stops[i] = (struct stop_step){
            .signal = signals[i],
            .usec = i + 1 < d->n_further_stops
                        ? PICK(world, USEC_SEC, 10 * USEC_MSEC)
                        : PICK(world, USEC_SEC, 100 * USEC_MSEC, 3 * USEC_SEC, 0)};
}

static void draw_times(struct world *world, struct child_declaration *d)
{
    d->stop_timeout_usec = PICK(world, USEC_SEC, 10 * USEC_MSEC, 10 * USEC_SEC, 0);
    draw_further_stops(world, d);
    d->abort_timeout_usec = PICK(world, USEC_SEC, 100 * USEC_MSEC, 5 * USEC_SEC, 0);
    d->timeout_action = (enum timeout_action)choose(world, 2);
    d->leftovers = (enum leftovers)choose(world, LEFTOVERS_KEEP + 1);
    d->readiness = (enum readiness_policy)choose(world, READINESS_CHECK + 1);
    d->start_timeout_usec = PICK(world, 30 * USEC_SEC, USEC_SEC, 0, 5 * USEC_SEC);
    d->run_timeout_usec = PICK(world, 0, 0, 0, 3 * USEC_SEC, 40 * USEC_SEC);
    d->heartbeat_usec = PICK(world, 0, 10 * USEC_SEC, USEC_SEC);
    d->stale_after_usec = d->heartbeat_usec * PICK(world, 3, 1, 0);
    if (d->heartbeat_usec > 0) {
        d->heartbeat_required = choose(world, 2);
        d->on_stale = (enum on_stale)choose(world, 2);
    }
    d->health_usec = PICK(world, 0, 0, 2 * USEC_SEC, 5 * USEC_SEC);
    if (d->health_usec > 0) {
        d->health_timeout_usec = PICK(world, USEC_SEC, 200 * USEC_MSEC, 3 * USEC_SEC, 0);
        d->health_retries = 1 + choose(world, 3);
        d->on_unhealthy = (enum on_stale)choose(world, 2);
    }
}

/* Keys that the core only carries: a recovery must not lose them. */
static void draw_process(struct world *world, struct child_declaration *d)
{
    d->process.ignore_sigpipe = choose(world, 2);
    d->process.fd_store_max = (uint32_t)PICK(world, 0, FD_STORE_MAX);
    d->process.oom_score_adj_set = choose(world, 2);
    d->process.oom_score_adj =
        d->process.oom_score_adj_set ? (int)choose(world, 2001) + OOM_SCORE_ADJ_MIN : 0;
}

/* Bound to an earlier one that is none itself, if there is such a one. Returns how many of the
 * children it may depend on: one that goes around its primary needs nobody who comes after that. */
static uint32_t draw_sidecar(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];
    uint32_t primary = i > 0 ? choose(world, i) : 0;

    if (i == 0 || choose(world, 6) != 1 || swarm->declarations[primary].role == ROLE_SIDECAR)
        return i;
    d->role = ROLE_SIDECAR;
    d->sidecar_order = (enum sidecar_order)choose(world, 2);
    d->criticality = CRITICALITY_OPTIONAL;
    d->restart = RESTART_PERMANENT;
    if (d->on_limit >= ON_LIMIT_ESCALATE)
        d->on_limit = ON_LIMIT_STOP;
    d->requires[d->n_requires++] = swarm->ids[primary];
    return declaration_is_around(d) ? primary : i;
}

static void draw_dependencies(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];

    d->requires = swarm->requires[i];
    d->after = swarm->after[i];
    uint32_t n = draw_sidecar(world, swarm, i);
    for (uint32_t k = 0; k < n; k++)
        switch (choose(world, 4)) {
        case 2:
            d->requires
            [d->n_requires++] = swarm->ids[k];
            break;
        case 3:
            d->after[d->n_after++] = swarm->ids[k];
            break;
        }
}

static void draw_group(struct world *world, struct swarm *swarm, uint32_t i)
{
    const struct supervisor_declaration *d = &swarm->nodes[swarm->under[i]].declaration;
    uint32_t group = choose(world, (uint32_t)d->n_groups + 1);

    swarm->declarations[i].group = group > 0 ? group_names[group - 1] : NULL;
}

/* The other declaration: with other keys of supervision, of the process, of both or of neither. */
static void draw_other_child(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i], *other = &swarm->others[i];

    *other = *d;
    if (choose(world, 3) == 1)
        draw_policy(world, other);
    if (choose(world, 3) == 1)
        draw_times(world, other);
    if (choose(world, 3) == 1)
        draw_process(world, other);
    if (choose(world, 4) == 1)
        other->burst = d->burst + 1;
    if (choose(world, 4) == 1)
        other->group = d->group ? NULL : group_names[0];
    if (choose(world, 8) == 1 && d->n_after > 0)
        other->n_after--;
    if (choose(world, 16) == 1)
        other->has_process = !d->has_process;
    if (choose(world, 4) == 1 && d->role == ROLE_SIDECAR)
        other->sidecar_order = SIDECAR_WITH - d->sidecar_order;
    if (d->role == ROLE_SIDECAR) { /* what it may say */
        other->criticality = d->criticality;
        other->restart = d->restart;
        other->on_limit = d->on_limit;
    }
}

static void draw_child(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];
    uint32_t models = 1 + choose(world, MODELS_MAX);

    declaration_defaults(d, ROLE_WORKER);
    d->id = swarm->ids[i];
    draw_group(world, swarm, i);
    d->has_process = choose(world, 16) != 1;
    d->autostart = choose(world, 8) != 1;
    draw_policy(world, d);
    draw_times(world, d);
    draw_process(world, d);
    draw_dependencies(world, swarm, i);
    for (uint32_t m = 0; m < models; m++)
        swarm->models[i][m] = programs[choose(world, COUNT_OF(programs))];
    draw_other_child(world, swarm, i);
    world_add_actor(world, d, swarm->models[i], models);
}

static void draw_faults(struct world *world)
{
    struct faults *faults = &world->faults;
    uint16_t *const rates[] = {&faults->delay,      &faults->duplicate,     &faults->late_notify,
                               &faults->replay,     &faults->spawn_failure, &faults->slow_spawn,
                               &faults->exit_first, &faults->lost_cancel,   &faults->lost_abort,
                               &faults->late_timer, &faults->wall_jump,     &faults->crash,
                               &faults->lack};

    faults->until_nsec = UINT64_MAX;
    if (choose(world, 4) == 0)
        return; /* a world without faults */
    faults->from_nsec = WORLD_START_NSEC + PICK(world, 0, 0, 2 * SEC, 30 * SEC);
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        *rates[i] = (uint16_t)PICK(world, 0, 0, 30, 200, 500);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static enum strategy draw_strategy(struct world *world)
{
    return (enum strategy)choose(world, STRATEGY_REST_FOR_ONE + 1);
}

static void draw_groups(struct world *world, struct node *node)
{
    node->declaration.groups = node->groups;
    node->declaration.n_groups = PICK(world, 0, 0, 1, 2);
    for (size_t g = 0; g < node->declaration.n_groups; g++) {
        node->groups[g] = (struct group_declaration){.name = group_names[g],
                                                     .strategy = draw_strategy(world),
                                                     .limited = choose(world, 2),
                                                     .burst = choose(world, 3),
                                                     .interval_usec = 10 * USEC_SEC};
        if (choose(world, 2))
            node->groups[g].budget_restarts = 1 + choose(world, 3);
        node->groups[g].budget_usec = 7 * USEC_SEC;
    }
}

/* The other declaration: the groups in the other order, one of them gone. */
static void draw_other(struct world *world, struct node *node)
{
    size_t n = node->declaration.n_groups;

    node->other = node->declaration;
    node->other.strategy = draw_strategy(world);
    node->other.max_restarts_in_flight = choose(world, 3);
    node->other.burst++;
    node->other.groups = node->other_groups;
    node->other.n_groups = n > 0 ? 1 : 0;
    if (n > 0)
        node->other_groups[0] = node->groups[n - 1];
}

/* "s/a" from "s" and "a". */
static void join(char to[16], const char *above, const char *name)
{
    char text[32] = "";

    strcat(text, above);
    strcat(text, above[0] ? "/" : "");
    strcat(text, name);
    memcpy(to, text, 16);
    to[15] = '\0';
}

static void draw_node(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct node *node = &swarm->nodes[i];
    struct supervisor_declaration *d = &node->declaration;
    const char *above;

    node->above = i > 0 ? choose(world, i) : 0;
    above = swarm->nodes[node->above].path;
    join(node->path, above, node_names[i]);
    supervisor_declaration_defaults(d, node->path);
    d->strategy = draw_strategy(world);
    d->limited = choose(world, 2);
    d->burst = (uint32_t)PICK(world, 2, 0, 1, 3);
    d->interval_usec = PICK(world, 10 * USEC_SEC, USEC_SEC, 60 * USEC_SEC);
    d->escalation = (enum escalation)choose(world, ESCALATION_SHUTDOWN_TREE + 1);
    d->max_restarts_in_flight = (uint32_t)PICK(world, 0, 1, 2);
    draw_groups(world, node);
    draw_other(world, node);
}

/* Where the supervisors stand among the children: before whatever is below them. */
static void draw_positions(struct world *world, struct swarm *swarm)
{
    uint32_t position = 0;

    for (uint32_t i = 0; i < swarm->n_nodes; i++)
        swarm->nodes[i].limit = swarm->n;
    for (uint32_t i = swarm->n; i-- > 0;)
        for (uint32_t n = swarm->under[i];; n = swarm->nodes[n].above) {
            swarm->nodes[n].limit = i;
            if (n == 0)
                break;
        }
    for (uint32_t i = swarm->n_nodes; i-- > 1;)
        if (swarm->nodes[i - 1].limit > swarm->nodes[i].limit)
            swarm->nodes[i - 1].limit = swarm->nodes[i].limit;
    for (uint32_t i = 0; i < swarm->n_nodes; i++) {
        position += choose(world, swarm->nodes[i].limit - position + 1);
        swarm->nodes[i].declaration.position = position;
        swarm->supervisors[i] = swarm->nodes[i].declaration;
    }
}

static void draw_tree(struct world *world, struct swarm *swarm)
{
    swarm->n_nodes = (uint32_t)PICK(world, 1, 1, 2, 3, 4);
    for (uint32_t i = 0; i < swarm->n_nodes; i++)
        draw_node(world, swarm, i);
    for (uint32_t i = 0; i < swarm->n; i++) {
        const char *above = swarm->nodes[swarm->under[i] = choose(world, swarm->n_nodes)].path;
        join(swarm->ids[i], above, names[i]);
    }
    draw_positions(world, swarm);
}

static void draw_world(struct world *world)
{
    struct swarm *swarm = memory_allocate(world->memory, sizeof(*swarm));
    uint32_t all[CHILDREN_MAX] = {0, 1, 2, 3, 4};
    struct error error;

    world->history = memory_allocate(world->memory, WORLD_HISTORY * sizeof(*world->history));
    world->turn_userdata = swarm;
    swarm->n = 1 + choose(world, CHILDREN_MAX);
    swarm->missing_verbs = choose(world, 1u << TURNS_KINDS);
    draw_tree(world, swarm);
    draw_faults(world);
    for (uint32_t i = 0; i < swarm->n; i++)
        draw_child(world, swarm, i);
    if (world_declare_tree(world, swarm->supervisors, swarm->n_nodes, all, swarm->n, &error) < 0)
        world_fail(world, CHECK_EXPECTATION, "the world could not be declared: %s", error.text);
    if (world->faults.crash > 0)
        disk_begin(world);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void command(struct world *world, const struct swarm *swarm, uint32_t child,
                    enum command_verb verb, bool dry_run)
{
    struct command command = {.verb = verb,
                              .child = swarm->ids[child],
                              .reason = "campaign",
                              .requester = "client",
                              .dry_run = dry_run,
                              .signal = 9};
    struct outcome outcome;
    struct error error = {};

    world_command(world, &command, &outcome, &error);
}

static void command_scope(struct world *world, const struct swarm *swarm)
{
    struct command command = {.verb = (enum command_verb)choose(world, COMMAND_RELOAD),
                              .child = swarm->nodes[choose(world, swarm->n_nodes)].path,
                              .reason = "campaign",
                              .requester = "client",
                              .dry_run = choose(world, 4) == 1};
    struct error error = {};

    world_command_scope(world, &command, &error);
}

/* As a reload does whose files are gone; also of some that are not there. */
static void remove_set(struct world *world, const struct swarm *swarm)
{
    const char *ids[CHILDREN_MAX];
    uint32_t members = choose(world, 1u << swarm->n), n = 0;

    for (uint32_t i = swarm->n; i-- > 0;)
        if (members & 1u << i)
            ids[n++] = swarm->ids[i];
    world_remove(world, ids, n);
}

static void run_job(struct world *world, struct swarm *swarm)
{
    static const char *const job_names[] = {"import", "export", "report"};
    uint32_t i = swarm->n_jobs;
    struct child_declaration *d = &swarm->jobs[i];
    struct error error;

    if (i == SWARM_JOBS || world->reference.count + 1 >= world->reference.capacity)
        return;
    declaration_defaults(d, ROLE_JOB);
    snprintf(swarm->job_ids[i], sizeof(swarm->job_ids[i]), "jobs/%u", i + 1);
    d->id = swarm->job_ids[i];
    d->has_process = true;
    d->autostart = false;
    d->restart = RESTART_TEMPORARY;
    draw_times(world, d);
    if (choose(world, 4) == 1) {
        d->requires = swarm->requires[0];
        swarm->requires[0][0] = swarm->ids[0];
        d->n_requires = 1;
    }
    swarm->job_models[i] = programs[choose(world, COUNT_OF(programs))];
    swarm->job_actors[i] = world_add_actor(world, d, &swarm->job_models[i], 1);
    d->same_name = (enum same_name)choose(world, 3);
    if (d->n_requires > 0 && !world->actors[0].child)
        d->n_requires = 0;
    if (world_run_job(world, swarm->job_actors[i], job_names[choose(world, COUNT_OF(job_names))],
                      d->same_name, &error) == 0)
        swarm->n_jobs++;
    else
        world->n_actors--; /* it was refused: its number is still to be given */
}

static void cancel_job(struct world *world, const struct swarm *swarm)
{
    static const enum command_verb verbs[] = {COMMAND_REMOVE, COMMAND_REMOVE, COMMAND_PAUSE,
                                              COMMAND_RESTART, COMMAND_KILL};
    struct command command = {.verb = verbs[choose(world, COUNT_OF(verbs))],
                              .child = swarm->job_ids[choose(world, SWARM_JOBS)],
                              .reason = "campaign",
                              .requester = "client",
                              .signal = 9};
    struct outcome outcome;
    struct error error = {};

    if (command.child[0])
        world_command(world, &command, &outcome, &error);
}

static void storm(struct world *world, const struct swarm *swarm, uint32_t child)
{
    static const enum command_verb verbs[] = {COMMAND_RESTART, COMMAND_PAUSE, COMMAND_RESUME,
                                              COMMAND_QUARANTINE};
    uint32_t count = 2 + choose(world, 6);

    for (uint32_t i = 0; i < count && world->verdict.check == CHECK_NONE; i++)
        command(world, swarm, child, verbs[choose(world, COUNT_OF(verbs))], false);
}

static void add(struct world *world, struct swarm *swarm, uint32_t child)
{
    struct error error;

    if (world->actors[child].child || world->shutdown_begun ||
        world->reference.count == world->reference.capacity)
        return;
    (void)swarm;
    world_declare(world, &child, 1, &error);
}

static void redeclare(struct world *world, struct swarm *swarm, uint32_t child)
{
    struct error error;

    if (!world->actors[child].child || world->shutdown_begun)
        return;
    swarm->changed[child] = !swarm->changed[child];
    world_redeclare(world, child,
                    swarm->changed[child] ? &swarm->others[child] : &swarm->declarations[child],
                    choose(world, 2) ? REDECLARE_APPLIES : REDECLARE_WAITS, &error);
}

static void redeclare_supervisor(struct world *world, struct swarm *swarm)
{
    struct node *node = &swarm->nodes[choose(world, swarm->n_nodes)];
    struct error error;

    if (world->shutdown_begun)
        return;
    node->changed = !node->changed;
    world_redeclare_supervisor(world, node->changed ? &node->other : &node->declaration, &error);
}

static void end_process(struct world *world, uint32_t child)
{
    static const struct completion ends[] = {
        {.code = 1}, {.code = 0}, {.by_signal = true, .signal = 11}};
    world_end_process(world, &world->actors[child], ends[choose(world, COUNT_OF(ends))]);
}

/* Only where there is a journal, and it is whole. */
static void reboot(struct world *world)
{
    static const uint64_t offs[] = {10 * USEC_SEC, 0, 60 * USEC_SEC, 7200 * USEC_SEC};
    static const uint64_t uptimes[] = {2 * USEC_SEC, 0, 1, 5 * USEC_SEC, 90 * USEC_SEC};

    if (!world->disk || world->cut)
        return;
    uint64_t off = offs[choose(world, COUNT_OF(offs))],
             uptime = uptimes[choose(world, COUNT_OF(uptimes))];
    crash_reboot(world, off, uptime, (enum wall)choose(world, WALL_UNSET + 1));
}

static void take_turn(struct world *world, struct swarm *swarm, enum turn turn, uint32_t child)
{
    switch (turn) {
    case TURN_NOTHING:
        return;
    case TURN_RESTART:
        command(world, swarm, child, COMMAND_RESTART, false);
        return;
    case TURN_PAUSE:
        command(world, swarm, child, COMMAND_PAUSE, false);
        return;
    case TURN_RESUME:
        command(world, swarm, child, COMMAND_RESUME, false);
        return;
    case TURN_QUARANTINE:
        command(world, swarm, child, COMMAND_QUARANTINE, false);
        return;
    case TURN_REMOVE:
        command(world, swarm, child, COMMAND_REMOVE, false);
        return;
    case TURN_KILL:
        command(world, swarm, child, COMMAND_KILL, false);
        return;
    case TURN_RELOAD:
        command(world, swarm, child, COMMAND_RELOAD, false);
        return;
    case TURN_DRY_RUN:
        command(world, swarm, child, (enum command_verb)choose(world, COMMAND_RELOAD), true);
        return;
    case TURN_REBOOT:
        reboot(world);
        return;
    case TURN_END:
        end_process(world, child);
        return;
    case TURN_ADD:
        add(world, swarm, child);
        return;
    case TURN_STORM:
        storm(world, swarm, child);
        return;
    case TURN_REDECLARE:
        redeclare(world, swarm, child);
        return;
    case TURN_REDECLARE_SUPERVISOR:
        redeclare_supervisor(world, swarm);
        return;
    case TURN_REMOVE_SET:
        remove_set(world, swarm);
        return;
    case TURN_SCOPE:
        command_scope(world, swarm);
        return;
    case TURN_JOB:
        run_job(world, swarm);
        return;
    case TURN_CANCEL_JOB:
        cancel_job(world, swarm);
        return;
    case TURN_REOPEN:
        world_reopen(world);
        return;
    case TURN_SHUTDOWN:
        world_shutdown(world, choose(world, 4) * 700 * USEC_MSEC, "client", "campaign");
        return;
    case TURN_HURRY:
        world_hurry(world);
        return;
    case TURNS_KINDS:
        return;
    }
}

static void strike(struct world *world)
{
    if (schedule_strikes(world->schedule, world->faults.replay) && world->n_history > 0) {
        uint32_t n = world->n_history < WORLD_HISTORY ? world->n_history : WORLD_HISTORY;
        world_queue_report(world, &world->history[choose(world, n)], 0);
    }
    if (schedule_strikes(world->schedule, world->faults.wall_jump))
        world->wall_offset_usec += choose(world, 2) ? INT64_C(-3600000000) : INT64_C(7200000000);
    if (world->cut || !schedule_strikes(world->schedule, world->faults.crash))
        return;
    if (world->full) {
        crash_make_room(world);
        return;
    }
    if (choose(world, 2))
        crash_within(world, choose(world, 4));
    else if (choose(world, 4) == 1)
        crash_fill_disk(world);
    else {
        uint32_t how = choose(world, 3);
        if (how == 2) /* on purpose */
            world_reexecute(world);
        crash_daemon(world, how == 1);
    }
}

/* Shutting down ends most of what there is to see: it comes late, and seldom. */
static enum turn draw_turn(struct world *world, const struct swarm *swarm)
{
    enum turn turn = (enum turn)choose(world, TURNS_KINDS);

    if (swarm->missing_verbs & 1u << turn)
        return TURN_NOTHING;
    if (turn >= TURN_SHUTDOWN && choose(world, 4) != 1)
        return TURN_NOTHING;
    return turn;
}

static bool take_turns(struct world *world, void *userdata)
{
    struct swarm *swarm = userdata;
    static const uint64_t gaps[] = {SEC, 0, 10 * MSEC, 100 * MSEC, 5 * SEC, 20 * SEC, 90 * SEC};

    strike(world);
    enum turn turn = world->full ? TURN_NOTHING : draw_turn(world, swarm);
    take_turn(world, swarm, turn, turn == TURN_NOTHING ? 0 : choose(world, swarm->n));
    if (++swarm->turns < TURNS)
        world_queue_turn(world, world->now_nsec + gaps[choose(world, COUNT_OF(gaps))]);
    else
        swarm->over = true;
    return !swarm->over;
}

/* Until the turns are over; then the faults stop, and everybody has some time to arrive. */
static void live(struct world *world, const struct run *run)
{
    struct swarm *swarm = world->turn_userdata;
    uint64_t end = UINT64_MAX;

    world->turn = take_turns;
    world_queue_turn(world, world->now_nsec + SEC);
    while (world_step(world, end)) {
        if (run->stop_after && run->stop_after(run->observe_userdata, world))
            return;
        if (swarm->over && end == UINT64_MAX) {
            world->faults.until_nsec = world->now_nsec;
            end = world->now_nsec + DRAIN_NSEC;
        }
    }
    if (world->verdict.check == CHECK_NONE)
        checks_at_the_end(world);
}

void swarm_run(const struct run *run, struct world **world)
{
    *world = world_new(run->memory, run->schedule, run->seed, CHILDREN_MAX + SWARM_JOBS);
    (*world)->observe = run->observe;
    (*world)->observe_userdata = run->observe_userdata;
    (*world)->states = run->states;
    draw_world(*world);
    live(*world, run);
}
