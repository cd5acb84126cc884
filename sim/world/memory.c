/*
 * The memory of a world: one block, which can be copied as a whole. Exploring
 * saves and restores states this way, without knowing what is in them.
 */
#include "world/memory.h"

#include "core/vocabulary/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 16

/* Stands before each piece; a free piece is linked to the next of the list. */
struct piece {
    size_t size;
    struct piece *next;
};

struct memory {
    size_t size;
    size_t used;
    struct piece *free;
};

/* The block is only reserved; what is never used costs nothing. */
struct memory *memory_new(size_t size)
{
    struct memory *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        perror("proctor-sim: memory");
        exit(EXIT_FAILURE);
    }
    memory->size = size;
    memory->used = sizeof(*memory);
    return memory;
}

void memory_free(struct memory *memory)
{
    if (memory)
        munmap(memory, memory->size);
}

void memory_reset(struct memory *memory)
{
    size_t size = memory->size;

    memset(memory, 0, memory->used);
    memory->size = size;
    memory->used = sizeof(*memory);
}

/* What is behind the first bytes of a free piece stays free. */
static void split(struct memory *memory, struct piece *piece, size_t size)
{
    struct piece *rest = (struct piece *)(void *)((char *)(piece + 1) + size);

    if (piece->size < size + sizeof(*rest) + ALIGNMENT)
        return;
    rest->size = piece->size - size - sizeof(*rest);
    rest->next = memory->free;
    memory->free = rest;
    piece->size = size;
}

/* One of just this size, or else a part of a larger one. */
static struct piece *take_free(struct memory *memory, size_t size)
{
    struct piece **found = NULL;

    for (struct piece **link = &memory->free; *link; link = &(*link)->next)
        if ((*link)->size == size || ((*link)->size > size && !found)) {
            found = link;
            if ((*link)->size == size)
                break;
        }
    if (!found)
        return NULL;
    struct piece *piece = *found;
    *found = piece->next;
    split(memory, piece, size);
    memset(piece + 1, 0, piece->size);
    return piece;
}

/* NULL if the block is full. Pieces that were released are used again by
 * size. */
void *memory_allocate(struct memory *memory, size_t size)
{
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct piece *piece = take_free(memory, size);
    if (piece)
        return piece + 1;
    if (size > memory->size - memory->used - sizeof(*piece))
        return NULL;
    piece = (struct piece *)(void *)((char *)memory + memory->used);
    piece->size = size;
    memory->used += sizeof(*piece) + size;
    return piece + 1;
}

void memory_release(struct memory *memory, void *pointer)
{
    struct piece *piece = (struct piece *)pointer - 1;

    INVARIANT((char *)pointer > (char *)memory && (char *)pointer <= (char *)memory + memory->used);
    INVARIANT(piece != memory->free); /* twice */
    piece->next = memory->free;
    memory->free = piece;
}

size_t memory_used(const struct memory *memory)
{
    return memory->used;
}

void memory_save(const struct memory *memory, void *copy)
{
    memcpy(copy, memory, memory->used);
}

void memory_restore(struct memory *memory, const void *copy, size_t used)
{
    size_t later = memory->used;

    INVARIANT(used >= sizeof(*memory) && used <= memory->size);
    memcpy(memory, copy, used);
    if (later > used)
        memset((char *)memory + used, 0, later - used);
}
