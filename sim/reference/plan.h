/*
 * Plan: what a command would start that is only tried (semantics.md, Dry run): the children that it
 * is meant for, now or when what they need is there, and those that wait already and lack nothing
 * but one of these.
 */
#pragma once

#include "reference/reference.h"

void ref_plan(struct ref *r, struct ref_child *c, enum command_verb verb);
void ref_plan_scope(struct ref *r, uint32_t s, enum command_verb verb);

/* What declaring a set would start, each of which is new or waits already; and what newer
 * declarations of children that are there would start. Returns how many, named in ids: there is
 * room for all of the tree and of the set. */
size_t reference_plan_declared(struct ref *r, const struct child_declaration *set, size_t n,
                               const char **ids);
size_t reference_plan_redeclared(struct ref *r, const struct child_declaration *set, size_t n,
                                 const char **ids);

/* Whether a job would start, now or as soon as what it requires is ready. */
bool reference_plan_job(struct ref *r, const struct child_declaration *d);

/* Of one child, by the last plan: PLAN_START, PLAN_BRING. */
unsigned ref_plan_of(struct ref *r, const struct ref_child *c);
