/*
 * The seed systems' tests, against the daemon: a private bus, real processes, GDBus. Each names the
 * seed test that it covers; tests/README.md maps them all.
 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

#define FAST "backoff: {initial: 10ms, max: 1s, jitter: none}\n"

/* Steps that name a file of the test's folder. */
static char *steps(const char *format, const char *file)
{
    GString *out = g_string_new("");

    for (; *format; format++)
        if (*format == '@')
            g_string_append_printf(out, "%s/%s", f.folder, file);
        else
            g_string_append_c(out, *format);
    return g_string_free(out, FALSE);
}

static void add_with_file(const char *name, const char *yaml, const char *format, const char *file)
{
    g_autofree char *text = steps(format, file);
    fixture_add(&f, name, yaml, text);
}

static void assert_text(const char *child, const char *property, const char *expected)
{
    g_autofree char *value = fixture_text(&f, child, property);
    g_assert_cmpstr(value, ==, expected);
}

static void assert_field(const char *kind, const char *child, const char *field,
                         const char *expected)
{
    g_autofree char *value = fixture_event_field(&f, kind, child, field);
    g_assert_cmpstr(value, ==, expected);
}

/* The command that the last event of a kind carries. */
static char *cause_of(const char *kind, const char *child)
{
    const char *kinds[] = {kind, NULL}, *children[] = {child, NULL}, *cause;
    GVariantBuilder filter;

    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&filter, "{sv}", "kinds", g_variant_new_strv(kinds, -1));
    g_variant_builder_add(&filter, "{sv}", "children", g_variant_new_strv(children, -1));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "QueryEvents", g_variant_new("(tua{sv})", (guint64)0, (guint32)4096, &filter), NULL);
    g_autoptr(GVariant) events = g_variant_get_child_value(reply, 0);
    g_assert_cmpuint(g_variant_n_children(events), >, 0);
    g_variant_get_child(events, g_variant_n_children(events) - 1, "(tttss&sa{sv})", NULL, NULL,
                        NULL, NULL, NULL, &cause, NULL);
    return g_strdup(cause);
}

static void assert_cause(const char *kind, const char *child, GVariant *outcome)
{
    g_autofree char *cause = cause_of(kind, child);

    g_assert_cmpstr(cause, ==, dict_text(outcome, "CommandId"));
}

/* ---- seed 000 -------------------------------------------------------------------------------- */

/* current_state_exposes_full_runtime_state_fields_test */
static void state_shows_every_field(void)
{
    static const char *const names[] = {"alpha", "beta"};
    for (int i = 0; i < 2; i++)
        fixture_add(&f, names[i], "readiness: explicit\nheartbeat: {interval: 10s}\n",
                    "beat, ready, wait-term");
    for (int i = 0; i < 2; i++)
        fixture_wait_text(&f, names[i], "Readiness", "ready");

    g_autoptr(GVariant) reply = fixture_manager(&f, "CurrentState", NULL, NULL);
    g_autoptr(GVariant) state = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) children = dict_dict(state, "children");

    g_assert_cmpuint(g_variant_n_children(children), ==, 2);
    for (int n = 0; n < 20; n++) { /* and reading changes nothing */
        g_autoptr(GVariant) again = fixture_manager(&f, "CurrentState", NULL, NULL);
        g_autoptr(GVariant) same = g_variant_get_child_value(again, 0);
        g_assert_cmpuint(dict_number(same, "sequence"), ==, dict_number(state, "sequence"));
    }
    for (gsize i = 0; i < 2; i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(children, i);
        g_assert_cmpstr(dict_text(child, "Readiness"), ==, "ready");
        g_autoptr(GVariant) failure = dict_dict(child, "Failure");
        g_assert_cmpuint(g_variant_n_children(failure), ==, 0);
        g_assert_cmpstr(dict_text(child, "Id"), ==, names[i]);
        g_assert_cmpuint(dict_number(child, "Generation"), ==, 0);
        g_assert_cmpuint(dict_number(child, "Attempt"), ==, 1);
        g_assert_cmpstr(dict_text(child, "Status"), ==, "ready");
        g_assert_cmpstr(dict_text(child, "Operation"), ==, "active");
        g_assert_cmpuint(dict_number(child, "LastHeartbeatUSec"), >, 0);
        g_assert_false(dict_flag(child, "HeartbeatStale"));
        g_assert_cmpuint(dict_number(child, "RestartsRemaining"), >, 0);
    }
}

