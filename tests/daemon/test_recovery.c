/*
 * The daemon dies at once, and is started again: children, commands and the audit are all there.
 */
#include "fixture.h"

#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
static const char *const without_cgroups[] = {"--no-cgroups", NULL};
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

/* ---- children -------------------------------------------------------------------------------- */

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
    g_assert_cmpint(kill((GPid)pid, 0), ==, -1);
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
    g_assert_cmpint(kill(pid, 0), ==, -1);
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
    g_assert_cmpint(kill(pid, 0), ==, -1);
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

/* ---- the audit ------------------------------------------------------------------------------- */

/* command: only what came of it, where it is not NULL. */
static GVariant *query(const char *method, const char *command)
{
    GVariantBuilder filter;

    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    if (command)
        g_variant_builder_add(&filter, "{sv}", "command", g_variant_new_string(command));
    return fixture_manager(&f, method, g_variant_new("(tua{sv})", (guint64)0, 10000, &filter),
                           NULL);
}

static char *audit(void)
{
    g_autoptr(GVariant) lines = query("QueryAudit", NULL);
    return g_variant_print(lines, FALSE);
}

static guint count_of(const char *text, const char *word)
{
    guint count = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        count++;
    return count;
}

/* The audit has it once, as a command that was accepted, by the name that its caller was given. */
static void assert_accepted(const char *lines, GVariant *outcome, const char *command)
{
    g_autofree char *line = g_strdup_printf("'command-accepted', 'web', '%s', {'command': <'%s'>",
                                            dict_text(outcome, "CommandId"), command);
    g_assert_cmpuint(count_of(lines, line), ==, 1);
}

static void the_audit_tells_the_whole_story(void)
{
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    die_and_come_back();
    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "web");
    die_and_come_back();
    g_autofree char *lines = audit();
    assert_accepted(lines, paused, "pause");
    assert_accepted(lines, resumed, "resume");
    g_assert_cmpuint(count_of(lines, "'supervisor-recovered'"), ==, 2);
    g_assert_cmpuint(count_of(lines, "'supervisor-started'"), ==, 3);
}

/* Everything is of that command, and there is something. */
static void assert_all_of(GVariant *reply, gsize cause_column, const char *command)
{
    g_autoptr(GVariant) entries = g_variant_get_child_value(reply, 0);

    g_assert_cmpuint(g_variant_n_children(entries), >, 1);
    for (gsize i = 0; i < g_variant_n_children(entries); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(entries, i);
        g_autoptr(GVariant) cause = g_variant_get_child_value(entry, cause_column);
        g_assert_cmpstr(g_variant_get_string(cause, NULL), ==, command);
    }
}

static void a_command_is_found_by_its_id(void)
{
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "web");
    const char *command = dict_text(paused, "CommandId");

    for (int i = 0; i < 3; i++) {
        g_autoptr(GVariant) entries = query("QueryAudit", command);
        g_autoptr(GVariant) events = query("QueryEvents", command);
        assert_all_of(entries, 4, command);
        if (i < 2) /* the events begin at the last checkpoint */
            assert_all_of(events, 5, command);
        if (i == 0)
            die_and_come_back();
        else
            fixture_upgrade(&f);
    }
    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "web");
    g_autofree char *head = g_strndup(command, 9);
    g_assert_true(g_str_has_prefix(dict_text(restarted, "CommandId"), head)); /* one history */
    g_assert_cmpstr(dict_text(restarted, "CommandId"), !=, dict_text(resumed, "CommandId"));
}

static void an_id_that_is_none_is_refused(void)
{
    static const char *const ids[] = {"",
                                      "2",
                                      "70a08124",
                                      "70a08124-",
                                      "70a08124-0",
                                      "70A08124-2",
                                      "70a08124-2x",
                                      "70a0812-2",
                                      "70a08124-99999999999999999999"};

    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        GVariantBuilder filter;
        g_autoptr(GError) error = NULL;
        g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&filter, "{sv}", "command", g_variant_new_string(ids[i]));
        g_assert_null(fixture_manager(&f, "QueryAudit",
                                      g_variant_new("(tua{sv})", (guint64)0, 10, &filter), &error));
        g_assert_nonnull(strstr(error->message, "filter: command: "));
    }
}

