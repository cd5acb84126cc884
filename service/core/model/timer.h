/*
 * Timers: one binary heap of deadlines for the whole core, so that the shell keeps a single timer
 * armed for the earliest.
 *
 * The nodes live in their owners and the array is sized when children are declared, so that
 * arming and disarming never allocates and never fails. Equal deadlines fire in the order in which
 * they were armed: the order is the same on every machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t deadline_usec; /* monotonic; 0: not armed */
    uint64_t order;
    uint32_t position; /* in the heap, from 1; 0: not armed */
    uint8_t kind;      /* of its owner */
};

struct timer_heap {
    struct timer **timers; /* from index 1 */
    uint32_t count;
    uint32_t capacity;
    uint64_t next_order;
};

/* Arms or moves a timer. deadline_usec is not 0; the heap has room for it. */
void timer_set(struct timer_heap *heap, struct timer *timer, uint64_t deadline_usec);

/* Arms a timer that was armed before, in another heap: it keeps its place among equals. */
void timer_restore(struct timer_heap *heap, struct timer *timer, uint64_t deadline_usec,
                   uint64_t order);

/* Disarms a timer; fine for one that is not armed. */
void timer_clear(struct timer_heap *heap, struct timer *timer);

/* The earliest timer, still armed, or NULL. */
struct timer *timer_first(const struct timer_heap *heap);
