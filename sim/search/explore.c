/*
 * Explores all orders: a depth-first search over states, which are hashed and
 * visited once. Orders of independent steps are visited in one order only
 * (sleep sets), or small scenarios would have millions of equal ones.
 *
 * A hash leaves out what cannot influence the future; a field that is left out
 * by mistake hides states, one too many makes the search longer.
 */
#include "search/explore.h"

#include "checks/arrival.h"
#include "core/model/members.h"
#include "daemon/crash.h"
#include "daemon/step.h"
#include "runs/play.h"
#include "search/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEPTH_MAX   1000
#define ENABLED_MAX 128
#define IDS_MAX     64
#define CRASHED     (1u << 31) /* of the actions that were taken: the daemon's death */
#define EFFECTS_MAX 8          /* of one input of a small scenario, and more */

/* A possible step: a pending thing, the timer, or one of the scenario's actions. */
struct option {
    uint32_t choice; /* of world_take(), or of the actions */
    bool action, crash;
    uint8_t id;     /* the same in every state; IDS_MAX: not to be distinguished */
    uint32_t actor; /* UINT32_MAX: concerns everybody */
};

struct frame {
    void *copy;
    size_t size, room;
    uint32_t done; /* actions that were taken */
    struct option options[ENABLED_MAX];
    uint32_t n;
};

struct entry {
    uint64_t hash, sleep;
};

struct explorer {
    const struct run *run;
    const struct subject *scenario;
    struct world *world;
    struct explored *out;
    struct frame *frames;
    unsigned depth_max;
    double until;
    uint64_t states_max;
    struct entry *table;
    uint64_t table_size; /* a power of two */
    uint64_t keys[IDS_MAX];
    uint32_t n_keys;
    bool separate; /* children do not depend on each other */
    bool stopped, given;
    const uint32_t *path; /* a given one */
    size_t n_path;
};

/* ---- the hash of a state --------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* The times that matter are relative to now. */
static uint64_t hash_attempt(uint64_t h, const struct attempt *a, uint64_t now,
                             uint64_t reset_after)
{
    if (!a->active)
        return mix(h, 0);
    h = mix(h, (uint64_t)a->spawned | (uint64_t)a->confirmed << 1 |
                   (uint64_t)a->cancel_delivered << 2 | (uint64_t)a->abort_requested << 3 |
                   (uint64_t)a->reloading << 4 | (uint64_t)a->reload << 12 |
                   (uint64_t)a->notifies << 6 | (uint64_t)(a->pid > 0) << 7 |
                   (uint64_t)a->forced << 8 | (uint64_t)a->stopping << 14 |
                   (uint64_t)a->proven << 15 | (uint64_t)a->status << 16 | a->generation << 24);
    h = mix(h, a->number << 1 | (a->ready_usec > 0 && now - a->ready_usec >= reset_after));
    h = mix(h, (uint64_t)a->silent | (uint64_t)a->unhealthy << 1 | (uint64_t)a->check_open << 2 |
                   (uint64_t)a->check_passed << 3 | (uint64_t)a->check_misses << 8 |
                   (uint64_t)a->checks << 32);
    return h;
}

static uint64_t hash_limit(uint64_t h, const struct restart_limit *limit, uint64_t now)
{
    for (uint32_t i = 0; i < limit->used; i++)
        h = mix(h, now - limit->ring[(limit->first + i) % (limit->burst + 1)]);
    return h;
}

