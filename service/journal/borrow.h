/*
 * Borrow: what is read from one frame lives as long as it is handled, and is let go of at once.
 */
#pragma once

#include "archive.h"
#include "journal/frame.h"

struct borrowed;

/* Reads a frame's payload; what has no place of its own is added to *borrowed. */
struct archive borrow_frame(const struct frame *frame, struct borrowed **borrowed);
void borrow_end(struct borrowed *borrowed);

/* For struct archive's grow: memory of the C library, which the owner of the archive frees. */
bool archive_grow(struct archive *archive, size_t size);