static void the_audit_goes_on_after_a_shutdown(void)
{
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    const char *before = dict_text(paused, "CommandId");
    kill(f.pid, SIGTERM);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
    fixture_forget(&f);
    fixture_again(&f, options);
    g_autofree char *lines = audit();
    g_assert_cmpuint(count_of(lines, "'shutdown-completed'"), ==, 1);
    g_assert_cmpuint(count_of(lines, "'supervisor-started'"), ==, 2);

    /* Commands continue to be numbered: none is called as one of before. */
    fixture_add(&f, "api", "", "wait-term");
    g_autoptr(GVariant) again = fixture_verb_waiting(&f, "Pause", "api");
    const char *after = dict_text(again, "CommandId");
    g_assert_cmpint(strncmp(after, before, strcspn(before, "-") + 1), ==, 0);
    g_assert_cmpuint(strtoul(strchr(after, '-') + 1, NULL, 10), >,
                     strtoul(strchr(before, '-') + 1, NULL, 10));
    g_autoptr(GVariant) old = query("QueryAudit", before);
    assert_all_of(old, 4, before);
}

/* Asks for a trace, and returns its number. */
static guint64 trace_new(guint64 *size)
{
    guint64 number;
    g_autoptr(GVariant) reply = fixture_manager(&f, "GetTrace", NULL, NULL);

    g_variant_get(reply, "(tt)", &number, size);
    return number;
}

static GVariant *trace_piece(guint64 trace, guint64 offset, guint max, GError **error)
{
    return fixture_manager(&f, "ReadTrace", g_variant_new("(ttu)", trace, offset, max), error);
}

/* The whole trace, read in pieces of `max` bytes. */
static GByteArray *read_trace(guint max)
{
    guint64 size, trace = trace_new(&size);
    GByteArray *bytes = g_byte_array_new();

    while (bytes->len < size) {
        g_autoptr(GVariant) reply = trace_piece(trace, bytes->len, max, NULL);
        g_autoptr(GVariant) piece = g_variant_get_child_value(reply, 0);
        g_assert_cmpuint(g_variant_get_size(piece), >, 0);
        g_assert_cmpuint(g_variant_get_size(piece), <=, max);
        g_byte_array_append(bytes, g_variant_get_data(piece), (guint)g_variant_get_size(piece));
    }
    g_assert_cmpuint(bytes->len, ==, size);
    return bytes;
}

static void assert_refused(guint64 trace, guint64 offset)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = trace_piece(trace, offset, 1, &error);

    g_assert_null(reply);
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.InvalidArgument");
}

static void a_trace_goes_when_it_has_been_read(void)
{
    guint64 size, trace = trace_new(&size);
    g_autoptr(GVariant) almost = trace_piece(trace, 0, (guint)size - 1, NULL);
    g_autoptr(GVariant) last = trace_piece(trace, size - 1, 1, NULL);

    assert_refused(trace, 0);
    assert_refused(trace + 1, 0);
    trace = trace_new(&size);
    assert_refused(trace, size + 1);
    g_autoptr(GVariant) nothing = trace_piece(trace, size, 1, NULL);
    assert_refused(trace, size);
}

/* The fifth takes the place of the one that has not been read for the longest. */
static void there_are_four_traces_at_a_time(void)
{
    guint64 size, traces[5];

    for (int i = 0; i < 4; i++)
        traces[i] = trace_new(&size);
    for (int i = 3; i >= 0; i--)
        g_variant_unref(trace_piece(traces[i], 0, 1, NULL));
    traces[4] = trace_new(&size);
    assert_refused(traces[3], 0);
    for (int i = 0; i < 5; i++)
        if (i != 3)
            g_variant_unref(trace_piece(traces[i], 0, 1, NULL));
}

static void the_trace_has_no_secret(void)
{
    GVariantBuilder none;

    fixture_add(&f, "web", "environment: {PASSWORD: swordfish}\n", "wait-term");
    g_autofree char *manifest =
        g_strdup_printf("name: work\nexec: [%s, pause]\nenvironment: {PASSWORD: swordfish}\n",
                        g_getenv("TEST_CHILD"));
    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) job =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", manifest, "test", &none), NULL);
    fixture_upgrade(&f); /* all of that is in a checkpoint now */
    g_autoptr(GByteArray) bytes = read_trace(100);
    g_assert_cmpuint(bytes->len, >, 100);
    g_assert_cmpint(memcmp(bytes->data, "PROCTORJ", 8), ==, 0);
    g_assert_nonnull(memmem(bytes->data, bytes->len, "web", 3));
    g_assert_nonnull(memmem(bytes->data, bytes->len, "work", 4));
    g_assert_null(memmem(bytes->data, bytes->len, "swordfish", 9));
}