/* current_state_distinguishes_unreported_from_degraded_readiness_test */
static void unreported_is_not_the_same_as_not_ready(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "readiness: explicit\n", "wait=@, not-ready, wait-term", "go");
    fixture_wait_text(&f, "worker", "Status", "running");
    assert_text("worker", "Readiness", "unreported");

    fixture_release(&f, "go");

    fixture_wait_text(&f, "worker", "Readiness", "not-ready");
}

/* current_state_distinguishes_no_heartbeat_from_stale_test */
static void no_heartbeat_is_not_the_same_as_stale(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker",
                  "readiness: immediate\nheartbeat: {interval: 20ms, stale_after: 60ms}\n",
                  "wait=@, beat, wait-term", "go");
    fixture_wait_text(&f, "worker", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "worker", "LastHeartbeatUSec"), ==, 0);
    g_assert_false(fixture_flag(&f, "worker", "HeartbeatStale"));

    fixture_release(&f, "go");
    fixture_wait_flag(&f, "worker", "HeartbeatStale");

    g_assert_cmpuint(fixture_number(&f, "worker", "LastHeartbeatUSec"), >, 0);
    g_assert_cmpuint(fixture_events(&f, "child-heartbeat-stale", "worker"), ==, 1);
}

static void wait_for_lines(const char *name, guint count)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;

    while (fixture_count_lines(&f, name) < count) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_main_context_iteration(NULL, FALSE);
    }
}

/* pause_child_delivers_real_cancellation_test */
static void pause_delivers_the_cancel(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *text = g_strdup_printf("count-terms=%s, ready, wait=%s, status=released",
                                            fixture_path(&f, "terms"), fixture_path(&f, "go"));
    fixture_add(&f, "worker", "readiness: explicit\n", text);
    fixture_wait_text(&f, "worker", "Readiness", "ready");
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 0);

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "worker");

    g_assert_cmpstr(dict_text(outcome, "OperationAfter"), ==, "paused");
    g_assert_cmpstr(dict_text(outcome, "Status"), ==, "cancelling");
    g_assert_true(dict_flag(outcome, "CancelDelivered"));
    g_assert_false(dict_flag(outcome, "Idempotent"));
    wait_for_lines("terms", 1); /* the child really saw it */
    assert_text("worker", "Operation", "paused");
    assert_text("worker", "Status", "cancelling");
    assert_field("child-control-cancel-delivered", "worker", "command", "pause");
    assert_cause("child-control-cancel-delivered", "worker", outcome);
    assert_field("child-operation-changed", "worker", "from", "active");
    assert_field("child-operation-changed", "worker", "to", "paused");
    assert_cause("child-operation-changed", "worker", outcome);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "worker", "Status", "none");
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 1);
}

/* remove_child_cancels_and_eventually_removes_runtime_state_test */
static void remove_cancels_and_then_removes(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "", "wait-term, wait=@", "go");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Remove", "worker");
    g_assert_cmpstr(dict_text(outcome, "OperationAfter"), ==, "removed");
    g_assert_true(dict_flag(outcome, "CancelDelivered"));
    g_assert_true(fixture_exists(&f, "worker"));
    fixture_release(&f, "go");

    fixture_wait_removed(&f, "worker");
    assert_field("child-runtime-state-removed", NULL, "final_status", "stopped");
}

