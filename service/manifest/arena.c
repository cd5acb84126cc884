/*
 * Memory that is freed as a whole: everything that is read from one file.
 */
#include "manifest/arena.h"

#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    max_align_t memory[];
};

void *arena_allocate(struct arena *arena, size_t size)
{
    struct arena_block *block = calloc(1, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block->memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_allocate(arena, length + 1);
    return copy ? memcpy(copy, text, length) : NULL;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