/* Runs proctor-sim; returns what it prints. */
static char *simulator(int code, const char *first, ...)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    char *output = NULL;
    int status;
    va_list more;

    g_ptr_array_add(words, (char *)g_getenv("PROCTOR_SIM"));
    va_start(more, first);
    for (const char *word = first; word; word = va_arg(more, const char *))
        g_ptr_array_add(words, (char *)word);
    va_end(more);
    g_ptr_array_add(words, NULL);
    g_assert_true(g_spawn_sync(NULL, (char **)words->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL,
                               &output, NULL, &status, NULL));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, code);
    return output;
}

static void the_trace_is_lived_through_again(void)
{
    g_autofree char *trace = g_strdup(fixture_path(&f, "trace"));
    g_autofree char *shorter = g_strdup(fixture_path(&f, "short"));
    g_autofree char *page = g_strdup(fixture_path(&f, "page.html"));
    char *command[] = {
        (char *)g_getenv("PROCTORCTL"), "--address", f.address, "trace", "-o", trace, NULL};
    fixture_add(&f, "web", "environment: {PASSWORD: hunter2}\n", "wait-term");
    fixture_add(&f, "flaky",
                "restart: permanent\nrestart_limit: {burst: 1, interval: 1h}\n"
                "backoff: {initial: 5ms}\n",
                "exit=1");
    fixture_wait_text(&f, "flaky", "Operation", "quarantined");
    die_and_come_back();
    command[2] = f.address;
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "web");
    g_autoptr(GVariant) resumed = fixture_verb(&f, "Resume", "flaky");
    fixture_wait_text(&f, "flaky", "Operation", "quarantined");
    g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                               NULL, NULL, NULL));

    g_autofree char *replayed = simulator(0, "replay", trace, NULL);
    g_assert_nonnull(strstr(replayed, "lines of the audit: identical here"));
    g_assert_nonnull(strstr(replayed, "the core ends in the same state, byte for byte"));
    g_autofree char *shrunk =
        simulator(0, "shrink", trace, "-o", shorter, "--event", "child-quarantined:flaky", NULL);
    g_autofree char *story = simulator(0, "replay", shorter, "--log", NULL);
    g_assert_nonnull(strstr(story, "child-quarantined flaky"));
    g_assert_null(strstr(story, "command web restart"));
    g_autofree char *drawn = simulator(0, "timeline", trace, "-o", page, NULL);
    g_assert_true(g_file_test(page, G_FILE_TEST_EXISTS));
}

static void a_changed_trace_is_noticed(void)
{
    g_autofree char *trace = g_strdup(fixture_path(&f, "trace"));
    g_autofree char *shorter = g_strdup(fixture_path(&f, "short"));
    char *command[] = {
        (char *)g_getenv("PROCTORCTL"), "--address", f.address, "trace", "-o", trace, NULL};
    char *bytes;
    gsize size;

    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    g_assert_true(g_file_get_contents(trace, &bytes, &size, NULL));
    bytes[size - 1] ^= 1; /* of what the core was in the end */
    g_assert_true(g_file_set_contents(shorter, bytes, (gssize)size, NULL));
    g_free(bytes);
    g_autofree char *damaged = simulator(0, "replay", shorter, NULL);
    g_assert_null(strstr(damaged, "byte for byte"));
}

/* ---- a journal that is not as it should be --------------------------------------------------- */

static char *newest_segment(void)
{
    g_autofree char *folder = g_strdup(fixture_path(&f, "state/journal"));
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autofree char *newest = NULL;

    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".journal") && (!newest || strcmp(name, newest) > 0)) {
            g_free(newest);
            newest = g_strdup(name);
        }
    return g_build_filename(folder, newest, NULL);
}

static void damage(void (*how)(int fd, off_t size))
{
    g_autofree char *path = newest_segment();
    int fd = open(path, O_RDWR);

    g_assert_cmpint(fd, >=, 0);
    how(fd, lseek(fd, 0, SEEK_END));
    close(fd);
}

static void tear(int fd, off_t size)
{
    g_assert_cmpint(ftruncate(fd, size - 3), ==, 0);
}

