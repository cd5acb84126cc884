/*
 * How much a sender may send: a rate and a burst, as one number per sender
 * (GCRA). Senders that have been quiet need no record.
 */
#include "host/share.h"

#include "core/vocabulary/invariant.h"

#include <stddef.h>

static uint64_t next_of(const struct share *share, uint64_t now_usec)
{
    return share->next_usec > now_usec ? share->next_usec : now_usec;
}

bool share_admits(const struct share *share, uint64_t now_usec, uint64_t interval_usec,
                  unsigned burst)
{
    INVARIANT(burst > 0 && interval_usec > 0);
    return next_of(share, now_usec) - now_usec <= (burst - 1) * interval_usec;
}

bool share_take(struct share *share, uint64_t now_usec, uint64_t interval_usec, unsigned burst)
{
    if (!share_admits(share, now_usec, interval_usec, burst))
        return false;
    share->next_usec = next_of(share, now_usec) + interval_usec;
    return true;
}

void share_close(struct share *share, uint64_t until_usec)
{
    /* As far ahead as no burst reaches. */
    if (share->next_usec < until_usec)
        share->next_usec = until_usec;
}

/* The multiplier of SplitMix64: neighbouring numbers do not fall into the same set. */
static size_t set_of(uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % SENDERS_SETS;
}

/* A fixed table in sets, like a cache: there is always an answer, and the
 * memory does not grow. NULL means that too many are busy at the same time. */
struct share *senders_find(struct senders *senders, uint64_t key, uint64_t now_usec)
{
    size_t set = set_of(key), idle = SENDERS_WAYS;

    for (size_t i = 0; i < SENDERS_WAYS; i++) {
        if (senders->entries[set][i].key == key)
            return &senders->entries[set][i].share;
        if (senders->entries[set][i].share.next_usec <= now_usec)
            idle = i;
    }
    if (idle == SENDERS_WAYS)
        return NULL;
    senders->entries[set][idle].key = key;
    senders->entries[set][idle].share = (struct share){};
    return &senders->entries[set][idle].share;
}
