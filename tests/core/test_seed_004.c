/*
 * The tests of seed 004, against the core under virtual time: supervised tasks: policies of
 * restarts, backoff, and the orderly shutdown. Each names the seed's test that it covers;
 * tests/README.md maps them all.
 */
#include "world.h"

#include <signal.h>

static struct world *w;

/* test_restart_only_on_panic */
static void a_transient_child_restarts_only_on_failure(void)
{
    struct child *child = world_add_worker(w, "worker");

    world_dies(w, child, SIGABRT);
    world_advance(w, SEC);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    world_exits(w, child, 0);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    g_assert_cmpint(child->last_exit->kind, ==, EXIT_SUCCEEDED);
}

/* test_restart_policy */
static void a_child_that_always_fails_is_given_up_and_still_listed(void)
{
    struct child_declaration d = world_worker("worker");
    d.burst = 2;
    struct child *child = world_declare(w, &d);

    for (int i = 0; i < 3; i++) {
        world_dies(w, child, SIGABRT);
        world_advance(w, SEC);
    }

    g_assert_cmpuint(world_starts(w, "worker"), ==, 3);
    g_assert_true(core_find(w->core, "worker") == child);
    g_assert_cmpint(child->operation, ==, CHILD_QUARANTINED);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_QUARANTINED, "worker"), ==, 1);
}

/* test_exponential_backoff */
static void backoff_doubles(void)
{
    struct child_declaration d = world_worker("worker");
    d.backoff.initial_usec = 50 * MSEC;
    struct child *child = world_declare(w, &d);
    uint64_t expected[] = {50 * MSEC, 100 * MSEC, 200 * MSEC, 400 * MSEC, 800 * MSEC, SEC, SEC};

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        world_exits(w, child, 1);
        uint64_t died = w->now;
        world_advance(w, expected[i]);
        g_assert_cmpuint(g_array_index(w->starts, struct seen_start, w->starts->len - 1).usec -
                             died,
                         ==, expected[i]);
    }
}

/* test_graceful_shutdown, test_cancellation_token */
static void shutdown_cancels_all(void)
{
    struct child *children[] = {world_add_worker(w, "a"), world_add_worker(w, "b"),
                                world_add_worker(w, "c")};

    for (int i = 0; i < 3; i++) /* not cancelled before */
        g_assert_false(children[i]->attempt.cancel_delivered);
    g_assert_cmpuint(world_cancels(w), ==, 0);
    core_shutdown(w->core, "tester", "test");
    g_assert_cmpuint(world_cancels(w), ==, 3);
    g_assert_cmpuint(g_array_index(w->cancels, struct attempt_id, 0).slot, ==, children[2]->slot);
    for (int i = 0; i < 3; i++)
        world_exits(w, children[i], 0);

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    for (int i = 0; i < 3; i++) {
        struct shutdown_row row;
        g_assert_true(core_shutdown_row(w->core, children[i], &row));
        g_assert_cmpint(row.result, ==, SHUTDOWN_GRACEFUL);
        g_assert_true(row.cancel_delivered);
    }
}

/* test_force_abort_marks_aborted, test_shutdown_timeout_expiry */
static void shutdown_marks_who_was_aborted(void)
{
    struct child_declaration d = world_worker("stubborn");
    d.stop_timeout_usec = 1 * MSEC;
    struct child *child = world_declare(w, &d);
    struct shutdown_row row;

    core_shutdown(w->core, "tester", "test");
    world_advance(w, 1 * MSEC);
    g_assert_cmpuint(w->aborts->len, ==, 1);
    world_dies(w, child, SIGKILL);

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    g_assert_true(core_shutdown_row(w->core, child, &row));
    g_assert_cmpint(row.result, ==, SHUTDOWN_ABORTED);
}

/* test_shutdown_drains_post_cancel_completions (zeph #3161) */
static void shutdown_waits_for_every_completion_after_the_cancel(void)
{
    struct child *children[7];
    for (int i = 0; i < 7; i++)
        children[i] = world_add_worker(w, (const char *[]){"a", "b", "c", "d", "e", "f", "g"}[i]);

    core_shutdown(w->core, "tester", "test");
    for (int i = 0; i < 7; i++) {
        g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_GRACEFUL_DRAIN);
        world_advance(w, 64 * MSEC);
        world_exits(w, children[i], 0);
    }

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    g_assert_cmpuint(w->aborts->len, ==, 0);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_SHUTDOWN_GRACEFUL, NULL), ==, 7);
}

/* test_restart_max_zero */
static void burst_zero_means_no_restart(void)
{
    struct child_declaration d = world_worker("worker");
    d.burst = 0;
    struct child *child = world_declare(w, &d);

    world_dies(w, child, SIGABRT);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpint(child->operation, ==, CHILD_QUARANTINED);
}

/* test_registry_snapshot */
static void all_that_run_are_listed(void)
{
    struct child *a = world_add_worker(w, "a"), *b = world_add_worker(w, "b");

    g_assert_cmpuint(core_count(w->core), ==, 2);
    g_assert_true(core_first(w->core) == a && core_next(a) == b && !core_next(b));
    g_assert_cmpint(child_status(a), ==, CHILD_READY);
    g_assert_cmpint(child_status(b), ==, CHILD_READY);
}

/* test_spawn_and_complete, test_panic_capture */
static void a_temporary_child_ends_and_stays_listed(void)
{
    struct child_declaration d = world_worker("once");
    d.restart = RESTART_TEMPORARY;
    struct child *child = world_declare(w, &d);
    g_assert_cmpint(child_status(child), ==, CHILD_READY);

    world_dies(w, child, SIGABRT);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "once"), ==, 1);
    g_assert_cmpint(child->last_exit->kind, ==, EXIT_SIGNALED);
    g_assert_cmpint(child->operation, ==, CHILD_ACTIVE);
}

/* test_concurrent_spawns */
static void fifty_children_end_one_by_one(void)
{
    for (int i = 0; i < 50; i++) {
        g_autofree char *id = g_strdup_printf("task-%d", i);
        struct child_declaration d = world_worker(id);
        d.restart = RESTART_TEMPORARY;
        world_declare(w, &d);
    }

    for (struct child *child = core_first(w->core); child; child = core_next(child))
        world_exits(w, child, 0);

    g_assert_cmpuint(world_count(w, EVENT_CHILD_EXITED, NULL), ==, 50);
    for (struct child *child = core_first(w->core); child; child = core_next(child))
        g_assert_cmpint(child_status(child), ==, CHILD_STATUS_NONE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/seed-004", a_transient_child_restarts_only_on_failure);
    WORLD_TEST(&w, "/seed-004", a_child_that_always_fails_is_given_up_and_still_listed);
    WORLD_TEST(&w, "/seed-004", backoff_doubles);
    WORLD_TEST(&w, "/seed-004", all_that_run_are_listed);
    WORLD_TEST(&w, "/seed-004", shutdown_cancels_all);
    WORLD_TEST(&w, "/seed-004", shutdown_marks_who_was_aborted);
    WORLD_TEST(&w, "/seed-004", shutdown_waits_for_every_completion_after_the_cancel);
    WORLD_TEST(&w, "/seed-004", burst_zero_means_no_restart);
    WORLD_TEST(&w, "/seed-004", a_temporary_child_ends_and_stays_listed);
    WORLD_TEST(&w, "/seed-004", fifty_children_end_one_by_one);
    return g_test_run();
}
