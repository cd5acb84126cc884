/*
 * The reference model's tree: who is whose, in what order, who is restarted with whom, and who has
 * to wait. Between the files of the reference model only.
 */
#pragma once

#include "reference/reference.h"

#include <string.h>

/* reference_tree.c */
bool tree_goes_around(const struct ref_child *c);
bool tree_starts_at_once(struct ref *r, const struct ref_child *c);
bool tree_may_start(struct ref *r, const struct ref_child *c);
const char *tree_lacks(struct ref *r, const struct ref_child *c);
void tree_find_who_comes_back(struct ref *r, uint32_t s, enum command_verb verb);
void tree_forget_who_comes_back(struct ref *r);
/* The first that keeps it from starting: of those that it requires, then of those that it comes
 * after; NULL: none. */
const char *tree_obstacle(struct ref *r, const struct ref_child *c, bool *required);
void tree_name(struct ref_child *c);
bool tree_is_held_up(struct ref *r, const struct ref_child *c);
void tree_let_go(struct ref *r);
void tree_spare_the_rest(struct ref *r);
void tree_place(struct ref *r, struct ref_child *c);
void tree_find_group(struct ref *r, struct ref_child *c);
bool tree_has_room(struct ref *r, const struct ref_child *c);
bool tree_restart_scope(struct ref *r, struct ref_child *failed);
void tree_wake(struct ref *r);
int tree_find(struct ref *r, const char *path);
bool tree_is_under(struct ref *r, const struct ref_child *c, uint32_t s);
bool tree_is_wider(struct ref *r, uint32_t s, const struct ref_child *c);
void tree_join(struct ref *r, struct ref_child *c, uint32_t s);
void tree_forget_scopes(struct ref *r);
uint64_t tree_budget(struct ref *r, struct ref_child *c);
enum exit_decision tree_count(struct ref *r, struct ref_child *c);
void tree_melt_down(struct ref *r, uint32_t s, struct ref_child *c);

/* reference_job.c */
void jobs_start(struct ref *r);
void jobs_end(struct ref *r, struct ref_child *c);
void jobs_stop_waiting(struct ref *r);
bool jobs_is_queued(const struct ref *r, const struct ref_child *c);

/* reference_liveness.c */
void ref_become_ready(struct ref *r, struct ref_child *c);
/* Whether it has been ready for reset_after, at any time of its attempt. */
bool ref_is_proven(const struct ref *r, const struct ref_child *c);
int ref_reload(struct ref *r, struct ref_child *c, struct outcome *o);
void ref_end_reload(struct ref_child *c, enum reload_result result);
/* What it does on its own word has taken too long. */
void ref_too_long(struct ref *r, struct ref_child *c);
void ref_checked(struct ref *r, struct ref_child *c, bool passed);
void ref_ask(struct ref *r, struct ref_child *c);
void ref_ask_later(struct ref *r, struct ref_child *c);
void ref_listen(struct ref *r, struct ref_child *c, const struct notify_message *message);

/* reference_shutdown.c */
void ref_shut_down(struct ref *r, bool by_policy);
/* Its row of the report. */
void ref_settle(struct ref *r, struct ref_child *c, enum shutdown_result result);
/* Its bound has passed, before that deadline: whoever is left is aborted. */
bool ref_bound_passes(struct ref *r, uint64_t deadline, uint64_t order);

/* reference.c */
void ref_arm(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t deadline);
void ref_disarm(struct ref_child *c, enum ref_timer timer);
void ref_arm_timeout(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t timeout);
void ref_stop_watching(struct ref_child *c);
uint64_t ref_stop_time(const struct ref_child *c);
void ref_give_place_back(struct ref_child *c);
void ref_force_stop(struct ref *r, struct ref_child *c, enum exit_kind kind);
void ref_start(struct ref *r, struct ref_child *c);
void ref_start_or_wait(struct ref *r, struct ref_child *c, bool automatic);
bool ref_cancel(struct ref *r, struct ref_child *c, bool by_hand);
bool ref_go(struct ref *r, struct ref_child *c, bool by_hand);
void ref_abort(struct ref *r, struct ref_child *c);
void ref_insist(struct ref *r, struct ref_child *c);
void ref_enter_fence(struct ref *r, struct ref_child *c, bool by_resume, bool by_hand);
void ref_wait_for_siblings(struct ref_child *c, bool by_hand);
void ref_withdraw_starts(struct ref_child *c);
/* Whether it is ready by having ended with success. */
bool ref_ends_ready(const struct ref_child *c);
uint64_t ref_back_off(struct ref *r, struct ref_child *c);
uint32_t ref_kept(const uint64_t *exits, uint32_t used, uint64_t now, uint64_t interval);
