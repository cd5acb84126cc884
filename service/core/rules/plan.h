/*
 * Plan: which children a command would start that is only tried (semantics.md, Dry run). A start
 * need not come at once: it may wait for the children that are required. One that the same command
 * starts counts as there, and so does one that is on its way up. Others that wait already and lack
 * nothing but one of these are brought along by it: a sidecar by its primary, any other child by
 * one that it requires.
 *
 * The plan is made before the command is tried, as the members of a scope may stand in any order,
 * and is kept in the children until the next one is made: the caller reads it with the outcome.
 */
#pragma once

#include "core/core.h"

/* Of a command upon one child; or upon all below a supervisor. */
void plan_child(struct core *core, struct child *child, enum command_verb verb);
void plan_scope(struct core *core, struct supervisor *supervisor, enum command_verb verb);

/* PLAN_START: the command starts this child itself, now or later. PLAN_BRING: it brings others. */
unsigned plan_of(const struct child *child);
