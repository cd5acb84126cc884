/*
 * Stop order: when several are asked to go together, those that others depend on go after them.
 */
#pragma once

#include "reference/reference.h"

/* By one that depends on it and is on its way out. */
bool ref_is_held_up(struct ref *r, const struct ref_child *c);
/* It is one of those that are asked to go together; at the end, no longer. */
void ref_name(struct ref_child *c);
void ref_spare_the_rest(struct ref *r);
