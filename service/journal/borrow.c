/*
 * Reading a frame without copying it: texts are allocated from a list, which is
 * freed when the frame is done.
 */
#include "journal/borrow.h"
#include "core/vocabulary/invariant.h"

#include <stdlib.h>
#include <string.h>

struct borrowed {
    struct borrowed *next;
    size_t size;
    uint64_t data[]; /* aligned as any of it needs, by whatever memory it is from */
};

/* Zeroed, as what is read may be incomplete. */
static void *allocate(struct archive *archive, size_t size)
{
    struct borrower *borrower = archive->userdata;
    size_t whole = sizeof(struct borrowed) + size;
    struct borrowed *block = frame_memory_resize(borrower->memory, NULL, 0, whole);

    if (!block)
        return NULL;
    memset(block, 0, whole);
    block->size = whole;
    block->next = borrower->first;
    borrower->first = block;
    return block->data;
}

struct archive borrow_frame(const struct frame *frame, struct borrower *borrower)
{
    return (struct archive){.reading = true,
                            .data = (uint8_t *)(uintptr_t)frame->payload,
                            .size = frame->size,
                            .allocate = allocate,
                            .userdata = borrower};
}

void borrow_end(struct borrower *borrower)
{
    for (struct borrowed *block = borrower->first, *next; block; block = next) {
        next = block->next;
        frame_memory_resize(borrower->memory, block, block->size, 0);
    }
    borrower->first = NULL;
}

/* Doubles. */
bool archive_grow(struct archive *archive, size_t size)
{
    size_t larger = archive->size ? archive->size * 2 : 65536;

    INVARIANT(archive_is_sound(archive) && size > archive->size);
    while (larger < size)
        larger *= 2;
    uint8_t *data = realloc(archive->data, larger);
    if (!data)
        return false;
    archive->data = data;
    archive->size = larger;
    return true;
}
