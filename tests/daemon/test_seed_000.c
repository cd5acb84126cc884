/*
 * The tests of seed 000, against the daemon: the state of a child, holds, and the races between a
 * command and a restart. Each names the seed's test that it covers; tests/README.md maps them all.
 */
#include "seeds.h"

#include <string.h>

static struct fixture f;

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
    seed_add(&f, "worker", "readiness: explicit\n", "wait=@, not-ready, wait-term", "go");
    fixture_wait_text(&f, "worker", "Status", "running");
    seed_has_text(&f, "worker", "Readiness", "unreported");

    fixture_release(&f, "go");

    fixture_wait_text(&f, "worker", "Readiness", "not-ready");
}

/* current_state_distinguishes_no_heartbeat_from_stale_test */
static void no_heartbeat_is_not_the_same_as_stale(void)
{
    fixture_fifo(&f, "go");
    seed_add(&f, "worker", "readiness: immediate\nheartbeat: {interval: 20ms, stale_after: 60ms}\n",
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
    seed_has_text(&f, "worker", "Operation", "paused");
    seed_has_text(&f, "worker", "Status", "cancelling");
    seed_event_has(&f, "child-control-cancel-delivered", "worker", "command", "pause");
    assert_cause("child-control-cancel-delivered", "worker", outcome);
    seed_event_has(&f, "child-operation-changed", "worker", "from", "active");
    seed_event_has(&f, "child-operation-changed", "worker", "to", "paused");
    assert_cause("child-operation-changed", "worker", outcome);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "worker", "Status", "none");
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 1);
}

/* remove_child_cancels_and_eventually_removes_runtime_state_test */
static void remove_cancels_and_then_removes(void)
{
    fixture_fifo(&f, "go");
    seed_add(&f, "worker", "", "wait-term, wait=@", "go");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Remove", "worker");
    g_assert_cmpstr(dict_text(outcome, "OperationAfter"), ==, "removed");
    g_assert_true(dict_flag(outcome, "CancelDelivered"));
    g_assert_true(fixture_exists(&f, "worker"));
    fixture_release(&f, "go");

    fixture_wait_removed(&f, "worker");
    seed_event_has(&f, "child-runtime-state-removed", NULL, "final_status", "stopped");
}

static void blocks_automatic_restart(const char *verb, const char *operation)
{
    fixture_fifo(&f, "go");
    /* Permanent: a transient one is left alone after a cancel, whatever the hold says. */
    seed_add(&f, "worker", FAST "restart: permanent\nreadiness: explicit\n",
             "ignore-term, ready, wait=@, exit=1", "go");
    fixture_wait_text(&f, "worker", "Readiness", "ready");

    g_autoptr(GVariant) outcome = fixture_verb(&f, verb, "worker");
    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-exited", "worker", 1);
    fixture_wait_text(&f, "worker", "Status", "none");

    seed_event_has(&f, "child-exited", "worker", "decision", "hold");
    g_assert_cmpuint(fixture_events(&f, "child-starting", "worker"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-backoff-scheduled", "worker"), ==, 0);
    seed_has_text(&f, "worker", "Operation", operation);
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
    seed_add(&f, "worker", "backoff: {initial: 0s, jitter: none}\n", "fail-first, wait-term, log=@",
             "terms");
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
    seed_event_has(&f, "child-runtime-state-removed", NULL, "final_status", "none");
}

/* stop_failure_outcome_carries_phase_and_reason_test */
static void a_failed_stop_tells_phase_and_reason(void)
{
    fixture_fifo(&f, "go");
    seed_add(&f, "worker", "readiness: explicit\nstop: {timeout: 20ms, timeout_action: report}\n",
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
    seed_event_has(&f, "child-control-stop-failed", "worker", "phase", "wait-completion");
    seed_event_has(&f, "child-control-stop-failed", "worker", "status", "cancelling");
    seed_event_has(&f, "child-control-stop-failed", "worker", "stop_state", "failed");
    seed_event_has(&f, "child-control-stop-failed", "worker", "recoverable", "true");
    seed_event_has(&f, "child-control-stop-failed", "worker", "reason",
                   dict_text(failure, "Reason"));
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
    seed_has_text(&f, "worker", "Operation", "paused");
    g_assert_cmpuint(fixture_number(&f, "worker", "Attempt"), ==, 0);
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
    return g_test_run();
}