/* Everything about a child that decides what can happen next. */
static uint64_t hash_child(uint64_t h, const struct child *c, uint64_t now)
{
    const struct restart_limit *limit = &c->restart_limit;

    h = mix(h, (uint64_t)(c->start == START_DEPENDENCY) | (uint64_t)c->operation << 1 |
                   (uint64_t)c->wanted << 4 | (uint64_t)c->born << 5 | (uint64_t)c->gave_up << 6 |
                   (uint64_t)c->on_trial << 7 | (uint64_t)c->automatic_start << 8 |
                   (uint64_t)c->heartbeat_stale << 9 | (uint64_t)c->stop_state << 10 |
                   (uint64_t)c->failure->phase << 14 | (uint64_t)c->fence_phase << 18 |
                   (uint64_t)c->readiness << 22 | (uint64_t)c->shutdown->result << 34 |
                   (uint64_t)c->cool_downs << 38 | (uint64_t)(c->next_config != NULL) << 50 |
                   (uint64_t)(c->scope != NULL) << 51 | (uint64_t)(c->start == START_QUEUED) << 52 |
                   (uint64_t)c->in_flight << 53);
    h = mix(h, c->generation << 32 | c->attempts);
    h = mix(h, c->backoff_n << 32 | (uint64_t)c->stop_waits << 16 | c->held_up);
    h = mix(h, (uint64_t)c->pending.active | (uint64_t)c->pending.by_resume << 1 |
                   c->pending.old_attempt << 8);
    h = hash_limit(h, limit, now);
    for (int t = 0; t < CHILD_TIMERS; t++)
        h = mix(h, c->timers[t].deadline_usec ? c->timers[t].deadline_usec - now : UINT64_MAX);
    return hash_attempt(h, &c->attempt, now, c->config->declaration.backoff.reset_after_usec);
}

/* What the processes of the model will do. */
static uint64_t hash_processes(uint64_t h, const struct actor *actor)
{
    for (int i = 0; i < WORLD_PROCESSES; i++) {
        const struct process *p = &actor->processes[i];
        if (p->id.attempt == 0)
            continue;
        h = mix(h, p->id.attempt | (uint64_t)p->state << 32 | (uint64_t)p->cancels << 36 |
                       (uint64_t)p->aborts << 40 | (uint64_t)p->reported << 44 |
                       (uint64_t)p->waits_for_cancel << 45 | (uint64_t)p->waits_for_reload << 42 |
                       (uint64_t)p->has_reload << 43 | (uint64_t)(p->waits_for != NULL) << 46 |
                       (uint64_t)p->next_step << 48 | (uint64_t)p->health << 56);
    }
    return mix(h, actor->fail_spawns | (uint64_t)actor->lose_cancels << 16 |
                      (uint64_t)actor->lose_aborts << 32);
}

/* What is planned, without its time and number. */
static uint64_t key_of_pending(const struct pending *pending)
{
    uint64_t h = mix(pending->kind, pending->actor);

    if (pending->kind == PENDING_REPORT) {
        h = mix(h, pending->report.kind | (uint64_t)pending->report.message.flags << 8 |
                       (uint64_t)pending->report.passed << 30 |
                       (uint64_t)pending->report.check << 32);
        return mix(h, pending->report.id.attempt << 32 | pending->report.id.generation);
    }
    return mix(h, pending->attempt | (uint64_t)pending->dies << 40);
}

/* The whole state. What is planned is a set: its order means nothing. */
static uint64_t hash_state(const struct explorer *x, uint32_t done)
{
    const struct world *world = x->world;
    uint64_t now = world_usec(world), pending = 0;
    uint64_t bound = core_shutdown_deadline(world->core);
    uint64_t h = mix(mix(done, core_shutdown_phase(world->core)), bound > 0 ? bound - now : 0);

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct actor *actor = &world->actors[i];
        h = actor->child ? hash_child(h, actor->child, now) : mix(h, 1);
        h = hash_processes(h, actor);
    }
    for (const struct supervisor *s = core_first_supervisor(world->core); s;
         s = core_next_supervisor(s))
        h = hash_limit(mix(h, (uint64_t)s->scope.restarting | (uint64_t)s->melted_down << 1),
                       &s->limit, now);
    for (uint32_t i = 0; i < world->n_pending; i++)
        pending += key_of_pending(&world->pending[i]); /* a set: in whatever order */
    for (uint32_t i = 0; x->scenario->crashes && i < world->n_in_doubt; i++)
        h = mix(h, world->in_doubt[i].attempt << 32 | world->in_doubt[i].actor << 1 |
                       world->in_doubt[i].abort);
    return mix(h, pending + (world->cut ? 1 + world->effects_left : 0));
}

/* ---- the table of states --------------------------------------------------------------------- */

