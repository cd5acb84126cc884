/*
 * Redeclaring: giving those that are in the tree a newer declaration, all of a set or none.
 *
 * Keys of supervision are in force at once; what has begun continues with them, and running timers
 * start again. Keys of the process wait until the attempt that was started with others has ended:
 * until then the child has two declarations, the one in force (`config`: the newer keys of
 * supervision with the older ones of the process) and the newer one as a whole (`next_config`).
 */
#pragma once

#include "core/core.h"

#include <stddef.h>

struct child_declaration;
struct core;
struct declaration_problem;
struct supervisor_declaration;

int redeclare_child(struct core *core, const struct child_declaration *declarations, size_t count,
                    enum redeclare_how how, const char *requester, const char *reason,
                    struct declaration_problem *problem);
int redeclare_supervisor(struct core *core, const struct supervisor_declaration *declaration,
                         struct declaration_problem *problem);
