/*
 * The audit and the trace of a command outlive the daemon, and say what happened.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

static struct fixture f;
static const char *const *options;

static void die_and_come_back(void)
{
    fixture_kill(&f);
    fixture_again(&f, options);
}

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    options = fixture_cgroups();
    FIXTURE_TEST(&f, options, "/daemon/audit", the_audit_tells_the_whole_story);
    FIXTURE_TEST(&f, options, "/daemon/audit", a_command_is_found_by_its_id);
    FIXTURE_TEST(&f, options, "/daemon/audit", an_id_that_is_none_is_refused);
    FIXTURE_TEST(&f, options, "/daemon/audit", the_audit_goes_on_after_a_shutdown);
    FIXTURE_TEST(&f, options, "/daemon/audit", the_trace_has_no_secret);
    FIXTURE_TEST(&f, options, "/daemon/audit", a_trace_goes_when_it_has_been_read);
    FIXTURE_TEST(&f, options, "/daemon/audit", there_are_four_traces_at_a_time);
    FIXTURE_TEST(&f, options, "/daemon/audit", the_trace_is_lived_through_again);
    FIXTURE_TEST(&f, options, "/daemon/audit", a_changed_trace_is_noticed);
    return g_test_run();
}