static struct entry *new_table(uint64_t size)
{
    struct entry *table = mmap(NULL, size * sizeof(*table), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        perror("proctor-sim: explore");
        exit(EXIT_FAILURE);
    }
    madvise(table, size * sizeof(*table), MADV_HUGEPAGE); /* it is read all over the place */
    return table;
}

static struct entry *find(struct entry *table, uint64_t size, uint64_t hash)
{
    uint64_t i = hash & (size - 1);

    while (table[i].hash != 0 && table[i].hash != hash)
        i = (i + 1) & (size - 1);
    return &table[i];
}

static void grow(struct explorer *x)
{
    struct entry *larger = new_table(x->table_size * 2);

    for (uint64_t i = 0; i < x->table_size; i++)
        if (x->table[i].hash != 0)
            *find(larger, x->table_size * 2, x->table[i].hash) = x->table[i];
    munmap(x->table, x->table_size * sizeof(*x->table));
    x->table = larger;
    x->table_size *= 2;
}

/* ---- what is possible ------------------------------------------------------------------------ */

static uint8_t id_of(struct explorer *x, uint64_t key)
{
    for (uint32_t i = 0; i < x->n_keys; i++)
        if (x->keys[i] == key)
            return (uint8_t)i;
    if (x->n_keys == IDS_MAX)
        return IDS_MAX;
    x->keys[x->n_keys] = key;
    return (uint8_t)x->n_keys++;
}

static bool concerns_everybody(const struct scenario_step *step)
{
    return step->action == ACTION_SHUTDOWN || step->action == ACTION_HURRY ||
           step->action == ACTION_REOPEN || step->action == ACTION_WALL_JUMP ||
           step->action == ACTION_ADD || step->action == ACTION_FIRE ||
           step->action == ACTION_CRASH || step->action == ACTION_REDECLARE_SUPERVISOR ||
           step->scope;
}

static uint32_t actor_of_step(const struct explorer *x, const struct scenario_step *step)
{
    if (concerns_everybody(step))
        return UINT32_MAX;
    return (uint32_t)(world_find(x->world, step->child) - x->world->actors);
}

/* The daemon dies in the next input, after so many effects; the last one: when all are done. */
static void list_crashes(struct explorer *x, struct frame *frame)
{
    if (!x->scenario->crash_everywhere || frame->done & CRASHED)
        return;
    for (uint32_t i = 0; i < EFFECTS_MAX && frame->n < ENABLED_MAX; i++)
        frame->options[frame->n++] = (struct option){
            .choice = i, .crash = true, .id = id_of(x, mix(98, i)), .actor = UINT32_MAX};
}

/* Everything that can happen next: what is planned, actions of the scenario
 * that are left, and crashes. */
static void list_options(struct explorer *x, struct frame *frame)
{
    const struct world *world = x->world;
    uint32_t choices = world_choices(world);

    frame->n = 0;
    for (uint32_t i = 0; i < choices && frame->n < ENABLED_MAX; i++) {
        bool timer = i == world->n_pending;
        struct option *option = &frame->options[frame->n++];
        *option = (struct option){.choice = i};
        option->id = timer ? IDS_MAX : id_of(x, key_of_pending(&world->pending[i]));
        option->actor = timer ? UINT32_MAX : world->pending[i].actor;
    }
    for (uint32_t i = 0; i < x->scenario->n_actions && frame->n < ENABLED_MAX; i++) {
        if (frame->done & 1u << i)
            continue;
        frame->options[frame->n++] =
            (struct option){.choice = i,
                            .action = true,
                            .id = id_of(x, mix(99, i)),
                            .actor = actor_of_step(x, &x->scenario->actions[i])};
    }
    if (frame->n > 0) /* there is a next input for it to die in */
        list_crashes(x, frame);
}

static bool independent(const struct explorer *x, const struct option *a, const struct option *b)
{
    return x->separate && a->actor != UINT32_MAX && b->actor != UINT32_MAX && a->actor != b->actor;
}

static uint64_t bit(const struct option *option)
{
    return option->id < IDS_MAX ? UINT64_C(1) << option->id : 0;
}

