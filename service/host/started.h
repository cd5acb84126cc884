/*
 * Started: which attempt was the last one to be started in each slot, written by the child itself
 * just before it becomes its program, into a file that outlives proctord. When proctord dies
 * between the fork and the journal's record of it, this tells the next one whether an attempt that
 * is not there any more has been and gone, or has never been: neither may it run twice, nor not at
 * all. (A child that has not come to its exec yet holds the state folder's lock; see instance.h.)
 */
#pragma once

#include "core.h"

struct started;

/* Opens or makes DIRECTORY/started. Returns 0 or a negative errno. */
int started_open(const char *directory, struct started **started);
void started_close(struct started *started);

/* Nothing has been started. */
void started_clear(struct started *started);

/* Where the child is to write started_value(); NULL: there is no room for it. */
uint64_t *started_place(struct started *started, uint32_t slot);
uint64_t started_value(const struct attempt_id *id);

bool started_has(struct started *started, const struct attempt_id *id);
