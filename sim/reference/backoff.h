/*
 * Backoff: how long a restart waits. The core says what it drew, which has to be a possible draw.
 */
#pragma once

#include "reference/reference.h"

/* Schedules the next start; returns how long from now. */
void ref_tell_backoff(struct ref *r, const struct ref_child *c, const char *why, uint64_t delay,
                      uint64_t drawn);
uint64_t ref_schedule(struct ref *r, struct ref_child *c, uint64_t wait);
uint64_t ref_back_off(struct ref *r, struct ref_child *c);

/* What the core drew for this child's next delay, given before the input is. */
void reference_drew(struct ref_child *c, uint64_t delay);