static uint64_t those_independent_of(const struct explorer *x, const struct frame *frame,
                                     uint64_t set, const struct option *taken)
{
    uint64_t kept = 0;

    for (uint32_t i = 0; i < frame->n; i++)
        if (set & bit(&frame->options[i]) && independent(x, &frame->options[i], taken))
            kept |= bit(&frame->options[i]);
    return kept;
}

/* ---- walking --------------------------------------------------------------------------------- */

static bool is_prompt(const struct pending *pending)
{
    return pending->kind == PENDING_STEP || pending->kind == PENDING_END ||
           (pending->kind == PENDING_REPORT &&
            (pending->report.kind == INPUT_SPAWNED || pending->report.kind == INPUT_SPAWN_FAILED));
}

/* What the executor answers at once does not wait for anybody. */
static void take_prompt_ones(struct explorer *x)
{
    struct world *world = x->world;

    for (uint32_t i = 0; x->scenario->prompt && i < world->n_pending;) {
        if (world->verdict.check == CHECK_NONE && is_prompt(&world->pending[i])) {
            world_take(world, i);
            i = 0;
        } else {
            i++;
        }
    }
}

static uint32_t mark(const struct option *option)
{
    return option->crash ? CRASHED : option->action ? 1u << option->choice : 0;
}

/* Returns false where an action had nothing to act on: then it is no step. */
static bool take(struct explorer *x, const struct option *option)
{
    bool done = true;

    if (option->crash)
        crash_within(x->world, option->choice);
    else if (option->action)
        done = scenario_perform(x->world, x->scenario, &x->scenario->actions[option->choice]);
    else
        world_take(x->world, option->choice);
    take_prompt_ones(x);
    return done;
}

/* A copy of all memory of the world: restoring it is one memcpy(). */
static void save(struct explorer *x, struct frame *frame)
{
    frame->size = memory_used(x->run->memory);
    if (frame->size > frame->room) {
        free(frame->copy);
        frame->room = frame->size * 2;
        frame->copy = malloc(frame->room);
    }
    if (!frame->copy) {
        perror("proctor-sim: explore");
        exit(EXIT_FAILURE);
    }
    memory_save(x->run->memory, frame->copy);
}

static bool has_to_stop(struct explorer *x)
{
    if (x->world->verdict.check != CHECK_NONE)
        return true;
    if (x->out->states >= x->states_max ||
        (x->out->transitions % 4096 == 0 && x->until > 0 && clock_seconds() > x->until)) {
        x->stopped = true;
        return true;
    }
    return false;
}

/* Enters a state. Returns which options are left to be tried, 0 bits for those that sleep. */
static bool enter(struct explorer *x, uint32_t done, uint64_t *sleep, uint64_t *again)
{
    uint64_t hash = hash_state(x, done) | 1;
    struct entry *entry = find(x->table, x->table_size, hash);

    *again = 0;
    if (entry->hash != 0) {
        x->out->duplicates++;
        *again = entry->sleep & ~*sleep; /* slept then, awake now */
        entry->sleep &= *sleep;
        return *again != 0;
    }
    *entry = (struct entry){hash, *sleep};
    if (++x->out->states * 2 > x->table_size)
        grow(x);
    return true;
}

/* One state, and all that follow from it. Options in the sleep set lead to
 * states that another order reaches. */
static void walk(struct explorer *x, unsigned depth, uint32_t done, uint64_t sleep)
{
    struct frame *frame = &x->frames[depth];
    uint64_t again;

    if (depth > x->out->deepest)
        x->out->deepest = depth;
    if (!enter(x, done, &sleep, &again))
        return;
    frame->done = done;
    list_options(x, frame);
    if (frame->n == 0) {
        x->out->ends++;
        checks_at_the_end(x->world);
        return;
    }
    if (depth == x->depth_max) {
        x->stopped = true;
        return;
    }
    save(x, frame);
    for (uint32_t i = 0; i < frame->n; i++) {
        const struct option *option = &frame->options[i];
        if (sleep & bit(option) || (again && !(again & bit(option))))
            continue;
        if (i > 0)
            memory_restore(x->run->memory, frame->copy, frame->size);
        x->out->path[depth < 1023 ? depth : 1023] = i;
        x->out->n_path = depth + 1;
        if (!take(x, option))
            continue;
        x->out->transitions++;
        if (has_to_stop(x))
            return;
        walk(x, depth + 1, done | mark(option), those_independent_of(x, frame, sleep, option));
        if (x->stopped || x->world->verdict.check != CHECK_NONE)
            return;
        sleep |= bit(option);
    }
}

