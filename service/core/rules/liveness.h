/*
 * Liveness: what a child reports (readiness, heartbeats, status), and the consequences of silence.
 * Timestamps are those of the message, never of the time it was processed (seed fault W35).
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>

struct child;
struct core;
struct notify_message;

/* The heartbeat that has to come, before there was one. */
void liveness_expect_first(struct core *core, struct child *child);
void liveness_begin(struct core *core, struct child *child);

/* It has run for as long as it may. */
void liveness_ran_out(struct core *core, struct child *child);

/* It has been ready for reset_after, at any time of its attempt. */
bool liveness_is_proven(const struct core *core, const struct child *child);

/* How far the attempt has come decides what its readiness is, and what bounds it. */
void liveness_spawned(struct core *core, struct child *child);

/* It has ended with success: where that is its readiness, it lasts until the next start. */
void liveness_ended_well(struct core *core, struct child *child);

/* What ended with success does not count any more. */
void liveness_forget_success(struct core *core, struct child *child);
void liveness_become_ready(struct core *core, struct child *child);

/* The silence begins now: a process learns its interval at its start. */
void liveness_change_heartbeat(struct core *core, struct child *child);

/* Another rule of readiness, or another time for it. A child that is ready stays so. */
void liveness_change_readiness(struct core *core, struct child *child, bool policy_too);
void liveness_message(struct core *core, struct child *child, const struct notify_message *message);

/* There is reason to think that it is not well: one event for each silence, whatever tells of it.
 */
void liveness_doubt(struct core *core, struct child *child, bool by_check, const char *why,
                    enum on_stale action);

/* A reason to think so has gone; where another one is left, it stays. */
void liveness_trust(struct core *core, struct child *child);
void liveness_silent(struct core *core, struct child *child);

/* What it does on its own word takes longer than it may: a stop ends in one of ours, a reload is
 * only not waited for. */
void liveness_too_long(struct core *core, struct child *child);
