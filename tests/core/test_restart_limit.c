/*
 * Restart limit: an exact window. An exit leaves it when it is older than the interval, strictly;
 * a restart happens while used <= burst.
 */
#include "../named.h"
#include "core/vocabulary/moment.h"
#include "core/model/restart_limit.h"

#include <glib.h>

#define INTERVAL 1000

static uint64_t ring[RESTART_LIMIT_BURST_MAX + 1];

static struct restart_limit fresh(uint32_t burst)
{
    struct restart_limit limit;

    restart_limit_init(&limit, ring, burst, INTERVAL);
    return limit;
}

static void with_burst_two_it_is_started_three_times(void)
{
    struct restart_limit limit = fresh(2);

    g_assert_true(restart_limit_count(&limit, 10, 1));
    g_assert_true(restart_limit_count(&limit, 20, 2));
    g_assert_cmpuint(restart_limit_view(&limit).remaining, ==, 0);
    g_assert_true(restart_limit_view(&limit).exhausted);
    g_assert_false(restart_limit_count(&limit, 30, 3));
    g_assert_cmpuint(restart_limit_view(&limit).used, ==, 3);
}

static void a_burst_of_nothing_allows_none(void)
{
    struct restart_limit limit = fresh(0);

    g_assert_true(restart_limit_view(&limit).exhausted);
    g_assert_false(restart_limit_count(&limit, 10, 1));
    g_assert_cmpuint(restart_limit_view(&limit).remaining, ==, 0);
}

static void an_exit_leaves_strictly_after_the_interval(void)
{
    struct restart_limit limit = fresh(2);

    restart_limit_count(&limit, 10, 1);
    g_assert_cmpuint(restart_limit_next_change(&limit), ==, 10 + INTERVAL + 1);
    g_assert_false(restart_limit_prune(&limit, 10 + INTERVAL, 2));
    g_assert_true(restart_limit_prune(&limit, 10 + INTERVAL + 1, 3));
    g_assert_cmpuint(restart_limit_view(&limit).used, ==, 0);
    g_assert_cmpuint(restart_limit_next_change(&limit), ==, 0);
}

static void updated_grows_within_one_tick(void)
{
    struct restart_limit limit = fresh(5);

    restart_limit_count(&limit, 10, 100);
    restart_limit_count(&limit, 10, 100);
    g_assert_cmpuint(restart_limit_view(&limit).updated_usec, ==, 101);
    restart_limit_count(&limit, 10, 50); /* a wall clock that went back */
    g_assert_cmpuint(restart_limit_view(&limit).updated_usec, ==, 102);
    g_assert_true(restart_limit_clear(&limit, 50));
    g_assert_cmpuint(restart_limit_view(&limit).updated_usec, ==, 103);
    g_assert_false(restart_limit_clear(&limit, 200)); /* nothing changed */
    g_assert_cmpuint(restart_limit_view(&limit).updated_usec, ==, 103);
}

static void a_full_window_forgets_the_oldest(void)
{
    struct restart_limit limit = fresh(1);

    for (uint64_t now = 10; now <= 60; now += 10)
        restart_limit_count(&limit, now, now);
    g_assert_cmpuint(restart_limit_view(&limit).used, ==, 2);
    g_assert_cmpuint(restart_limit_next_change(&limit), ==, 50 + INTERVAL + 1);
}

static void an_endless_interval_never_changes(void)
{
    struct restart_limit limit;

    restart_limit_init(&limit, ring, 1, UINT64_MAX);
    restart_limit_count(&limit, 10, 1);
    g_assert_cmpuint(restart_limit_next_change(&limit), ==, MOMENT_MAX);
    g_assert_false(restart_limit_prune(&limit, MOMENT_MAX, 2));
}

/* The slow and obvious way: all times, counted again. */
static void a_ring_agrees_with_a_list(void)
{
    static const uint32_t bursts[] = {0, 1, 2, 7, RESTART_LIMIT_BURST_MAX};
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (size_t b = 0; b < G_N_ELEMENTS(bursts); b++) {
        g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        struct restart_limit limit = fresh(bursts[b]);
        uint64_t now = 1;
        for (int i = 0; i < 3000; i++) {
            now += (uint64_t)g_rand_int_range(rand, 0, INTERVAL / 3);
            restart_limit_count(&limit, now, now);
            g_array_append_val(times, now);
            uint32_t within = 0;
            for (guint j = 0; j < times->len; j++)
                within += now - g_array_index(times, uint64_t, j) <= INTERVAL;
            g_assert_cmpuint(restart_limit_view(&limit).used, ==, MIN(within, bursts[b] + 1));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/restart-limit", with_burst_two_it_is_started_three_times);
    TEST("/restart-limit", a_burst_of_nothing_allows_none);
    TEST("/restart-limit", an_exit_leaves_strictly_after_the_interval);
    TEST("/restart-limit", updated_grows_within_one_tick);
    TEST("/restart-limit", a_full_window_forgets_the_oldest);
    TEST("/restart-limit", an_endless_interval_never_changes);
    TEST("/restart-limit", a_ring_agrees_with_a_list);
    return g_test_run();
}
