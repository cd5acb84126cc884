/*
 * Scope: those that are restarted together, from the failure until they are started. Which scopes
 * are being restarted is a list, in the order in which that began.
 */
#pragma once

#include <stdbool.h>

struct core;
struct scope;

void scope_begin(struct core *core, struct scope *scope);
void scope_end(struct core *core, struct scope *scope);
bool scope_is_wider(const struct scope *scope, const struct scope *other);
