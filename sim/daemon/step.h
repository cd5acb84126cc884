/*
 * Step: a world from its beginning, one happening after the other. What is due first comes first;
 * what is due at the same time comes in the order that the schedule chooses.
 */
#pragma once

#include "world/world.h"

/* Makes a world in the block, which is reset. actors_max bounds the records ever declared. */
struct world *world_new(struct memory *memory, struct schedule *schedule, uint64_t seed,
                        uint32_t actors_max);
/* How many jobs run at once. */
void world_set_max_jobs(struct world *world, uint32_t max_jobs);

/* Lets the next thing happen, if it is due by until_nsec. False: nothing is, or a check failed. */
bool world_step(struct world *world, uint64_t until_nsec);

/* Exploration: what could happen next, whatever its time; and lets number i of it happen. The last
 * number is the timer where one is armed. */
uint32_t world_choices(const struct world *world);
void world_take(struct world *world, uint32_t i);
