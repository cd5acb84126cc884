/*
 * Calls with `wait` always answer: with the effect, or when the time is up with the name of what
 * they still wait for.
 */
#include "fixture.h"

#include <sys/wait.h>

static struct fixture f;

#define SHORT_USEC 100000

/* The arguments of a verb, with reason "test". */
static GVariant *arguments_of(const char *child, guint64 wait_usec)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    g_variant_builder_add(&options, "{sv}", "wait-usec", g_variant_new_uint64(wait_usec));
    return child ? g_variant_new("(ssa{sv})", child, "test", &options)
                 : g_variant_new("(sa{sv})", "test", &options);
}

static GVariant *wait_a_little(const char *method, const char *child)
{
    g_autoptr(GVariant) reply = fixture_manager(&f, method, arguments_of(child, SHORT_USEC), NULL);
    return g_variant_get_child_value(reply, 0);
}

static void assert_names(GVariant *outcome, const char *what, const char *sentence)
{
    g_assert_cmpstr(dict_text(outcome, "WaitsFor"), ==, what);
    if (!g_strrstr(dict_text(outcome, "Explanation"), sentence))
        g_error("\"%s\" does not say \"%s\"", dict_text(outcome, "Explanation"), sentence);
}

static void assert_waits(GVariant *outcome, const char *what, const char *sentence)
{
    g_assert_true(dict_flag(outcome, "TimedOut"));
    assert_names(outcome, what, sentence);
}

/* A child that ends when it is released, and not before. */
static void add_slow(const char *name, const char *yaml)
{
    g_autofree char *steps = NULL;

    fixture_fifo(&f, name);
    steps = g_strdup_printf("ignore-term, ready, wait=%s", fixture_path(&f, name));
    fixture_add(&f, name, yaml, steps);
    fixture_wait_text(&f, name, "Readiness", "ready");
}

static void a_slow_stop_is_named(void)
{
    add_slow("slow", "readiness: explicit\n");
    g_autoptr(GVariant) outcome = wait_a_little("PauseChild", "slow");
    assert_waits(outcome, "stop", "paused by");
    g_assert_cmpstr(dict_text(outcome, "Status"), ==, "cancelling");
    fixture_release(&f, "slow"); /* what was begun continues */
    fixture_wait_text(&f, "slow", "StopState", "completed");
}

static void a_restart_behind_a_slow_stop_is_named(void)
{
    add_slow("slow", "readiness: explicit\n");
    g_autoptr(GVariant) outcome = wait_a_little("RestartChild", "slow");
    assert_waits(outcome, "fenced", "stopping");
    fixture_release(&f, "slow");
    fixture_wait_number(&f, "slow", "Generation", 1);
}

static void a_start_that_is_never_ready_is_named(void)
{
    fixture_add(&f, "mute", "readiness: explicit\nstart_timeout: 0\nautostart: false\n",
                "live=600000");
    g_autoptr(GVariant) outcome = wait_a_little("RestartChild", "mute");
    assert_waits(outcome, "readiness", "has not reported readiness yet");
}

static void a_requirement_that_is_down_is_named(void)
{
    fixture_add(&f, "db", "autostart: false\n", "live=600000");
    fixture_add(&f, "api", "requires: [db]\n", "live=600000");
    g_variant_unref(fixture_verb(&f, "Pause", "api"));
    g_autoptr(GVariant) outcome = wait_a_little("ResumeChild", "api");
    g_assert_false(dict_has(outcome, "TimedOut")); /* it is answered at once: nobody starts db */
    assert_names(outcome, "dependency", "requires db");
}

static void a_requirement_that_is_on_its_way_is_named(void)
{
    fixture_add(&f, "db", "readiness: explicit\nstart_timeout: 0\n", "live=600000");
    fixture_add(&f, "api", "requires: [db]\n", "live=600000");
    g_variant_unref(fixture_verb(&f, "Pause", "api"));
    g_autoptr(GVariant) outcome = wait_a_little("ResumeChild", "api");
    assert_waits(outcome, "dependency", "requires db");
}

static void a_reload_that_is_never_done_is_named(void)
{
    fixture_add(&f, "web", "readiness: explicit\nreload_signal: SIGURG\n", "ready, live=600000");
    fixture_wait_text(&f, "web", "Readiness", "ready");
    g_autoptr(GVariant) reply = fixture_call(&f, "/org/proctor1/child/web", "org.proctor1.Child",
                                             "Reload", arguments_of(NULL, SHORT_USEC), NULL);
    g_autoptr(GVariant) outcome = g_variant_get_child_value(reply, 0);
    assert_waits(outcome, "reload", "ready for");
}

