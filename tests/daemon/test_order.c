/*
 * Order: what a start needs, and what a stop waits for, on the bus and with real processes
 * (semantics.md, Restart and Order of stops).
 */
#include "fixture.h"

#include <string.h>

static struct fixture f;

static void declare(const char *text, const char *last)
{
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, last, "Readiness", "ready");
}

#define API_AND_DB                                                                                 \
    "children:\n"                                                                                  \
    "  - {name: db, exec: [@, ready, wait-term], readiness: explicit}\n"                           \
    "  - {name: api, requires: [db], exec: [@, ready, wait-term], readiness: explicit%s}\n"

static void declare_api_and_db(const char *more)
{
    g_autofree char *text = g_strdup_printf(API_AND_DB, more);

    declare(text, "api");
}

static void assert_refused(GVariant *outcome)
{
    g_autoptr(GVariant) fence = dict_dict(outcome, "GenerationFence");
    g_autoptr(GVariant) conflict = dict_dict(fence, "Conflict");

    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "rejected");
    g_assert_cmpstr(dict_text(conflict, "Reason"), ==, "it requires db, which is not ready");
    g_assert_true(dict_flag(conflict, "Recoverable"));
}

/* ---- what a start needs ---------------------------------------------------------------------- */

static void a_restart_stops_nothing_that_could_not_start(void)
{
    declare_api_and_db("");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "db");
    guint64 pid = fixture_number(&f, "api", "MainPID");

    g_autoptr(GVariant) refused = fixture_verb_waiting(&f, "Restart", "api");
    assert_refused(refused);
    g_assert_cmpuint(fixture_number(&f, "api", "MainPID"), ==, pid);
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", "api"), ==, 0);

    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "db");
    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "api");
    g_assert_cmpuint(fixture_number(&f, "api", "Generation"), ==, 1);
}

static void a_resume_behind_the_fence_leaves_the_hold(void)
{
    fixture_fifo(&f, "drain");
    g_autofree char *text =
        g_strdup_printf("children:\n"
                        "  - {name: db, exec: [@, ready, wait-term], readiness: explicit}\n"
                        "  - {name: slow, requires: [db], exec: [@, ready, wait-term, wait=%s],\n"
                        "     readiness: explicit, stop: {timeout: 1m}}\n",
                        fixture_path(&f, "drain"));
    declare(text, "slow");
    g_autoptr(GVariant) slow = fixture_verb(&f, "Pause", "slow");
    g_autoptr(GVariant) db = fixture_verb_waiting(&f, "Pause", "db");

    g_autoptr(GVariant) refused = fixture_verb_waiting(&f, "Resume", "slow");
    assert_refused(refused);
    g_autofree char *operation = fixture_text(&f, "slow", "Operation");
    g_assert_cmpstr(operation, ==, "paused");
    fixture_release(&f, "drain");
}

static void a_reload_stops_nothing_that_could_not_start(void)
{
    declare_api_and_db("");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "db");
    guint64 pid = fixture_number(&f, "api", "MainPID");
    g_autofree char *text = g_strdup_printf(API_AND_DB, ", environment: {NEW: \"1\"}");

    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);

    g_assert_cmpuint(fixture_number(&f, "api", "MainPID"), ==, pid);
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", "api"), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    fixture_test(&f, NULL, "/order/a-restart-stops-nothing-that-could-not-start",
                 a_restart_stops_nothing_that_could_not_start);
    fixture_test(&f, NULL, "/order/a-resume-behind-the-fence-leaves-the-hold",
                 a_resume_behind_the_fence_leaves_the_hold);
    fixture_test(&f, NULL, "/order/a-reload-stops-nothing-that-could-not-start",
                 a_reload_stops_nothing_that_could_not_start);
    return g_test_run();
}
