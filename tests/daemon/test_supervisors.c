/*
 * Supervisors on the bus: nested ones, their scopes, their limits, their groups, with real
 * processes.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>

static struct fixture f;

#define ROOT "/org/proctor1/supervisor/root"

static GVariant *supervisor_property(const char *path, const char *name)
{
    g_autoptr(GVariant) reply =
        fixture_call(&f, path, "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", "org.proctor1.Supervisor", name), NULL);
    g_autoptr(GVariant) boxed = g_variant_get_child_value(reply, 0);

    return g_variant_get_variant(boxed);
}

static void assert_printed(const char *path, const char *name, const char *expected)
{
    g_autoptr(GVariant) value = supervisor_property(path, name);
    g_autofree char *text = g_variant_print(value, FALSE);

    g_assert_cmpstr(text, ==, expected);
}

/* Waits until a property has a value; the event that brings it about has been asked for. */
static void wait_printed(const char *path, const char *name, const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    for (;;) {
        g_autoptr(GVariant) value = supervisor_property(path, name);
        g_autofree char *text = g_variant_print(value, FALSE);
        if (strcmp(text, expected) == 0)
            return;
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static GVariant *scope(const char *path, const char *verb, gboolean wait)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (wait)
        g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply = fixture_call(&f, path, "org.proctor1.Supervisor", verb,
                                             g_variant_new("(sa{sv})", "test", &options), NULL);
    return g_variant_get_child_value(reply, 0);
}

static void declare_payments(const char *more)
{
    g_autofree char *text =
        g_strdup_printf("children:\n"
                        "  - {name: web, exec: [@, ready, wait-term], readiness: explicit}\n"
                        "  - supervisor: payments\n"
                        "    strategy: rest-for-one\n"
                        "%s"
                        "    children:\n"
                        "    - {name: gateway, exec: [@, ready, wait-term], readiness: explicit}\n"
                        "    - supervisor: eu\n"
                        "      strategy: one-for-all\n"
                        "      children:\n"
                        "      - {name: ledger, exec: [@, ready, wait-term], readiness: explicit}\n"
                        "      - {name: worker, backoff: {initial: 10ms}, restart: permanent,\n"
                        "         exec: [@, ready, wait-term], readiness: explicit}\n"
                        "    - {name: reports, exec: [@, ready, wait-term], readiness: explicit}\n",
                        more);
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "web", "Readiness", "ready");
    fixture_wait_text(&f, "payments/gateway", "Readiness", "ready");
    fixture_wait_text(&f, "payments/eu/ledger", "Readiness", "ready");
    fixture_wait_text(&f, "payments/eu/worker", "Readiness", "ready");
    fixture_wait_text(&f, "payments/reports", "Readiness", "ready");
}

static void crash(const char *child)
{
    kill((pid_t)fixture_number(&f, child, "MainPID"), SIGKILL);
}

/* The kinds and children of all events after `sequence` that have to do with starts and stops. */
static char *story_after(guint64 sequence)
{
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "QueryEvents", g_variant_new("(tua{sv})", sequence, 4096, NULL), NULL);
    g_autoptr(GVariant) events = g_variant_get_child_value(reply, 0);
    GString *story = g_string_new("");

    for (gsize i = 0; i < g_variant_n_children(events); i++) {
        const char *kind, *child;
        guint64 ignored;
        g_autoptr(GVariant) event = g_variant_get_child_value(events, i);
        g_variant_get_child(event, 0, "t", &ignored);
        g_variant_get_child(event, 3, "&s", &kind);
        g_variant_get_child(event, 4, "&s", &child);
        if (strcmp(kind, "child-control-cancel-delivered") == 0)
            g_string_append_printf(story, "stop %s, ", child);
        else if (strcmp(kind, "child-starting") == 0)
            g_string_append_printf(story, "start %s, ", child);
        else if (strcmp(kind, "meltdown") == 0)
            g_string_append_printf(story, "meltdown by %s, ", child);
    }
    return g_string_free(story, FALSE);
}

