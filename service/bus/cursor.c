/*
 * A walk over all children that survives changes: a list of ids is made first,
 * and children that have gone are skipped.
 */
#include "bus/cursor.h"

#include "core/vocabulary/invariant.h"
#include "core/model/child.h"

#include <errno.h>
#include <stdlib.h>

/* Slot and serial, so that a child that was removed and declared again is not
 * taken for the old one. */
int cursor_begin(struct cursor *cursor, const struct core *core)
{
    *cursor = (struct cursor){};
    cursor->ids = calloc(core_count(core) + 1, sizeof(*cursor->ids));
    if (!cursor->ids)
        return -ENOMEM;
    for (const struct child *child = core_first(core); child; child = core_next(child))
        cursor->ids[cursor->count++] =
            (struct attempt_id){.slot = child->slot, .serial = child->serial};
    INVARIANT(cursor->count == core_count(core));
    return 0;
}

struct child *cursor_next(struct cursor *cursor, const struct core *core)
{
    struct child *child = NULL;

    INVARIANT(core && cursor->at <= cursor->count);
    while (!child && cursor->at < cursor->count)
        child = core_child_of(core, cursor->ids[cursor->at++]);
    return child;
}

void cursor_end(struct cursor *cursor)
{
    free(cursor->ids);
    *cursor = (struct cursor){};
}