static void blocks_automatic_restart(const char *verb, const char *operation)
{
    fixture_fifo(&f, "go");
    /* Permanent: a transient one is left alone after a cancel, whatever the hold says. */
    add_with_file("worker", FAST "restart: permanent\nreadiness: explicit\n",
                  "ignore-term, ready, wait=@, exit=1", "go");
    fixture_wait_text(&f, "worker", "Readiness", "ready");

    g_autoptr(GVariant) outcome = fixture_verb(&f, verb, "worker");
    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-exited", "worker", 1);
    fixture_wait_text(&f, "worker", "Status", "none");

    assert_field("child-exited", "worker", "decision", "hold");
    g_assert_cmpuint(fixture_events(&f, "child-starting", "worker"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-backoff-scheduled", "worker"), ==, 0);
    assert_text("worker", "Operation", operation);
    g_assert_cmpuint(fixture_number(&f, "worker", "Attempt"), ==, 0);
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
}

/* quarantine_child_blocks_auto_restart_test */
static void quarantine_blocks_automatic_restart(void)
{
    blocks_automatic_restart("Quarantine", "quarantined");
}

/* pause_child_blocks_auto_restart_after_exit_test */
static void pause_blocks_automatic_restart(void)
{
    blocks_automatic_restart("Pause", "paused");
}

/* control_command_targets_current_instance_test */
static void a_command_acts_on_the_present_attempt(void)
{
    add_with_file("worker", "backoff: {initial: 0s, jitter: none}\n",
                  "fail-first, wait-term, log=@", "terms");
    fixture_wait_number(&f, "worker", "Attempt", 2);

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "worker");
    g_assert_cmpuint(dict_number(outcome, "Attempt"), ==, 2);
    fixture_wait_text(&f, "worker", "Status", "none");

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(fixture_path(&f, "terms"), &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "1 2\n");
}

/* repeated_stop_commands_are_idempotent_after_cancel_delivery_test */
static void repeated_stop_commands_are_idempotent(void)
{
    static const char *const verbs[] = {"Pause", "Quarantine", "Remove"};
    static const char *const names[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++) {
        fixture_fifo(&f, names[i]);
        g_autofree char *counted =
            g_strdup_printf("count-terms=%s, ready, wait=%s", fixture_path(&f, "terms"),
                            fixture_path(&f, names[i]));
        fixture_add(&f, names[i], "readiness: explicit\n", counted);
        fixture_wait_text(&f, names[i], "Readiness", "ready");
        g_autoptr(GVariant) first = fixture_verb(&f, verbs[i], names[i]);
        g_assert_true(dict_flag(first, "CancelDelivered"));
        g_assert_false(dict_flag(first, "Idempotent"));
        for (int n = 0; n < 10; n++) {
            g_autoptr(GVariant) again = fixture_verb(&f, verbs[i], names[i]);
            g_assert_true(dict_flag(again, "Idempotent"));
            g_assert_false(dict_flag(again, "CancelDelivered"));
            g_assert_cmpstr(dict_text(again, "OperationBefore"), ==,
                            dict_text(again, "OperationAfter"));
        }
    }

    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", NULL), ==, 3);
    g_assert_cmpuint(fixture_events(&f, "child-operation-changed", NULL), ==, 3);
    wait_for_lines("terms", 3);
    for (int i = 0; i < 3; i++) { /* whatever else was sent comes before they end */
        fixture_release(&f, names[i]);
        fixture_wait_event(&f, "child-exited", names[i], 1);
    }
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 3);
}

/* The second half of the same seed test: without an attempt. */
static void repeated_stop_commands_without_an_attempt_are_idempotent(void)
{
    static const char *const verbs[] = {"Pause", "Quarantine"};
    fixture_add(&f, "worker", "restart: temporary\n", "exit=0");
    fixture_wait_text(&f, "worker", "Status", "none");

    for (int i = 0; i < 2; i++)
        for (int n = 0; n < 11; n++) {
            g_autoptr(GVariant) outcome = fixture_verb(&f, verbs[i], "worker");
            g_assert_cmpint(dict_flag(outcome, "Idempotent"), ==, n > 0);
        }
}

/* remove_without_active_instance_returns_no_active_instance_test */
static void remove_without_an_attempt_says_so(void)
{
    fixture_add(&f, "worker", "restart: temporary\n", "exit=0");
    fixture_wait_text(&f, "worker", "Status", "none");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Remove", "worker");

    g_assert_cmpstr(dict_text(outcome, "StopState"), ==, "no-active-attempt");
    g_assert_false(dict_has(outcome, "Attempt"));
    g_assert_false(dict_has(outcome, "Generation"));
    g_assert_false(dict_has(outcome, "Status"));
    g_assert_false(dict_flag(outcome, "CancelDelivered"));
    g_assert_false(dict_flag(outcome, "Idempotent"));
    g_assert_false(fixture_exists(&f, "worker"));
    assert_field("child-runtime-state-removed", NULL, "final_status", "none");
}

