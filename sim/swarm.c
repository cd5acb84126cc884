#include "swarm.h"

#include "checks.h"

#define CHILDREN_MAX 5
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
    TURN_RELOAD,
    TURN_DRY_RUN,
    TURN_SHUTDOWN,
    TURN_HURRY,
    TURNS_KINDS,
};

struct swarm {
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
    {S({STEP_IGNORE_CANCEL}, {STEP_HANG, MODEL_FOREVER})},
    {S({STEP_DOUBLE_FORK}, {STEP_READY}, {STEP_RUN, 2 * USEC_SEC}, {STEP_DIE, 11})},
    {S({STEP_EXTEND, 20 * USEC_SEC}, {STEP_RUN, 8 * USEC_SEC}, {STEP_READY})},
    {S({STEP_READY}, {STEP_RUN, USEC_SEC}, {STEP_OOM})},
    {S({STEP_READY}, {STEP_RELOADING}, {STEP_DIE, 6})},
    {S({STEP_READY}, {STEP_RUN, USEC_SEC}, {STEP_STOPPING}, {STEP_RUN, USEC_SEC}, {STEP_EXIT, 3})},
    {S({STEP_READY}, {STEP_RUN, 2 * USEC_SEC}, {STEP_TRIGGER})},
    {S({STEP_BEAT}, {STEP_READY}, {STEP_RUN, 40 * USEC_SEC}, {STEP_BEAT})},
    {S({STEP_READY}, {STEP_RUN, 70 * USEC_SEC}, {STEP_EXIT, 1})},
    {S({STEP_READY}, {STEP_WAIT_CANCEL}, {STEP_EXTEND, 15 * USEC_SEC}, {STEP_RUN, 12 * USEC_SEC},
       {STEP_EXIT, 0})},
    {S({STEP_RUN, 2 * USEC_SEC}, {STEP_READY}, {STEP_CANCEL_TAKES, 3 * USEC_SEC})},
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
}

static void draw_times(struct world *world, struct child_declaration *d)
{
    d->stop_timeout_usec = PICK(world, USEC_SEC, 10 * USEC_MSEC, 10 * USEC_SEC);
    d->abort_timeout_usec = PICK(world, USEC_SEC, 100 * USEC_MSEC, 5 * USEC_SEC);
    d->timeout_action = (enum timeout_action)choose(world, 2);
    d->readiness = choose(world, 2) ? READINESS_EXPLICIT : READINESS_IMMEDIATE;
    d->start_timeout_usec = PICK(world, 30 * USEC_SEC, USEC_SEC, 0, 5 * USEC_SEC);
    d->heartbeat_usec = PICK(world, 0, 10 * USEC_SEC, USEC_SEC);
    d->stale_after_usec = d->heartbeat_usec * 3;
    if (d->heartbeat_usec > 0) {
        d->heartbeat_required = choose(world, 2);
        d->on_stale = (enum on_stale)choose(world, 2);
    }
}

static void draw_dependencies(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];

    d->requires = swarm->requires[i];
    d->after = swarm->after[i];
    for (uint32_t k = 0; k < i; k++)
        switch (choose(world, 4)) {
        case 2:
            d->requires
            [d->n_requires++] = names[k];
            break;
        case 3:
            d->after[d->n_after++] = names[k];
            break;
        }
}

static void draw_child(struct world *world, struct swarm *swarm, uint32_t i)
{
    struct child_declaration *d = &swarm->declarations[i];
    uint32_t models = 1 + choose(world, MODELS_MAX);

    declaration_defaults(d, ROLE_WORKER);
    d->id = names[i];
    d->has_process = choose(world, 16) != 1;
    d->autostart = choose(world, 8) != 1;
    draw_policy(world, d);
    draw_times(world, d);
    draw_dependencies(world, swarm, i);
    for (uint32_t m = 0; m < models; m++)
        swarm->models[i][m] = programs[choose(world, COUNT_OF(programs))];
    swarm->others[i] = *d;
    swarm->others[i].burst = d->burst + 1;
    swarm->others[i].backoff.initial_usec = 200 * USEC_MSEC;
    world_add_actor(world, d, swarm->models[i], models);
}

