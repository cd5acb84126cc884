/*
 * Restart limit: how many counted exits a child may have within a sliding window before automatic
 * restarts end (Erlang/OTP's restart intensity).
 *
 * The window is exact: it keeps the time of each counted exit, at most burst + 1 of them, in a
 * ring that is sized when the child is declared. An exit leaves the window when it is older than
 * the interval, strictly. A restart is allowed while used <= burst: with burst 2, a child that
 * always fails is started three times.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest burst: bounds the memory that a declaration can claim (8 bytes for each). */
#define RESTART_LIMIT_BURST_MAX 10000

struct archive;

struct restart_limit {
    uint64_t *ring; /* burst + 1 monotonic times, owned by the declaration's memory */
    uint64_t interval_usec;
    uint64_t updated_usec; /* realtime; grows strictly with every change */
    uint32_t burst;
    uint32_t first; /* index of the oldest */
    uint32_t used;
};

/* A consistent view of a limit, as outcomes and the bus show it. */
struct restart_limit_view {
    uint64_t interval_usec;
    uint64_t updated_usec;
    uint32_t burst;
    uint32_t used;
    uint32_t remaining;
    bool exhausted;
};

/* Bytes that the ring of a limit with this burst needs. */
size_t restart_limit_ring_size(uint32_t burst);

/* Starts with an empty window; ring holds restart_limit_ring_size(burst) bytes. */
void restart_limit_init(struct restart_limit *limit, uint64_t *ring, uint32_t burst,
                        uint64_t interval_usec);

/* Gives it another size: the newest exits are kept, as many as a window of this size has, and not
 * those that are too old for it. ring is not the one that it has. */
void restart_limit_resize(struct restart_limit *limit, uint64_t *ring, uint32_t burst,
                          uint64_t interval_usec, uint64_t realtime_usec);

/* Lets go of the exits that are too old. Returns true when the window changed. */
bool restart_limit_prune(struct restart_limit *limit, uint64_t now_usec, uint64_t realtime_usec);

/* Counts one exit. Returns true while a restart is still allowed. */
bool restart_limit_count(struct restart_limit *limit, uint64_t now_usec, uint64_t realtime_usec);

/* Empties the window. Returns true when it was not empty. */
bool restart_limit_clear(struct restart_limit *limit, uint64_t realtime_usec);

/* When the oldest exit leaves the window (monotonic), 0 for an empty window. */
uint64_t restart_limit_next_change(const struct restart_limit *limit);

struct restart_limit_view restart_limit_view(const struct restart_limit *limit);

/* Reads or writes what is counted; how much may be counted is given by the declaration. */
void restart_limit_archive(struct archive *a, struct restart_limit *limit);
