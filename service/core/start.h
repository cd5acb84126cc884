/*
 * Start: what the next attempt of a child waits for. A child that is meant to run and has no
 * attempt has exactly one reason for it (semantics.md section 5), which is told by one word, and by
 * one sentence (bus/explanation.c).
 */
#pragma once

#include "child.h"

/* START_WAITS_FOR_NOTHING: it has an attempt that is nobody's old one, or is not meant to run, or
 * the tree is shutting down. */
enum start_wait child_waits_for(const struct child *child);

/* The dependency that it waits for. */
struct start_dependency {
    const char *id; /* NULL: it waits for none */
    bool required;  /* it is in `requires`; else in `after` */
    bool removed;
};
struct start_dependency child_awaits(const struct child *child);

/* Which of its lists that stands in: "requires", "after"; "" where it waits for none. */
const char *start_dependency_list(const struct start_dependency *dependency);
