/*
 * Memory for frames: large blocks come from mmap(2), so that a checkpoint of
 * megabytes leaves nothing behind in the heap.
 */
#include "journal/frame_memory.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>

void *frame_memory_resize(const struct frame_memory *memory, void *block, size_t before,
                          size_t size)
{
    INVARIANT(block || before == 0);
    if (memory)
        return memory->resize(memory->userdata, block, before, size);
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}