/* One path, to see what happens on it. */
static void walk_path(struct explorer *x)
{
    struct frame *frame = &x->frames[0];
    uint32_t done = 0;

    for (size_t i = 0; i < x->n_path && x->world->verdict.check == CHECK_NONE; i++) {
        frame->done = done;
        list_options(x, frame);
        if (x->path[i] >= frame->n)
            return;
        struct option option = frame->options[x->path[i]];
        take(x, &option);
        done |= mark(&option);
    }
    frame->done = done;
    list_options(x, frame);
    if (frame->n == 0 && x->world->verdict.check == CHECK_NONE)
        checks_at_the_end(x->world);
}

static bool nobody_depends(const struct subject *scenario)
{
    for (size_t i = 0; i < scenario->n_actors; i++)
        if (scenario->actors[i].declaration.n_requires + scenario->actors[i].declaration.n_after >
            0)
            return false;
    return true;
}

/* One-for-one under the root, without limits that they share. */
static bool is_plain(const struct subject *scenario)
{
    return scenario->n_supervisors == 1 &&
           scenario->supervisors[0].strategy == STRATEGY_ONE_FOR_ONE &&
           !scenario->supervisors[0].limited && scenario->supervisors[0].n_groups == 0 &&
           scenario->supervisors[0].max_restarts_in_flight == 0;
}

static void drive(void *userdata)
{
    struct explorer *x = userdata;

    scenario_world(x->run, &x->world);
    take_prompt_ones(x);
    if (x->given)
        walk_path(x);
    else
        walk(x, 0, 0, 0);
}

/* The search itself, with its tables. */
static void explore_with(struct explorer *x)
{
    struct explored *out = x->out;

    x->scenario = x->run->subject;
    x->separate =
        x->scenario->n_actors <= WORLD_CAP && is_plain(x->scenario) && nobody_depends(x->scenario);
    x->table_size = 1 << 20;
    x->table = new_table(x->table_size);
    x->frames = calloc(DEPTH_MAX + 2, sizeof(*x->frames));
    if (!x->frames) {
        perror("proctor-sim: explore");
        exit(EXIT_FAILURE);
    }
    schedule_begin(x->run->schedule, CHOOSER_FIFO, 0);
    double began = clock_seconds();
    run_guarded(&x->world, drive, x, 0);
    out->seconds = clock_seconds() - began;
    out->verdict = x->world->verdict;
    out->exhausted = !x->stopped && out->verdict.check == CHECK_NONE;
    for (unsigned i = 0; i < DEPTH_MAX + 2; i++)
        free(x->frames[i].copy);
    free(x->frames);
    munmap(x->table, x->table_size * sizeof(*x->table));
}

/* 0 means no bound for depth and time. */
void explore(const struct run *run, unsigned depth, double seconds, uint64_t states_max,
             struct explored *explored)
{
    struct explorer x = {.run = run, .out = explored, .states_max = states_max};

    *explored = (struct explored){};
    x.depth_max = depth ? depth : (unsigned)run->subject->depth;
    if (x.depth_max == 0 || x.depth_max > DEPTH_MAX)
        x.depth_max = DEPTH_MAX;
    x.until = seconds > 0 ? clock_seconds() + seconds : 0;
    explore_with(&x);
}

void explore_path(const struct run *run, const uint32_t *path, size_t count,
                  struct explored *explored)
{
    struct explorer x = {.run = run, .out = explored, .given = true};

    *explored = (struct explored){};
    x.path = path;
    x.n_path = count;
    explore_with(&x);
}