static guint64 last_sequence(void)
{
    g_autoptr(GVariant) reply =
        fixture_call(&f, "/org/proctor1", "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", "org.proctor1.Manager", "Sequence"), NULL);
    g_autoptr(GVariant) boxed = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) value = g_variant_get_variant(boxed);

    return g_variant_get_uint64(value);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void a_tree_of_three_levels_is_on_the_bus(void)
{
    declare_payments("");

    assert_printed(ROOT, "Members",
                   "['/org/proctor1/child/web', '/org/proctor1/supervisor/root/payments']");
    assert_printed(ROOT "/payments", "Members",
                   "['/org/proctor1/child/payments/gateway', "
                   "'/org/proctor1/supervisor/root/payments/eu', "
                   "'/org/proctor1/child/payments/reports']");
    assert_printed(ROOT "/payments/eu", "Parent", "'" ROOT "/payments'");
    assert_printed(ROOT "/payments/eu", "Strategy", "'one-for-all'");
    assert_printed(ROOT "/payments/eu", "State", "'running'");
    assert_printed(ROOT, "Parent", "'/'");
    g_autofree char *above = fixture_text(&f, "payments/eu/worker", "Name");
    g_assert_cmpstr(above, ==, "worker");
}

static void a_crash_restarts_exactly_the_scope(void)
{
    declare_payments("");
    guint64 before = last_sequence();

    crash("payments/eu/worker");
    fixture_wait_number(&f, "payments/eu/worker", "Attempt", 2);
    fixture_wait_number(&f, "payments/eu/ledger", "Attempt", 2);

    g_autofree char *story = story_after(before);
    g_assert_cmpstr(story, ==,
                    "stop payments/eu/ledger, start payments/eu/ledger, "
                    "start payments/eu/worker, ");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "payments/gateway", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "payments/reports", "Attempt"), ==, 1);
}

