/*
 * Exit: what the end of an attempt was, whether it counts, what is decided, and what follows.
 */
#pragma once

#include "reference/reference.h"

/* Whether the end counts against its limit, where this follows from it. */
bool ref_is_counted(struct ref *r, const struct ref_child *c, enum exit_kind kind,
                    enum exit_decision decision);
enum exit_decision ref_decide(struct ref *r, struct ref_child *c, enum exit_kind kind, bool fatal);
/* How long the child waits after it, by itself. */
uint64_t ref_delay_after(const struct ref_child *c, enum exit_decision decision);
void ref_end_attempt(struct ref *r, struct ref_child *c);
void ref_carry_out(struct ref *r, struct ref_child *c, enum exit_decision decision);

/* The main process has ended and others are there. Unless they are to be killed at once, they get
 * the stop signal, if it has not been given before, and what is left of the time to stop. */
void ref_main_ended(struct ref *r, struct ref_child *c, const struct completion *completion);

/* An attempt whose main process had ended before is over when the last one is gone. It ended as its
 * main process did. */
void ref_process_ended(struct ref *r, struct ref_child *c, const struct completion *completion);
