/*
 * Stop order: a child that is stopped together with others is cancelled only when those that depend
 * on it (requires, after) are gone, so that each can still use what it needs while it drains;
 * independent ones go in parallel (semantics.md, Order of stops). One routine for all that stop
 * several: verbs on a scope, strategies, meltdowns, reloads, and the shutdown of the tree.
 *
 * All that are to go are named first (stop_order_name), so that it does not matter in what order
 * they are asked; then each is asked (stop_order_go), and goes at once or in its turn. A child
 * holds up those that it depends on from the moment at which it is named, cancelled or aborted by
 * anybody until its attempt is over, or its stop has failed and nothing more will be done about it:
 * each wait ends with the deadlines of the one that is waited for, and dependencies have no cycles.
 * One that is not stopping holds up no other. A primary holds up the sidecars that go around
 * it.
 *
 * How many hold up a child is counted as they come and go. A child that waits for its turn is as
 * before, runs on, and can be resumed as if nothing had been; a verb on it alone does not wait.
 */
#pragma once

#include "core/core.h"

/* Names one of several that are going to be asked. */
void stop_order_name(struct core *core, struct child *child);

/* A child that was named and has not been asked stays. */
void stop_order_settle(struct core *core);

/* It is not to go any more: it has not been signalled yet. */
void stop_order_withdraw(struct core *core, struct child *child);

/* The shutdown that it was to go for is over: it goes for its hold, or its removal. */
void stop_order_for_hold(struct child *child);

/* Whether it holds up others may have changed. */
void stop_order_update(struct core *core, struct child *child);

/* One of its dependencies, by its number, is about to be another child, or none (NULL). */
void stop_order_repoint(struct core *core, struct child *child, struct child *before,
                        struct child *after, size_t number);

/* A sidecar has been bound to its primary, or is about to be unbound. */
void stop_order_bind(struct core *core, struct child *sidecar, bool bound);

/* Counts again, in a core that was read. */
void stop_order_restore(struct core *core);

/* One that holds up a child, for people; NULL: none. */
struct child *stop_order_holder(const struct core *core, const struct child *child);

void stop_order_set_named(struct core *core, struct child *child, bool named);
void stop_order_set_waits(struct core *core, struct child *child, bool waits);
