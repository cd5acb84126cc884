/*
 * Cursor: a walk over all children that takes several turns of the loop.
 *
 * It goes over those that were there when it began, in the order of the tree, and leaves out those
 * that have gone meanwhile.
 */
#pragma once

#include "core/core.h"

struct cursor {
    struct attempt_id *ids; /* slot and serial: no child has that of another one */
    size_t count, at;
};

/* Returns 0 or -ENOMEM. */
int cursor_begin(struct cursor *cursor, const struct core *core);

/* NULL at the end. */
struct child *cursor_next(struct cursor *cursor, const struct core *core);

void cursor_end(struct cursor *cursor);
