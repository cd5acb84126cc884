/*
 * Draws a world of the swarm: a tree, children, policies, times, programs and
 * faults. Every draw is a choice of the schedule, with 0 as the plainest, so
 * that shrinking a failure makes its world plainer, too.
 */
#include "runs/draw.h"

#include "core/vocabulary/invariant.h"
#include "daemon/declarations.h"
#include "daemon/disk.h"

#include <signal.h>
#include <string.h>

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
    {S({STEP_STATUS, 0, "warming up"}, {STEP_READY}, {STEP_RUN, USEC_SEC}, {STEP_STATUS, 0, "busy"},
       {STEP_RUN, USEC_SEC}, {STEP_EXIT, 1})},
    {S({STEP_WRITE_RESULT, 70000}, {STEP_RUN, USEC_SEC}, {STEP_EXIT, 0})},
    {S({STEP_READY}, {STEP_WRITE_RESULT, 17}, {STEP_RUN, USEC_SEC}, {STEP_DIE, 11})},
    {S({STEP_READY}, {STEP_RELOAD_TAKES, 3 * USEC_SEC}, {STEP_RELOAD_FAILS}, {STEP_WAIT_RELOAD},
       {STEP_RELOADING}, {STEP_RUN, USEC_SEC}, {STEP_READY})},
    {S({STEP_READY}, {STEP_RELOAD_TAKES, 200 * USEC_MSEC}, {STEP_STOP_FAILS},
       {STEP_AFTER_TAKES, 300 * USEC_MSEC})},
    {S({STEP_READY}, {STEP_RUN, 2 * USEC_SEC}, {STEP_AFTER_TAKES, 5 * USEC_SEC}, {STEP_AFTER_FAILS},
       {STEP_EXIT, 1})},
    {S({STEP_DOUBLE_FORK}, {STEP_READY}, {STEP_RUN, 3 * USEC_SEC}, {STEP_AFTER_TAKES, 2 * USEC_SEC},
       {STEP_DIE, 11})},
    {S({STEP_IGNORE_CANCEL}, {STEP_READY}, {STEP_AFTER_TAKES, 40 * USEC_SEC},
       {STEP_HANG, USEC_SEC})},
};

uint32_t draw_number(struct world *world, uint32_t n)
{
    return schedule_choose(world->schedule, n);
}

struct model draw_program(struct world *world)
{
    return programs[draw_number(world, COUNT_OF(programs))];
}

static uint64_t pick(struct world *world, const uint64_t *values, uint32_t n)
{
    return values[draw_number(world, n)];
}

#define PICK(world, ...)                                                                           \
    pick(world, (const uint64_t[]){__VA_ARGS__}, COUNT_OF(((const uint64_t[]){__VA_ARGS__})))

/* Which exits are as good as 0, and which cannot be mended: rarely another than by default. */
static void draw_codes(struct world *world, struct child_declaration *d)
{
    static const struct exit_codes kinds[] = {{.count = 0}, {{1}, 1}, {{3, 78}, 2}};

    if (draw_number(world, 8) == 1)
        d->fatal_exit_codes = kinds[draw_number(world, COUNT_OF(kinds))];
    if (draw_number(world, 8) == 1)
        d->success_exit_codes = kinds[draw_number(world, COUNT_OF(kinds))];
}

