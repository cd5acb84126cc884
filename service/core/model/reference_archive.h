/*
 * References between records, as bytes: a child is named by its slot, a supervisor by its number in
 * the order in which they were declared, a scope by its supervisor and group.
 */
#pragma once

#include <stdint.h>

struct archive;
struct child;
struct core;
struct scope;
struct supervisor;

/* NULL is a reference, too. One to a record that is not there makes the archive fail. */
void reference_archive_child(struct core *core, struct archive *a, struct child **child);
void reference_archive_scope(struct core *core, struct archive *a, struct scope **scope);

/* The number by which a supervisor is named; the root is 0. */
uint32_t reference_supervisor_number(const struct core *core, const struct supervisor *wanted);
