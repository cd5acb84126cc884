/*
 * Registry: memory, and what finds a child by its slot or its id, and a job by its name. Every
 * array that an input could need grows before the input changes anything.
 *
 * Beside each bucket of the ids is the number of dependencies on ids of that bucket, by the
 * configurations in force: a child whose bucket has none goes without a look at all others, which
 * may depend on it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child;
struct core;
struct job;

void *registry_allocate(struct core *core, size_t size);
void registry_release(struct core *core, void *memory);
void registry_index(struct core *core, struct child *child);
void registry_unindex(struct core *core, struct child *child);
/* The dependencies of an indexed child are about to change, or have changed. */
void registry_forget_dependencies(struct core *core, const struct child *child);
void registry_count_dependencies(struct core *core, const struct child *child);
/* False: no indexed child depends on it. */
bool registry_may_be_needed(const struct core *core, const char *id);
int registry_reserve(struct core *core, size_t more);
int registry_make_room(struct core *core, uint32_t slots);
void registry_index_job(struct core *core, struct job *job);
void registry_unindex_job(struct core *core, struct job *job);
struct job *registry_last_job(const struct core *core, const char *name);
