/*
 * Escalation: what becomes of a supervisor whose restart limit is used up, or whose child says that
 * it cannot be helped. `parent` restarts it, with all that is below it, as one failed member of
 * the supervisor above, in whose limit it counts; if that is used up too, it escalates from there.
 * Above the root there is only the end of the tree.
 *
 * A supervisor that is restarted is a new one, and so are those below it: their limits begin again,
 * as does that of a child that escalated. What the other children have used of theirs stays used,
 * and a supervisor without a limit for children has the default one for supervisors: whatever is
 * restarted, the number of times is bounded.
 */
#pragma once

struct child;
struct core;
struct supervisor;

/* The same, as the limit of its supervisor is used up. */
void escalation_limit_used_up(struct core *core, struct child *child);

/* `child` is the one whose failure it was: its attempt is over, and nothing is decided about it. */
void escalation_melt_down(struct core *core, struct supervisor *supervisor, struct child *child,
                          const char *why);
/* Ends the tree; proctord then ends with the exit code. */
void escalation_shut_down(struct core *core, struct child *child, const char *why, int exit_code);
