/*
 * Command: what operators and clients ask for, of one child, of all below a supervisor, or for a
 * job.
 */
#pragma once

#include "reference/reference.h"

/* Returns 0 with what the outcome has to say, or the error that the command has to get. */
int reference_command(struct ref *r, const struct command *command, struct outcome *o,
                      struct error *said);

/* The same on every child below a supervisor; outcomes has room for all. Returns how many. */
int reference_command_scope(struct ref *r, const struct command *command, struct outcome *outcomes,
                            struct error *said);

/* Removes those of these ids that are there, in this order. */
void reference_remove(struct ref *r, const char *const *ids, uint32_t n, const char *by,
                      const char *reason);
void reference_run_job(struct ref *r, struct ref_child *c, const char *name,
                       enum same_name same_name, const char *by, const char *reason);
