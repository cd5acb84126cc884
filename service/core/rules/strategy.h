/*
 * Strategy: which siblings are restarted with a member that failed (Erlang/OTP's supervisor).
 * One-for-one: what failed itself, which is a child, or a supervisor with all that is below it;
 * one-for-all: all of the supervisor's members; rest-for-one: what failed and those declared after
 * it. A group is a supervisor in small: the strategy stays among its members.
 *
 * Siblings go through the same fence as by hand, so that a restart by hand and one by policy never
 * start a child twice. Cancels go out in the reverse order of the tree; when the last attempt of
 * the scope is gone and the failed child's backoff is over, all are started in the order of the
 * tree. A member that is held, or has been given up, is only waited for; a temporary child is
 * stopped and stays so. Where a scope meets a wider one that is being restarted, it becomes part of
 * that.
 */
#pragma once

#include <stdbool.h>

struct child;
struct core;
struct supervisor;

/* One that is between two attempts starts with the others, not before. */
void strategy_hold_back(struct core *core, struct child *child);

/* The failed child's next start has been scheduled. Returns true where it waits for others now. */
bool strategy_restart(struct core *core, struct child *failed);

/* A supervisor is restarted like a child that failed. `failed` is the one at the bottom of it,
 * whose start has been scheduled; NULL where it stays down. */
bool strategy_restart_supervisor(struct core *core, struct supervisor *supervisor,
                                 struct child *failed);

/* The end of each input: where the last of a scope is gone, its members are started. */
void strategy_look(struct core *core);

/* A shutdown voids it. */
void strategy_forget(struct core *core);
