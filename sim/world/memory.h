/*
 * Memory: one block at one address, from which a simulated world and the core within it live.
 *
 * As nothing of a world is outside its block, a copy of the block is a copy of the world:
 * memory_save() and memory_restore() are what exploration walks back with.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct memory;

/* A block that can grow to `size` bytes (address space, not memory). Exits when there is none. */
struct memory *memory_new(size_t size);
/* NULL is allowed. */
void memory_free(struct memory *memory);

/* Forgets everything that was allocated. */
void memory_reset(struct memory *memory);

/* Zeroed memory, or NULL when the block is used up. */
void *memory_allocate(struct memory *memory, size_t size);
void memory_release(struct memory *memory, void *pointer);

/* Bytes that a copy needs now. */
size_t memory_used(const struct memory *memory);
/* copy: room for memory_used() bytes. */
void memory_save(const struct memory *memory, void *copy);
/* used: what memory_used() was when the copy was made. */
void memory_restore(struct memory *memory, const void *copy, size_t used);
