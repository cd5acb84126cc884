/*
 * Declare: a child is new in the tree.
 */
#pragma once

#include "reference/reference.h"

/* exits has room for burst + 1 times. Returns NULL when there is no room. */
struct ref_child *reference_declare(struct ref *r, const struct child_declaration *d,
                                    uint64_t *exits);
/* It was only tried: nothing is but the event. */
void reference_tried(struct ref *r, const char *command, const char *by, const char *reason);
void reference_declared(struct ref *r, uint32_t first, const char *by, const char *reason);
