/*
 * Tally: how many of the children below a supervisor have an attempt, are held, or wait for a
 * scope. What is counted is changed here and nowhere else, so that the counts are right in every
 * supervisor above the child.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>

struct child;
struct core;
struct scope;

void tally_add(struct core *core, struct child *child);
void tally_remove(struct core *core, struct child *child);

/* Each change of what is tallied goes through one of these. */
void child_set_active(struct core *core, struct child *child, bool active);
void child_set_scope(struct core *core, struct child *child, struct scope *scope);
void child_put_operation(struct core *core, struct child *child, enum child_operation operation);
