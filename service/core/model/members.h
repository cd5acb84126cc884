/*
 * Members: the tree as one list (supervisor.h): how it is walked, and how a member comes into it
 * and leaves it. Supervisors are found by their path.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>

struct child;
struct core;
struct group;
struct member;
struct supervisor;

/* The child that a member is, NULL for a supervisor; the supervisor, NULL for a child. */
struct child *member_child(const struct member *member);
struct supervisor *member_supervisor(const struct member *member);

/* As the last member of its supervisor. */
void member_link(struct supervisor *supervisor, struct member *member);
void member_unlink(struct member *member);
struct child *supervisor_next(const struct supervisor *supervisor, const struct child *child);

/* The children below a supervisor, at whatever depth, in the order of the tree. */
struct child *supervisor_first(const struct supervisor *supervisor);
struct child *supervisor_previous(const struct supervisor *supervisor, const struct child *child);
struct child *supervisor_last(const struct supervisor *supervisor);

/* Whether it comes earlier in the tree. */
bool child_is_before(const struct child *child, const struct child *other);
bool supervisor_is_above(const struct supervisor *above, const struct supervisor *below);

/* The supervisor of this path ("" is the root), or NULL. */
struct supervisor *core_find_supervisor(const struct core *core, const char *path);
size_t path_parent_length(const char *path);

/* The supervisor that an id names by what stands before its last segment. */
struct supervisor *supervisor_of_path(const struct core *core, const char *path);

/* All of them, in the order in which they were declared, the root first. */
struct supervisor *core_first_supervisor(const struct core *core);
struct supervisor *core_next_supervisor(const struct supervisor *supervisor);
struct group *supervisor_group(const struct supervisor *supervisor, const char *name);
enum strategy supervisor_strategy(const struct supervisor *supervisor);
enum escalation supervisor_escalation(const struct supervisor *supervisor);
