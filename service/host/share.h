/*
 * Share: how much of our time a sender may take, as messages of a kind.
 *
 * One share is a bucket: so many at once, and from then on one each so long (GCRA; a single number
 * of state). Senders have one each, looked up before anything else is known of a message: by then
 * it has cost no more than its reception. The table is bounded. A sender that finds no place in it
 * is not held up by it, but by the share of its attempt or user, which are asked later.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct share {
    uint64_t next_usec; /* when it would be its turn, if it had never been let in early */
};

/* Whether one more may come in now. */
bool share_admits(const struct share *share, uint64_t now_usec, uint64_t interval_usec,
                  unsigned burst);
/* The same; then it is counted. */
bool share_take(struct share *share, uint64_t now_usec, uint64_t interval_usec, unsigned burst);

/* Nothing comes in before then. */
void share_close(struct share *share, uint64_t until_usec);

#define SENDERS_WAYS 4
#define SENDERS_SETS 128

/* By process, or by user: whatever number the caller takes. */
struct senders {
    struct {
        uint64_t key;
        struct share share;
    } entries[SENDERS_SETS][SENDERS_WAYS];
};

/* The share of a sender; NULL where all places that it can have are taken by busy ones. */
struct share *senders_find(struct senders *senders, uint64_t key, uint64_t now_usec);
