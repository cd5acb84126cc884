/*
 * A growing array of bytes, for messages and for what waits to be sent.
 */
#include "bus/bytes.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>
#include <string.h>

/* Doubles the room, so that appending byte by byte costs time in proportion to
 * the whole. */
static void make_room(struct bytes *bytes, size_t more)
{
    size_t room = bytes->room ? bytes->room : 256;

    while (room < bytes->size + more)
        room *= 2;
    if (room == bytes->room)
        return;
    bytes->data = realloc(bytes->data, room);
    INVARIANT(bytes->data);
    bytes->room = room;
}

void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
    if (size == 0)
        return;
    make_room(bytes, size);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void bytes_add_zeros(struct bytes *bytes, size_t count)
{
    make_room(bytes, count);
    memset(bytes->data + bytes->size, 0, count);
    bytes->size += count;
}

void bytes_drop(struct bytes *bytes, size_t count)
{
    INVARIANT(count <= bytes->size);
    bytes->size -= count;
    if (bytes->size > 0)
        memmove(bytes->data, bytes->data + count, bytes->size);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}
