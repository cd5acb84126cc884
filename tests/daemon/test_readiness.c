/*
 * When a child is ready, with real processes: by its end with success, and what becomes of those
 * that need it.
 */
#include "fixture.h"

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
    assert_explained("migrate", "ready when it has ended with success");
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
    assert_explained("app", "requires migrate, which has not ended with success, but with exit "
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

int main(int argc, char **argv)
{
    fixture_become_init();
    g_test_init(&argc, &argv, NULL);
    fixture_test(&f, NULL, "/daemon/readiness/who-needs-a-job-starts-when-it-has-ended",
                 who_needs_a_job_starts_when_it_has_ended);
    fixture_test(&f, NULL, "/daemon/readiness/who-needs-a-job-that-failed-does-not-start",
                 who_needs_a_job_that_failed_does_not_start);
    fixture_test(&f, NULL, "/daemon/readiness/a-success-outlives-proctord",
                 a_success_outlives_proctord);
    fixture_test(&f, NULL, "/daemon/readiness/who-ends-too-late-has-timed-out",
                 who_ends_too_late_has_timed_out);
    return g_test_run();
}
