/*
 * Configuration: a declaration as the core keeps it, with every string, array and window in one
 * block of memory. What a declaration needs later is measured and taken when it is declared, so
 * that supervising allocates nothing.
 */
#pragma once

#include <stddef.h>

struct child_config;
struct child_declaration;
struct core;
struct supervisor_config;
struct supervisor_declaration;

struct child_config *config_new(struct core *core, const struct child_declaration *declaration);
struct supervisor_config *supervisor_config_new(struct core *core,
                                                const struct supervisor_declaration *declaration);
const char *dependency_id(const struct child_declaration *declaration, size_t i);
size_t dependency_count(const struct child_declaration *declaration);
const char *last_segment(const char *id);