static void each_member_of_a_scope_is_named(void)
{
    fixture_add(&f, "quick", "readiness: explicit\n", "ready, live=600000");
    fixture_wait_text(&f, "quick", "Readiness", "ready");
    add_slow("slow", "readiness: explicit\n");
    g_autoptr(GVariant) reply =
        fixture_call(&f, "/org/proctor1/supervisor/root", "org.proctor1.Supervisor", "Pause",
                     arguments_of(NULL, SHORT_USEC), NULL);
    g_autoptr(GVariant) outcomes = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) slow = g_variant_get_child_value(outcomes, 0);
    g_autoptr(GVariant) quick = g_variant_get_child_value(outcomes, 1);
    assert_waits(slow, "stop", "paused by");
    g_assert_false(dict_has(quick, "TimedOut"));
    g_assert_cmpstr(dict_text(quick, "StopState"), ==, "completed");
    fixture_release(&f, "slow");
}

static void a_child_that_was_added_is_named(void)
{
    g_autofree char *manifest = g_strdup_printf(
        "{name: mute, readiness: explicit, start_timeout: 0, exec: [%s, live=600000]}",
        g_getenv("TEST_CHILD"));
    g_autoptr(GError) error = NULL;
    g_assert_null(fixture_manager(&f, "AddChild", arguments_of(manifest, SHORT_USEC), &error));
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.TimedOut");
    g_assert_nonnull(g_strrstr(error->message, "the child was added; waits for: readiness: mute"));
    g_assert_true(fixture_exists(&f, "mute"));
}

static void a_shutdown_names_who_is_there(void)
{
    add_slow("slow", "readiness: explicit\n");
    g_autoptr(GVariant) result = wait_a_little("Shutdown", NULL);
    g_assert_true(dict_flag(result, "TimedOut"));
    g_autoptr(GVariant) there = g_variant_lookup_value(result, "StillThere", NULL);
    g_autofree const char **ids = g_variant_get_strv(there, NULL);
    g_assert_cmpstr(ids[0], ==, "slow");
    g_assert_null(ids[1]);
    fixture_release(&f, "slow");
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* One that comes in time says nothing of it; nor does one without a limit of its own. */
static void who_is_in_time_is_not_overdue(void)
{
    fixture_add(&f, "web", "readiness: explicit\n", "ready, live=600000");
    for (guint64 limit = 0; limit < 2; limit++) {
        g_autoptr(GVariant) reply =
            fixture_manager(&f, "RestartChild", arguments_of("web", limit * G_MAXUINT64), NULL);
        g_autoptr(GVariant) outcome = g_variant_get_child_value(reply, 0);
        g_assert_cmpstr(dict_text(outcome, "Status"), ==, "ready");
        g_assert_false(dict_has(outcome, "TimedOut"));
        g_assert_false(dict_has(outcome, "WaitsFor"));
    }
}

/* The time of a call continues in the program that takes over. */
static void a_deadline_outlives_an_upgrade(void)
{
    g_autofree char *address = g_strdup_printf("--address=%s", f.address);
    char *command[] = {
        (char *)g_getenv("PROCTORCTL"), address,          (char *)"pause",        (char *)"slow",
        (char *)"--reason=test",        (char *)"--wait", (char *)"--timeout=1s", NULL};
    int status;
    GPid pid;

    add_slow("slow", "readiness: explicit\n");
    g_assert_true(
        g_spawn_async(NULL, command, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL));
    fixture_wait_text(&f, "slow", "Operation", "paused");
    fixture_upgrade(&f);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(WEXITSTATUS(status), ==, 7);
    fixture_release(&f, "slow");
}

/* ---- proctorctl ------------------------------------------------------------------------------ */

static int tool(char **output, const char *const *words)
{
    g_autofree char *address = g_strdup_printf("--address=%s", f.address);
    const char *command[10] = {g_getenv("PROCTORCTL"), address};
    int status;

    for (size_t i = 0; words[i]; i++)
        command[i + 2] = words[i];
    g_assert_true(g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_DEFAULT, NULL, NULL, output,
                               NULL, &status, NULL));
    return WEXITSTATUS(status);
}

#define TOOL(output, ...) tool(output, (const char *const[]){__VA_ARGS__, NULL})

