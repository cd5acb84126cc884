/*
 * Start: what the next attempt of a child waits for. A child that is meant to run and has no
 * attempt has exactly one reason for it (semantics.md section 5), which is named by one word, and
 * by one sentence (bus/explanation.c).
 *
 * A start is asked for (start_request()), waits for one thing after the other, and is made, or
 * withdrawn. What it waits for is one value of the record, which moves along the table in
 * start_wait.c; the lists of those that wait for a dependency and for their turn follow from it.
 * That a child is held, or its old attempt is still there, comes first: then no start
 * waits, but there will be one.
 */
#pragma once

#include "core/model/child.h"

/* START_WAITS_FOR_NOTHING: it has an attempt that no restart replaces, or is not meant to run, or
 * the tree is shutting down. */
enum start_wait child_waits_for(const struct child *child);

/* The dependency that it waits for. */
struct start_dependency {
    const char *id; /* NULL: it waits for none */
    bool required;  /* it is in `requires`; else in `after` */
    bool removed;
};

/* Several are going to be asked for: all are named first, so that it does not matter in what order
 * that happens, and one that comes after another of them waits for it. A named child counts as on
 * its way up until its start moves. */
void start_name(struct child *child);
void start_name_due(struct core *core); /* those whose time has come */
void start_name_resumed(struct core *core, const struct supervisor *supervisor);

/* Those that were not asked for after all are not waited for; one with a time of its own is. */
void start_forget_named(struct core *core);

/* Asks for one at a time, by the policy or with what was asked for before. */
void start_schedule(struct core *core, struct child *child, uint64_t deadline_usec);

/* It starts with those that are restarted with it, and not before; where it has a backoff of its
 * own, that comes first. */
void start_with_others(struct core *core, struct child *child);

/* No start waits any more. */
void start_withdraw(struct core *core, struct child *child);

/* What is left to the lists: leaves the present one, and marks the child. */
void start_move(struct core *core, struct child *child, enum start_wait to);

/* What it waits for by the rest of a record that was archived; the lists come after that. */
void start_restore(struct child *child);

void dependency_append(struct core *core, struct child *child);

/* As it was in another core. */
void dependency_restore(struct core *core, struct child *child);
void dependency_leave(struct core *core, struct child *child); /* as start_move() says */
