/*
 * Changes of a child's record: each goes through one of these functions, which keep the invariants.
 * Status and fence move along the tables in child_change.c; a timer that moves, and whatever else
 * is shown, marks the child as changed.
 */
#pragma once

#include "core/model/child.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

struct child;
struct core;
struct timer;

struct child *child_of_timer(struct timer *timer);
void child_set_status(struct core *core, struct child *child, enum child_status status);

/* Two deadlines are properties: moving one changes the child. */
void child_deadline_moves(struct core *core, struct child *child, enum child_timer timer,
                          uint64_t deadline);
void child_arm(struct core *core, struct child *child, enum child_timer timer, uint64_t deadline);

/* From now on; 0: no deadline, and what ran before does not run any more. */
void child_arm_timeout(struct core *core, struct child *child, enum child_timer timer,
                       uint64_t timeout_usec);
void child_disarm(struct core *core, struct child *child, enum child_timer timer);
/* A start that is asked for, by hand or by its schedule, owes nothing to what went before. */
void child_begin_anew(struct child *child);

/* It is over. */
void child_forget_failure(struct child *child);
void child_fail(struct core *core, struct child *child, enum failure_phase phase, bool recoverable,
                const char *reason);
void child_set_operation(struct core *core, struct child *child, enum child_operation operation,
                         uint64_t cause, const char *by, const char *reason, const char *command);

/* What the signal that was sent last gives it. */
uint64_t child_stop_time(const struct child *child);
void fence_set_phase(struct child *child, enum fence_phase phase);
