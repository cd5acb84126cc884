/*
 * The loop of the model: of all things that are due at the earliest time, the
 * schedule picks one. That choice, and nothing else, is what makes one run
 * differ from another with the same seed.
 *
 * Time does not pass by itself: it jumps to the next thing that is due.
 */
#include "daemon/step.h"
#include "checks/told.h"

#include "daemon/executor.h"
#include "daemon/reports.h"
#include "reference/tree.h"
#include "world/process.h"
#include "world/queue.h"

#include <stdlib.h>

#define PENDING_FIRST 8

static void *allocate_for_reference(void *userdata, size_t size)
{
    return world_allocate(userdata, size);
}

static const struct supervisor_declaration plain_root = {
    .path = "", .burst = 10, .interval_usec = UINT64_C(300) * 1000000};

/* Everything is allocated from `memory`, which is emptied at once for the next
 * run. */
struct world *world_new(struct memory *memory, struct schedule *schedule, uint64_t seed,
                        uint32_t actors_max)
{
    struct core_settings settings = {.seed = seed, .max_restarts_in_flight = WORLD_CAP};
    struct core_ports ports;

    memory_reset(memory);
    struct world *world = memory_allocate(memory, sizeof(*world));
    world->memory = memory;
    world->schedule = schedule;
    world->now_nsec = WORLD_START_NSEC;
    world->next_pid = 1000;
    world->actors_max = actors_max;
    world->actors = world_allocate(world, actors_max * sizeof(*world->actors));
    world->pending_max = PENDING_FIRST;
    world->pending = world_allocate(world, world->pending_max * sizeof(*world->pending));
    world->reference.capacity = actors_max * 2;
    world->reference.children =
        world_allocate(world, world->reference.capacity * sizeof(*world->reference.children));
    world->reference.order =
        world_allocate(world, world->reference.capacity * sizeof(*world->reference.order));
    world->reference.cap = WORLD_CAP;
    world->reference.jobs =
        world_allocate(world, world->reference.capacity * sizeof(*world->reference.jobs));
    world->reference.allocate = allocate_for_reference;
    world->reference.userdata = world;
    told_open(world);
    reference_supervise(&world->reference, &plain_root);
    executor_ports(world, &ports);
    if (core_new(&ports, &settings, &world->core) < 0)
        exit(EXIT_FAILURE);
    world_set_max_jobs(world, WORLD_MAX_JOBS);
    return world;
}

void world_set_max_jobs(struct world *world, uint32_t max_jobs)
{
    core_set_max_jobs(world->core, max_jobs);
    world->reference.max_jobs = max_jobs;
}

static struct process *still_there(struct actor *actor, const struct pending *pending)
{
    struct process *process = world_process(actor, pending->attempt);
    return process && process->id.serial == pending->serial && process->state != PROCESS_GONE
               ? process
               : NULL;
}

static void turn(struct world *world)
{
    if (world->turn)
        world->turn(world, world->turn_userdata);
}

/* One thing happens. What was planned for a process that has gone, or for an
 * earlier wait of it, is dropped. */
static void happen(struct world *world, struct pending pending)
{
    struct actor *actor = &world->actors[pending.actor];
    struct process *process;

    switch (pending.kind) {
    case PENDING_REPORT:
        world_report(world, &pending.report);
        return;
    case PENDING_STEP:
        process = still_there(actor, &pending);
        if (process && process->state == PROCESS_ALIVE &&
            process->wait_serial == pending.wait_serial)
            process_proceed(world, actor, process);
        return;
    case PENDING_BEAT:
        process = still_there(actor, &pending);
        if (process && process->state == PROCESS_ALIVE)
            process_beat(world, actor, process);
        return;
    case PENDING_END:
        process = still_there(actor, &pending);
        if (process)
            process_end(world, actor, process, pending.dies);
        return;
    case PENDING_TURN:
        turn(world);
        return;
    }
}

#define TIES_MAX     64
#define TIMER_CHOICE UINT32_MAX

struct ties {
    uint64_t due;
    uint32_t choice[TIES_MAX]; /* index in pending, or TIMER_CHOICE */
    uint64_t order[TIES_MAX];
    uint32_t n;
};

/* Keeps the candidates in the order in which they were planned, so that choice
 * 0 is always the plain one. */
static void add_tie(struct ties *ties, uint64_t due, uint64_t order, uint32_t choice)
{
    if (due < ties->due) {
        ties->due = due;
        ties->n = 0;
    }
    if (due > ties->due || ties->n == TIES_MAX)
        return;
    uint32_t at = ties->n++;
    for (; at > 0 && ties->order[at - 1] > order; at--) {
        ties->order[at] = ties->order[at - 1];
        ties->choice[at] = ties->choice[at - 1];
    }
    ties->order[at] = order;
    ties->choice[at] = choice;
}

static bool is_loss(const struct pending *pending)
{
    return pending->kind == PENDING_REPORT && pending->report.kind == INPUT_COMPLETED &&
           pending->report.completion.with_machine;
}

/* As the daemon does it: what the machine took down is found out before anything is waited for. */
static bool has_losses(const struct world *world)
{
    for (uint32_t i = 0; i < world->n_pending; i++)
        if (is_loss(&world->pending[i]))
            return true;
    return false;
}

/* What was lost when the daemon died comes before everything else of that
 * moment. */
static void find_ties(const struct world *world, struct ties *ties)
{
    bool losses = has_losses(world);

    ties->due = UINT64_MAX;
    ties->n = 0;
    for (uint32_t i = 0; i < world->n_pending; i++)
        if (!losses || is_loss(&world->pending[i]))
            add_tie(ties, world->pending[i].due_nsec, world->pending[i].order, i);
    if (world->timer_usec > 0 && !losses)
        add_tie(ties, world->timer_due_nsec, world->timer_order, TIMER_CHOICE);
}

/* The actor behind a choice, for the chooser that gives priorities to actors. */
static uint64_t key_of(const struct world *world, uint32_t choice)
{
    if (choice == TIMER_CHOICE)
        return 1;
    return 2 + world->pending[choice].kind + 16 * (uint64_t)world->pending[choice].actor;
}

/* Returns false if nothing is due until then, or a check has failed. */
bool world_step(struct world *world, uint64_t until_nsec)
{
    struct ties ties;
    uint32_t picked = 0;

    if (world->verdict.check != CHECK_NONE)
        return false;
    find_ties(world, &ties);
    if (ties.n == 0 || ties.due > until_nsec)
        return false;
    if (ties.n > 1) {
        uint64_t keys[TIES_MAX];
        for (uint32_t i = 0; i < ties.n; i++)
            keys[i] = key_of(world, ties.choice[i]);
        picked = schedule_pick(world->schedule, keys, ties.n);
    }
    if (ties.due > world->now_nsec)
        world->now_nsec = ties.due;
    if (ties.choice[picked] == TIMER_CHOICE)
        world_timer(world);
    else
        happen(world, world_take_pending(world, ties.choice[picked]));
    return world->verdict.check == CHECK_NONE;
}

uint32_t world_choices(const struct world *world)
{
    return world->n_pending + (world->timer_usec > 0);
}

/* Time stands still but for the timer: whatever is under way may come before or after anything. */
void world_take(struct world *world, uint32_t i)
{
    if (i < world->n_pending) {
        happen(world, world_take_pending(world, i));
        return;
    }
    uint64_t due = (era_clock(&world->era, world->timer_usec) + world->boot_usec) * 1000;
    if (due > world->now_nsec)
        world->now_nsec = due;
    world_timer(world);
}
