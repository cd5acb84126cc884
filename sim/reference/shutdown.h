/*
 * Shutdown of the tree, as semantics.md section 7 tells it, and how the next proctord begins the
 * tree again.
 */
#pragma once

#include "reference/reference.h"

void ref_advance(struct ref *r, enum shutdown_phase phase);
/* Its row of the report. */
void ref_settle(struct ref *r, struct ref_child *c, enum shutdown_result result,
                const char *reason);
void ref_note_exit(struct ref_child *c);
const char *ref_abort_words(const struct ref_child *c);
/* By its end; the program ends as it did. */
void ref_shut_down_by(struct ref *r, const struct ref_child *c, const char *why);
void ref_shut_down(struct ref *r, bool by_policy, uint64_t timeout, const char *by,
                   const char *reason);

/* timeout: of the whole; 0: none. */
void reference_shutdown(struct ref *r, uint64_t timeout, const char *by, const char *reason);

/* Its bound has passed, before that deadline: those that are left are aborted. */
bool ref_bound_passes(struct ref *r, uint64_t deadline, uint64_t order);
void reference_hurry(struct ref *r, const char *by, const char *reason);

/* The next proctord begins a tree again that was shut down, or was about to be. */
void reference_reopen(struct ref *r);
