/*
 * Plan: which children a command would start that is only tried (semantics.md, Dry run). A start
 * need not come at once: it may wait for the children that are required. One that the same command
 * starts counts as there, and so does one that is on its way up. Others that wait already and lack
 * nothing but one of these are brought along by it: a sidecar by its primary, any other child by
 * one that it requires. A declaration that is only tried plans in the same way: its children are
 * asked for if they start on their own, and so is one that the newer declaration frees.
 *
 * The plan is made before the command is tried, as the members of a scope may stand in any order,
 * and is kept in the children until the next one is made: the caller reads it with the outcome.
 */
#pragma once

#include "core/core.h"

/* Of a command upon one child; or upon all below a supervisor. */
void plan_child(struct core *core, struct child *child, enum command_verb verb);
void plan_scope(struct core *core, struct supervisor *supervisor, enum command_verb verb);

/* Of children that would be declared, while they are in the tree to be tried; of a new job, which
 * is not. */
void plan_declared(struct core *core, struct child *const *children, size_t count,
                   const struct plan_visitor *starts);
bool plan_starts_job(struct core *core, const struct child *tried);

/* Of newer declarations: plan_note_waiting(), before one is in force, notes that its child waits
 * for something that is not on its way; while all are, plan_tell_starts() tells what would start.
 */
void plan_forget(struct core *core);
void plan_note_waiting(struct child *child);
void plan_tell_starts(struct core *core, const struct plan_visitor *starts);

/* PLAN_START: the command starts this child itself, now or later. PLAN_BRING: it brings others. */
unsigned plan_of(const struct child *child);
