/*
 * Adopt: a newer declaration is in force from now on, for whatever refers to the one before:
 * the window of its limit, its dependencies, those that depend on it, and its sidecars.
 */
#pragma once

struct child;
struct child_config;
struct core;

/* Puts a declaration into force, in the place of the one that is; what the keys mean for what is
 * under way is the caller's. */
void adopt_config(struct core *core, struct child *child, struct child_config *config);

/* The attempt has ended that was started with older keys of the process. */
void adopt_attempt_ended(struct core *core, struct child *child);

/* Dependencies were checked when they were given; one may have been removed since. */
void adopt_find_targets(struct core *core, struct child *child);
