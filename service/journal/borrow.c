#include "journal/borrow.h"

#include <stdlib.h>

struct borrowed {
    struct borrowed *next;
    max_align_t data[];
};

static void *allocate(struct archive *archive, size_t size)
{
    struct borrowed **first = archive->userdata, *block = calloc(1, sizeof(*block) + size);

    if (!block)
        return NULL;
    block->next = *first;
    *first = block;
    return block->data;
}

struct archive borrow_frame(const struct frame *frame, struct borrowed **borrowed)
{
    return (struct archive){.reading = true,
                            .data = (uint8_t *)(uintptr_t)frame->payload,
                            .size = frame->size,
                            .allocate = allocate,
                            .userdata = borrowed};
}

void borrow_end(struct borrowed *first)
{
    for (struct borrowed *next; first; first = next) {
        next = first->next;
        free(first);
    }
}

bool archive_grow(struct archive *archive, size_t size)
{
    size_t larger = archive->size ? archive->size * 2 : 65536;

    while (larger < size)
        larger *= 2;
    uint8_t *data = realloc(archive->data, larger);
    if (!data)
        return false;
    archive->data = data;
    archive->size = larger;
    return true;
}
