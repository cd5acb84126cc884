/*
 * Restart: a child comes back by the policy, after its backoff, or is quarantined instead. Exits,
 * escalations and declarations use the same few steps.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct child;
struct core;

uint64_t restart_draw_backoff(struct core *core, struct child *child);
void restart_tell_limit(struct core *core, struct child *child, const char *why);

/* Schedules the next start after a delay, or when the budget grants it where that is later. */
void restart_schedule(struct core *core, struct child *child, uint64_t delay_usec,
                      uint64_t wait_usec, const char *why);
void restart_quarantine(struct core *core, struct child *child, const char *why);

/* Draws the delay of a restart that follows from no exit's own decision. */
void restart_back_off(struct core *core, struct child *child);

/* The start has been scheduled, and those that start with the child are known. */
void restart_after_backoff(struct core *core, struct child *child, bool with_others);