/* Values are few and extreme: limits of 0 and 1 find more than 7 does. */
static void draw_policy(struct world *world, struct child_declaration *d)
{
    static const enum restart_policy policies[] = {RESTART_TRANSIENT, RESTART_PERMANENT,
                                                   RESTART_TEMPORARY};
    d->restart = policies[draw_number(world, COUNT_OF(policies))];
    d->burst = (uint32_t)PICK(world, 3, 0, 1, 2, 10);
    d->interval_usec = PICK(world, 10 * USEC_SEC, USEC_SEC, 60 * USEC_SEC, 300 * USEC_SEC);
    d->on_limit = (enum on_limit)draw_number(world, ON_LIMIT_SHUTDOWN_TREE + 1);
    d->criticality = (enum criticality)draw_number(world, 2);
    d->on_success = draw_number(world, 12) == 1 ? ON_END_SHUTDOWN_TREE : ON_END_NOTHING;
    d->on_give_up = draw_number(world, 12) == 1 ? ON_END_SHUTDOWN_TREE : ON_END_NOTHING;
    d->restart_dependents = draw_number(world, 6) == 1;
    d->backoff.jitter = (enum jitter)draw_number(world, JITTER_DECORRELATED + 1);
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

/* Times are short, so that deadlines meet other things. */
void draw_times(struct world *world, struct child_declaration *d)
{
    INVARIANT(d->id && d->id[0]);
    d->stop_timeout_usec = PICK(world, USEC_SEC, 10 * USEC_MSEC, 10 * USEC_SEC, 0);
    draw_further_stops(world, d);
    d->abort_timeout_usec = PICK(world, USEC_SEC, 100 * USEC_MSEC, 5 * USEC_SEC, 0);
    d->timeout_action = (enum timeout_action)draw_number(world, 2);
    d->leftovers = (enum leftovers)draw_number(world, LEFTOVERS_KEEP + 1);
    d->readiness = (enum readiness_policy)draw_number(world, READINESS_CHECK + 1);
    d->start_timeout_usec = PICK(world, 30 * USEC_SEC, USEC_SEC, 0, 5 * USEC_SEC);
    d->run_timeout_usec = PICK(world, 0, 0, 0, 3 * USEC_SEC, 40 * USEC_SEC);
    d->heartbeat_usec = PICK(world, 0, 10 * USEC_SEC, USEC_SEC);
    d->stale_after_usec = d->heartbeat_usec * PICK(world, 3, 1, 0);
    if (d->heartbeat_usec > 0) {
        d->heartbeat_required = draw_number(world, 2);
        d->on_stale = (enum on_stale)draw_number(world, 2);
    }
    d->health_usec = PICK(world, 0, 0, 2 * USEC_SEC, 5 * USEC_SEC);
    if (d->health_usec > 0) {
        d->health_timeout_usec = PICK(world, USEC_SEC, 200 * USEC_MSEC, 3 * USEC_SEC, 0);
        d->health_retries = 1 + draw_number(world, 3);
        d->on_unhealthy = (enum on_stale)draw_number(world, 2);
    }
}

static const char *words[] = {"/bin/one", NULL}, *more_words[] = {"/bin/other", "-x", NULL};
static struct command_spec commands[] = {
    {.arguments = words}, {.arguments = more_words, .timeout_usec = USEC_SEC, .may_fail = true}};

/*
 * A time every few seconds, or in a zone whose clock changes a few seconds after the world begins,
 * on the 318th day of a year at 22:13:20: it leaves an hour out, or shows one twice.
 */
static void draw_schedule(struct world *world, struct child_declaration *d)
{
    static const char *const texts[] = {"*:*:0/4",     "*:*:0/7\n*:*:5", "*:*",
                                        "22:30",       "22,23:0/20",     "*:0/5",
                                        "40 22 * * 2", "2020-01-01"};
    static const char *const zones[] = {"UTC0", "AAA0BBB,J318/22:14,J330",
                                        "BBB-1AAA0,J318/23:14,J330", "CET-1CEST,M3.5.0,M10.5.0/3"};

    d->schedule = NULL;
    d->schedule_zone = NULL;
    d->schedule_delay_usec = 0;
    d->schedule_persistent = false;
    d->schedule_overlap = OVERLAP_SKIP;
    if (draw_number(world, 4) != 1)
        return;
    d->schedule = texts[PICK(world, 0, 1, 2, 3, 4, 5, 6, 7)];
    d->schedule_zone = zones[draw_number(world, COUNT_OF(zones))];
    d->schedule_delay_usec = PICK(world, 0, 0, 2 * USEC_SEC, 90 * USEC_SEC);
    d->schedule_persistent = draw_number(world, 2);
    d->schedule_overlap = (enum schedule_overlap)draw_number(world, OVERLAP_REPLACE + 1);
    d->autostart = d->autostart && draw_number(world, 4) == 1;
}

static const char *directories[] = {"one", "two/three", NULL};

static const uint64_t processors[AFFINITY_WORDS] = {5, [AFFINITY_WORDS - 1] = UINT64_MAX};

static const char *hidden[] = {"n-/srv", "w/srv/data", NULL};

static const struct sandbox_spec sandboxes[] = {
    {.parts = {[SANDBOX_SYSTEM] = SYSTEM_READ_ONLY, [SANDBOX_SYSCALLS] = SYSCALLS_SERVICE}},
    {.parts = {[SANDBOX_NETWORK] = NETWORK_NONE}, .paths = hidden}};

/* Keys that the core only carries: a recovery must not lose them. */
static void draw_process(struct world *world, struct child_declaration *d)
{
    d->process.ignore_sigpipe = draw_number(world, 2);
    d->process.fd_store_max = (uint32_t)PICK(world, 0, FD_STORE_MAX);
    d->process.oom_score_adj_set = draw_number(world, 2);
    d->process.oom_score_adj =
        d->process.oom_score_adj_set ? (int)draw_number(world, 2001) + OOM_SCORE_ADJ_MIN : 0;
    d->process.before = (struct command_list){.commands = commands, .count = draw_number(world, 3)};
    d->process.reload = (struct command_list){.commands = commands, .count = draw_number(world, 3)};
    d->process.stop = (struct command_list){.commands = commands, .count = draw_number(world, 3)};
    d->process.after_start =
        (struct command_list){.commands = commands, .count = draw_number(world, 3)};
    d->process.after_stop =
        (struct command_list){.commands = commands, .count = draw_number(world, 3)};
    d->description = draw_number(world, 2) ? "one of the swarm" : NULL;
    d->process.memory_high = PICK(world, 0, 1 << 20);
    d->process.cpu_max_usec = PICK(world, 0, CPU_PERIOD_USEC / 2);
    d->process.io_weight = (uint32_t)PICK(world, 0, 50);
    d->process.affinity = draw_number(world, 2) ? processors : NULL;
    d->process.sandbox = draw_number(world, 2) ? &sandboxes[draw_number(world, 2)] : NULL;
    struct directory_list *list = &d->process.directories[draw_number(world, DIRECTORY_KINDS)];
    list->names = draw_number(world, 2) ? directories : NULL;
    list->mode = draw_number(world, 2) ? DIRECTORY_MODE : 0700;
}

/* Bound to an earlier one that is none itself, if there is such a one. Returns how many of the
 * children it may depend on: one that goes around its primary needs none that comes after that. */
static uint32_t draw_sidecar(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];
    uint32_t primary = i > 0 ? draw_number(world, i) : 0;

    if (i == 0 || draw_number(world, 6) != 1 || swarm->declarations[primary].role == ROLE_SIDECAR)
        return i;
    d->role = ROLE_SIDECAR;
    d->sidecar_order = (enum sidecar_order)draw_number(world, 2);
    d->criticality = CRITICALITY_OPTIONAL;
    d->restart = RESTART_PERMANENT;
    if (d->on_limit >= ON_LIMIT_ESCALATE)
        d->on_limit = ON_LIMIT_STOP;
    d->on_success = d->on_give_up = ON_END_NOTHING;
    d->requires[d->n_requires++] = swarm->ids[primary];
    return declaration_is_around(d) ? primary : i;
}

