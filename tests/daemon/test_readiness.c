/*
 * When a child is ready, with real processes: by its end with success, or by its health check; when
 * it is not any more; and what becomes of those that need it.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>

static struct fixture f;

static void assert_explained(const char *child, const char *words)
{
    g_autofree char *text = fixture_text(&f, child, "Explanation");

    if (!g_strrstr(text, words))
        g_error("%s: \"%s\" does not say \"%s\"", child, text, words);
}

static void assert_not_started(const char *child)
{
    g_assert_cmpuint(fixture_events(&f, "child-starting", child), ==, 0);
}

/* A job that runs until it is released, then ends with this code, and one that needs it. */
static void declare_job(int code)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("wait=%s, exit=%d", fixture_path(&f, "go"), code);
    fixture_add(&f, "migrate", "kind: job\nrestart: temporary\nreadiness: exit\n", steps);
    fixture_add(&f, "app",
                "requires: [migrate]\nreadiness: immediate\nrestart: permanent\n"
                "backoff: {initial: 10ms, jitter: none}\n",
                "live=600000");
    assert_not_started("app");
    assert_explained("app", "requires migrate, which has not ended yet");
    assert_explained("migrate", "ready once it has exited successfully");
}

static void kill_app(void)
{
    kill((pid_t)fixture_number(&f, "app", "MainPID"), SIGKILL);
}

static void who_needs_a_job_starts_when_it_has_ended(void)
{
    declare_job(0);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "app", "Readiness", "ready");
    g_autofree char *readiness = fixture_text(&f, "migrate", "Readiness");
    g_assert_cmpstr(readiness, ==, "ready");
    kill_app(); /* it comes back, though the job does not run again */
    fixture_wait_number(&f, "app", "Generation", 1);
    fixture_wait_text(&f, "app", "Readiness", "ready");
    g_assert_cmpuint(fixture_events(&f, "child-starting", "migrate"), ==, 1);
}

static void who_needs_a_job_that_failed_does_not_start(void)
{
    declare_job(3);
    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-exited", "migrate", 1);
    assert_not_started("app");
    assert_explained("app", "requires migrate, which did not succeed but ended with exit "
                            "code 3");
}

/* What it was ready by is known to the next proctord. */
static void a_success_outlives_proctord(void)
{
    declare_job(0);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "app", "Readiness", "ready");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    kill_app();
    fixture_wait_number(&f, "app", "Generation", 1);
    fixture_wait_text(&f, "app", "Readiness", "ready");
}

static void who_ends_too_late_has_timed_out(void)
{
    fixture_add(&f, "once", "readiness: exit\nrestart: temporary\nstart_timeout: 50ms\n",
                "ready, live=600000");
    fixture_wait_event(&f, "child-exited", "once", 1);
    g_autofree char *exit = fixture_event_field(&f, "child-exited", "once", "exit");
    g_assert_nonnull(g_strrstr(exit, "timed-out"));
}

/* It is asked at a file, which the test makes. */
static void add_checked(const char *more)
{
    g_autofree char *yaml = g_strdup_printf(
        "readiness: check\nrestart: permanent\nbackoff: {initial: 10ms, jitter: none}\n"
        "health_check: {exec: [/usr/bin/test, -e, \"%s\"], interval: 50ms, timeout: 5s}\n%s",
        fixture_path(&f, "well"), more);
    fixture_add(&f, "db", yaml, "ready, live=600000");
    fixture_add(&f, "api", "requires: [db]\nreadiness: immediate\n", "live=600000");
}

static void become_well(void)
{
    g_assert_true(g_file_set_contents(fixture_path(&f, "well"), "", 0, NULL));
}

static void the_first_pass_makes_it_ready(void)
{
    add_checked("start_timeout: infinity\n");
    fixture_wait_text(&f, "db", "Status", "running");
    assert_explained("db", "but its health check has not passed yet");
    assert_not_started("api");
    become_well();
    fixture_wait_text(&f, "api", "Readiness", "ready");
    g_assert_cmpuint(fixture_events(&f, "child-ready", "db"), ==, 1);
}