/* stop_failure_outcome_carries_phase_and_reason_test */
static void a_failed_stop_tells_phase_and_reason(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "readiness: explicit\nstop: {timeout: 20ms, timeout_action: report}\n",
                  "ignore-term, ready, wait=@", "go");
    fixture_wait_text(&f, "worker", "Readiness", "ready");

    g_autoptr(GVariant) first = fixture_verb(&f, "Remove", "worker");
    g_assert_true(dict_flag(first, "CancelDelivered"));
    fixture_wait_text(&f, "worker", "StopState", "failed");
    g_autoptr(GVariant) again = fixture_verb(&f, "Remove", "worker");

    g_autoptr(GVariant) failure = dict_dict(again, "Failure");
    g_assert_cmpstr(dict_text(failure, "Phase"), ==, "wait-completion");
    g_assert_cmpuint(strlen(dict_text(failure, "Reason")), >, 0);
    g_assert_true(dict_flag(failure, "Recoverable"));
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "worker"), ==, 0);
    g_assert_cmpuint(fixture_events(&f, "child-control-stop-failed", "worker"), ==, 1);
    assert_cause("child-control-stop-failed", "worker", first);
    assert_field("child-control-stop-failed", "worker", "phase", "wait-completion");
    assert_field("child-control-stop-failed", "worker", "status", "cancelling");
    assert_field("child-control-stop-failed", "worker", "stop_state", "failed");
    assert_field("child-control-stop-failed", "worker", "recoverable", "true");
    assert_field("child-control-stop-failed", "worker", "reason", dict_text(failure, "Reason"));
    fixture_release(&f, "go");
    fixture_wait_removed(&f, "worker");
}

/* restart_limit_exhaustion_visible_in_outcome_test */
static void an_exhausted_limit_shows_in_the_outcome(void)
{
    fixture_add(&f, "worker", FAST "restart_limit: {burst: 2, interval: 60s}\n", "exit=1");
    fixture_wait_text(&f, "worker", "Operation", "quarantined");
    g_assert_cmpuint(fixture_events(&f, "child-starting", "worker"), ==, 3);

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "worker");

    g_autoptr(GVariant) limit = dict_dict(outcome, "RestartLimit");
    g_assert_cmpuint(dict_number(limit, "Burst"), ==, 2);
    g_assert_cmpuint(dict_number(limit, "IntervalUSec"), ==, 60000000);
    g_assert_cmpuint(dict_number(limit, "Used"), ==, 3);
    g_assert_cmpuint(dict_number(limit, "Remaining"), ==, 0);
    g_assert_true(dict_flag(limit, "Exhausted"));
}

/* operation_wins_over_auto_restart_race_test */
static void a_hold_wins_against_an_automatic_restart(void)
{
    fixture_add(&f, "worker", "backoff: {initial: 10s, jitter: none}\n", "exit=1");
    fixture_wait_event(&f, "child-backoff-scheduled", "worker", 1);
    g_assert_cmpuint(fixture_number(&f, "worker", "NextRestartUSec"), >, 0);

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "worker");

    g_assert_cmpuint(fixture_number(&f, "worker", "NextRestartUSec"), ==, 0);
    assert_text("worker", "Operation", "paused");
    g_assert_cmpuint(fixture_number(&f, "worker", "Attempt"), ==, 0);
}

/* ---- seed 001 -------------------------------------------------------------------------------- */

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
    add_with_file("worker", "", "wait-term, wait=@", "go");

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

    assert_text("worker", "Operation", "active");
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", NULL), ==, 0);
}

static void keep_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    GVariant **reply = data;
    g_autoptr(GError) error = NULL;

    *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_assert_no_error(error);
}

static GVariant *shut_down(void)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "Shutdown", g_variant_new("(sa{sv})", "test", &options), NULL);
    return g_variant_get_child_value(reply, 0);
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
    g_autoptr(GVariant) result = shut_down();
    g_autoptr(GVariant) report = dict_dict(result, "Report");

    g_assert_cmpstr(dict_text(result, "Phase"), ==, "completed");
    g_assert_cmpuint(g_variant_n_children(report), ==, 0);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* ---- seed 002 -------------------------------------------------------------------------------- */

/* supervisor_generation_fencing_smoke */
static void the_first_generation_is_zero(void)
{
    fixture_add(&f, "worker", "", "wait-term");

    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
    assert_text("worker", "FencePhase", "open");
}

