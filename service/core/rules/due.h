/*
 * Schedule: runs of a child by the calendar. A child with a schedule is not started with the tree;
 * it is started when it is due, which is once for each time of its schedule, each put off by a
 * part of its random delay that is drawn when the time is planned.
 *
 *     due, and       nothing in its way            it is started, as by hand
 *                    a run that is not over        overlap: skip, queue (one at most) or replace
 *                    held                          skipped, or owed if it is persistent
 *                    late by more than a minute    skipped as missed, unless it is persistent
 *
 * An owed run is made as soon as nothing is in its way: one, however many were missed. Lateness has
 * many causes (proctord was down, the machine slept, the wall clock was set) and one rule.
 *
 * This is the only rule that asks the wall clock. The clock may be set at any time, and a sleeping
 * machine's monotonic clock stands still: the shell tells of either, and each wait is measured
 * again. A clock that was set back makes it plan again.
 */
#pragma once

struct child;
struct core;

/* It has been declared, or its schedule is another one. */
void due_begin(struct core *core, struct child *child);

/* The tree has been begun again: what was missed meanwhile is due. */
void due_resume(struct core *core, struct child *child);

/* The wall clock was set: what is due now is due at once. */
void due_clock_set(struct core *core);

/* TIMER_SCHEDULE: it may be due. */
void due_look(struct core *core, struct child *child);

/* A run has ended, and the policy leaves the child alone. */
void due_run_ended(struct core *core, struct child *child);

/* A hold ends: an owed run makes the child one that is meant to run. */
void due_held_no_more(struct core *core, struct child *child);
