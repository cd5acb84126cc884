/*
 * Backoff: the delay grows to its cap and no further, never overflows, and each kind of jitter
 * falls into its range, and into every tenth of it.
 */
#include "../named.h"
#include "core/model/backoff.h"

#include <glib.h>
#include <string.h>

#define DRAWS 10000
#define BINS  10

static const struct backoff_settings plain = {
    .initial_usec = 100000, .max_usec = 30000000, .factor_milli = 2000, .jitter = JITTER_NONE};

static void it_doubles_to_its_cap(void)
{
    struct random random = {1};

    g_assert_cmpuint(backoff_delay(&plain, 1, 0, &random), ==, 100000);
    g_assert_cmpuint(backoff_delay(&plain, 2, 0, &random), ==, 200000);
    g_assert_cmpuint(backoff_delay(&plain, 9, 0, &random), ==, 25600000);
    g_assert_cmpuint(backoff_delay(&plain, 10, 0, &random), ==, 30000000);
    g_assert_cmpuint(backoff_delay(&plain, UINT64_MAX, 0, &random), ==, 30000000);
    g_assert_cmpuint(random.state, ==, 1); /* nothing was drawn */
}

static void extremes_do_not_overflow(void)
{
    struct random random = {1};
    struct backoff_settings settings = plain;

    settings.initial_usec = settings.max_usec = UINT64_MAX;
    settings.factor_milli = UINT32_MAX;
    g_assert_cmpuint(backoff_delay(&settings, 3, 0, &random), ==, UINT64_MAX);
    settings.initial_usec = 1;
    g_assert_cmpuint(backoff_delay(&settings, 1000, 0, &random), ==, UINT64_MAX);
    settings.initial_usec = 0;
    g_assert_cmpuint(backoff_delay(&settings, 5, 0, &random), ==, 0);
}

static void a_factor_of_one_stays(void)
{
    struct random random = {1};
    struct backoff_settings settings = plain;

    settings.factor_milli = 1000;
    g_assert_cmpuint(backoff_delay(&settings, UINT64_MAX, 0, &random), ==, 100000);
}

static void an_initial_delay_over_the_cap_is_the_cap(void)
{
    struct random random = {1};
    struct backoff_settings settings = plain;

    settings.max_usec = 50000;
    g_assert_cmpuint(backoff_delay(&settings, 1, 0, &random), ==, 50000);
}

static void expect_spread(const struct backoff_settings *settings, uint64_t n, uint64_t previous,
                          uint64_t low, uint64_t high)
{
    struct random random = {5};
    unsigned bins[BINS] = {};

    for (int i = 0; i < DRAWS; i++) {
        uint64_t delay = backoff_delay(settings, n, previous, &random);
        g_assert_cmpuint(delay, >=, low);
        g_assert_cmpuint(delay, <=, high);
        bins[(delay - low) * BINS / (high - low + 1)]++;
    }
    for (int i = 0; i < BINS; i++) {
        g_assert_cmpuint(bins[i], >, DRAWS / BINS * 8 / 10);
        g_assert_cmpuint(bins[i], <, DRAWS / BINS * 12 / 10);
    }
}

static void equal_jitter_spreads_at_the_cap_too(void)
{
    struct backoff_settings settings = plain;

    settings.jitter = JITTER_EQUAL;
    settings.ratio_milli = 200;
    expect_spread(&settings, 1, 0, 80000, 120000);
    expect_spread(&settings, 100, 0, 24000000, 36000000);
}

static void full_jitter_begins_at_nothing(void)
{
    struct backoff_settings settings = plain;

    settings.jitter = JITTER_FULL;
    expect_spread(&settings, 3, 0, 0, 400000);
}

static void decorrelated_jitter_follows_the_one_before(void)
{
    struct backoff_settings settings = plain;
    struct random random = {1};

    settings.jitter = JITTER_DECORRELATED;
    g_assert_cmpuint(backoff_delay(&settings, 1, 0, &random), ==, 100000);
    expect_spread(&settings, 2, 1000000, 100000, 3000000);
    expect_spread(&settings, 2, UINT64_MAX, 100000, 30000000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/backoff", it_doubles_to_its_cap);
    TEST("/backoff", extremes_do_not_overflow);
    TEST("/backoff", a_factor_of_one_stays);
    TEST("/backoff", an_initial_delay_over_the_cap_is_the_cap);
    TEST("/backoff", equal_jitter_spreads_at_the_cap_too);
    TEST("/backoff", full_jitter_begins_at_nothing);
    TEST("/backoff", decorrelated_jitter_follows_the_one_before);
    return g_test_run();
}