static void flip_last(int fd, off_t size)
{
    char byte;

    g_assert_cmpint(pread(fd, &byte, 1, size - 4), ==, 1);
    byte ^= 0x10;
    g_assert_cmpint(pwrite(fd, &byte, 1, size - 4), ==, 1);
}

static void flip_checkpoint(int fd, off_t size)
{
    (void)size;
    g_assert_cmpint(pwrite(fd, "\xFF\xFF", 2, 80), ==, 2);
}

/* proctord died when it had just written the last input, and nothing of what came of it. */
static void cut_behind_the_last_input(int fd, off_t size)
{
    guint8 head[9];
    off_t end = 0;

    for (off_t at = 16; pread(fd, head, sizeof(head), at) == sizeof(head);) {
        off_t length = head[0] | head[1] << 8 | head[2] << 16;
        at += (off_t)sizeof(head) + length;
        if (head[8] == 2) /* FRAME_INPUT, see service/journal/frame.h */
            end = at;
    }
    g_assert_cmpint(end, >, 0);
    g_assert_cmpint(end, <, size);
    g_assert_cmpint(ftruncate(fd, end), ==, 0);
}

static void make_foreign(int fd, off_t size)
{
    (void)size;
    g_assert_cmpint(pwrite(fd, "GARBAGE!", 8, 0), ==, 8);
}

static void come_back_from(void (*how)(int fd, off_t size))
{
    fixture_add(&f, "web", "", "wait-term");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");

    fixture_kill(&f);
    damage(how);
    fixture_again(&f, options);
    if (!recovered()) { /* then nothing of it may be left */
        fixture_wait_gone(&f, pid);
        return;
    }
    /* Its last word may be what was lost; the process was not. */
    if (fixture_exists(&f, "web"))
        g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, (guint64)pid);
}

static void a_torn_journal_is_used_as_far_as_it_goes(void)
{
    come_back_from(tear);
    g_assert_true(recovered());
    g_autofree char *field = fixture_event_field(&f, "supervisor-recovered", NULL, "damaged_bytes");
    g_assert_cmpstr(field, !=, "0");
}

static void lines_that_the_audit_lacks_are_written(void)
{
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    fixture_kill(&f);
    damage(cut_behind_the_last_input);
    fixture_again(&f, options);
    die_and_come_back(); /* again: they are in the journal now */
    g_autofree char *lines = audit();
    g_assert_cmpuint(count_of(lines, "'child-exited', 'web'"), ==, 1);
}

static void a_flipped_bit_is_found(void)
{
    come_back_from(flip_last);
    g_assert_true(recovered());
}

static void a_damaged_checkpoint_is_no_reason_not_to_start(void)
{
    come_back_from(flip_checkpoint);
}

static void a_foreign_journal_is_no_reason_not_to_start(void)
{
    come_back_from(make_foreign);
}

static gboolean is_durability(const char *expected)
{
    g_autoptr(GVariant) value = fixture_manager_property(&f, "Durability");
    return strcmp(g_variant_get_string(value, NULL), expected) == 0;
}

static void wait_durability(const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    while (!is_durability(expected))
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* As a full disk would have it, but for proctord alone. */
static void a_full_disk_stops_changes_and_nothing_else(void)
{
    struct rlimit full = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    struct rlimit room = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    GVariantBuilder none;
    g_autoptr(GError) error = NULL;

    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    g_assert_true(is_durability("crash"));
    g_assert_cmpint(prlimit(f.pid, RLIMIT_FSIZE, &full, NULL), ==, 0);
    kill((GPid)fixture_number(&f, "web", "MainPID"), SIGKILL);
    fixture_wait_number(&f, "web", "Generation", 1); /* supervision continues */
    wait_durability("lost");
    g_autofree char *durable = fixture_event_field(&f, "durability-changed", NULL, "durable");
    g_assert_cmpstr(durable, ==, "false");

    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "PauseChild", g_variant_new("(ssa{sv})", "web", "test", &none), &error);
    g_assert_null(reply);
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.NotDurable");

    g_assert_cmpint(prlimit(f.pid, RLIMIT_FSIZE, &room, NULL), ==, 0);
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    while (!is_durability("crash")) /* each call is a turn of the loop, and it tries again */
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_assert_cmpuint(fixture_events(&f, "durability-changed", NULL), ==, 2);
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    die_and_come_back();
    fixture_wait_text(&f, "web", "Operation", "paused");
}

