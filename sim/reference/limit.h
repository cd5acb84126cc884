/*
 * Limit: failures are counted above the child, too, restarts are paid from a budget, and a
 * supervisor that has seen too many melts down.
 */
#pragma once

#include "reference/reference.h"

enum exit_decision ref_count_failure(struct ref *r, struct ref_child *c);
uint64_t ref_budget(struct ref *r, struct ref_child *c);
void ref_melt_down(struct ref *r, uint32_t s, struct ref_child *c, const char *why);
