/*
 * Calls: the table of system calls, and the way of one from a guest to the model.
 *
 * A call either returns (the runner is ready again, with its result), or waits: then it is made
 * again whenever something may have changed, until it returns. What the table does not have fails
 * the run with its number: nothing is answered by guesswork.
 */
#pragma once

#include "machine/machine.h"

/* The runner's call, for the first time or again. */
void calls_make(struct runner *runner);

/* The name of the number; NULL: the model does not have it. */
const char *calls_name(int64_t number);