/* generation_fence_optional_field_present_in_dashboard_child_control_projection_test */
static void json_has_the_key_of_the_fence_always(void)
{
    g_autofree char *address = g_strdup_printf("--address=%s", f.address);
    char *command[] = {(char *)g_getenv("PROCTORCTL"),
                       address,
                       "--json=short",
                       "pause",
                       "worker",
                       "--reason=test",
                       NULL};
    g_autofree char *output = NULL;
    int status;

    fixture_add(&f, "worker", "", "wait-term");
    g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                               &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_nonnull(strstr(output, "\"generation_fence\":null"));
}

/* restart_child_sends_cancel_before_second_spawn_test */
static void restart_waits_for_the_old_attempt(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "", "wait-term, status=cancelled, wait=@", "go");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    g_autoptr(GVariant) fence = dict_dict(outcome, "GenerationFence");
    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "queued-after-stop");
    g_assert_true(dict_flag(fence, "CancelDelivered"));
    fixture_wait_text(&f, "worker", "StatusText", "cancelled");
    GPid old = (GPid)fixture_number(&f, "worker", "MainPID");
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
    assert_text("worker", "FencePhase", "waiting-for-old-stop");
    g_assert_cmpint(kill(old, 0), ==, 0);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "worker"), ==, 1);
    fixture_release(&f, "go");

    fixture_wait_number(&f, "worker", "Generation", 1);
    g_assert_cmpint(kill(old, 0), ==, -1);
    g_assert_cmpuint(fixture_events(&f, "child-restart-fence-entered", "worker"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-restart-fence-released", "worker"), ==, 1);
}

/* restart_child_queues_after_stop_decision_test */
static void restart_cites_the_old_attempt_and_the_target(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "", "wait-term, wait=@", "go");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    g_autoptr(GVariant) fence = dict_dict(outcome, "GenerationFence");

    g_assert_cmpuint(dict_number(outcome, "Attempt"), ==, 1);
    g_assert_cmpuint(dict_number(outcome, "Generation"), ==, 0);
    g_assert_cmpuint(dict_number(fence, "OldGeneration"), ==, 0);
    g_assert_cmpuint(dict_number(fence, "OldAttempt"), ==, 1);
    g_assert_cmpuint(dict_number(fence, "TargetGeneration"), ==, 1);
    fixture_release(&f, "go");
}

/* restart_child_blocked_during_tree_shutdown_test */
static void restart_is_blocked_by_shutdown(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "", "wait-term, wait=@", "go");
    g_autoptr(GVariant) begun =
        fixture_manager(&f, "Shutdown", g_variant_new("(sa{sv})", "test", NULL), NULL);

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    g_autoptr(GVariant) fence = dict_dict(outcome, "GenerationFence");

    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "blocked-by-shutdown");
    g_assert_cmpuint(fixture_events(&f, "child-restart-fence-entered", NULL), ==, 0);
    fixture_release(&f, "go");
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* pending_restart_target_spawn_failure_retains_prior_outcomes_test: the program is taken away while
 * the old attempt still stops. */
static void a_failed_target_keeps_what_was_before(void)
{
    g_autofree char *copy =
        g_strdup_printf("cp %s %s", g_getenv("TEST_CHILD"), fixture_path(&f, "program"));
    g_assert_cmpint(system(copy), ==, 0);
    fixture_fifo(&f, "go");
    g_autofree char *manifest = g_strdup_printf(
        "name: worker\nexec: [%s/program, ready, wait-term, wait=%s/go]\nreadiness: explicit\n"
        "restart_limit: {burst: 0}\n",
        f.folder, f.folder);
    g_autoptr(GVariant) added =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_text(&f, "worker", "Readiness", "ready");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    g_assert_cmpint(unlink(fixture_path(&f, "program")), ==, 0);

    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-spawn-failed", "worker", 1);

    g_autoptr(GVariant) failure = fixture_property(&f, "worker", "Failure");
    g_autoptr(GVariant) last = fixture_property(&f, "worker", "LastExit");
    g_assert_cmpstr(dict_text(failure, "Phase"), ==, "spawn");
    g_assert_nonnull(strstr(dict_text(failure, "Reason"), "No such file"));
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "cancelled");
    g_assert_cmpuint(dict_number(last, "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
    g_assert_cmpuint(fixture_events(&f, "child-restart-fence-released", NULL), ==, 0);
    assert_field("child-control-stop-completed", "worker", "exit", "cancelled");
}

/* duplicate_restart_child_merges_to_already_pending_test */
static void a_second_restart_joins_the_first(void)
{
    fixture_fifo(&f, "go");
    add_with_file("worker", "", "wait-term, wait=@", "go");
    g_autoptr(GVariant) first = fixture_verb(&f, "Restart", "worker");

    g_autoptr(GVariant) second = fixture_verb(&f, "Restart", "worker");
    g_autoptr(GVariant) fence = dict_dict(second, "GenerationFence");

    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "already-pending");
    g_assert_false(dict_flag(fence, "CancelDelivered"));
    assert_field("child-restart-conflict", "worker", "decision", "already-pending");
    fixture_release(&f, "go");
    fixture_wait_number(&f, "worker", "Generation", 1);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "worker"), ==, 2);
}

