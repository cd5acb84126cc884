/*
 * Schedule: when a child is due by its calendar, and what is made of it. What the calendar says is
 * arithmetic, which has tests of its own; what the core drew of the random delay is heard.
 */
#pragma once

#include "reference/reference.h"

/* What the core drew for this child's next time, given before the input is. */
void reference_drew_run(struct ref_child *c, uint64_t delay);

/* A child is declared, or its schedule is another one. */
void ref_plan_run(struct ref *r, struct ref_child *c);
void ref_runs_again(struct ref *r, struct ref_child *c); /* the tree is begun again */
void ref_clock_was_set(struct ref *r);                   /* or the machine slept */
void ref_look_at_clock(struct ref *r, struct ref_child *c);
void ref_run_is_over(struct ref *r, struct ref_child *c);
void ref_run_after_hold(struct ref *r, struct ref_child *c);
