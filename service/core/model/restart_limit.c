/*
 * The ring has room for burst + 1 exits: the one that exceeds the limit is kept
 * as well, so that the view can show by how much it was exceeded, and when it
 * leaves the window.
 */
#include "core/model/restart_limit.h"

#include "core/model/archive.h"

#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"

static void touch(struct restart_limit *limit, uint64_t realtime_usec)
{
    uint64_t next = limit->updated_usec + 1;
    limit->updated_usec = realtime_usec > next ? realtime_usec : next;
}

static void drop_oldest(struct restart_limit *limit)
{
    limit->first = (limit->first + 1) % (limit->burst + 1);
    limit->used--;
}

size_t restart_limit_ring_size(uint32_t burst)
{
    return ((size_t)burst + 1) * sizeof(uint64_t);
}

/* The caller owns the ring, which lies in its configuration. */
void restart_limit_init(struct restart_limit *limit, uint64_t *ring, uint32_t burst,
                        uint64_t interval_usec)
{
    INVARIANT(burst <= RESTART_LIMIT_BURST_MAX);
    *limit = (struct restart_limit){
        .ring = ring,
        .burst = burst,
        .interval_usec = interval_usec,
    };
}

/* The newest exits are kept, since they are the last to leave the window.
 * `updated` moves only if something visible has changed. */
void restart_limit_resize(struct restart_limit *limit, uint64_t *ring, uint32_t burst,
                          uint64_t interval_usec, uint64_t realtime_usec)
{
    struct restart_limit old = *limit;

    INVARIANT(burst <= RESTART_LIMIT_BURST_MAX && ring != old.ring);
    while (old.used > burst + 1)
        drop_oldest(&old);
    for (uint32_t i = 0; i < old.used; i++)
        ring[i] = old.ring[(old.first + i) % (old.burst + 1)];
    limit->ring = ring;
    limit->first = 0;
    if (burst != limit->burst || interval_usec != limit->interval_usec || old.used != limit->used)
        touch(limit, realtime_usec);
    limit->burst = burst;
    limit->interval_usec = interval_usec;
    limit->used = old.used;
}

/* An exit that is exactly one interval old is still inside: the window is
 * closed at both ends. */
bool restart_limit_prune(struct restart_limit *limit, uint64_t now_usec, uint64_t realtime_usec)
{
    bool changed = false;

    while (limit->used > 0 && now_usec - limit->ring[limit->first] > limit->interval_usec) {
        drop_oldest(limit);
        changed = true;
    }
    if (changed)
        touch(limit, realtime_usec);
    return changed;
}

/* Returns whether a restart is still allowed. */
bool restart_limit_count(struct restart_limit *limit, uint64_t now_usec, uint64_t realtime_usec)
{
    restart_limit_prune(limit, now_usec, realtime_usec);
    if (limit->used == limit->burst + 1)
        drop_oldest(limit); /* a restart by hand let it continue although the window was full */

    limit->ring[(limit->first + limit->used) % (limit->burst + 1)] = now_usec;
    limit->used++;
    touch(limit, realtime_usec);
    return limit->used <= limit->burst;
}

bool restart_limit_clear(struct restart_limit *limit, uint64_t realtime_usec)
{
    if (limit->used == 0)
        return false;
    limit->used = 0;
    touch(limit, realtime_usec);
    return true;
}

uint64_t restart_limit_next_change(const struct restart_limit *limit)
{
    if (limit->used == 0)
        return 0;
    return moment_after(moment_after(limit->ring[limit->first], limit->interval_usec), 1);
}

/* What the bus shows. All of it from one moment. */
struct restart_limit_view restart_limit_view(const struct restart_limit *limit)
{
    return (struct restart_limit_view){
        .interval_usec = limit->interval_usec,
        .updated_usec = limit->updated_usec,
        .burst = limit->burst,
        .used = limit->used,
        .remaining = limit->used < limit->burst ? limit->burst - limit->used : 0,
        .exhausted = limit->used >= limit->burst,
    };
}

/* The ring is written from its first entry on, so that it begins at 0 when it
 * is read. */
void restart_limit_archive(struct archive *a, struct restart_limit *limit)
{
    uint32_t used = limit->used;

    ARCHIVE(a, limit->updated_usec);
    ARCHIVE_WORD(a, used, limit->burst + 1);
    if (a->reading)
        limit->first = 0;
    for (uint32_t i = 0; i < used; i++)
        archive_stamp(a, &limit->ring[(limit->first + i) % (limit->burst + 1)]);
    limit->used = used;
}
