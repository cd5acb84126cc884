/*
 * Recovered: whether the core that was read back is the one that died, member by member of each
 * record (records.def). This walk has nothing of the archive: a member that the archive forgets on
 * both ways, and a pointer that comes back to another child, are found here.
 */
#pragma once

struct core;
struct world;

void recovered_compare(struct world *world, const struct core *dead, const struct core *alive);
