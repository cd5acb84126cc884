/*
 * Borrow: what is read from one frame lives as long as it is handled, and is let go of at once.
 */
#pragma once

#include "core/model/archive.h"
#include "journal/frame.h"
#include "journal/frame_memory.h"

struct borrowed;

/* What has no place of its own in what is read. */
struct borrower {
    struct borrowed *first;
    const struct frame_memory *memory; /* NULL: the C library's */
};

/* Reads a frame's payload; the borrower must not move meanwhile. */
struct archive borrow_frame(const struct frame *frame, struct borrower *borrower);
void borrow_end(struct borrower *borrower);

/* For struct archive's grow: memory of the C library, which the owner of the archive frees. */
bool archive_grow(struct archive *archive, size_t size);