/* Only on children declared before, so that there is no cycle. */
static void draw_dependencies(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];

    d->requires = swarm->requires[i];
    d->after = swarm->after[i];
    uint32_t n = draw_sidecar(world, swarm, i);
    for (uint32_t k = 0; k < n; k++)
        switch (draw_number(world, 4)) {
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
    uint32_t group = draw_number(world, (uint32_t)d->n_groups + 1);

    swarm->declarations[i].group = group > 0 ? group_names[group - 1] : NULL;
}

/* The other declaration: with other keys of supervision, of the process, of both or of neither. */
static void draw_other_child(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i], *other = &swarm->others[i];

    *other = *d;
    if (draw_number(world, 3) == 1)
        draw_policy(world, other);
    if (draw_number(world, 3) == 1)
        draw_times(world, other);
    if (draw_number(world, 3) == 1)
        draw_process(world, other);
    if (draw_number(world, 6) == 1)
        draw_schedule(world, other);
    if (draw_number(world, 4) == 1)
        other->burst = d->burst + 1;
    if (draw_number(world, 4) == 1)
        other->group = d->group ? NULL : group_names[0];
    if (draw_number(world, 8) == 1 && d->n_after > 0)
        other->n_after--;
    if (draw_number(world, 16) == 1)
        other->has_process = !d->has_process;
    if (draw_number(world, 4) == 1 && d->role == ROLE_SIDECAR)
        other->sidecar_order = SIDECAR_WITH - d->sidecar_order;
    if (d->role == ROLE_SIDECAR) { /* what it may say */
        other->criticality = d->criticality;
        other->restart = d->restart;
        other->on_limit = d->on_limit;
        other->on_success = other->on_give_up = ON_END_NOTHING;
    }
}

/* One child and the programs that it runs, one after the other with each
 * start. */
