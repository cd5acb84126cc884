/*
 * Exit: what follows the end of an attempt, in six steps (semantics.md section 5):
 * classify, count, budget, decide, announce, execute. The event child-exited carries what each of
 * them found, and it comes before anything that follows from it.
 *
 * A failure counts in the child's own limit, and where a restart is to mend it, in that of its
 * group or, outside of groups, of its supervisor. Budgets belong to groups; without one that step
 * always grants.
 */
#pragma once

struct child;
struct completion;
struct core;

void exit_completed(struct core *core, struct child *child, const struct completion *reported);

/*
 * A spawn that failed uses up an attempt and never a generation. The exit before it stays visible;
 * a restart by hand that it was meant for is over, and the policy decides on the next try. One that
 * waited behind it goes ahead: nothing stands in its way any more.
 */
void exit_spawn_failed(struct core *core, struct child *child, int error, const char *reason);