static void draw_faults(struct world *world)
{
    struct faults *faults = &world->faults;
    uint16_t *const rates[] = {&faults->delay,      &faults->duplicate,     &faults->late_notify,
                               &faults->replay,     &faults->spawn_failure, &faults->slow_spawn,
                               &faults->exit_first, &faults->lost_cancel,   &faults->lost_abort,
                               &faults->late_timer, &faults->wall_jump};

    faults->until_nsec = UINT64_MAX;
    if (choose(world, 4) == 0)
        return; /* a world without faults */
    faults->from_nsec = WORLD_START_NSEC + PICK(world, 0, 0, 2 * SEC, 30 * SEC);
    for (size_t i = 0; i < COUNT_OF(rates); i++)
        *rates[i] = (uint16_t)PICK(world, 0, 0, 30, 200, 500);
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
    world_set_strategy(world, (enum strategy)choose(world, STRATEGY_REST_FOR_ONE + 1));
    draw_faults(world);
    for (uint32_t i = 0; i < swarm->n; i++)
        draw_child(world, swarm, i);
    if (world_declare(world, all, swarm->n, &error) < 0)
        world_fail(world, CHECK_EXPECTATION, "the world could not be declared: %s", error.text);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void command(struct world *world, uint32_t child, enum command_verb verb, bool dry_run)
{
    struct command command = {.verb = verb,
                              .child = names[child],
                              .reason = "campaign",
                              .requester = "client",
                              .dry_run = dry_run,
                              .signal = 9};
    struct outcome outcome;
    struct error error = {};

    world_command(world, &command, &outcome, &error);
}

static void storm(struct world *world, uint32_t child)
{
    static const enum command_verb verbs[] = {COMMAND_RESTART, COMMAND_PAUSE, COMMAND_RESUME,
                                              COMMAND_QUARANTINE};
    uint32_t count = 2 + choose(world, 6);

    for (uint32_t i = 0; i < count && world->verdict.check == CHECK_NONE; i++)
        command(world, child, verbs[choose(world, COUNT_OF(verbs))], false);
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
                    &error);
}

static void end_process(struct world *world, uint32_t child)
{
    static const struct completion ends[] = {
        {.code = 1}, {.code = 0}, {.by_signal = true, .signal = 11}};
    world_end_process(world, &world->actors[child], ends[choose(world, COUNT_OF(ends))]);
}

static void take_turn(struct world *world, struct swarm *swarm, enum turn turn, uint32_t child)
{
    switch (turn) {
    case TURN_NOTHING:
        return;
    case TURN_RESTART:
        command(world, child, COMMAND_RESTART, false);
        return;
    case TURN_PAUSE:
        command(world, child, COMMAND_PAUSE, false);
        return;
    case TURN_RESUME:
        command(world, child, COMMAND_RESUME, false);
        return;
    case TURN_QUARANTINE:
        command(world, child, COMMAND_QUARANTINE, false);
        return;
    case TURN_REMOVE:
        command(world, child, COMMAND_REMOVE, false);
        return;
    case TURN_KILL:
        command(world, child, COMMAND_KILL, false);
        return;
    case TURN_RELOAD:
        command(world, child, COMMAND_RELOAD, false);
        return;
    case TURN_DRY_RUN:
        command(world, child, (enum command_verb)choose(world, COMMAND_RELOAD), true);
        return;
    case TURN_END:
        end_process(world, child);
        return;
    case TURN_ADD:
        add(world, swarm, child);
        return;
    case TURN_STORM:
        storm(world, child);
        return;
    case TURN_REDECLARE:
        redeclare(world, swarm, child);
        return;
    case TURN_SHUTDOWN:
        world_shutdown(world, "client", "campaign");
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
    enum turn turn = draw_turn(world, swarm);
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
    *world = world_new(run->memory, run->schedule, run->seed, CHILDREN_MAX);
    (*world)->observe = run->observe;
    (*world)->observe_userdata = run->observe_userdata;
    (*world)->states = run->states;
    draw_world(*world);
    live(*world, run);
}