/* auto_restart_and_manual_restart_share_fence_gate_test */
static void policy_and_hand_share_one_gate(void)
{
    fixture_fifo(&f, "go");
    add_with_file("beta", FAST, "fail-first, wait-term, wait=@, exit=1", "go");
    fixture_wait_number(&f, "beta", "Attempt", 2);
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "beta");

    fixture_release(&f, "go");
    fixture_wait_number(&f, "beta", "Attempt", 3);

    g_assert_cmpuint(fixture_events(&f, "child-starting", "beta"), ==, 3);
    g_assert_cmpuint(fixture_number(&f, "beta", "NextRestartUSec"), ==, 0);
    g_assert_cmpuint(fixture_number(&f, "beta", "RestartsUsed"), ==, 1);
}

/* Sends a notify message as a process that belongs to no child, with this environment. */
static void send_as_stranger(const char *message, const char *attempt)
{
    g_autofree char *socket = g_strdup_printf("NOTIFY_SOCKET=%s/run/notify", f.folder);
    g_autofree char *number = g_strdup_printf("PROCTOR_ATTEMPT=%s", attempt);
    char *environment[] = {socket, "PROCTOR_CHILD=worker", "PROCTOR_GENERATION=0", number, NULL};
    char *command[] = {(char *)g_getenv("TEST_CHILD"), (char *)message, "wait-term", NULL};
    GPid pid;

    g_assert_true(g_spawn_async(NULL, command, environment, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                &pid, NULL));
    g_object_set_data(G_OBJECT(f.bus), "stranger", GINT_TO_POINTER(pid));
}

static void end_stranger(void)
{
    GPid pid = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(f.bus), "stranger"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static guint64 metric(const char *name)
{
    const char *text;
    g_autoptr(GVariant) reply = fixture_manager(&f, "GetMetrics", NULL, NULL);
    g_autofree char *needle = g_strdup_printf("\n%s ", name);

    g_variant_get(reply, "(&s)", &text);
    const char *line = strstr(text, needle);
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen(needle), NULL, 10);
}

/* stale_exit_report_never_overwrites_current_attempt_test: an exit report cannot be forged from
 * outside; a report of readiness from something that outlived attempt 1 can be tried. */
static void a_stale_report_changes_nothing(void)
{
    fixture_add(&f, "worker", "readiness: explicit\n", "wait-term");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    fixture_wait_number(&f, "worker", "Attempt", 2);

    send_as_stranger("ready", "1");
    fixture_wait_event(&f, "child-attempt-stale-report", "worker", 1);
    end_stranger();

    g_autoptr(GVariant) stale = fixture_property(&f, "worker", "LastStaleReport");
    g_assert_cmpuint(dict_number(stale, "Attempt"), ==, 1);
    g_assert_cmpstr(dict_text(stale, "Kind"), ==, "readiness");
    assert_text("worker", "Readiness", "unreported");
    fixture_wait_text(&f, "worker", "Status", "running");
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 1);
    g_assert_cmpuint(metric("proctor_notify_refused_total"), ==, 1);
}

/* ---- seed 004, supervised tasks -------------------------------------------------------------- */

