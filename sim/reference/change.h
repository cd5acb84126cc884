/*
 * Change: what becomes of a child when it is declared again, as docs/manifest.md says ("Changing a
 * declaration"). A child has the newest declaration at once, but for the keys of the process: those
 * are of the declaration that its attempt was started with.
 */
#pragma once

#include "reference/reference.h"

/* Whether keys of the process wait for its next start. */
bool reference_waits(const struct ref_child *c);

/* What that would be, where it is restarted for it or not. */
enum child_change reference_change(struct ref *r, const struct child_declaration *d, bool restart);
#define REF_REDECLARED_MAX 4 /* at once */
void reference_redeclare(struct ref *r, const struct child_declaration *const *d, uint32_t n,
                         enum redeclare_how how, const char *by, const char *reason);

/* Whether a child is under this declaration, and the one that waits for its next start, where there
 * is one, is its newest. */
bool reference_is_in_force(const struct ref_child *c, const struct child_declaration *d,
                           const struct child_declaration *next);
