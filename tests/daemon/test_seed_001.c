/*
 * The tests of seed 001, against the daemon: commands, their audit, and the shutdown of a tree.
 * Each names the seed's test that it covers; tests/README.md maps them all.
 */
#include "seeds.h"

#include <string.h>

static struct fixture f;

/* control_commands_update_child_state */
static void commands_work_on_a_child_without_a_process(void)
{
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "AddChild",
        g_variant_new("(ssa{sv})", "name: worker\nkind: async_worker\n", "test", NULL), NULL);

    g_autoptr(GVariant) first = fixture_verb(&f, "Pause", "worker");
    g_autoptr(GVariant) second = fixture_verb(&f, "Pause", "worker");
    g_autoptr(GVariant) resumed = fixture_verb(&f, "Resume", "worker");
    g_autoptr(GVariant) restarted = fixture_verb(&f, "Restart", "worker");

    g_assert_cmpstr(dict_text(first, "OperationAfter"), ==, "paused");
    g_assert_false(dict_flag(first, "Idempotent"));
    g_assert_true(dict_flag(second, "Idempotent"));
    g_assert_cmpstr(dict_text(resumed, "OperationAfter"), ==, "active");
    g_autoptr(GVariant) failure = dict_dict(restarted, "Failure");
    g_assert_cmpstr(dict_text(failure, "Phase"), ==, "spawn");
    g_assert_nonnull(strstr(dict_text(failure, "Reason"), "no process"));
}

/* child_state_result_variant_is_replaced_by_child_control_test */
static void an_unknown_child_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "PauseChild", g_variant_new("(ssa{sv})", "nobody", "test", NULL), &error);

    g_assert_null(reply);
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.NoSuchChild");
    g_assert_nonnull(strstr(error->message, "nobody"));
}

/* child_control_result_contains_runtime_state_identity_test */
static void the_outcome_names_the_attempt(void)
{
    fixture_fifo(&f, "go");
    seed_add(&f, "worker", "", "wait-term, wait=@", "go");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "worker");

    g_assert_cmpstr(dict_text(outcome, "ChildId"), ==, "worker");
    g_assert_cmpuint(dict_number(outcome, "Generation"), ==, 0);
    g_assert_cmpuint(dict_number(outcome, "Attempt"), ==, 1);
    g_assert_cmpstr(dict_text(outcome, "Status"), ==, "cancelling");
    g_assert_cmpstr(dict_text(outcome, "StopState"), ==, "cancel-delivered");
    fixture_release(&f, "go");
}

static void assert_refused(const char *method, GVariant *arguments, const char *field)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_manager(&f, method, arguments, &error);
    g_autofree char *name = g_dbus_error_get_remote_error(error);

    g_assert_null(reply);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.InvalidArgument");
    g_assert_nonnull(strstr(error->message, field));
}

/* control_commands_reject_empty_audit_metadata */
static void blank_audit_metadata_is_refused(void)
{
    GVariantBuilder options;
    fixture_add(&f, "worker", "", "wait-term");

    assert_refused("PauseChild", g_variant_new("(ssa{sv})", "worker", " \t", NULL), "reason");
    assert_refused("Shutdown", g_variant_new("(sa{sv})", "\t", NULL), "reason");
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "requested-by", g_variant_new_string(" "));
    assert_refused("PauseChild", g_variant_new("(ssa{sv})", "worker", "test", &options),
                   "requested-by");

    seed_has_text(&f, "worker", "Operation", "active");
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", NULL), ==, 0);
}

static void keep_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    GVariant **reply = data;
    g_autoptr(GError) error = NULL;

    *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_assert_no_error(error);
}

/* The second call is answered with the same shutdown, and says that it was not the first. */
static void a_second_shutdown_is_idempotent(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("ready, wait-term, wait=%s", fixture_path(&f, "go"));
    fixture_add(&f, "worker", "readiness: explicit\n", steps);
    fixture_wait_text(&f, "worker", "Status", "ready");
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "Shutdown", g_variant_new("(sa{sv})", "test", NULL), NULL);
    g_autoptr(GVariant) first = g_variant_get_child_value(reply, 0);
    fixture_wait_text(&f, "worker", "Status", "cancelling");

    GVariantBuilder options;
    g_autoptr(GVariant) second = NULL;
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    g_dbus_connection_call(f.bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                           "Shutdown", g_variant_new("(sa{sv})", "test", &options), NULL,
                           G_DBUS_CALL_FLAGS_NONE, 60000, NULL, keep_reply, &second);
    fixture_wait_number(&f, "worker", "Attempt", 1); /* it has been taken in before this answer */
    fixture_release(&f, "go");
    while (!second)
        g_main_context_iteration(NULL, TRUE);
    g_autoptr(GVariant) result = g_variant_get_child_value(second, 0);

    g_assert_false(dict_flag(first, "Idempotent"));
    g_assert_true(dict_flag(result, "Idempotent"));
    g_assert_cmpstr(dict_text(result, "Phase"), ==, "completed");
    g_assert_cmpstr(dict_text(result, "CommandId"), ==, dict_text(first, "CommandId"));
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* shutdown_tree_returns_completed_report */
static void the_shutdown_of_an_empty_tree_is_complete_at_once(void)
{
    g_autoptr(GVariant) result = seed_shut_down(&f);
    g_autoptr(GVariant) report = dict_dict(result, "Report");

    g_assert_cmpstr(dict_text(result, "Phase"), ==, "completed");
    g_assert_cmpuint(g_variant_n_children(report), ==, 0);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", commands_work_on_a_child_without_a_process);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", an_unknown_child_is_an_error);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", the_outcome_names_the_attempt);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", blank_audit_metadata_is_refused);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", a_second_shutdown_is_idempotent);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", the_shutdown_of_an_empty_tree_is_complete_at_once);
    return g_test_run();
}
