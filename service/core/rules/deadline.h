/*
 * Deadlines: the timer that is due first, and what follows when it passes: the next signal of a
 * stop, an abort, a stop that has failed, a start whose backoff is over.
 */
#pragma once

struct core;

/* What is armed again while they fire, and due at once, may fire too, but not endlessly: the rest
 * has the next turn, and others come between. */
void deadline_fire(struct core *core);
