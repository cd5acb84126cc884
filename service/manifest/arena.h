/*
 * Arena: memory that is given back all at once, when the manifest that it was read for goes away.
 */
#pragma once

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
};

/* Zeroed memory, or NULL. */
void *arena_allocate(struct arena *arena, size_t size);
/* Adds a null byte. NULL without memory. */
char *arena_copy(struct arena *arena, const char *text, size_t length);
/* Everything that was allocated from it becomes invalid. */
void arena_free(struct arena *arena);
