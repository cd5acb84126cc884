/*
 * Stop: an attempt is cancelled, or aborted; what waits for its end stands behind a fence.
 */
#pragma once

#include "reference/reference.h"

/* One that is bound to it and goes with it goes now; one that goes around it does when it is gone.
 * Each comes back with it. One that waits for its turn to go has been asked for itself. */
void ref_take_sidecars_along(struct ref *r, const struct ref_child *primary, bool by_hand);
/* command: the word that tells of it. */
bool ref_cancel(struct ref *r, struct ref_child *c, bool by_hand, const char *command);
bool ref_go(struct ref *r, struct ref_child *c, bool by_hand, const char *command);
void ref_abort(struct ref *r, struct ref_child *c);
uint64_t ref_stop_time(const struct ref_child *c);
void ref_insist(struct ref *r, struct ref_child *c);
void ref_wait_for_siblings(struct ref *r, struct ref_child *c, bool by_hand, const char *command);
void ref_enter_fence(struct ref *r, struct ref_child *c, bool by_resume, bool by_hand,
                     const char *command);
void ref_tell_withdrawn(struct ref *r, const struct ref_child *c, const char *command);
void ref_withdraw_starts(struct ref *r, struct ref_child *c, const char *command);
void ref_force_stop(struct ref *r, struct ref_child *c, enum exit_kind kind);
void ref_let_go(struct ref *r);
