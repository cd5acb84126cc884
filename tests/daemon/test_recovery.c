/*
 * The daemon dies at once, and is started again: children, commands and jobs are all there.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>

static struct fixture f;
static const char *const *options;

static void die_and_come_back(void)
{
    fixture_kill(&f);
    fixture_again(&f, options);
}

static gboolean recovered(void)
{
    g_autoptr(GVariant) value = fixture_manager_property(&f, "Recovered");
    return g_variant_get_boolean(value);
}

static void children_go_on(void)
{
    g_assert_false(recovered());
    fixture_fifo(&f, "go");
    g_autofree char *steps =
        g_strdup_printf("\"wait=%s\", ready, wait-term", fixture_path(&f, "go"));
    fixture_add(&f, "web", "readiness: explicit\nstart_timeout: 0\n", steps);
    fixture_wait_text(&f, "web", "Status", "running");
    guint64 pid = fixture_number(&f, "web", "MainPID");

    die_and_come_back();
    g_assert_true(recovered());
    g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
    fixture_release(&f, "go"); /* what it says reaches the new one */
    fixture_wait_text(&f, "web", "Readiness", "ready");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "web");
    fixture_wait_number(&f, "web", "Generation", 1);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "web", "Readiness", "ready");
    fixture_wait_gone(&f, (GPid)pid);
    g_assert_cmpuint(fixture_events(&f, "supervisor-recovered", NULL), ==, 1);
}

static void one_that_died_meanwhile_is_restarted(void)
{
    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");

    fixture_kill(&f);
    kill(pid, SIGKILL);
    fixture_wait_gone(&f, pid);
    fixture_again(&f, options);
    fixture_wait_number(&f, "web", "Generation", 1);
    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");
    g_assert_nonnull(strstr(dict_text(last, "Reason"), "not known"));
    g_assert_cmpuint(fixture_number(&f, "web", "RestartsUsed"), ==, 1);
}

static void the_end_of_an_adopted_child_is_seen(void)
{
    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    die_and_come_back();
    kill((GPid)fixture_number(&f, "web", "MainPID"), SIGKILL);
    fixture_wait_number(&f, "web", "Generation", 1);
    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");
    g_assert_cmpuint(dict_number(last, "Attempt"), ==, 1);
}

static void holds_stay(void)
{
    fixture_add(&f, "a", "", "wait-term");
    fixture_add(&f, "b", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "a");
    g_autoptr(GVariant) quarantined = fixture_verb_waiting(&f, "Quarantine", "b");
    die_and_come_back();
    fixture_wait_text(&f, "a", "Operation", "paused");
    fixture_wait_text(&f, "b", "Operation", "quarantined");
    fixture_wait_text(&f, "a", "Status", "none");
    g_autofree char *why = fixture_text(&f, "a", "Explanation");
    g_assert_nonnull(strstr(why, "paused by"));
    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "a");
    g_assert_cmpuint(fixture_number(&f, "a", "Generation"), ==, 1);
}

static void a_fence_is_carried_to_its_end(void)
{
    fixture_add(&f, "web", "stop: {timeout: 300ms, abort_timeout: 5s}\n", "ignore-term, pause");
    guint64 pid = fixture_number(&f, "web", "MainPID");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "web");

    die_and_come_back();
    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 2);
    g_assert_true(fixture_has_ended((GPid)pid));
    g_assert_cmpuint(fixture_events(&f, "child-restart-fence-released", "web"), ==, 1);
}

static void a_shutdown_is_carried_to_its_end(void)
{
    GVariantBuilder none;

    fixture_add(&f, "web", "stop: {timeout: 2s, abort_timeout: 5s}\n", "ignore-term, pause");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");
    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "Shutdown", g_variant_new("(sa{sv})", "test", &none), NULL);

    die_and_come_back();
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
    g_assert_true(fixture_has_ended(pid));
}

static void stop_and_start(void)
{
    kill(f.pid, SIGTERM);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
    fixture_forget(&f);
    fixture_again(&f, options);
}