static void the_tool_says_what_it_waited_for(void)
{
    g_autofree char *text = NULL, *json = NULL;

    add_slow("slow", "readiness: explicit\n");
    g_assert_cmpint(TOOL(&text, "pause", "slow", "--reason=test", "--wait", "--timeout=100ms"), ==,
                    7);
    if (!g_strrstr(text, "cancel-delivered; timed out waiting for: stop (paused by"))
        g_error("%s", text);
    g_assert_cmpint(
        TOOL(&json, "pause", "slow", "--reason=test", "--wait", "--timeout=100ms", "--json=short"),
        ==, 7);
    g_assert_nonnull(g_strrstr(json, "\"timed_out\":true"));
    g_assert_nonnull(g_strrstr(json, "\"waits_for\":\"stop\""));
    fixture_release(&f, "slow");
}

static void a_limit_of_nothing_is_refused(void)
{
    g_assert_cmpint(TOOL(NULL, "pause", "x", "--reason=test", "--timeout=10s"), ==, 1);
    g_assert_cmpint(TOOL(NULL, "pause", "x", "--reason=test", "--wait", "--timeout=soon"), ==, 1);
    g_assert_cmpint(TOOL(NULL, "pause", "x", "--reason=test", "--wait", "--timeout=infinity"), ==,
                    5);
}

static void the_tool_leaves_a_job_that_takes_too_long(void)
{
    g_autofree char *manifest =
        g_strdup_printf("{name: long, exec: [%s, live=600000], kind: job}", g_getenv("TEST_CHILD"));

    g_assert_true(g_file_set_contents(fixture_path(&f, "job.yaml"), manifest, -1, NULL));
    g_assert_cmpint(TOOL(NULL, "run", fixture_path(&f, "job.yaml"), "--timeout=200ms"), ==, 7);
    fixture_wait_event(&f, "child-starting", "jobs/1", 1); /* it continues */
}

/* Whatever brings it about; and no caller waits for what cannot come. */
static void the_tool_waits_for_a_state(void)
{
    g_autofree char *text = NULL, *json = NULL;

    fixture_add(&f, "mute", "readiness: explicit\nstart_timeout: 0\nautostart: false\n",
                "live=600000");
    g_assert_cmpint(TOOL(&text, "wait", "mute"), ==, 4);
    if (!g_strrstr(text, "mute: will not be ready: not started: autostart is off"))
        g_error("%s", text);
    g_assert_cmpint(TOOL(NULL, "wait", "mute", "--for=stopped"), ==, 0);
    g_variant_unref(fixture_verb(&f, "Restart", "mute"));
    g_assert_cmpint(TOOL(NULL, "wait", "mute", "--for=running"), ==, 0);
    g_assert_cmpint(TOOL(&json, "wait", "mute", "--timeout=100ms", "--json=short"), ==, 7);
    g_assert_nonnull(g_strrstr(json, "\"result\":\"timed-out\""));
    g_assert_cmpint(TOOL(NULL, "wait", "mute", "--for=lunch"), ==, 1);
    g_assert_cmpint(TOOL(NULL, "wait", "nobody", "--for=removed"), ==, 0);
    g_assert_cmpint(TOOL(NULL, "wait", "nobody"), ==, 5);
}

static void the_tool_hears_that_a_child_is_removed(void)
{
    g_autofree char *address = g_strdup_printf("--address=%s", f.address);
    char *command[] = {(char *)g_getenv("PROCTORCTL"), address, (char *)"wait", (char *)"slow",
                       (char *)"--for=removed",        NULL};
    int status;
    GPid pid;

    add_slow("slow", "readiness: explicit\n");
    g_variant_unref(fixture_verb(&f, "Remove", "slow"));
    g_assert_true(
        g_spawn_async(NULL, command, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL));
    fixture_release(&f, "slow");
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_slow_stop_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_restart_behind_a_slow_stop_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_start_that_is_never_ready_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_requirement_that_is_down_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_requirement_that_is_on_its_way_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_reload_that_is_never_done_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", each_member_of_a_scope_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_child_that_was_added_is_named);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_shutdown_names_who_is_there);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", who_is_in_time_is_not_overdue);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_deadline_outlives_an_upgrade);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", the_tool_says_what_it_waited_for);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", a_limit_of_nothing_is_refused);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", the_tool_leaves_a_job_that_takes_too_long);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", the_tool_waits_for_a_state);
    FIXTURE_TEST(&f, NULL, "/daemon/waits", the_tool_hears_that_a_child_is_removed);
    return g_test_run();
}
