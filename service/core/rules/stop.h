/*
 * Stop: an attempt is cancelled, and later aborted, each at most once. With it, its sidecars are
 * asked to go behind their own fence, which may be the next stop: this is the one recursion of the
 * core, and it is one level deep, as a sidecar has no sidecars.
 *
 * Several that are to go together do so in the order of stop_order.h.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

struct child;
struct core;

/*
 * Delivers the cancel, once for an attempt however often it is asked for, and never after its
 * abort. Returns true when this call delivered it.
 */
bool child_cancel(struct core *core, struct child *child, uint64_t cause, const char *command);

/* Requests the abort, once for an attempt. */
void child_abort(struct core *core, struct child *child, uint64_t cause);

/* Another command wants an attempt to be gone that was cancelled or aborted before: a deadline runs
 * then, as an earlier one may have passed and only been reported. An attempt that has not been
 * asked to stop, as the target of a restart in progress, has none. */
void child_insist(struct core *core, struct child *child, uint64_t cause,
                  enum timeout_action wants);

/* The last word against whatever start waits. */
void child_withdraw_starts(struct core *core, struct child *child, uint64_t cause,
                           const char *command);

/* Ends an attempt on the supervisor's own account: too slow to start, or silent. */
void stop_force(struct core *core, struct child *child, enum exit_kind kind);
void fence_enter(struct core *core, struct child *child, uint64_t cause, bool by_resume,
                 const char *command);

/* The primary has been asked to go, or has gone. */
void sidecars_follow(struct core *core, struct child *primary, uint64_t cause);

/* Asks an attempt to go: one that was named in its turn, any other now. Returns true when this call
 * has delivered the cancel. */
bool stop_order_go(struct core *core, struct child *child, uint64_t cause, const char *command);

/* The end of each input: those go whose turn has come. */
void stop_order_look(struct core *core);
