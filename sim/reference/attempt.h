/*
 * Attempt: what is known of a child's attempt while it is there: which generation comes next,
 * whether it is ready, or ready by having ended, and whether it has proven itself.
 */
#pragma once

#include "reference/reference.h"

void ref_stop_watching(struct ref *r, struct ref_child *c);
void ref_give_place_back(struct ref_child *c);

/* One more than the id ever had. */
uint64_t ref_next_generation(const struct ref_child *c);

/* The use of its restart limit is another one. */
void ref_tell_limit(struct ref *r, const struct ref_child *c, const char *why);

/* Whether it is ready by having ended with success. */
bool ref_ends_ready(const struct ref_child *c);
/* By a command, or by a policy: NULL. */
void ref_set_operation(struct ref *r, struct ref_child *c, enum child_operation operation,
                       const struct command *command, const char *why);
/* There is reason to think that it is not well, and there may be none any more. */
void ref_doubt(struct ref *r, struct ref_child *c, const char *why);
void ref_trust(struct ref *r, struct ref_child *c);
void ref_become_ready(struct ref *r, struct ref_child *c);

/* Whether it has been ready for reset_after, at any time of its attempt. */
bool ref_is_proven(const struct ref *r, const struct ref_child *c);
/* Withdraws the health check that has not been answered; nothing, where there is none. */
void ref_ask_no_more(struct ref *r, struct ref_child *c);
void ref_end_reload(struct ref *r, struct ref_child *c, enum reload_result result);

/* What went wrong last with its start or its stop. */
void ref_fail(struct ref *r, struct ref_child *c, enum failure_phase phase, bool recoverable,
              const char *reason);
void ref_forget_failure(struct ref_child *c);