static void run_command(const char *verb, const char *from, const char *to)
{
    g_autofree char *command = g_strdup_printf("%s '%s' %s", verb, from, to);
    g_assert_cmpint(system(command), ==, 0);
}

/* As after a time in which nothing could be written. */
static void what_the_journal_does_not_know_is_ended(void)
{
    g_autofree char *journal = g_strdup(fixture_path(&f, "state/journal"));
    g_autofree char *copy = g_strdup(fixture_path(&f, "copy"));

    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    run_command("cp -r", journal, copy);
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "web");
    GPid unknown = (GPid)fixture_number(&f, "web", "MainPID");
    fixture_kill(&f);
    run_command("rm -rf", journal, "");
    run_command("mv", copy, journal);
    fixture_again(&f, options);
    fixture_wait_gone(&f, unknown);
    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpint(kill((GPid)fixture_number(&f, "web", "MainPID"), 0), ==, 0);
}

/* The folder is there a moment earlier. */
static gboolean has_segment(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = NULL;

    while (dir && (name = g_dir_read_name(dir)) && !g_str_has_suffix(name, ".journal"))
        ;
    return name != NULL;
}

static void a_deleted_journal_is_written_anew(void)
{
    g_autofree char *folder = g_strdup(fixture_path(&f, "state/journal"));
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_assert_cmpint(system(command), ==, 0);
    for (gint64 end = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND; !has_segment(folder);) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_assert_true(fixture_exists(&f, "web")); /* a turn of its loop */
    }
    die_and_come_back();
    fixture_wait_text(&f, "web", "Operation", "paused");
}

/* A person who mends what it stumbles over finds every child as it was. */
static void a_start_that_fails_leaves_the_children(void)
{
    const char *const stumbles[] = {"--metrics-socket=/no/such/folder/metrics",
                                    options ? options[0] : NULL, NULL};

    fixture_add(&f, "web", "", "wait-term");
    guint64 pid = fixture_number(&f, "web", "MainPID");
    fixture_kill(&f);
    for (int i = 0; i < 2; i++) {
        g_autofree char *words = fixture_fails(&f, stumbles);
        g_assert_nonnull(strstr(words, "/no/such/folder/metrics"));
        g_assert_cmpint(kill((GPid)pid, 0), ==, 0);
    }
    fixture_again(&f, options);
    g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
}

static void power_is_as_good(void)
{
    static const char *const power[] = {"--durability=power", NULL};

    fixture_kill(&f);
    fixture_again(&f, power);
    g_assert_true(is_durability("power"));
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    fixture_kill(&f);
    fixture_again(&f, power);
    fixture_wait_text(&f, "web", "Operation", "paused");
}

int main(int argc, char **argv)
{
    fixture_become_init();
    g_test_init(&argc, &argv, NULL);
    options = g_getenv("NO_CGROUPS") ? without_cgroups : NULL;
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
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_start_that_fails_leaves_the_children);
    FIXTURE_TEST(&f, options, "/daemon/recovery", the_audit_tells_the_whole_story);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_command_is_found_by_its_id);
    FIXTURE_TEST(&f, options, "/daemon/recovery", an_id_that_is_none_is_refused);
    FIXTURE_TEST(&f, options, "/daemon/recovery", the_audit_goes_on_after_a_shutdown);
    FIXTURE_TEST(&f, options, "/daemon/recovery", the_trace_has_no_secret);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_trace_goes_when_it_has_been_read);
    FIXTURE_TEST(&f, options, "/daemon/recovery", there_are_four_traces_at_a_time);
    FIXTURE_TEST(&f, options, "/daemon/recovery", the_trace_is_lived_through_again);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_changed_trace_is_noticed);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_torn_journal_is_used_as_far_as_it_goes);
    FIXTURE_TEST(&f, options, "/daemon/recovery", lines_that_the_audit_lacks_are_written);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_flipped_bit_is_found);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_damaged_checkpoint_is_no_reason_not_to_start);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_foreign_journal_is_no_reason_not_to_start);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_full_disk_stops_changes_and_nothing_else);
    FIXTURE_TEST(&f, options, "/daemon/recovery", what_the_journal_does_not_know_is_ended);
    FIXTURE_TEST(&f, options, "/daemon/recovery", a_deleted_journal_is_written_anew);
    FIXTURE_TEST(&f, options, "/daemon/recovery", power_is_as_good);
    return g_test_run();
}
