/*
 * A disk under the state folder that takes seconds for each call holds up only the callers that
 * must not be answered before it has done its work.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SLOW_MSEC "3000"
#define SLOW_USEC (3 * G_TIME_SPAN_SECOND)

static struct fixture f;
static char *delay;

static void set_delay(const char *msec)
{
    g_assert_true(g_file_set_contents(delay, msec, -1, NULL));
}

/* The slow_disk.so of $SLOW_DISK_SO is in proctord, and in nothing that the test itself does. */
static void begin(void)
{
    int fd = g_file_open_tmp(NULL, &delay, NULL);

    close(fd);
    set_delay("0");
    g_setenv("SLOW_DISK", "/state/journal:/state/results", TRUE);
    g_setenv("SLOW_DISK_MSEC", delay, TRUE);
    g_setenv("LD_PRELOAD", g_getenv("SLOW_DISK_SO"), TRUE);
}

static void add_quick(const char *name)
{
    fixture_add(&f, name,
                "restart: permanent\nbackoff: {initial: 10ms, max: 10ms}\n"
                "restart_limit: {burst: 100}\n",
                "wait-term");
}

/* How long it takes until it runs again. */
static gint64 kill_and_wait(const char *name)
{
    guint64 generation = fixture_number(&f, name, "Generation");
    gint64 before = g_get_monotonic_time();

    kill((GPid)fixture_number(&f, name, "MainPID"), SIGKILL);
    fixture_wait_number(&f, name, "Generation", generation + 1);
    fixture_wait_text(&f, name, "Status", "ready");
    return g_get_monotonic_time() - before;
}

static void answer_came(GObject *bus, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);

    g_assert_no_error(error);
    *(gint64 *)data = g_get_monotonic_time();
}

static void pause_child(const char *name, gint64 *answered)
{
    GVariantBuilder none;

    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_dbus_connection_call(f.bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                           "PauseChild", g_variant_new("(ssa{sv})", name, "test", &none), NULL,
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, answer_came, answered);
}

static void wait_for_answer(const gint64 *answered)
{
    while (*answered == 0)
        g_main_context_iteration(NULL, TRUE);
}

static void ends_are_seen_while_answers_wait(void)
{
    gint64 before, answered = 0;

    add_quick("web");
    fixture_add(&f, "held", "", "wait-term");
    set_delay(SLOW_MSEC);
    before = g_get_monotonic_time();
    pause_child("held", &answered);
    fixture_wait_text(&f, "held", "Operation", "paused");
    g_assert_cmpint(answered, ==, 0);
    gint64 took = kill_and_wait("web");
    g_test_message("restarted after %d ms", (int)(took / 1000));
    g_assert_cmpint(took, <, SLOW_USEC / 2);
    g_assert_cmpint(answered, ==, 0);
    wait_for_answer(&answered);

    g_test_message("acknowledged after %d ms", (int)((answered - before) / 1000));
    g_assert_cmpint(answered - before, >=, SLOW_USEC);
    set_delay("0");
}

static void a_death_meanwhile_loses_nothing(void)
{
    gint64 before, answered = 0;

    add_quick("web");
    fixture_add(&f, "held", "", "wait-term");
    set_delay(SLOW_MSEC);
    before = g_get_monotonic_time();
    pause_child("held", &answered);
    wait_for_answer(&answered);
    g_assert_cmpint(answered - before, <, SLOW_USEC / 2);
    kill_and_wait("web"); /* all of it waits for the disk */
    guint64 generation = fixture_number(&f, "web", "Generation");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");
    set_delay("0");
    fixture_kill(&f);
    fixture_again(&f, NULL);

    fixture_wait_text(&f, "held", "Operation", "paused");
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, generation);
    g_assert_cmpint((GPid)fixture_number(&f, "web", "MainPID"), ==, pid);
}

/* Enough for several segments, each of which is synced, named and pruned by the slow disk. */
static void new_segments_hold_up_nobody(void)
{
    GString *large = g_string_new("environment: {LARGE: ");
    gint64 longest = 0;

    for (int i = 0; i < 50000; i++)
        g_string_append_c(large, 'x');
    g_string_append(large, "}\n");
    add_quick("web");
    set_delay("300");
    for (int i = 0; i < 120; i++) {
        g_autofree char *name = g_strdup_printf("large%d", i);
        fixture_add(&f, name, large->str, "wait-term");
        gint64 took = i % 20 == 0 ? kill_and_wait("web") : 0;
        longest = MAX(longest, took);
    }
    g_test_message("restarted after %d ms at most", (int)(longest / 1000));
    g_assert_cmpint(longest, <, 2 * G_TIME_SPAN_SECOND);
    set_delay("0");
    g_string_free(large, TRUE);
}