/* test_restart_only_on_panic */
static void a_transient_child_restarts_only_on_failure(void)
{
    fixture_add(&f, "ends", FAST, "exit=0");
    fixture_wait_text(&f, "ends", "Status", "none");
    fixture_add(&f, "dies", FAST "restart_limit: {burst: 2}\n", "die=6");
    fixture_wait_text(&f, "dies", "Operation", "quarantined");

    g_assert_cmpuint(fixture_events(&f, "child-starting", "ends"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "dies"), ==, 3);
    g_autoptr(GVariant) last = fixture_property(&f, "dies", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "signaled");
    g_assert_cmpuint(dict_number(last, "Signal"), ==, 6);
}

/* test_restart_policy, test_restart_max_zero */
static void a_child_that_always_fails_is_given_up_and_still_listed(void)
{
    fixture_add(&f, "twice", FAST "restart_limit: {burst: 2}\n", "exit=1");
    fixture_add(&f, "never", FAST "restart_limit: {burst: 0}\n", "exit=1");
    fixture_wait_text(&f, "twice", "Operation", "quarantined");
    fixture_wait_text(&f, "never", "Operation", "quarantined");

    g_assert_cmpuint(fixture_events(&f, "child-starting", "twice"), ==, 3);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "never"), ==, 1);
    g_autoptr(GVariant) list = fixture_manager(&f, "ListChildren", NULL, NULL);
    g_autoptr(GVariant) rows = g_variant_get_child_value(list, 0);
    g_assert_cmpuint(g_variant_n_children(rows), ==, 2);
}

/* test_exponential_backoff */
static void backoff_doubles(void)
{
    fixture_add(&f, "worker", "backoff: {initial: 5ms, jitter: none}\nrestart_limit: {burst: 3}\n",
                "exit=1");
    fixture_wait_text(&f, "worker", "Operation", "quarantined");

    const char *kinds[] = {"child-backoff-scheduled", NULL};
    GVariantBuilder filter;
    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&filter, "{sv}", "kinds", g_variant_new_strv(kinds, -1));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "QueryEvents", g_variant_new("(tua{sv})", (guint64)0, (guint32)10, &filter), NULL);
    g_autoptr(GVariant) events = g_variant_get_child_value(reply, 0);
    g_assert_cmpuint(g_variant_n_children(events), ==, 3);
    for (gsize i = 0; i < 3; i++) {
        g_autoptr(GVariant) event = g_variant_get_child_value(events, i);
        g_autoptr(GVariant) fields = g_variant_get_child_value(event, 6);
        g_assert_cmpuint(dict_number(fields, "delay_usec"), ==, 5000u << i);
    }
}

static const char *result_of(GVariant *shutdown, const char *child)
{
    g_autoptr(GVariant) report = dict_dict(shutdown, "Report");

    for (gsize i = 0; i < g_variant_n_children(report); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(report, i);
        if (strcmp(dict_text(row, "ChildId"), child) == 0)
            return dict_text(row, "Result");
    }
    return "not in the report";
}

/* test_registry_snapshot */
static void all_that_run_are_listed(void)
{
    const char *id, *status;

    fixture_add(&f, "a", "", "wait-term");
    fixture_add(&f, "b", "", "wait-term");
    fixture_wait_text(&f, "a", "Status", "ready");
    fixture_wait_text(&f, "b", "Status", "ready");
    g_autoptr(GVariant) list = fixture_manager(&f, "ListChildren", NULL, NULL);
    g_autoptr(GVariant) rows = g_variant_get_child_value(list, 0);

    g_assert_cmpuint(g_variant_n_children(rows), ==, 2);
    for (gsize i = 0; i < 2; i++) {
        g_variant_get_child(rows, i, "(&sos&ssttbsub)", &id, NULL, NULL, &status, NULL, NULL, NULL,
                            NULL, NULL, NULL, NULL);
        g_assert_cmpstr(id, ==, i == 0 ? "a" : "b");
        g_assert_cmpstr(status, ==, "ready");
    }
}

