/*
 * A binary heap of pointers, from index 1; index 0 means not armed. Timers know
 * their place, so clearing one costs a logarithm, without a search. Those that
 * are due at the same moment fire in the order in which they were armed, which
 * makes a run repeatable.
 */
#include "core/model/timer.h"

#include "core/vocabulary/invariant.h"

static bool earlier(const struct timer *a, const struct timer *b)
{
    if (a->deadline_usec != b->deadline_usec)
        return a->deadline_usec < b->deadline_usec;
    return a->order < b->order;
}

static void place(struct timer_heap *heap, uint32_t position, struct timer *timer)
{
    heap->timers[position] = timer;
    timer->position = position;
}

static void sift_up(struct timer_heap *heap, uint32_t position, struct timer *timer)
{
    while (position > 1 && earlier(timer, heap->timers[position / 2])) {
        place(heap, position, heap->timers[position / 2]);
        position /= 2;
    }
    place(heap, position, timer);
}

/* The hole moves down until the timer fits; each step moves one entry. */
static void sift_down(struct timer_heap *heap, uint32_t position, struct timer *timer)
{
    for (;;) {
        uint32_t child = position * 2;
        if (child > heap->count)
            break;
        if (child < heap->count && earlier(heap->timers[child + 1], heap->timers[child]))
            child++;
        if (!earlier(heap->timers[child], timer))
            break;
        place(heap, position, heap->timers[child]);
        position = child;
    }
    place(heap, position, timer);
}

/* The last entry fills the hole, and may have to move either way. */
void timer_clear(struct timer_heap *heap, struct timer *timer)
{
    uint32_t position = timer->position;
    if (position == 0)
        return;

    struct timer *last = heap->timers[heap->count--];
    timer->position = 0;
    timer->deadline_usec = 0;
    if (last == timer)
        return;
    if (position > 1 && earlier(last, heap->timers[position / 2]))
        sift_up(heap, position, last);
    else
        sift_down(heap, position, last);
}

/* Arming again replaces the deadline, and goes to the end of those that are due
 * at the same moment. */
void timer_set(struct timer_heap *heap, struct timer *timer, uint64_t deadline_usec)
{
    INVARIANT(deadline_usec > 0);
    timer_clear(heap, timer);
    INVARIANT(heap->count < heap->capacity);

    timer->deadline_usec = deadline_usec;
    timer->order = heap->next_order++;
    sift_up(heap, ++heap->count, timer);
}

void timer_restore(struct timer_heap *heap, struct timer *timer, uint64_t deadline_usec,
                   uint64_t order)
{
    INVARIANT(heap->count < heap->capacity && timer->position == 0);

    timer->deadline_usec = deadline_usec;
    timer->order = order;
    sift_up(heap, ++heap->count, timer);
}

struct timer *timer_first(const struct timer_heap *heap)
{
    return heap->count > 0 ? heap->timers[1] : NULL;
}