static void a_meltdown_takes_its_siblings_along_as_the_parent_says(void)
{
    fixture_write_tree(&f,
                       "children:\n"
                       "  - {name: web, exec: [@, ready, wait-term], readiness: explicit}\n"
                       "  - supervisor: payments\n"
                       "    strategy: rest-for-one\n"
                       "    restart_limit: {burst: 3}\n"
                       "    children:\n"
                       "    - {name: gateway, exec: [@, ready, wait-term], readiness: explicit}\n"
                       "    - supervisor: eu\n"
                       "      restart_limit: {burst: 0}\n"
                       "      children:\n"
                       "      - {name: ledger, exec: [@, ready, wait-term], readiness: explicit}\n"
                       "      - {name: worker, backoff: {initial: 10ms}, restart: permanent,\n"
                       "         exec: [@, ready, wait-term], readiness: explicit}\n"
                       "    - {name: reports, exec: [@, ready, wait-term], readiness: explicit}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "payments/reports", "Readiness", "ready");
    fixture_wait_text(&f, "payments/eu/ledger", "Readiness", "ready");
    fixture_wait_text(&f, "payments/eu/worker", "Readiness", "ready");
    guint64 before = last_sequence();

    crash("payments/eu/worker");
    fixture_wait_number(&f, "payments/reports", "Attempt", 2);

    g_autofree char *story = story_after(before);
    g_assert_cmpstr(story, ==,
                    "meltdown by payments/eu/worker, stop payments/reports, stop "
                    "payments/eu/ledger, start payments/eu/ledger, start payments/eu/worker, "
                    "start payments/reports, ");
    assert_printed(ROOT "/payments", "FailuresUsed", "1");
    assert_printed(ROOT "/payments", "FailuresRemaining", "2");
    g_assert_cmpuint(fixture_number(&f, "payments/gateway", "Attempt"), ==, 1);
    fixture_wait_text(&f, "payments/reports", "Readiness", "ready");
    wait_printed(ROOT "/payments/eu", "State", "'running'");
}

static void a_quarantined_scope_comes_back_with_resume(void)
{
    declare_payments("    restart_limit: {burst: 0}\n    escalation: quarantine-scope\n");

    crash("payments/gateway");
    fixture_wait_text(&f, "payments/reports", "Operation", "quarantined");
    fixture_wait_text(&f, "payments/reports", "Status", "none");
    wait_printed(ROOT "/payments", "State", "'melted-down'");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    g_autoptr(GVariant) outcomes = scope(ROOT "/payments", "Resume", TRUE);

    g_assert_cmpuint(g_variant_n_children(outcomes), ==, 4);
    g_autoptr(GVariant) first = g_variant_get_child_value(outcomes, 0);
    g_assert_cmpstr(dict_text(first, "ChildId"), ==, "payments/gateway");
    g_assert_cmpstr(dict_text(first, "OperationBefore"), ==, "quarantined");
    g_assert_cmpstr(dict_text(first, "Status"), ==, "ready");
    assert_printed(ROOT "/payments", "State", "'running'");
}

static void a_scope_is_restarted_as_one(void)
{
    declare_payments("");
    guint64 before = last_sequence();

    g_autoptr(GVariant) outcomes = scope(ROOT "/payments/eu", "Restart", TRUE);

    g_autofree char *story = story_after(before);
    g_assert_cmpstr(story, ==,
                    "stop payments/eu/worker, stop payments/eu/ledger, "
                    "start payments/eu/ledger, start payments/eu/worker, ");
    g_assert_cmpuint(g_variant_n_children(outcomes), ==, 2);
    g_autoptr(GVariant) one = g_variant_get_child_value(outcomes, 1);
    g_autoptr(GVariant) fence = dict_dict(one, "GenerationFence");
    g_assert_cmpstr(dict_text(one, "ChildId"), ==, "payments/eu/ledger");
    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "queued-after-stop");
    g_assert_cmpstr(dict_text(one, "Status"), ==, "ready");
    g_assert_cmpuint(fixture_number(&f, "payments/eu/ledger", "Generation"), ==, 1);
}

static void a_scope_is_paused_and_shut_down(void)
{
    declare_payments("");

    g_autoptr(GVariant) paused = scope(ROOT "/payments", "Pause", TRUE);
    g_assert_cmpuint(g_variant_n_children(paused), ==, 4);
    assert_printed(ROOT "/payments", "State", "'stopped'");
    g_autoptr(GVariant) removed = scope(ROOT "/payments", "Shutdown", TRUE);

    g_assert_cmpuint(g_variant_n_children(removed), ==, 4);
    g_assert_false(fixture_exists(&f, "payments/gateway"));
    assert_printed(ROOT "/payments", "Members", "['" ROOT "/payments/eu']");
    g_assert_true(fixture_exists(&f, "web"));
}

