/*
 * Frame buffer: whole frames, one behind the other, in memory.
 */
#pragma once

#include "core/model/archive.h"
#include "journal/frame.h"
#include "journal/frame_memory.h"

struct frame_buffer {
    uint8_t *data;
    size_t size, used;
    const struct frame_memory *memory; /* NULL: the C library's */
};

/* An archive for the payload of the next frame; end: puts its header before it. What is not ended
 * is written over. Returns 0 or -ENOMEM. */
struct archive frame_begin(struct frame_buffer *buffer);
int frame_end(struct frame_buffer *buffer, const struct archive *archive, enum frame_kind kind);

/* The header of a journal, in place of all that was there. */
int frame_buffer_begin(struct frame_buffer *buffer, uint32_t stamp);

void frame_buffer_free(struct frame_buffer *buffer);
