/*
 * Changes of a supervisor's record: how one is made, comes into the tree, takes a declaration,
 * counts failures and goes.
 */
#pragma once

#include <stdbool.h>

struct core;
struct supervisor;
struct supervisor_config;
struct supervisor_declaration;

/* The root as long as no manifest says how it is kept. */
int supervisor_init_root(struct core *core);

/* Gives a supervisor its declaration; returns the one before, which is the caller's now. */
struct supervisor_config *supervisor_configure(struct core *core, struct supervisor *supervisor,
                                               struct supervisor_config *config);

/* A child below it is started: whatever melted down has come up again. */
void supervisor_comes_up(struct core *core, struct supervisor *supervisor);

/* Counts the failure of a supervisor below; true while the limit is not used up. */
bool supervisor_count_below(struct core *core, struct supervisor *supervisor);

/* Counts the failure of a child; true while there is no limit for these, or it is not used up. */
bool supervisor_count(struct core *core, struct supervisor *supervisor);
struct supervisor *supervisor_new(struct core *core,
                                  const struct supervisor_declaration *declaration);
void supervisor_link(struct core *core, struct supervisor *parent, struct supervisor *supervisor);
void supervisor_unlink(struct core *core, struct supervisor *supervisor);
void supervisor_free(struct core *core, struct supervisor *supervisor);

/* One that is to go does so with its last member, and may take the one above with it. */
void supervisor_collect(struct core *core, struct supervisor *supervisor);
void supervisor_discard(struct core *core, struct supervisor *supervisor);
