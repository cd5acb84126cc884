/*
 * Why a child has no attempt: the property, as it is read and as a client that caches has it from
 * the signals, and the sentence say the same, for each reason.
 */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static struct fixture f;

/* What GDBus keeps of a child, from the first answer and then from the signals alone. */
static GDBusProxy *cache_of(const char *child)
{
    g_autofree char *path = g_strconcat("/org/proctor1/child/", child, NULL);
    g_autoptr(GError) error = NULL;
    GDBusProxy *proxy = g_dbus_proxy_new_sync(f.bus, G_DBUS_PROXY_FLAGS_NONE, NULL, "org.proctor1",
                                              path, "org.proctor1.Child", NULL, &error);

    g_assert_no_error(error);
    return proxy;
}

static void assert_cached(GDBusProxy *proxy, const char *property, const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    for (;;) {
        g_autoptr(GVariant) value = g_dbus_proxy_get_cached_property(proxy, property);
        g_autofree char *text = value ? g_variant_print(value, FALSE) : NULL;
        if (g_strcmp0(text, expected) == 0)
            return;
        if (g_get_monotonic_time() > deadline)
            g_error("%s: %s is %s for a client, not %s", g_dbus_proxy_get_object_path(proxy),
                    property, text, expected);
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
}

static void assert_reason(GDBusProxy *proxy, const char *child, const char *reason,
                          const char *sentence)
{
    g_autofree char *cached = g_strdup_printf("'%s'", reason);

    fixture_wait_text(&f, child, "WaitsFor", reason);
    assert_cached(proxy, "WaitsFor", cached);
    g_autofree char *text = fixture_text(&f, child, "Explanation");
    if (!g_strrstr(text, sentence))
        g_error("%s: \"%s\" does not say \"%s\"", child, text, sentence);
}

static void a_hold_and_a_fence(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("ignore-term, ready, wait=%s", fixture_path(&f, "go"));
    fixture_add(&f, "web", "readiness: explicit\nstop: {timeout: 0}\n", steps);
    fixture_wait_text(&f, "web", "Readiness", "ready");
    g_autoptr(GDBusProxy) proxy = cache_of("web");

    assert_reason(proxy, "web", "", "ready for");
    g_variant_unref(fixture_verb(&f, "Restart", "web"));
    assert_reason(proxy, "web", "fenced", "; then generation 1 starts");
    g_variant_unref(fixture_verb(&f, "Pause", "web"));
    assert_reason(proxy, "web", "held", "paused by");
    fixture_release(&f, "go");
    fixture_wait_text(&f, "web", "Status", "none");
    assert_reason(proxy, "web", "held", "paused by");
    g_variant_unref(fixture_verb(&f, "Resume", "web"));
    assert_reason(proxy, "web", "", "for");
    fixture_release(&f, "go");
}

static void a_backoff(void)
{
    fixture_add(&f, "web",
                "readiness: immediate\nrestart: permanent\n"
                "backoff: {initial: 1h, max: 1h, jitter: none}\n",
                "exit=1");
    g_autoptr(GDBusProxy) proxy = cache_of("web");

    assert_reason(proxy, "web", "backoff", "before restart 1 of 10, after exit code 1");
}

static void a_requirement_and_one_that_it_comes_after(void)
{
    fixture_add(&f, "db", "autostart: false\nreadiness: immediate\n", "live=600000");
    fixture_add(&f, "slow", "readiness: explicit\nstart_timeout: 0\n", "wait-term");
    fixture_add(&f, "web", "requires: [db]\nafter: [slow]\nreadiness: immediate\n", "live=600000");
    g_autoptr(GDBusProxy) proxy = cache_of("web");

    assert_reason(proxy, "web", "dependency", "not started: requires db, which is not ready");
    assert_cached(proxy, "WaitsForDependency", "('requires', 'db')");
    g_variant_unref(fixture_verb(&f, "Restart", "db"));
    assert_cached(proxy, "WaitsForDependency", "('after', 'slow')");
    assert_reason(proxy, "web", "dependency", "not started: comes after slow, which is starting");
    g_variant_unref(fixture_verb(&f, "Pause", "slow"));
    assert_reason(proxy, "web", "", "for");
    assert_cached(proxy, "WaitsForDependency", "('', '')");
}

static void those_that_are_restarted_with_it(void)
{
    fixture_fifo(&f, "go");
    fixture_fifo(&f, "crash");
    g_autofree char *tree = g_strdup_printf(
        "supervisor: s\nstrategy: one-for-all\nchildren:\n"
        "  - {name: a, restart: permanent, readiness: explicit,\n"
        "     backoff: {initial: 2s, jitter: none}, exec: [@, ready, wait=%s, exit=1]}\n"
        "  - {name: b, readiness: explicit, stop: {timeout: 0},\n"
        "     exec: [@, ignore-term, ready, wait=%s]}\n",
        fixture_path(&f, "crash"), fixture_path(&f, "go"));
    fixture_write_tree(&f, tree);
    g_variant_unref(fixture_reload(&f, NULL));
    fixture_wait_text(&f, "s/a", "Readiness", "ready");
    fixture_wait_text(&f, "s/b", "Readiness", "ready");
    g_autoptr(GDBusProxy) a = cache_of("s/a"), b = cache_of("s/b");

    fixture_release(&f, "crash");
    assert_reason(a, "s/a", "backoff", "; then restarts together with its siblings under s");
    assert_reason(b, "s/b", "fenced", "stopping");
    assert_reason(a, "s/a", "scope",
                  "waits until s/b has ended, as both are restarted together under s");
    assert_cached(a, "NextRestartUSec", "0"); /* it is told that its own time is over */
    fixture_release(&f, "go");
    assert_reason(a, "s/a", "", "");
    fixture_release(&f, "go");
    fixture_release(&f, "crash");
}

static void its_turn(void)
{
    fixture_write_tree(
        &f, "supervisor: s\nmax_restarts_in_flight: 1\nchildren:\n"
            "  - {name: a, restart: permanent, readiness: explicit,\n"
            "     backoff: {initial: 0s, jitter: none}, exec: [@, fail-first, wait-term]}\n"
            "  - {name: b, restart: permanent, readiness: explicit,\n"
            "     backoff: {initial: 2s, jitter: none}, exec: [@, fail-first, wait-term]}\n");
    g_variant_unref(fixture_reload(&f, NULL));
    g_autoptr(GDBusProxy) b = cache_of("s/b");

    assert_reason(b, "s/b", "queued", "waits for its turn: 1 of at most 1 restarts under s");
    g_variant_unref(fixture_verb(&f, "Pause", "s/a"));
    assert_reason(b, "s/b", "", "ing for");
}

/* What brought it to its end is reported, and not what might have. */
static void failed_checks_are_no_silence(void)
{
    const char *ok = fixture_path(&f, "ok");
    g_autofree char *yaml = g_strdup_printf(
        "health_check: {exec: [/usr/bin/test, -e, %s], interval: 20ms, retries: 1,\n"
        "               on_failure: restart}\n"
        "heartbeat: {interval: 10ms, stale_after: 20ms, required: true}\n" /* reported only */
        "restart: permanent\nbackoff: {initial: 1h, max: 1h, jitter: none}\n"
        "readiness: check\nstop: {timeout: 0}\n",
        ok);
    g_autofree char *steps = NULL;

    fixture_fifo(&f, "go");
    steps = g_strdup_printf("ignore-term, status=deaf, wait=%s", fixture_path(&f, "go"));
    g_assert_true(g_file_set_contents(ok, "", 0, NULL));
    fixture_add(&f, "web", yaml, steps);
    fixture_wait_flag(&f, "web", "HeartbeatStale");     /* the silence comes first */
    fixture_wait_text(&f, "web", "Readiness", "ready"); /* and a check has passed */
    fixture_wait_text(&f, "web", "StatusText", "deaf");
    g_assert_cmpint(unlink(ok), ==, 0);
    fixture_wait_text(&f, "web", "Status", "cancelling");
    g_autofree char *stopping = fixture_text(&f, "web", "Explanation");
    g_assert_nonnull(strstr(stopping, "because its health checks failed"));
    fixture_release(&f, "go");
    fixture_wait_text(&f, "web", "WaitsFor", "backoff");
    g_autofree char *after = fixture_text(&f, "web", "Explanation");
    g_assert_nonnull(strstr(after, "after failed health checks"));
    g_assert_null(strstr(after, "silent"));
}

static void a_fatal_exit_code_is_no_limit_used_up(void)
{
    fixture_add(&f, "web",
                "readiness: immediate\nrestart: permanent\nrestart_limit: {on_limit: stop}\n",
                "exit=78");
    fixture_wait_event(&f, "child-exited", "web", 1);
    g_autofree char *text = fixture_text(&f, "web", "Explanation");
    g_assert_cmpstr(text, ==, "given up after exit code 78, which is fatal; restart it by hand");
}

/* Also of one that nothing is wrong with. */
static void a_meltdown_names_its_supervisor(void)
{
    fixture_write_tree(&f, "supervisor: s\nrestart_limit: {burst: 0, interval: 1m}\n"
                           "escalation: quarantine-scope\nchildren:\n"
                           "  - {name: well, exec: [@, wait-term]}\n"
                           "  - {name: bad, restart: permanent, exec: [@, exit=1]}\n");
    g_variant_unref(fixture_reload(&f, NULL));
    fixture_wait_text(&f, "s/well", "WaitsFor", "held");
    g_autofree char *text = fixture_text(&f, "s/well", "Explanation");
    g_assert_nonnull(strstr(text, "\"the restart limit of s is used up, last by s/bad\""));
}

static void a_budget_is_told(void)
{
    fixture_write_tree(&f, "supervisor: s\n"
                           "groups: [{name: g, budget: {restarts: 1, interval: 1h}}]\nchildren:\n"
                           "  - {name: a, group: g, restart: permanent, exec: [@, exit=1],\n"
                           "     backoff: {initial: 0s, jitter: none}}\n");
    g_variant_unref(fixture_reload(&f, NULL));
    fixture_wait_text(&f, "s/a", "WaitsFor", "backoff");
    g_autofree char *text = fixture_text(&f, "s/a", "Explanation");
    g_assert_nonnull(
        strstr(text, "until the restart budget of group g allows a restart, after exit code 1"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", a_hold_and_a_fence);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", a_backoff);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", a_requirement_and_one_that_it_comes_after);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", those_that_are_restarted_with_it);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", its_turn);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", failed_checks_are_no_silence);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", a_fatal_exit_code_is_no_limit_used_up);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", a_meltdown_names_its_supervisor);
    FIXTURE_TEST(&f, NULL, "/daemon/reasons", a_budget_is_told);
    return g_test_run();
}
