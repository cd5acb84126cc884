/*
 * The Reload verb of a child: when it is over, and what its caller learns.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>

static struct fixture f;

struct call {
    GVariant *reply;
    GError *error;
};

static void answered(GObject *source, GAsyncResult *result, gpointer userdata)
{
    struct call *call = userdata;

    call->reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &call->error);
}

static GVariant *arguments(void)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    return g_variant_new("(sa{sv})", "test", &options);
}

static void reload(struct call *call)
{
    *call = (struct call){};
    g_dbus_connection_call(f.bus, "org.proctor1", "/org/proctor1/child/web", "org.proctor1.Child",
                           "Reload", arguments(), NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL,
                           answered, call);
}

static void assert_answer(struct call *call, const char *result)
{
    while (!call->reply && !call->error)
        g_main_context_iteration(NULL, TRUE);
    g_assert_no_error(call->error);
    g_autoptr(GVariant) outcome = g_variant_get_child_value(call->reply, 0);
    g_assert_cmpstr(dict_text(outcome, "Reload"), ==, result);
    g_autofree char *told = fixture_event_field(&f, "child-reload-completed", "web", "result");
    g_assert_nonnull(g_strrstr(told, result));
    g_variant_unref(call->reply);
}

static void assert_still_ready(void)
{
    g_autofree char *readiness = fixture_text(&f, "web", "Readiness");

    g_assert_cmpstr(readiness, ==, "ready");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

/* Ready, and then as these steps say. */
static void add(const char *yaml, const char *steps)
{
    g_autofree char *all = g_strdup_printf("ready, wait-hup, %s, live=600000", steps);
    g_autofree char *lines = g_strdup_printf("readiness: explicit\n%s", yaml);

    fixture_add(&f, "web", lines, all);
    fixture_wait_text(&f, "web", "Readiness", "ready");
}

static gboolean is_reloading(void)
{
    g_autofree char *text = fixture_text(&f, "web", "Explanation");
    return g_strrstr(text, ", reloading") != NULL;
}

/* Its announcement has been heard, and it waits until it is released. */
static void add_slow(struct call *call, const char *yaml, const char *after)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("beat, ready, reloading-now, beat, wait=%s%s",
                                             fixture_path(&f, "go"), after);
    add(yaml, steps);
    reload(call);
    while (!is_reloading()) {
        g_assert_false(call->reply || call->error);
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_null(call->reply);
}

static void it_is_done_when_the_child_says_so(void)
{
    struct call call;

    add_slow(&call, "", ", ready");
    assert_still_ready();
    fixture_release(&f, "go");
    assert_answer(&call, "done");
    g_assert_false(is_reloading());
    assert_still_ready();
}

static void a_child_that_does_not_announce_it_is_not_waited_for(void)
{
    struct call call;
    gint64 begin = g_get_monotonic_time();

    add("", "beat, ready, beat, ready");
    reload(&call);
    assert_answer(&call, "not-announced");
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, 1000000);
    assert_still_ready();
}

/* What it announces it had begun before the signal. */
static void the_end_of_an_earlier_one_is_not_its_end(void)
{
    struct call call;

    add("", "reloading-before, ready");
    reload(&call);
    assert_answer(&call, "not-announced");
}

static void a_child_that_is_never_done_is_left_alone(void)
{
    struct call call;

    add_slow(&call, "start_timeout: 4s\n", ", ready");
    assert_answer(&call, "timed-out");
    g_assert_false(is_reloading());
    assert_still_ready();
}

static void an_end_interrupts_it(void)
{
    struct call call;

    add_slow(&call, "restart: temporary\n", ", exit=0");
    fixture_release(&f, "go");
    assert_answer(&call, "interrupted");
}

static void a_stop_interrupts_it_and_lets_none_begin(void)
{
    struct call call;

    add_slow(&call, "stop: {signal: SIGURG, timeout: 1h}\n", "");
    g_variant_unref(fixture_verb(&f, "Pause", "web"));
    assert_answer(&call, "interrupted");
    reload(&call);
    while (!call.reply && !call.error)
        g_main_context_iteration(NULL, TRUE);
    g_assert_nonnull(call.error);
    g_assert_nonnull(strstr(call.error->message, "the child is stopping"));
    g_clear_error(&call.error);
    kill((pid_t)fixture_number(&f, "web", "MainPID"), SIGKILL);
}

static void the_next_proctord_answers(void)
{
    struct call call;

    add_slow(&call, "", ", ready");
    fixture_upgrade(&f);
    g_assert_true(is_reloading());
    g_assert_null(call.reply);
    fixture_release(&f, "go");
    assert_answer(&call, "done");
}

/* The caller's connection is gone with it; the event is there. */
static void it_outlives_the_death_of_proctord(void)
{
    static struct call call;

    add_slow(&call, "", ", ready");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    g_assert_true(is_reloading());
    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-reload-completed", "web", 1);
    g_autofree char *told = fixture_event_field(&f, "child-reload-completed", "web", "result");
    g_assert_nonnull(g_strrstr(told, "done"));
    g_clear_error(&call.error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", it_is_done_when_the_child_says_so);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", a_child_that_does_not_announce_it_is_not_waited_for);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", the_end_of_an_earlier_one_is_not_its_end);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", a_child_that_is_never_done_is_left_alone);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", an_end_interrupts_it);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", a_stop_interrupts_it_and_lets_none_begin);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", the_next_proctord_answers);
    FIXTURE_TEST(&f, NULL, "/daemon/reload", it_outlives_the_death_of_proctord);
    return g_test_run();
}
