/*
 * Plan: what a command would start that is only tried (semantics.md, Dry run): the children that it
 * is meant for, now or when what they need is there, and those that wait already and lack nothing
 * but one of these.
 */
#pragma once

#include "reference/reference.h"

void ref_plan(struct ref *r, struct ref_child *c, enum command_verb verb);
void ref_plan_scope(struct ref *r, uint32_t s, enum command_verb verb);

/* Of one child, by the last plan: PLAN_START, PLAN_BRING. */
unsigned ref_plan_of(struct ref *r, const struct ref_child *c);
