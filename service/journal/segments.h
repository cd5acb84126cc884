/*
 * Journal segments: the files of the journal's folder, by their numbers, and how they come and go.
 * Every call here may wait for the disk.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define SEGMENT_BYTES (4u << 20) /* then a new one begins */

struct journal_segments {
    char *path;
    int directory;
    uint64_t number; /* of the present one */
    int fd;          /* -1: there is none */
    uint64_t size;   /* of what is whole in it */
};

void journal_segment_name(uint64_t number, char name[32]);

/* The numbers of the segments in a folder, the oldest first; the caller frees them. Returns 0 or a
 * negative errno. */
int journal_segments_list(int directory, uint64_t **numbers, size_t *count);

/* All return 0 or a negative errno. */
int journal_segments_open(const char *path, struct journal_segments **segments);
void journal_segments_close(struct journal_segments *segments);

/* Appends to the present one; what was written by half is cut off. */
int journal_segments_append(struct journal_segments *segments, const uint8_t *data, size_t size);
int journal_segments_sync(struct journal_segments *segments);

/* A new one with this content: made whole under another name first. */
int journal_segments_begin(struct journal_segments *segments, const struct iovec *parts,
                           int n_parts, bool sync);

/* Lets go of the oldest ones, unless they are to be kept. */
void journal_segments_prune(const struct journal_segments *segments, uint64_t keep_bytes);

/* The present one has been deleted. */
bool journal_segments_are_gone(const struct journal_segments *segments);

int journal_write_all(int fd, const uint8_t *data, size_t size);