static void an_orderly_stop_forgets_nothing(void)
{
    fixture_write_tree(&f, "children:\n"
                           "  - {name: web, exec: [@, wait-term]}\n"
                           "  - {name: held, exec: [@, wait-term]}\n"
                           "  - {name: bad, exec: [@, wait-term]}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_add(&f, "bus", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "held");
    g_autoptr(GVariant) quarantined = fixture_verb_waiting(&f, "Quarantine", "bad");
    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "web");

    for (guint64 round = 1; round <= 2; round++) {
        stop_and_start();
        g_assert_true(recovered());
        fixture_wait_text(&f, "web", "Status", "ready");
        fixture_wait_text(&f, "bus", "Status", "ready");
        g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 1 + round);
        g_assert_cmpuint(fixture_number(&f, "bus", "Generation"), ==, round);
        fixture_wait_text(&f, "held", "Operation", "paused");
        fixture_wait_text(&f, "bad", "Operation", "quarantined");
        g_autofree char *why = fixture_text(&f, "held", "Explanation");
        g_assert_nonnull(strstr(why, "paused by"));
        fixture_wait_text(&f, "held", "Status", "none");
        fixture_wait_text(&f, "bad", "Status", "none");
    }
    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "held");
    g_assert_cmpuint(fixture_number(&f, "held", "Generation"), ==, 1);
}

static guint64 last_number(const char *name)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(fixture_path(&f, name), &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(g_strstrip(text), "\n", -1);
    return g_ascii_strtoull(lines[g_strv_length(lines) - 1], NULL, 10);
}

static void the_fencing_token_only_grows(void)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: web\nexec: [/bin/sh, -c, 'echo $PROCTOR_FENCE >> %s; exec sleep 1000']\n",
        fixture_path(&f, "fences"));
    guint64 last = 0, generation = 0;

    for (guint i = 0; i < 4; i++) {
        if (i != 2) { /* then it is not removed, but proctord stops and starts */
            g_autoptr(GVariant) reply = fixture_manager(
                &f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
        }
        while (fixture_count_lines(&f, "fences") <= i)
            g_main_context_iteration(NULL, FALSE);
        fixture_wait_text(&f, "web", "Status", "ready");
        g_assert_cmpuint(last_number("fences"), >, last);
        last = last_number("fences");
        g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, generation++);
        if (i == 1) {
            stop_and_start();
            continue;
        }
        g_autoptr(GVariant) outcome = fixture_verb(&f, "Remove", "web");
        fixture_wait_removed(&f, "web");
    }
}

static void a_manifest_that_changed_meanwhile_is_the_new_one(void)
{
    fixture_write_tree(&f, "children:\n  - {name: web, exec: [@, wait-term]}\n"
                           "  - {name: old, exec: [@, wait-term]}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "old", "Status", "ready");
    kill(f.pid, SIGTERM);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
    fixture_forget(&f);
    fixture_write_tree(&f, "children:\n  - {name: web, exec: [@, wait-term], tags: [newer]}\n"
                           "  - {name: more, exec: [@, wait-term]}\n");
    fixture_again(&f, options);
    fixture_wait_text(&f, "web", "Status", "ready");
    fixture_wait_text(&f, "more", "Status", "ready");
    fixture_wait_removed(&f, "old");
    g_autoptr(GVariant) tags = fixture_property(&f, "web", "Tags");
    g_autofree char *text = g_variant_print(tags, FALSE);
    g_assert_cmpstr(text, ==, "['newer']");
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 1); /* started once */
}

/* systemd kills a proctord whose stop takes too long; the next boot has to bring the tree up. */
static void a_stop_by_signal_that_was_cut_is_no_stop(void)
{
    fixture_add(&f, "web", "stop: {timeout: 300ms, abort_timeout: 5s}\n", "ignore-term, pause");
    fixture_add(&f, "api", "after: [web]\n", "wait-term");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");
    kill(f.pid, SIGTERM);
    fixture_wait_text(&f, "web", "Status", "cancelling");
    die_and_come_back();
    fixture_wait_number(&f, "web", "Generation", 1);
    fixture_wait_text(&f, "web", "Status", "ready");
    fixture_wait_text(&f, "api", "Status", "ready");
    g_assert_true(fixture_has_ended(pid));
}

static void output_is_not_lost(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *text = g_strdup_printf(
        "children:\n  - {name: web, exec: [/bin/sh, -c, 'echo one; read x < %s; echo two; sleep "
        "1000'], stdout: {file: %s}}\n",
        fixture_path(&f, "go"), fixture_path(&f, "web.log"));
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "web", "Status", "ready");
    fixture_kill(&f);
    fixture_release(&f, "go"); /* it speaks while no proctord listens */
    fixture_again(&f, options);
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    while (fixture_count_lines(&f, "web.log") < 2)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    fixture_wait_text(&f, "web", "Status", "ready");
}

