/*
 * Shutdown: the bound of the whole, with real processes that do not heed their stop signal
 * (semantics.md section 7).
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>

#define SHORT_USEC G_GUINT64_CONSTANT(300000)
#define LONG_USEC  G_GUINT64_CONSTANT(3600000000)

static struct fixture f;

/* It ignores SIGTERM, has an hour for it, and holds up the one that it requires. */
static GPid declare_deaf(void)
{
    fixture_write_tree(&f,
                       "children:\n"
                       "  - {name: base, exec: [@, wait-term]}\n"
                       "  - {name: deaf, requires: [base], exec: [@, ignore-term, ready, pause],\n"
                       "     readiness: explicit, stop: {timeout: 1h}}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "deaf", "Readiness", "ready");
    return (GPid)fixture_number(&f, "deaf", "MainPID");
}

static GVariant *arguments(guint64 timeout_usec, gboolean wait)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "timeout-usec", g_variant_new_uint64(timeout_usec));
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(wait));
    return g_variant_new("(sa{sv})", "test", &options);
}

static GVariant *shut_down(guint64 timeout_usec, gboolean wait)
{
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "Shutdown", arguments(timeout_usec, wait), NULL);
    return g_variant_get_child_value(reply, 0);
}

static GVariant *row_of(GVariant *result, const char *child)
{
    g_autoptr(GVariant) report = g_variant_lookup_value(result, "Report", NULL);

    g_assert_nonnull(report);
    for (gsize i = 0; i < g_variant_n_children(report); i++) {
        GVariant *row = g_variant_get_child_value(report, i);
        if (strcmp(dict_text(row, "ChildId"), child) == 0)
            return row;
        g_variant_unref(row);
    }
    g_assert_not_reached();
}

static void assert_was_cut_short(GVariant *result, GPid pid)
{
    g_autoptr(GVariant) deaf = row_of(result, "deaf");
    g_autoptr(GVariant) base = row_of(result, "base");

    g_assert_cmpstr(dict_text(deaf, "Result"), ==, "aborted");
    g_assert_cmpstr(dict_text(deaf, "Reason"), ==,
                    "was still there when the shutdown was cut short");
    g_assert_cmpstr(dict_text(base, "Result"), ==, "aborted");
    g_assert_false(dict_flag(base, "CancelDelivered"));
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

static void the_bound_cuts_it_short(void)
{
    GPid pid = declare_deaf();
    g_autoptr(GVariant) result = shut_down(SHORT_USEC, TRUE);

    g_assert_false(dict_flag(result, "Idempotent"));
    assert_was_cut_short(result, pid);
}

static void a_later_bound_only_shortens(void)
{
    GPid pid = declare_deaf();
    g_autoptr(GVariant) begun = shut_down(0, FALSE);
    g_autoptr(GVariant) bounded = shut_down(LONG_USEC, FALSE);
    g_autoptr(GVariant) result = shut_down(SHORT_USEC, TRUE);

    g_assert_true(dict_flag(result, "Idempotent"));
    g_assert_cmpstr(dict_text(result, "CommandId"), ==, dict_text(begun, "CommandId"));
    assert_was_cut_short(result, pid);
}

static void the_bound_outlives_proctord(void)
{
    GPid pid = declare_deaf();
    g_autoptr(GVariant) begun = shut_down(10 * SHORT_USEC, FALSE);

    fixture_kill(&f);
    fixture_again(&f, NULL);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

static void assert_refused(const char *path, const char *interface, const char *method,
                           GVariant *given, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(fixture_call(&f, path, interface, method, given, &error));
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.InvalidArgument");
    g_assert_nonnull(strstr(error->message, why));
}

static void only_a_shutdown_has_it(void)
{
    GVariantBuilder options;

    declare_deaf();
    assert_refused("/org/proctor1/child/deaf", "org.proctor1.Child", "Pause",
                   arguments(SHORT_USEC, FALSE), "options: timeout-usec: unknown option");
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "timeout-usec", g_variant_new_string("3s"));
    assert_refused("/org/proctor1", "org.proctor1.Manager", "Shutdown",
                   g_variant_new("(sa{sv})", "test", &options),
                   "options: timeout-usec: expected microseconds (t)");
    g_autoptr(GVariant) phase = fixture_manager_property(&f, "ShutdownPhase");
    g_assert_cmpstr(g_variant_get_string(phase, NULL), ==, "idle");
    g_autoptr(GVariant) outcomes =
        fixture_call(&f, "/org/proctor1/supervisor/root", "org.proctor1.Supervisor", "Shutdown",
                     arguments(SHORT_USEC, FALSE), NULL);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/shutdown", the_bound_cuts_it_short);
    FIXTURE_TEST(&f, NULL, "/shutdown", a_later_bound_only_shortens);
    FIXTURE_TEST(&f, NULL, "/shutdown", the_bound_outlives_proctord);
    FIXTURE_TEST(&f, NULL, "/shutdown", only_a_shutdown_has_it);
    return g_test_run();
}
