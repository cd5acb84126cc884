/*
 * Timers: the earliest first, equals in the order of arming, whatever is armed, moved and disarmed
 * in between.
 */
#include "../named.h"
#include "core/model/timer.h"

#include <glib.h>

#define TIMERS 200
#define STEPS  20000

static struct timer *slots[TIMERS + 1];
static struct timer timers[TIMERS];

static struct timer_heap fresh_heap(void)
{
    for (int i = 0; i < TIMERS; i++)
        timers[i] = (struct timer){};
    return (struct timer_heap){.timers = slots, .capacity = TIMERS};
}

static void the_earliest_is_first(void)
{
    struct timer_heap heap = fresh_heap();

    g_assert_null(timer_first(&heap));
    timer_set(&heap, &timers[0], 30);
    timer_set(&heap, &timers[1], 10);
    timer_set(&heap, &timers[2], 20);
    g_assert_true(timer_first(&heap) == &timers[1]);
    timer_clear(&heap, &timers[1]);
    g_assert_true(timer_first(&heap) == &timers[2]);
    g_assert_cmpuint(timers[1].deadline_usec, ==, 0);
}

static void equals_fire_in_the_order_of_arming(void)
{
    struct timer_heap heap = fresh_heap();

    for (int i = 0; i < TIMERS; i++)
        timer_set(&heap, &timers[i], 7);
    timer_set(&heap, &timers[0], 7); /* armed again: it is the last now */
    for (int i = 1; i <= TIMERS; i++) {
        struct timer *first = timer_first(&heap);
        g_assert_true(first == &timers[i % TIMERS]);
        timer_clear(&heap, first);
    }
    g_assert_null(timer_first(&heap));
}

static void one_that_is_restored_keeps_its_place(void)
{
    struct timer_heap heap = fresh_heap();

    timer_restore(&heap, &timers[0], 5, 9);
    timer_restore(&heap, &timers[1], 5, 4);
    timer_restore(&heap, &timers[2], 4, 10);
    g_assert_true(timer_first(&heap) == &timers[2]);
    timer_clear(&heap, &timers[2]);
    g_assert_true(timer_first(&heap) == &timers[1]);
}

static void disarming_what_is_not_armed_does_no_harm(void)
{
    struct timer_heap heap = fresh_heap();

    timer_set(&heap, &timers[0], UINT64_MAX);
    timer_clear(&heap, &timers[1]);
    timer_clear(&heap, &timers[0]);
    timer_clear(&heap, &timers[0]);
    g_assert_cmpuint(heap.count, ==, 0);
}

/* The slow and obvious way. */
static const struct timer *earliest(void)
{
    const struct timer *best = NULL;

    for (int i = 0; i < TIMERS; i++)
        if (timers[i].deadline_usec > 0 &&
            (!best || timers[i].deadline_usec < best->deadline_usec ||
             (timers[i].deadline_usec == best->deadline_usec && timers[i].order < best->order)))
            best = &timers[i];
    return best;
}

static void a_heap_agrees_with_a_search(void)
{
    struct timer_heap heap = fresh_heap();
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (int step = 0; step < STEPS; step++) {
        struct timer *timer = &timers[g_rand_int_range(rand, 0, TIMERS)];
        if (g_rand_int_range(rand, 0, 3) == 0)
            timer_clear(&heap, timer);
        else
            timer_set(&heap, timer, (uint64_t)g_rand_int_range(rand, 1, 50));
        g_assert_true(timer_first(&heap) == earliest());
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/timer", the_earliest_is_first);
    TEST("/timer", equals_fire_in_the_order_of_arming);
    TEST("/timer", one_that_is_restored_keeps_its_place);
    TEST("/timer", disarming_what_is_not_armed_does_no_harm);
    TEST("/timer", a_heap_agrees_with_a_search);
    return g_test_run();
}