static void changed_manifests_are_read_at_the_start(void)
{
    fixture_write_tree(&f, "children:\n  - {name: a, exec: [@, wait-term]}\n"
                           "  - {name: b, exec: [@, wait-term]}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "b", "Status", "ready");
    fixture_kill(&f);
    fixture_write_tree(&f, "children:\n  - {name: a, exec: [@, wait-term]}\n"
                           "  - {name: b, exec: [@, wait-term], tags: [new], nice: 1}\n"
                           "  - {name: c, exec: [@, wait-term]}\n");
    fixture_again(&f, options);
    fixture_wait_flag(&f, "b", "ManifestPending");
    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "b");
    g_assert_false(fixture_flag(&f, "b", "ManifestPending"));
    g_assert_cmpuint(fixture_number(&f, "b", "Generation"), ==, 1);
    fixture_wait_text(&f, "c", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "a", "Generation"), ==, 0);
}

static GVariant *job_property(const char *name)
{
    g_autoptr(GVariant) reply =
        fixture_call(&f, "/org/proctor1/job/1", "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", "org.proctor1.Job", name), NULL);
    g_autoptr(GVariant) boxed = g_variant_get_child_value(reply, 0);

    return g_variant_get_variant(boxed);
}

static gboolean output_is(const char *wanted)
{
    g_autoptr(GVariant) value = job_property("Output");
    gsize size;
    const char *data = g_variant_get_fixed_array(value, &size, 1);

    return size == strlen(wanted) && memcmp(data, wanted, size) == 0;
}

static void check_output(const char *wanted)
{
    g_assert_true(output_is(wanted));
}

static void jobs_go_on(void)
{
    fixture_fifo(&f, "go");
    GVariantBuilder none;
    g_autofree char *text = g_strdup_printf(
        "name: import\nexec: [%s, result=half, \"wait=%s\", result=whole, exit=3]\n",
        g_getenv("TEST_CHILD"), fixture_path(&f, "go"));
    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) job =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", &none), NULL);
    fixture_wait_text(&f, "jobs/1", "Status", "ready");
    die_and_come_back();
    fixture_release(&f, "go");
    g_autoptr(GVariant) end =
        fixture_call(&f, "/org/proctor1/job/1", "org.proctor1.Job", "Wait", NULL, NULL);
    g_autoptr(GVariant) result = g_variant_get_child_value(end, 0);
    g_assert_cmpstr(dict_text(result, "Result"), ==, "failed");
    check_output("halfwhole");
    die_and_come_back(); /* what was finished stays */
    check_output("halfwhole");
}

static void a_job_that_ended_meanwhile_may_lack_something(void)
{
    fixture_fifo(&f, "go");
    GVariantBuilder none;
    g_autofree char *text =
        g_strdup_printf("name: import\nexec: [%s, result=half, \"wait=%s\", result=whole]\n",
                        g_getenv("TEST_CHILD"), fixture_path(&f, "go"));
    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) job =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", &none), NULL);
    fixture_wait_text(&f, "jobs/1", "Status", "ready");
    GPid pid = (GPid)fixture_number(&f, "jobs/1", "MainPID");
    while (!output_is("half"))
        g_main_context_iteration(NULL, FALSE);
    fixture_kill(&f);
    fixture_release(&f, "go");
    fixture_wait_gone(&f, pid);
    fixture_again(&f, options);
    g_autoptr(GVariant) end =
        fixture_call(&f, "/org/proctor1/job/1", "org.proctor1.Job", "Wait", NULL, NULL);
    g_autoptr(GVariant) result = g_variant_get_child_value(end, 0);
    g_assert_cmpstr(dict_text(result, "Result"), ==, "failed");
    check_output("half");
    g_autoptr(GVariant) truncated = job_property("OutputTruncated");
    g_assert_true(g_variant_get_boolean(truncated));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    options = fixture_cgroups();
    FIXTURE_TEST(&f, options, "/daemon/recovery", children_go_on);
    FIXTURE_TEST(&f, options, "/daemon/recovery", one_that_died_meanwhile_is_restarted);
    FIXTURE_TEST(&f, options, "/daemon/recovery", the_end_of_an_adopted_child_is_seen);
    FIXTURE_TEST(&f, options, "/daemon/recovery", holds_stay);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_fence_is_carried_to_its_end);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_shutdown_is_carried_to_its_end);
    FIXTURE_TEST(&f, options, "/daemon/recovery", an_orderly_stop_forgets_nothing);
    FIXTURE_TEST(&f, options, "/daemon/recovery", the_fencing_token_only_grows);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_manifest_that_changed_meanwhile_is_the_new_one);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_stop_by_signal_that_was_cut_is_no_stop);
    FIXTURE_TEST(&f, options, "/daemon/recovery", output_is_not_lost);
    FIXTURE_TEST(&f, options, "/daemon/recovery", changed_manifests_are_read_at_the_start);
    FIXTURE_TEST(&f, options, "/daemon/recovery", jobs_go_on);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_job_that_ended_meanwhile_may_lack_something);
    return g_test_run();
}
