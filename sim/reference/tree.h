/*
 * Tree: which child belongs to which supervisor, in what order, and which of them are being
 * restarted together.
 */
#pragma once

#include "reference/reference.h"

bool ref_is_below(struct ref *r, uint32_t s, uint32_t above);
unsigned ref_depth(struct ref *r, uint32_t s);

/* The number of the member of `above` that c is, or is below of. */
uint64_t ref_member_under(struct ref *r, const struct ref_child *c, uint32_t above);
void ref_find_group(struct ref *r, struct ref_child *c);
void ref_place(struct ref *r, struct ref_child *c);

/* Scopes are numbered by their supervisor, and the group in it. */
uint32_t ref_scope_number(uint32_t s, int group);
uint32_t ref_scope_supervisor(uint32_t scope);
void ref_begin_scope(struct ref *r, uint32_t scope);
void ref_end_scope(struct ref *r, uint32_t scope);
int ref_find_supervisor(struct ref *r, const char *path);
bool ref_is_under(struct ref *r, const struct ref_child *c, uint32_t s);
bool ref_is_wider(struct ref *r, uint32_t s, const struct ref_child *c);
void ref_join_scope(struct ref *r, struct ref_child *c, uint32_t s);

/* Whether the members of a supervisor, or of a group of it (-1: none), are being restarted
 * together. */
bool reference_restarts(const struct ref *r, uint32_t supervisor, int group);

/* A supervisor, after the one above it; the root, "", comes first. Given again, it is a new
 * declaration. */
void reference_supervise(struct ref *r, const struct supervisor_declaration *d);
void ref_forget_scopes(struct ref *r);
