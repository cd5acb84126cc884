/*
 * Tail: what was appended to the journal and may not be in its segment yet.
 *
 * A segment is on a disk, and a disk may keep a write(2) waiting. So the loop puts each frame
 * here, before the core handles its input, and the segment is written beside the loop. The tail is
 * two files in the runtime directory, which is a file system in memory: a write there waits for
 * nothing, and what was written is there for the next proctord when this one is killed. It does not
 * outlive the machine, nor need it: after a loss of power the segment is what counts.
 *
 * One of the files is appended to while the content of the other is on its way to the segment. Once
 * it has arrived there the file is emptied. Each record says to which segment, and to which offset
 * in it, its bytes belong; behind a new segment, also where they would stand in the one before,
 * which is what a reader has as long as the new one does not have its name. Thus a reader completes
 * the segment that it finds, whatever was under way. A segment is known by its number and its
 * stamp, a random number in its header.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tail;

struct tail_segment {
    uint64_t number;
    uint32_t stamp;
};

/* Where bytes belong. */
struct tail_place {
    struct tail_segment segment, before; /* before.number 0: there is none */
    uint64_t offset, offset_before;
};

/* What is in it stays, to be read. Returns 0 or a negative errno. */
int tail_open(const char *directory, struct tail **tail);
void tail_close(struct tail *tail); /* NULL is allowed */

int tail_append(struct tail *tail, const struct tail_place *place, const uint8_t *data,
                size_t size);

/* All of the present file is on its way: the other one, which must be empty, is the present one. */
void tail_switch(struct tail *tail);
/* What was on its way has arrived. */
void tail_arrived(struct tail *tail);
/* Nothing of it is needed any more. */
void tail_reset(struct tail *tail);

/* The bytes that a segment of so many bytes lacks at its end; the caller frees them. *size is 0
 * where it lacks none. Returns 0 or a negative errno. */
int tail_complete(struct tail *tail, const struct tail_segment *segment, uint64_t segment_size,
                  uint8_t **data, size_t *size);
/* Bytes of it that were no record, when that was last called. */
uint64_t tail_damaged(const struct tail *tail);
