/*
 * Declare: declaring children, all of a set or none, and letting them go. What it needs is
 * allocated before anything is changed.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stddef.h>
#include <stdint.h>

struct child;
struct child_declaration;
struct core;
struct declaration_problem;
struct plan_visitor;
struct tree_declaration;

void declare_problem(struct declaration_problem *problem, size_t declaration, int dependency,
                     const char *a, const char *b, const char *c);
int declare_connect(struct core *core, struct child *child, size_t declaration,
                    struct declaration_problem *problem);
int declare_restore_child(struct core *core, const struct child_declaration *declaration,
                          uint32_t slot, uint32_t serial);
void declare_announce(struct core *core, struct child *child, uint64_t id, const char *requester,
                      const char *reason);
int declare_tree(struct core *core, const struct tree_declaration *tree, const char *requester,
                 const char *reason, struct declaration_problem *problem);
int declare_check(struct core *core, const struct tree_declaration *tree,
                  const struct plan_visitor *starts, struct declaration_problem *problem);
void declare_remove(struct core *core, struct child *child, enum child_status final,
                    uint64_t cause);