static void the_root_is_shut_down_as_the_tree(void)
{
    declare_payments("");

    g_autoptr(GVariant) outcomes = scope(ROOT, "Shutdown", FALSE);

    g_assert_cmpuint(g_variant_n_children(outcomes), ==, 5);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

static void reload_with_defaults(const char *defaults)
{
    g_autofree char *text =
        g_strdup_printf("supervisor: pay\n"
                        "defaults: {%s}\n"
                        "children:\n"
                        "  - {name: plain, exec: [@, ready, wait-term], readiness: explicit}\n"
                        "  - {name: own, exec: [@, ready, wait-term], readiness: explicit,\n"
                        "     restart_limit: {burst: 9}}\n",
                        defaults);
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
}

static void other_defaults_change_the_children(void)
{
    reload_with_defaults("restart_limit: {burst: 3}");
    g_assert_cmpuint(fixture_number(&f, "pay/plain", "RestartLimitBurst"), ==, 3);
    g_assert_cmpuint(fixture_number(&f, "pay/own", "RestartLimitBurst"), ==, 9);
    g_autofree char *manifest = fixture_text(&f, "pay/plain", "Manifest");
    g_assert_nonnull(strstr(manifest, "restart_limit: {burst: 3}"));

    reload_with_defaults("restart_limit: {burst: 4}");
    fixture_wait_number(&f, "pay/plain", "RestartLimitBurst", 4);
    g_assert_cmpuint(fixture_number(&f, "pay/own", "RestartLimitBurst"), ==, 9);
    g_assert_cmpuint(fixture_number(&f, "pay/own", "Generation"), ==, 0);
}

/* ---- groups and the queue -------------------------------------------------------------------- */

static void a_group_that_fuses_costs_nobody_a_restart(void)
{
    fixture_write_tree(
        &f, "strategy: one-for-all\n"
            "groups: [{name: ingest, strategy: one-for-one, restart_limit: {burst: 0}}]\n"
            "children:\n"
            "  - {name: a, group: ingest, restart: permanent, exec: [@, ready, wait-term],\n"
            "     readiness: explicit}\n"
            "  - {name: b, group: ingest, exec: [@, ready, wait-term], readiness: explicit}\n"
            "  - {name: c, exec: [@, ready, wait-term], readiness: explicit}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "a", "Readiness", "ready");
    fixture_wait_text(&f, "b", "Readiness", "ready");
    fixture_wait_text(&f, "c", "Readiness", "ready");

    crash("a");
    fixture_wait_text(&f, "a", "Operation", "quarantined");

    g_assert_cmpuint(fixture_events(&f, "group-fuse-triggered", "a"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "b", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "c", "Attempt"), ==, 1);
    assert_printed(ROOT, "Groups",
                   "[{'Name': <'ingest'>, 'Strategy': <'one-for-one'>, 'FailureLimitBurst': "
                   "<uint32 0>, 'FailuresUsed': <uint32 1>}]");
}

static void restarts_beyond_the_cap_can_be_seen_waiting(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *text = g_strdup_printf(
        "max_restarts_in_flight: 1\n"
        "children:\n"
        "  - {name: a, restart: permanent, backoff: {initial: 0s}, readiness: explicit,\n"
        "     exec: [@, fail-first, \"wait=%s\", ready, wait-term]}\n"
        "  - {name: b, restart: permanent, backoff: {initial: 0s}, readiness: explicit,\n"
        "     exec: [@, ready, wait-term]}\n",
        fixture_path(&f, "go"));
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_number(&f, "a", "Attempt", 2);
    fixture_wait_text(&f, "b", "Readiness", "ready");

    crash("b");
    fixture_wait_event(&f, "child-restart-queued", "b", 1);
    g_autofree char *why = fixture_text(&f, "b", "Explanation");
    g_assert_nonnull(strstr(why, "waits for its turn: 1 of at most 1 restarts under root"));
    wait_printed(ROOT, "RestartsQueued", "1");
    assert_printed(ROOT, "RestartsInFlight", "1");
    fixture_release(&f, "go");

    fixture_wait_number(&f, "b", "Attempt", 2);
    wait_printed(ROOT, "RestartsQueued", "0");
}

/* ---- changing the tree ----------------------------------------------------------------------- */

static char *add(const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    g_autofree char *full = g_strjoinv(g_getenv("TEST_CHILD"), parts);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", full, "test", NULL), error);
    char *path = NULL;

    if (reply)
        g_variant_get(reply, "(o)", &path);
    return path;
}

static void a_supervisor_is_added_over_the_bus(void)
{
    g_autofree char *path = add("supervisor: s\n"
                                "strategy: one-for-all\n"
                                "children: [{name: a, exec: [@, wait-term]}]\n",
                                NULL);
    g_assert_cmpstr(path, ==, ROOT "/s");
    g_autofree char *child = add("supervisor: s\nname: b\nexec: [@, wait-term]\n", NULL);
    g_assert_cmpstr(child, ==, "/org/proctor1/child/s/b");
    g_autoptr(GError) again = NULL, nowhere = NULL;

    g_assert_null(add("supervisor: s\nstrategy: rest-for-one\nchildren: []\n", &again));
    g_assert_nonnull(strstr(again->message, "a supervisor is already called \"s\""));
    g_assert_null(add("name: c\nsupervisor: t\n", &nowhere));
    g_assert_nonnull(strstr(nowhere->message, "line 2, column 13: no supervisor is called \"t\""));
    assert_printed(ROOT "/s", "Members", "['/org/proctor1/child/s/a', '/org/proctor1/child/s/b']");
}

static void a_reload_adds_changes_and_removes_supervisors(void)
{
    declare_payments("");
    fixture_write_tree(
        &f, "children:\n"
            "  - {name: web, exec: [@, ready, wait-term], readiness: explicit}\n"
            "  - supervisor: billing\n"
            "    children: [{name: a, exec: [@, ready, wait-term], readiness: explicit}]\n"
            "  - supervisor: payments\n"
            "    strategy: one-for-all\n"
            "    children:\n"
            "    - {name: gateway, exec: [@, ready, wait-term], readiness: explicit}\n");

    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);

    g_autofree char *text = g_variant_print(changes, FALSE);
    g_assert_nonnull(strstr(text, "['supervisor billing', 'billing/a']"));
    g_assert_nonnull(strstr(text, "['supervisor payments']"));
    g_assert_nonnull(strstr(text, "supervisor payments/eu"));
    fixture_wait_removed(&f, "payments/eu/worker");
    fixture_wait_removed(&f, "payments/eu/ledger");
    fixture_wait_removed(&f, "payments/reports");
    assert_printed(ROOT "/payments", "Members", "['/org/proctor1/child/payments/gateway']");
    assert_printed(ROOT "/payments", "Strategy", "'one-for-all'");
    assert_printed(ROOT, "Members",
                   "['/org/proctor1/child/web', '/org/proctor1/supervisor/root/payments', "
                   "'/org/proctor1/supervisor/root/billing']");
    g_assert_cmpuint(fixture_number(&f, "payments/gateway", "Attempt"), ==, 1);
}

static char *reload_with_limit(const char *interval)
{
    g_autofree char *text = g_strdup_printf(
        "children:\n"
        "  - supervisor: s\n"
        "    restart_limit: {burst: 3, interval: %s}\n"
        "    groups: [{name: g, restart_limit: {burst: 2, interval: %s}}]\n"
        "    children: [{name: a, exec: [@, ready, wait-term], readiness: explicit}]\n",
        interval, interval);

    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    return g_variant_print(changes, FALSE);
}

static void a_limit_in_other_words_is_no_change(void)
{
    g_autofree char *added = reload_with_limit("60s");
    g_autofree char *same = reload_with_limit("1m");
    g_autofree char *other = reload_with_limit("2m");

    g_assert_nonnull(strstr(added, "supervisor s"));
    g_assert_null(strstr(same, "supervisor s"));
    g_assert_nonnull(strstr(other, "supervisor s"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_tree_of_three_levels_is_on_the_bus);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_crash_restarts_exactly_the_scope);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors",
                 a_meltdown_takes_its_siblings_along_as_the_parent_says);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_quarantined_scope_comes_back_with_resume);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_scope_is_restarted_as_one);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_scope_is_paused_and_shut_down);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", the_root_is_shut_down_as_the_tree);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_group_that_fuses_costs_nobody_a_restart);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", restarts_beyond_the_cap_can_be_seen_waiting);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", other_defaults_change_the_children);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_supervisor_is_added_over_the_bus);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_reload_adds_changes_and_removes_supervisors);
    FIXTURE_TEST(&f, NULL, "/daemon/supervisors", a_limit_in_other_words_is_no_change);
    return g_test_run();
}
