/*
 * Journal writer: brings frames into the segments of the journal, beside the loop (beside.h).
 *
 * What is appended is in the tail at once (tail.h), which is all that has to survive the
 * death of proctord. At the end of a turn of the loop all of it is handed over, as one batch: the
 * end of the present segment, or also the beginning of a new one and what follows it. A thread
 * writes the batch, syncs it if a caller waits for that, gives a new segment its name, and lets
 * go of segments that the audit need not have. One batch is under way at a time; what comes
 * meanwhile is the next one, and so all that wait for a sync share one.
 *
 * A position counts the bytes that were appended: what an acknowledgement waits for is a position.
 *
 * Where a batch fails nothing more is taken until a new segment has been begun. The same happens
 * where the disk takes so long that WRITER_PENDING_MAX bytes wait for it.
 */
#pragma once

#include "journal/extent.h"
#include "journal/tail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITER_PENDING_MAX (32u << 20)

struct journal_writer;

struct journal_writer_settings {
    const char *path;           /* of the folder; made where it is not there */
    const char *tail_directory; /* NULL: what has not been written yet dies with proctord */
    bool syncs;          /* segments survive the loss of power, and positions can be waited for */
    uint64_t keep_bytes; /* of older segments */
    void *userdata;
    void (*moved)(void *userdata); /* a batch has come to its end; may be NULL */
};

int journal_writer_open(const struct journal_writer_settings *settings,
                        struct journal_writer **writer);

/* Hands over what is left and waits for it, but with a limit. Where all of it has been written the
 * tail is empty. */
void journal_writer_close(struct journal_writer *writer);

/* Whether there is a segment, or the beginning of one, that takes what is appended. */
bool journal_writer_takes(const struct journal_writer *writer);

/* Whole frames. Where they cannot be taken the writer has failed. */
void journal_writer_append(struct journal_writer *writer, const uint8_t *data, size_t size);

/* A new segment with this beginning, whose memory becomes the writer's, follows what was appended.
 * -EBUSY while another one waits or is under way. number: of the segment that was found last; only
 * the first time. */
int journal_writer_begin(struct journal_writer *writer, uint8_t *beginning, size_t size);
void journal_writer_continue(struct journal_writer *writer, uint64_t number);

void journal_writer_hand_over(struct journal_writer *writer);

/* Hands over, and waits so long until nothing is under way. Returns 0, -EBUSY, or the error. */
int journal_writer_wait(struct journal_writer *writer, uint64_t limit_usec);

/* A sync is due up to here, with the next batch. */
uint64_t journal_writer_want(struct journal_writer *writer);
/* Whether all up to there is safe, or will never be. */
bool journal_writer_is_past(const struct journal_writer *writer, uint64_t position);

/* 0, or why nothing has been written since. `fail` is for a failure that was found elsewhere. */
int journal_writer_error(const struct journal_writer *writer);
void journal_writer_fail(struct journal_writer *writer, int error);

/* Bytes of the present segment; the segment, or its folder, was found to be deleted. */
uint64_t journal_writer_size(const struct journal_writer *writer);
bool journal_writer_is_gone(const struct journal_writer *writer);

/* What the present or the last segment lacks of what was appended; as tail_complete(). */
int journal_writer_complete(struct journal_writer *writer, const struct tail_segment *segment,
                            uint64_t segment_size, uint8_t **data, size_t *size);
/* Bytes of the tail that could not be used for that. */
uint64_t journal_writer_damaged(const struct journal_writer *writer);
/* What the present segment has by now, all of it: only while it takes what is appended. Returns 0
 * or -ENOMEM. */
int journal_writer_extent(const struct journal_writer *writer, struct journal_extent *extent);
/* What others have left in the tail is not needed any more. */
void journal_writer_forget_tail(struct journal_writer *writer);
