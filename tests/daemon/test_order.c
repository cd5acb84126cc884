/*
 * Order: what a start needs, and what a stop waits for, on the bus and with real processes
 * (semantics.md, Restart and Order of stops).
 */
#include "fixture.h"

#include <signal.h>
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

static void dependents_are_restarted_with_what_they_require(void)
{
    declare("children:\n"
            "  - {name: db, exec: [@, ready, wait-term], readiness: explicit, "
            "restart_dependents: true, backoff: {initial: 1ms}}\n"
            "  - {name: api, requires: [db], exec: [@, ready, wait-term], readiness: explicit}\n"
            "  - {name: logs, after: [db], exec: [@, ready, wait-term], readiness: explicit}\n",
            "logs");
    fixture_wait_text(&f, "api", "Readiness", "ready");
    g_assert_cmpint(kill((pid_t)fixture_number(&f, "db", "MainPID"), SIGKILL), ==, 0);
    fixture_wait_number(&f, "api", "Attempt", 2);
    fixture_wait_text(&f, "api", "Readiness", "ready");

    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "db");
    fixture_wait_number(&f, "api", "Attempt", 3);
    fixture_wait_text(&f, "api", "Readiness", "ready");
    g_assert_cmpuint(fixture_number(&f, "logs", "Attempt"), ==, 1);
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

/* ---- what a stop waits for ------------------------------------------------------------------- */

#define PAY "/org/proctor1/supervisor/root/pay"

/* api drains until the test lets it go. */
static void declare_pay(const char *more, const char *member)
{
    fixture_fifo(&f, "drain");
    g_autofree char *text = g_strdup_printf(
        "children:\n"
        "  - supervisor: pay\n"
        "%s"
        "    children:\n"
        "    - {name: db, exec: [@, ready, wait-term], readiness: explicit}\n"
        "    - {name: api, requires: [pay/db], exec: [@, ready, wait-term, wait=%s],\n"
        "       readiness: explicit, stop: {timeout: 1m}}\n%s",
        more, fixture_path(&f, "drain"), member);
    declare(text, "pay/api");
}

static void ask_scope(const char *verb)
{
    g_autoptr(GVariant) outcomes = fixture_call(&f, PAY, "org.proctor1.Supervisor", verb,
                                                g_variant_new("(sa{sv})", "test", NULL), NULL);
}

static void assert_text(const char *child, const char *property, const char *expected)
{
    g_autofree char *text = fixture_text(&f, child, property);
    g_assert_cmpstr(text, ==, expected);
}

/* api has been asked to go and drains; db waits for its turn, and says so. */
static void assert_db_waits(void)
{
    fixture_wait_text(&f, "pay/api", "Status", "cancelling");
    assert_text("pay/db", "Status", "ready");
    assert_text("pay/db", "StopState", "idle");
    g_autofree char *explanation = fixture_text(&f, "pay/db", "Explanation");
    g_assert_nonnull(strstr(explanation, "will stop after pay/api, which depends on it"));
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", "pay/db"), ==, 0);
}

static void a_paused_scope_stops_dependents_first(void)
{
    declare_pay("", "");

    ask_scope("Pause");
    assert_db_waits();
    assert_text("pay/db", "Operation", "paused");
    fixture_release(&f, "drain");
    fixture_wait_text(&f, "pay/db", "Status", "none");
    assert_text("pay/api", "Status", "none");
    assert_text("pay/db", "StopState", "completed");
}

static void a_restarted_scope_stops_dependents_first(void)
{
    declare_pay("", "");

    ask_scope("Restart");
    assert_db_waits();
    assert_text("pay/db", "FencePhase", "waiting-for-old-stop");
    fixture_release(&f, "drain");
    fixture_wait_number(&f, "pay/api", "Generation", 1);
    fixture_wait_number(&f, "pay/db", "Generation", 1);
}

static void a_strategy_stops_dependents_first(void)
{
    fixture_fifo(&f, "fail");
    g_autofree char *worker =
        g_strdup_printf("    - {name: worker, restart: permanent, backoff: {initial: 10ms},\n"
                        "       exec: [@, wait=%s, exit=1]}\n",
                        fixture_path(&f, "fail"));
    declare_pay("    strategy: one-for-all\n", worker);

    fixture_release(&f, "fail");
    assert_db_waits();
    fixture_release(&f, "drain");
    fixture_wait_number(&f, "pay/db", "Generation", 1);
}

