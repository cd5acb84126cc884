/*
 * Start: makes the starts that were asked for (start_wait.h tells what each may wait for). One that
 * nothing holds up and that has its turn is made at once; the others are looked at again whenever
 * what they wait for may have come.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct child;
struct core;

/* Whether the start that has been asked for may be made now; otherwise it is queued. */
bool restart_queue_admit(struct core *core, struct child *child);

/* The end of each input: the first in a queue with room is started. */
void restart_queue_look(struct core *core);

/* Starts the next attempt. Nothing stands in the way any more: no attempt, no hold, no shutdown. */
void child_start(struct core *core, struct child *child);

/* Asks for a start: it is made at once, or waits for what stands in its way. automatic: by the
 * policy, so that it may have to wait for its turn. */
void start_request(struct core *core, struct child *child, uint64_t cause, bool automatic);
void start_is_due(struct core *core, struct child *child);

/* A start changes which child waits for which, and one that fails at once may be what another
 * waited for. No child is started twice, so it comes to an end. */
void dependency_wake(struct core *core);
