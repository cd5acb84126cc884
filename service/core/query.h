/*
 * Queries: what may be asked of a core between inputs. None of them changes anything, but that the
 * list of what has changed is taken from its beginning.
 */
#pragma once

#include "core/model/era.h"
#include "core/outcome.h"
#include "core/report.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHUTDOWN_BY_POLICY 10 /* the exit code, where no child has given one */

struct child;
struct core;
struct supervisor;

struct child *core_find(const struct core *core, const char *id);
struct child *core_child_of(const struct core *core, struct attempt_id id);
struct child *core_first(const struct core *core); /* in the order of the tree */
struct child *core_next(const struct child *child);
size_t core_count(const struct core *core);
enum shutdown_phase core_shutdown_phase(const struct core *core);
bool core_shutdown_by_policy(const struct core *core); /* a limit, not a person, ended the tree */
/* The exit code of proctord, when its tree is down: 0, SHUTDOWN_BY_POLICY, or that of the child
 * whose end ended it. */
int core_shutdown_exit_code(const struct core *core);
/* A signal to proctord ended it, which says nothing of the next start. */
bool core_shutdown_by_signal(const struct core *core);
uint64_t core_shutdown_command(const struct core *core);
uint64_t
core_shutdown_deadline(const struct core *core); /* when its bound passes; 0: it has none */
bool core_shutdown_row(const struct core *core, struct child *child, struct shutdown_row *row);
uint64_t core_sequence(const struct core *core); /* of the last event */
uint64_t core_now(const struct core *core);

/* The moment of the last input, by both clocks. */
void core_last(const struct core *core, struct two_clocks *last);
uint64_t core_realtime(const struct core *core);

/* What the wall clock reads at a time of the core's, by what both read now; 0 stays 0. */
uint64_t core_realtime_of(const struct core *core, uint64_t usec);

/* The outcome-shaped facts of a child as it is now (for answers that come later). */
void core_describe(struct core *core, struct child *child, struct outcome *outcome);

/*
 * Children whose observable state an input may have changed, each once: the shell takes them after
 * its loop turn and compares. NULL when there are no more.
 */
struct child *core_take_changed(struct core *core);
struct supervisor *core_take_changed_supervisor(struct core *core);
bool core_has_changed(const struct core *core); /* there are some to take */

/* A hash of the whole state: same start, same inputs, same hash, on every machine. */
uint64_t core_hash(const struct core *core);