static void a_reload_removes_dependents_first(void)
{
    declare_pay("", "");

    fixture_write_tree(&f, "children: []\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    assert_db_waits();
    assert_text("pay/db", "Operation", "removed");
    fixture_release(&f, "drain");
    fixture_wait_removed(&f, "pay/db");
    fixture_wait_removed(&f, "pay/api");
}

static void the_shutdown_stops_dependents_first(void)
{
    declare_pay("", "");

    g_autoptr(GVariant) begun =
        fixture_manager(&f, "Shutdown", g_variant_new("(sa{sv})", "test", NULL), NULL);
    assert_db_waits();
    fixture_release(&f, "drain");
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

static void who_waits_for_its_turn_outlives_proctord(void)
{
    declare_pay("", "");

    ask_scope("Pause");
    assert_db_waits();
    fixture_kill(&f);
    fixture_again(&f, NULL);
    assert_db_waits();
    fixture_upgrade(&f);
    assert_db_waits();
    fixture_release(&f, "drain");
    fixture_wait_text(&f, "pay/db", "Status", "none");
}

static void a_resume_before_its_turn_changes_nothing(void)
{
    declare_pay("", "");
    guint64 pid = fixture_number(&f, "pay/db", "MainPID");

    ask_scope("Pause");
    assert_db_waits();
    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "pay/db");
    fixture_release(&f, "drain");
    fixture_wait_text(&f, "pay/api", "Status", "none");
    assert_text("pay/db", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "pay/db", "MainPID"), ==, pid);
}

/* ---- sidecars -------------------------------------------------------------------------------- */

/* app drains until the test lets it go; proxy comes up when the test lets it. */
static void declare_app_and_proxy(void)
{
    fixture_fifo(&f, "drain");
    fixture_fifo(&f, "up");
    g_autofree char *text = g_strdup_printf(
        "children:\n"
        "  - {name: app, exec: [@, ready, wait-term, wait=%s], readiness: explicit,\n"
        "     stop: {timeout: 1m}}\n"
        "  - {name: proxy, kind: sidecar, primary: app, readiness: explicit,\n"
        "     exec: [@, wait=%s, ready, wait-term]}\n",
        fixture_path(&f, "drain"), fixture_path(&f, "up"));
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
}

static void a_sidecar_goes_around_its_primary(void)
{
    declare_app_and_proxy();

    fixture_wait_text(&f, "proxy", "Status", "running");
    assert_text("app", "Status", "none");
    assert_text("app", "WaitsFor", "dependency");
    fixture_release(&f, "up");
    fixture_wait_text(&f, "app", "Status", "ready");
    assert_text("proxy", "Status", "ready");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "app");
    fixture_wait_text(&f, "app", "Status", "cancelling");
    assert_text("proxy", "Status", "ready");
    fixture_release(&f, "drain");
    fixture_wait_text(&f, "proxy", "Status", "none");
    assert_text("app", "Status", "none");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/order", a_restart_stops_nothing_that_could_not_start);
    FIXTURE_TEST(&f, NULL, "/order", dependents_are_restarted_with_what_they_require);
    FIXTURE_TEST(&f, NULL, "/order", a_resume_behind_the_fence_leaves_the_hold);
    FIXTURE_TEST(&f, NULL, "/order", a_reload_stops_nothing_that_could_not_start);
    FIXTURE_TEST(&f, NULL, "/order", a_paused_scope_stops_dependents_first);
    FIXTURE_TEST(&f, NULL, "/order", a_restarted_scope_stops_dependents_first);
    FIXTURE_TEST(&f, NULL, "/order", a_strategy_stops_dependents_first);
    FIXTURE_TEST(&f, NULL, "/order", a_reload_removes_dependents_first);
    FIXTURE_TEST(&f, NULL, "/order", the_shutdown_stops_dependents_first);
    FIXTURE_TEST(&f, NULL, "/order", who_waits_for_its_turn_outlives_proctord);
    FIXTURE_TEST(&f, NULL, "/order", a_resume_before_its_turn_changes_nothing);
    FIXTURE_TEST(&f, NULL, "/order", a_sidecar_goes_around_its_primary);
    return g_test_run();
}
