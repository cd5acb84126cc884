/*
 * Leftovers: an attempt whose main process has ended while others of it are there (semantics.md
 * section 2). Its exit is decided at that moment, by what had been asked for then; what follows
 * from it waits until the last one is gone, or has been given up.
 *
 * With `wait` they get the stop signal, if the stop has not given it to them before, and what is
 * left of the time to stop; then they are aborted. With `kill` they are aborted at once. With
 * `keep` the executor reports the end of the main process as that of the attempt.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

struct child;
struct completion;
struct core;

void leftovers_begin(struct core *core, struct child *child, const struct completion *completion);

/* The attempt is over: it has ended as its main process did, however the others went. Returns what
 * that is called. */
/* None is left, and the commands of after_stop are run: they have the time of a stop. */
void leftovers_followed(struct core *core, struct child *child);

enum exit_kind leftovers_end(struct core *core, struct child *child, struct completion *completion);