static void draw_child(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];
    uint32_t models = 1 + draw_number(world, MODELS_MAX);

    declaration_defaults(d, ROLE_WORKER);
    d->id = swarm->ids[i];
    draw_group(world, swarm, i);
    d->has_process = draw_number(world, 16) != 1;
    d->autostart = draw_number(world, 8) != 1;
    draw_policy(world, d);
    draw_times(world, d);
    draw_process(world, d);
    draw_schedule(world, d);
    draw_dependencies(world, swarm, i);
    for (uint32_t m = 0; m < models; m++)
        swarm->models[i][m] = draw_program(world);
    draw_other_child(world, swarm, i);
    world_add_actor(world, d, swarm->models[i], models);
}

/* A quarter of the worlds has none: there, everything must work. */
static void draw_faults(struct world *world)
{
    struct faults *faults = &world->faults;
    uint16_t *const rates[] = {&faults->delay,      &faults->duplicate,     &faults->late_notify,
                               &faults->replay,     &faults->spawn_failure, &faults->slow_spawn,
                               &faults->exit_first, &faults->lost_cancel,   &faults->lost_abort,
                               &faults->late_timer, &faults->wall_jump,     &faults->crash,
                               &faults->lack};

    faults->until_nsec = UINT64_MAX;
    if (draw_number(world, 4) == 0)
        return; /* a world without faults */
    faults->from_nsec = WORLD_START_NSEC + PICK(world, 0, 0, 2 * SEC, 30 * SEC);
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        *rates[i] = (uint16_t)PICK(world, 0, 0, 30, 200, 500);
}

static enum strategy draw_strategy(struct world *world)
{
    return (enum strategy)draw_number(world, STRATEGY_REST_FOR_ONE + 1);
}

/* Groups with limits and budgets of their own. */
static void draw_groups(struct world *world, struct node *node)
{
    node->declaration.groups = node->groups;
    node->declaration.n_groups = PICK(world, 0, 0, 1, 2);
    for (size_t g = 0; g < node->declaration.n_groups; g++) {
        node->groups[g] = (struct group_declaration){.name = group_names[g],
                                                     .strategy = draw_strategy(world),
                                                     .limited = draw_number(world, 2),
                                                     .burst = draw_number(world, 3),
                                                     .interval_usec = 10 * USEC_SEC};
        if (draw_number(world, 2))
            node->groups[g].budget_restarts = 1 + draw_number(world, 3);
        node->groups[g].budget_usec = 7 * USEC_SEC;
    }
}

/* The other declaration: the groups in the other order, one of them gone. */
static void draw_other(struct world *world, struct node *node)
{
    size_t n = node->declaration.n_groups;

    node->other = node->declaration;
    node->other.strategy = draw_strategy(world);
    node->other.max_restarts_in_flight = draw_number(world, 3);
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

/* One supervisor. */
static void draw_node(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct node *node = &swarm->nodes[i];
    struct supervisor_declaration *d = &node->declaration;
    const char *above;

    node->above = i > 0 ? draw_number(world, i) : 0;
    above = swarm->nodes[node->above].path;
    join(node->path, above, node_names[i]);
    supervisor_declaration_defaults(d, node->path);
    d->strategy = draw_strategy(world);
    d->limited = draw_number(world, 2);
    d->burst = (uint32_t)PICK(world, 2, 0, 1, 3);
    d->interval_usec = PICK(world, 10 * USEC_SEC, USEC_SEC, 60 * USEC_SEC);
    d->escalation = (enum escalation)draw_number(world, ESCALATION_SHUTDOWN_TREE + 1);
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
        position += draw_number(world, swarm->nodes[i].limit - position + 1);
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
        const char *above = swarm->nodes[swarm->under[i] = draw_number(world, swarm->n_nodes)].path;
        join(swarm->ids[i], above, names[i]);
    }
    draw_positions(world, swarm);
}

/* Entry. Worlds with crashes have a disk. */
void draw_world(struct world *world)
{
    struct swarm *swarm = memory_allocate(world->memory, sizeof(*swarm));
    uint32_t all[CHILDREN_MAX] = {0, 1, 2, 3, 4};
    struct error error;

    world->history = memory_allocate(world->memory, WORLD_HISTORY * sizeof(*world->history));
    world->turn_userdata = swarm;
    swarm->n = 1 + draw_number(world, CHILDREN_MAX);
    swarm->missing_verbs = draw_number(world, 1u << TURNS_KINDS);
    draw_tree(world, swarm);
    draw_faults(world);
    for (uint32_t i = 0; i < swarm->n; i++)
        draw_child(world, swarm, i);
    if (world_declare_tree(world, swarm->supervisors, swarm->n_nodes, all, swarm->n, &error) < 0)
        world_fail(world, CHECK_EXPECTATION, "the world could not be declared: %s", error.text);
    if (world->faults.crash > 0)
        disk_begin(world);
}
