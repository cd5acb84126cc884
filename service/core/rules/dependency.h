/*
 * Dependencies: a child starts when those it `requires` are ready; `after` only waits while the
 * other one is on its way up. A start that cannot be made yet waits in one list, in the order in
 * which it was asked for, and is looked at again whenever a child becomes ready or goes away. A
 * sidecar that goes around its primary starts when that would, and the primary waits for it as for
 * one that it comes after. Where nothing of that stands in its way, it may still have to queue
 * (restart_queue.h).
 */
#pragma once

#include "core/model/start_wait.h"

#include <stdbool.h>

struct child;
struct child_declaration;
struct core;

/*
 * A walk over those that a child waits for, and those that these wait for in turn: what is found
 * out of one child is kept in it until the walk is over or a start is made, so that each is looked
 * at once. Chains are at most 1000 long (cycle.c).
 */
struct dependency_walk {
    struct child *first;
};

void dependency_forget_ways(struct dependency_walk *walk);

/* Whether its pending restart will be made without anybody doing anything for it. */
bool dependency_comes_back(struct child *target);
bool dependency_is_met(const struct child_declaration *declaration, const struct child *target);

/* The first dependency that keeps it from starting, NULL when there is none. A dependency that was
 * removed is named too; *removed says so. */
const char *child_unmet_dependency(const struct child *child, bool *removed);
struct start_dependency child_awaits(const struct child *child);

/* Whether what it waits for does not come by itself: it requires one that was removed, is held, or
 * is left alone by its policy, or one that waits for such a child in turn. */
bool dependency_is_in_vain(const struct core *core, const struct child *child);
bool dependency_holds_up_in(struct core *core, struct child *child, struct dependency_walk *walk);

/* Whether one stands in the way of its start, which then waits for it. */
bool dependency_holds_up(struct core *core, struct child *child);

/* Which of its lists that stands in: "requires", "after"; "" where it waits for none. */
const char *start_dependency_list(const struct start_dependency *dependency);
