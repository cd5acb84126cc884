/*
 * Reading what several parts of a scenario have in common.
 */
#include "scenario/reading.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>

int reading_text(struct reader *reader, const struct node *node, const char **text)
{
    const char *scalar = reader_scalar(reader, node, "text");

    INVARIANT(reader->arena && node);
    if (!scalar)
        return -EINVAL;
    *text = arena_copy(reader->arena, scalar, strlen(scalar));
    return *text ? 0 : -ENOMEM;
}

void *reading_list(struct reader *reader, const struct node *node, size_t size)
{
    INVARIANT(reader->arena && node);
    return arena_allocate(reader->arena,
                          (node->kind == NODE_LIST ? reader_list_length(node) + 1 : 2) * size);
}
