/*
 * Faults between daemon and processes: reports that come late, twice or not at
 * all.
 */
#include "world/fault.h"

#include "world/queue.h"

bool fault_strikes(struct world *world, uint16_t per_mille)
{
    return world->now_nsec >= world->faults.from_nsec &&
           world->now_nsec < world->faults.until_nsec &&
           schedule_strikes(world->schedule, per_mille);
}

uint64_t fault_delay(struct world *world)
{
    static const uint64_t delays[] = {MSEC,    10 * MSEC, 100 * MSEC, SEC,
                                      4 * SEC, 12 * SEC,  31 * SEC};
    return delays[schedule_choose(world->schedule, sizeof(delays) / sizeof(delays[0]))];
}

void fault_note(struct world *world, const struct actor *actor, const char *what,
                struct attempt_id id)
{
    world->marks[1] |= UINT64_C(1) << 63;
    world_note(world, &(struct record){.kind = RECORD_FAULT,
                                       .what = what,
                                       .child = actor->declaration->id,
                                       .has_attempt = true,
                                       .generation = id.generation,
                                       .attempt = id.attempt});
}

/* Sends a report on its way into the core, which it may reach late, or twice. */
void fault_send(struct world *world, struct actor *actor, const struct report *report,
                uint64_t delay)
{
    if (fault_strikes(world, world->faults.delay)) {
        delay += fault_delay(world);
        fault_note(world, actor, "delayed", report->id);
    }
    world_queue_report(world, report, delay);
    if (fault_strikes(world, world->faults.duplicate)) {
        world_queue_report(world, report, delay + fault_delay(world));
        fault_note(world, actor, "doubled", report->id);
    }
}