static void an_upgrade_waits_for_the_disk_and_says_so(void)
{
    GVariantBuilder none;
    g_autoptr(GError) error = NULL;

    add_quick("web");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");
    set_delay("8000"); /* longer than an upgrade waits */
    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "Reexecute", g_variant_new("(sa{sv})", "test", &none), &error);
    g_assert_null(reply);
    g_assert_nonnull(strstr(error->message, "blocking call on a disk"));
    g_assert_cmpint((GPid)fixture_number(&f, "web", "MainPID"), ==, pid);
    set_delay("0");
}

/* ---- results of jobs ------------------------------------------------------------------------- */

static void run_job(const char *steps)
{
    g_autofree char *text =
        g_strdup_printf("name: job\nexec: [%s, %s]\n", g_getenv("TEST_CHILD"), steps);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    g_assert_nonnull(reply);
}

static void result_came(GObject *bus, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    *(GVariant **)data = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);
    g_assert_no_error(error);
}

static void wait_for_job(guint64 number, GVariant **reply)
{
    g_autofree char *path = g_strdup_printf("/org/proctor1/job/%" G_GUINT64_FORMAT, number);

    g_dbus_connection_call(f.bus, "org.proctor1", path, "org.proctor1.Job", "Wait", NULL, NULL,
                           G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, result_came, reply);
}

static void assert_output(guint64 number, const char *text, gsize expected, bool cut)
{
    GVariant *reply = NULL;
    gsize size;

    wait_for_job(number, &reply);
    while (!reply)
        g_main_context_iteration(NULL, TRUE);
    g_autoptr(GVariant) result = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) output = g_variant_lookup_value(result, "Output", G_VARIANT_TYPE("ay"));
    const char *data = g_variant_get_fixed_array(output, &size, 1);

    g_assert_cmpstr(dict_text(result, "Result"), ==, "succeeded");
    g_assert_cmpuint(size, ==, expected);
    g_assert_cmpint(memcmp(data, text, strlen(text)), ==, 0);
    g_assert_cmpint(dict_flag(result, "OutputTruncated"), ==, cut);
    g_variant_unref(reply);
}

/* One that says little and one that says more than is kept: their ends wait for the disk, the end
 * of another child does not; nor does it while what they have written is read again. */
static void results_hold_up_nobody(void)
{
    GVariant *first = NULL;
    gint64 longest = 0;

    add_quick("web");
    set_delay(SLOW_MSEC);
    gint64 before = g_get_monotonic_time();
    run_job("result=42");
    wait_for_job(1, &first);
    for (int i = 0; i < 20; i++) {
        gint64 took = kill_and_wait("web");
        longest = MAX(longest, took);
    }
    g_test_message("restarted after %d ms at most", (int)(longest / 1000));
    g_assert_cmpint(longest, <, G_TIME_SPAN_SECOND);
    g_assert_null(first);
    while (!first)
        g_main_context_iteration(NULL, TRUE);
    gint64 waited = g_get_monotonic_time() - before;
    g_variant_unref(first);
    g_test_message("the job had ended after %d ms", (int)(waited / 1000));
    g_assert_cmpint(waited, >=, SLOW_USEC);
    assert_output(1, "42", 2, false);
    set_delay("0");
    run_job("result-bytes=100000");
    assert_output(2, "xxxx", 65536, true);

    fixture_kill(&f);
    set_delay(SLOW_MSEC);
    fixture_again(&f, NULL);
    assert_output(1, "42", 2, false);
    assert_output(2, "xxxx", 65536, true);
    set_delay("0");
}

int main(int argc, char **argv)
{
    static const char *const power[] = {"--durability=power", NULL};

    g_test_init(&argc, &argv, NULL);
    if (!g_getenv("SLOW_DISK_SO"))
        return 77;
    begin();
    FIXTURE_TEST(&f, power, "/daemon/slow-disk", ends_are_seen_while_answers_wait);
    FIXTURE_TEST(&f, NULL, "/daemon/slow-disk", a_death_meanwhile_loses_nothing);
    FIXTURE_TEST(&f, NULL, "/daemon/slow-disk", new_segments_hold_up_nobody);
    FIXTURE_TEST(&f, NULL, "/daemon/slow-disk", results_hold_up_nobody);
    FIXTURE_TEST(&f, power, "/daemon/slow-disk", an_upgrade_waits_for_the_disk_and_says_so);
    int r = g_test_run();
    g_unlink(delay);
    return r;
}
