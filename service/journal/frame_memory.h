/*
 * Frame memory: where the memory of frames comes from, of those that are written and of what is
 * read from one. The C library's, unless the reader or writer lives in a world of its own.
 */
#pragma once

#include <stddef.h>

struct frame_memory {
    /* As realloc(3), also for NULL; a size of 0 frees. */
    void *(*resize)(void *userdata, void *memory, size_t before, size_t size);
    void *userdata;
};

/* NULL stands for the C library. */
void *frame_memory_resize(const struct frame_memory *memory, void *block, size_t before,
                          size_t size);