/* test_graceful_shutdown, test_cancellation_token */
static void shutdown_cancels_all(void)
{
    static const char *const names[] = {"a", "b", "c"};
    g_autofree char *counted =
        g_strdup_printf("wait-term, count-terms=%s", fixture_path(&f, "terms"));
    for (int i = 0; i < 3; i++)
        fixture_add(&f, names[i], "", counted);
    for (int i = 0; i < 3; i++)
        assert_text(names[i], "StopState", "idle"); /* not cancelled before */
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", NULL), ==, 0);

    g_autoptr(GVariant) result = shut_down();

    for (int i = 0; i < 3; i++)
        g_assert_cmpstr(result_of(result, names[i]), ==, "graceful");
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* test_force_abort_marks_aborted, test_shutdown_timeout_expiry */
static void shutdown_marks_who_was_aborted(void)
{
    fixture_add(&f, "stubborn", "stop: {timeout: 10ms}\n", "ignore-term, pause");
    fixture_wait_text(&f, "stubborn", "Readiness", "ready");
    GPid pid = (GPid)fixture_number(&f, "stubborn", "MainPID");

    g_autoptr(GVariant) result = shut_down();

    g_assert_cmpstr(result_of(result, "stubborn"), ==, "aborted");
    g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* test_shutdown_drains_post_cancel_completions (zeph #3161) */
static void shutdown_waits_for_every_completion_after_the_cancel(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (int i = 0; i < 7; i++)
        add_with_file(names[i], "", "wait-term, log=@", "ended");

    g_autoptr(GVariant) result = shut_down();

    for (int i = 0; i < 7; i++)
        g_assert_cmpstr(result_of(result, names[i]), ==, "graceful");
    g_assert_cmpuint(fixture_count_lines(&f, "ended"), ==, 7);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* test_spawn_and_complete, test_panic_capture */
static void a_temporary_child_ends_and_stays_listed(void)
{
    fixture_add(&f, "once", "restart: temporary\n", "die=6");
    fixture_wait_text(&f, "once", "Status", "none");

    g_assert_true(fixture_exists(&f, "once"));
    assert_text("once", "Operation", "active");
    g_assert_cmpuint(fixture_events(&f, "child-starting", "once"), ==, 1);
}

/* test_concurrent_spawns */
static void fifty_children_end(void)
{
    for (int i = 0; i < 50; i++) {
        g_autofree char *name = g_strdup_printf("task-%d", i);
        fixture_add(&f, name, "restart: temporary\n", "exit=0");
    }

    fixture_wait_event(&f, "child-exited", NULL, 50);
    g_autoptr(GVariant) active =
        fixture_call(&f, "/org/proctor1", "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", "org.proctor1.Manager", "NActive"), NULL);
    g_autofree char *text = g_variant_print(active, FALSE);
    g_assert_cmpstr(text, ==, "(<uint32 0>,)");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", state_shows_every_field);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", unreported_is_not_the_same_as_not_ready);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", no_heartbeat_is_not_the_same_as_stale);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", pause_delivers_the_cancel);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", remove_cancels_and_then_removes);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", quarantine_blocks_automatic_restart);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", pause_blocks_automatic_restart);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", a_command_acts_on_the_present_attempt);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", repeated_stop_commands_are_idempotent);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000",
                 repeated_stop_commands_without_an_attempt_are_idempotent);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", remove_without_an_attempt_says_so);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", a_failed_stop_tells_phase_and_reason);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", an_exhausted_limit_shows_in_the_outcome);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-000", a_hold_wins_against_an_automatic_restart);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", commands_work_on_a_child_without_a_process);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", an_unknown_child_is_an_error);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", the_outcome_names_the_attempt);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", blank_audit_metadata_is_refused);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", a_second_shutdown_is_idempotent);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-001", the_shutdown_of_an_empty_tree_is_complete_at_once);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", the_first_generation_is_zero);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", json_has_the_key_of_the_fence_always);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", restart_waits_for_the_old_attempt);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", restart_cites_the_old_attempt_and_the_target);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", restart_is_blocked_by_shutdown);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_failed_target_keeps_what_was_before);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_second_restart_joins_the_first);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", policy_and_hand_share_one_gate);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_stale_report_changes_nothing);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", a_transient_child_restarts_only_on_failure);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004",
                 a_child_that_always_fails_is_given_up_and_still_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", backoff_doubles);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", all_that_run_are_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", shutdown_cancels_all);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", shutdown_marks_who_was_aborted);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004",
                 shutdown_waits_for_every_completion_after_the_cancel);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", a_temporary_child_ends_and_stays_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-004", fifty_children_end);
    return g_test_run();
}
