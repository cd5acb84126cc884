/*
 * What is planned: reports, steps, ends and turns, each with its time. The list
 * has no order; the earliest is looked for (step.c).
 */
#include "world/queue.h"

#include "core/vocabulary/invariant.h"

#include <string.h>

/* The order of planning decides between equal times, unless the schedule
 * decides otherwise. */
static struct pending *queue(struct world *world, uint64_t due_nsec)
{
    if (world->n_pending == world->pending_max) {
        struct pending *larger = world_allocate(world, world->pending_max * 2 * sizeof(*larger));
        memcpy(larger, world->pending, world->n_pending * sizeof(*larger));
        memory_release(world->memory, world->pending);
        world->pending = larger;
        world->pending_max *= 2;
    }
    struct pending *pending = &world->pending[world->n_pending++];
    *pending = (struct pending){.due_nsec = due_nsec, .order = ++world->next_order};
    return pending;
}

void world_queue_turn(struct world *world, uint64_t due_nsec)
{
    queue(world, due_nsec)->kind = PENDING_TURN;
}

void world_queue_report(struct world *world, const struct report *report, uint64_t delay_nsec)
{
    struct pending *pending = queue(world, world->now_nsec + delay_nsec);

    INVARIANT(report->actor < world->n_actors);
    pending->kind = PENDING_REPORT;
    pending->actor = report->actor;
    pending->report = *report;
}

void world_queue_process(struct world *world, const struct pending *wanted, uint64_t delay_nsec)
{
    struct pending *pending = queue(world, world->now_nsec + delay_nsec);
    uint64_t due = pending->due_nsec, order = pending->order;

    INVARIANT(wanted->actor < world->n_actors && wanted->kind != PENDING_REPORT);
    *pending = *wanted;
    pending->serial = world->actors[wanted->actor].serial;
    pending->due_nsec = due;
    pending->order = order;
}

struct pending world_take_pending(struct world *world, uint32_t i)
{
    INVARIANT(i < world->n_pending);
    struct pending pending = world->pending[i];

    world->pending[i] = world->pending[--world->n_pending];
    return pending;
}
