/*
 * The tests of seed 004, against the daemon: supervised tasks: policies of restarts, backoff, and
 * the orderly shutdown. Each names the seed's test that it covers; tests/README.md maps them all.
 */
#include "seeds.h"

#include <signal.h>
#include <string.h>

static struct fixture f;

/* test_restart_only_on_panic */
static void a_transient_child_restarts_only_on_failure(void)
{
    fixture_add(&f, "ends", FAST, "exit=0");
    fixture_wait_text(&f, "ends", "Status", "none");
    fixture_add(&f, "dies", FAST "restart_limit: {burst: 2}\n", "die=6");
    fixture_wait_text(&f, "dies", "Operation", "quarantined");

    g_assert_cmpuint(fixture_events(&f, "child-starting", "ends"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "dies"), ==, 3);
    g_autoptr(GVariant) last = fixture_property(&f, "dies", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "signaled");
    g_assert_cmpuint(dict_number(last, "Signal"), ==, 6);
}

/* test_restart_policy, test_restart_max_zero */
static void a_child_that_always_fails_is_given_up_and_still_listed(void)
{
    fixture_add(&f, "twice", FAST "restart_limit: {burst: 2}\n", "exit=1");
    fixture_add(&f, "never", FAST "restart_limit: {burst: 0}\n", "exit=1");
    fixture_wait_text(&f, "twice", "Operation", "quarantined");
    fixture_wait_text(&f, "never", "Operation", "quarantined");

    g_assert_cmpuint(fixture_events(&f, "child-starting", "twice"), ==, 3);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "never"), ==, 1);
    g_autoptr(GVariant) list = fixture_manager(&f, "ListChildren", NULL, NULL);
    g_autoptr(GVariant) rows = g_variant_get_child_value(list, 0);
    g_assert_cmpuint(g_variant_n_children(rows), ==, 2);
}

/* test_exponential_backoff */
static void backoff_doubles(void)
{
    fixture_add(&f, "worker", "backoff: {initial: 5ms, jitter: none}\nrestart_limit: {burst: 3}\n",
                "exit=1");
    fixture_wait_text(&f, "worker", "Operation", "quarantined");

    const char *kinds[] = {"child-backoff-scheduled", NULL};
    GVariantBuilder filter;
    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&filter, "{sv}", "kinds", g_variant_new_strv(kinds, -1));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "QueryEvents", g_variant_new("(tua{sv})", (guint64)0, (guint32)10, &filter), NULL);
    g_autoptr(GVariant) events = g_variant_get_child_value(reply, 0);
    g_assert_cmpuint(g_variant_n_children(events), ==, 3);
    for (gsize i = 0; i < 3; i++) {
        g_autoptr(GVariant) event = g_variant_get_child_value(events, i);
        g_autoptr(GVariant) fields = g_variant_get_child_value(event, 6);
        g_assert_cmpuint(dict_number(fields, "delay_usec"), ==, 5000u << i);
    }
}

static const char *result_of(GVariant *shutdown, const char *child)
{
    g_autoptr(GVariant) report = dict_dict(shutdown, "Report");

    for (gsize i = 0; i < g_variant_n_children(report); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(report, i);
        if (strcmp(dict_text(row, "ChildId"), child) == 0)
            return dict_text(row, "Result");
    }
    return "not in the report";
}

/* test_registry_snapshot */
static void all_that_run_are_listed(void)
{
    const char *id, *status;

    fixture_add(&f, "a", "", "wait-term");
    fixture_add(&f, "b", "", "wait-term");
    fixture_wait_text(&f, "a", "Status", "ready");
    fixture_wait_text(&f, "b", "Status", "ready");
    g_autoptr(GVariant) list = fixture_manager(&f, "ListChildren", NULL, NULL);
    g_autoptr(GVariant) rows = g_variant_get_child_value(list, 0);

    g_assert_cmpuint(g_variant_n_children(rows), ==, 2);
    for (gsize i = 0; i < 2; i++) {
        g_variant_get_child(rows, i, "(&sos&ssttbsub)", &id, NULL, NULL, &status, NULL, NULL, NULL,
                            NULL, NULL, NULL, NULL);
        g_assert_cmpstr(id, ==, i == 0 ? "a" : "b");
        g_assert_cmpstr(status, ==, "ready");
    }
}

/* test_graceful_shutdown, test_cancellation_token */
static void shutdown_cancels_all(void)
{
    static const char *const names[] = {"a", "b", "c"};
    g_autofree char *counted =
        g_strdup_printf("wait-term, count-terms=%s", fixture_path(&f, "terms"));
    for (int i = 0; i < 3; i++)
        fixture_add(&f, names[i], "", counted);
    for (int i = 0; i < 3; i++)
        seed_has_text(&f, names[i], "StopState", "idle"); /* not cancelled before */
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", NULL), ==, 0);

    g_autoptr(GVariant) result = seed_shut_down(&f);

    for (int i = 0; i < 3; i++)
        g_assert_cmpstr(result_of(result, names[i]), ==, "graceful");
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* test_force_abort_marks_aborted, test_shutdown_timeout_expiry */
static void shutdown_marks_who_was_aborted(void)
{
    fixture_add(&f, "stubborn", "stop: {timeout: 10ms}\n", "ignore-term, pause");
    fixture_wait_text(&f, "stubborn", "Readiness", "ready");
    GPid pid = (GPid)fixture_number(&f, "stubborn", "MainPID");

    g_autoptr(GVariant) result = seed_shut_down(&f);

    g_assert_cmpstr(result_of(result, "stubborn"), ==, "aborted");
    g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* test_shutdown_drains_post_cancel_completions (zeph #3161) */
static void shutdown_waits_for_every_completion_after_the_cancel(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (int i = 0; i < 7; i++)
        seed_add(&f, names[i], "", "wait-term, log=@", "ended");

    g_autoptr(GVariant) result = seed_shut_down(&f);

    for (int i = 0; i < 7; i++)
        g_assert_cmpstr(result_of(result, names[i]), ==, "graceful");
    g_assert_cmpuint(fixture_count_lines(&f, "ended"), ==, 7);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* test_spawn_and_complete, test_panic_capture */
static void a_temporary_child_ends_and_stays_listed(void)
{
    fixture_add(&f, "once", "restart: temporary\n", "die=6");
    fixture_wait_text(&f, "once", "Status", "none");

    g_assert_true(fixture_exists(&f, "once"));
    seed_has_text(&f, "once", "Operation", "active");
    g_assert_cmpuint(fixture_events(&f, "child-starting", "once"), ==, 1);
}

/* test_concurrent_spawns */
static void fifty_children_end(void)
{
    for (int i = 0; i < 50; i++) {
        g_autofree char *name = g_strdup_printf("task-%d", i);
        fixture_add(&f, name, "restart: temporary\n", "exit=0");
    }

    fixture_wait_event(&f, "child-exited", NULL, 50);
    g_autoptr(GVariant) active =
        fixture_call(&f, "/org/proctor1", "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", "org.proctor1.Manager", "NActive"), NULL);
    g_autofree char *text = g_variant_print(active, FALSE);
    g_assert_cmpstr(text, ==, "(<uint32 0>,)");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", a_transient_child_restarts_only_on_failure);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004",
                 a_child_that_always_fails_is_given_up_and_still_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", backoff_doubles);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", all_that_run_are_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", shutdown_cancels_all);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", shutdown_marks_who_was_aborted);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004",
                 shutdown_waits_for_every_completion_after_the_cancel);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", a_temporary_child_ends_and_stays_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", fifty_children_end);
    return g_test_run();
}
