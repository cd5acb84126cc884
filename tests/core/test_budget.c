/*
 * Budget: a bucket that starts full and fills evenly. A start that finds it empty takes the next
 * token to come and waits for it, in the order of asking.
 */
#include "../named.h"
#include "core/model/budget.h"
#include "core/vocabulary/moment.h"

#include <glib.h>

#define TOKENS   4
#define INTERVAL 4000

static struct budget fresh(void)
{
    struct budget budget;

    budget_init(&budget, TOKENS, INTERVAL);
    return budget;
}

static void it_starts_full(void)
{
    struct budget budget = fresh();

    for (int i = 0; i < TOKENS; i++)
        g_assert_cmpuint(budget_take(&budget, 1), ==, 0);
    g_assert_cmpuint(budget_take(&budget, 1), ==, INTERVAL / TOKENS);
    g_assert_cmpuint(budget_take(&budget, 1), ==, 2 * INTERVAL / TOKENS);
}

static void it_fills_evenly(void)
{
    struct budget budget = fresh();

    for (int i = 0; i < TOKENS; i++)
        budget_take(&budget, 1);
    g_assert_cmpuint(budget_take(&budget, 1 + INTERVAL / TOKENS), ==, 0);
    g_assert_cmpuint(budget_take(&budget, 1 + INTERVAL / TOKENS), ==, INTERVAL / TOKENS);
}

static void it_is_never_more_than_full(void)
{
    struct budget budget = fresh();

    for (int i = 0; i < TOKENS; i++)
        g_assert_cmpuint(budget_take(&budget, 1000 * INTERVAL), ==, 0);
    g_assert_cmpuint(budget_take(&budget, 1000 * INTERVAL), >, 0);
}

static void without_a_limit_nobody_waits(void)
{
    struct budget budget;

    budget_init(&budget, 0, INTERVAL);
    for (int i = 0; i < 1000; i++)
        g_assert_cmpuint(budget_take(&budget, 1), ==, 0);
}

static void the_end_of_time_does_not_overflow(void)
{
    struct budget budget;

    budget_init(&budget, 1, UINT64_MAX);
    g_assert_cmpuint(budget_take(&budget, MOMENT_MAX / 2), ==, 0);
    g_assert_cmpuint(budget.full_usec, ==, MOMENT_MAX);
    g_assert_cmpuint(budget_take(&budget, MOMENT_MAX / 2), <=, MOMENT_MAX);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/budget", it_starts_full);
    TEST("/budget", it_fills_evenly);
    TEST("/budget", it_is_never_more_than_full);
    TEST("/budget", without_a_limit_nobody_waits);
    TEST("/budget", the_end_of_time_does_not_overflow);
    return g_test_run();
}
