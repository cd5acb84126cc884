/*
 * Restart queue: at most so many automatic restarts of a supervisor's children are on their way at
 * once, so that a thousand that fail together do not come back together. A child that finds no room
 * waits, first come first served, and can be seen waiting; a restart by hand does not queue.
 *
 * A restart is on its way from the start of its attempt until the child is ready, is asked to go,
 * or has ended. A child that says itself when it is ready, and may take as long as it likes (no
 * start timeout), has left the way when it runs: it must not hold up the others. Nor must one that
 * has not come to its program within a second, because its folder is on a mount that does not
 * answer.
 */
#pragma once

#include <stdbool.h>

struct child;
struct core;
struct supervisor;

bool restart_queue_has_room(const struct core *core, const struct supervisor *supervisor);

/* At the end of the queue, without a word. */
void restart_queue_restore(struct child *child);
void restart_queue_leave(struct core *core, struct child *child);

/* Its attempt has been started. */
void restart_queue_begin(struct core *core, struct child *child);

/* There may be room in its queue. */
void restart_queue_released(struct core *core, struct supervisor *supervisor);

/* Its attempt is not on its way any more. */
void restart_queue_end(struct core *core, struct child *child);

/* The supervisor goes away. */
void restart_queue_forget(struct core *core, struct supervisor *supervisor);
