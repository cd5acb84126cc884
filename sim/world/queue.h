/*
 * Queue: what is under way in a world: reports to the daemon, steps of processes, a client's turns.
 */
#pragma once

#include "world/world.h"

/* delay_nsec: so long from now. */
void world_queue_turn(struct world *world, uint64_t due_nsec);
void world_queue_report(struct world *world, const struct report *report, uint64_t delay_nsec);
void world_queue_process(struct world *world, const struct pending *wanted, uint64_t delay_nsec);

/* Takes number i out of the queue. */
struct pending world_take_pending(struct world *world, uint32_t i);
