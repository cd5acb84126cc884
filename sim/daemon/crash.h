/*
 * Crash: the daemon's death, and what follows from it. What the core did is lost with it, but for
 * its inputs; what it had asked of the world may have been done or not, up to a point. Then a new
 * core is made from the journal, must be the same as the one that died, and continues with the
 * processes that are still there, as the host would. In a campaign it may die again while it does
 * so.
 */
#pragma once

#include "checks/checks.h"
#include "world/world.h"

/* The daemon dies now, between two inputs, and is started again; `torn`: with a part of a record
 * behind the last whole one, whose input had no effect yet. */
void crash_daemon(struct world *world, bool torn);

/* It dies in the next input, when so many of its effects have happened. */
void crash_within(struct world *world, uint32_t effects);

/* The machine loses its power, with all processes, is off for so long, and is started again: its
 * monotonic clock starts again at 0, and the wall clock is right, a day behind, or not set at
 * all. */
enum wall { WALL_RIGHT, WALL_SET_BACK, WALL_UNSET };
void crash_reboot(struct world *world, uint64_t off_usec, uint64_t uptime_usec, enum wall wall);

/* Nothing can be written any more, until there is room again: then a checkpoint is. Commands are to
 * be refused meanwhile, and the daemon does not die: what would be lost could not be known. */
void crash_fill_disk(struct world *world);
void crash_make_room(struct world *world);

/* After each input: what must hold; and where it was the one to die in, the daemon is started
 * again. */
void crash_end_input(struct world *world, const struct checks_before *before);