static void who_never_passes_has_timed_out(void)
{
    add_checked("start_timeout: 100ms\n");
    fixture_wait_event(&f, "child-exited", "db", 2);
    g_autofree char *exit = fixture_event_field(&f, "child-exited", "db", "exit");
    g_assert_nonnull(g_strrstr(exit, "timed-out"));
    g_assert_cmpuint(fixture_number(&f, "db", "RestartsUsed"), >, 0);
    assert_not_started("api");
}

/* Neither a death of proctord nor an upgrade is a pass, and the question is put again. */
static void a_pass_is_waited_for_over_proctords(void)
{
    add_checked("start_timeout: infinity\n");
    fixture_wait_text(&f, "db", "Status", "running");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    fixture_upgrade(&f);
    assert_not_started("api");
    become_well();
    fixture_wait_text(&f, "api", "Readiness", "ready");
    g_assert_cmpuint(fixture_number(&f, "db", "Generation"), ==, 0);
}

/* It beats and answers no more, and drains until it is released. */
static void add_draining(const char *more)
{
    fixture_fifo(&f, "go");
    g_autofree char *yaml = g_strdup_printf(
        "heartbeat: {interval: 1s, stale_after: 2s, on_stale: restart, required: true}\n"
        "health_check: {exec: [/usr/bin/test, -e, \"%s\"], interval: 50ms, timeout: 5s, "
        "retries: 1, on_failure: restart}\n%s",
        fixture_path(&f, "well"), more);
    g_autofree char *steps =
        g_strdup_printf("beat, ready, stopping, wait=%s, exit=0", fixture_path(&f, "go"));
    become_well();
    fixture_add(&f, "web", yaml, steps);
    fixture_wait_event(&f, "child-not-ready", "web", 1);
    g_remove(fixture_path(&f, "well"));
}

static void assert_nobody_called_it_ill(void)
{
    g_assert_cmpuint(fixture_events(&f, "child-heartbeat-stale", "web"), ==, 0);
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", "web"), ==, 0);
}

static void who_drains_is_not_ill(void)
{
    add_draining("restart: transient\n");
    fixture_add(&f, "user", "requires: [web]\nreadiness: immediate\n", "live=600000");
    assert_explained("web", "but reports that it is stopping");
    assert_not_started("user");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    fixture_add(&f, "clock", "heartbeat: {interval: 1s, stale_after: 3s, required: true}\n",
                "live=600000");
    fixture_wait_event(&f, "child-heartbeat-stale", "clock", 1); /* so long nothing happens */
    assert_nobody_called_it_ill();
    assert_explained("web", "but reports that it is stopping");
    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-exited", "web", 1);
    g_autofree char *exit = fixture_event_field(&f, "child-exited", "web", "exit");
    g_assert_nonnull(g_strrstr(exit, "succeeded"));
}

static void who_drains_too_long_has_timed_out(void)
{
    add_draining("restart: temporary\nstop: {timeout: 100ms}\n");
    fixture_wait_event(&f, "child-exited", "web", 1);
    g_autofree char *reason = fixture_event_field(&f, "child-exited", "web", "reason");
    g_assert_nonnull(g_strrstr(reason, "still there after a stop of its own"));
    assert_explained("web", "a timeout of its own stop");
}

static void a_success_too_soon_counts(void)
{
    fixture_add(&f, "web",
                "restart: permanent\nrestart_limit: {burst: 1, interval: 1h, on_limit: stop}\n"
                "backoff: {initial: 1ms, jitter: none}\n",
                "exit=0");
    fixture_wait_event(&f, "child-exited", "web", 2);
    g_autofree char *decision = fixture_event_field(&f, "child-exited", "web", "decision");
    g_assert_nonnull(g_strrstr(decision, "give-up"));
    g_assert_cmpuint(fixture_number(&f, "web", "RestartsUsed"), ==, 2);
    assert_explained("web", "a success that came too soon");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", who_needs_a_job_starts_when_it_has_ended);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", who_needs_a_job_that_failed_does_not_start);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", a_success_outlives_proctord);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", who_ends_too_late_has_timed_out);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", the_first_pass_makes_it_ready);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", who_never_passes_has_timed_out);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", a_pass_is_waited_for_over_proctords);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", who_drains_is_not_ill);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", who_drains_too_long_has_timed_out);
    FIXTURE_TEST(&f, NULL, "/daemon/readiness", a_success_too_soon_counts);
    return g_test_run();
}
