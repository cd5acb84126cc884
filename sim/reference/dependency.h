/*
 * Dependency: what a child requires and what it comes after, and the first of them that keeps it
 * from starting.
 */
#pragma once

#include "reference/reference.h"

/* Whether it is a sidecar that starts before its primary and goes after it. */
bool ref_is_around(const struct child_declaration *d);
bool ref_goes_around(const struct ref_child *c);
size_t ref_dependencies(const struct ref_child *c);

/* Those that it requires, then those that it only comes after. */
const char *ref_dependency(const struct ref_child *c, size_t i);

/* The first that keeps it from starting: of those that it requires, then of those that it comes
 * after; NULL: none. */
const char *ref_obstacle(struct ref *r, const struct ref_child *c, bool *required);
/* Whether one that it requires is there for a child of this declaration. */
bool ref_is_met(struct ref *r, const struct child_declaration *d, const struct ref_child *target);
bool ref_may_start(struct ref *r, const struct ref_child *c);
bool ref_starts_at_once(struct ref *r, const struct ref_child *c);
const char *ref_lacks(struct ref *r, const struct ref_child *c);
void ref_find_who_comes_back(struct ref *r, uint32_t s, enum command_verb verb);
void ref_forget_who_comes_back(struct ref *r);
