/*
 * The tests of seed 002, against the daemon: generations, and the fence between two attempts.
 * Each names the seed's test that it covers; tests/README.md maps them all.
 */
#include "seeds.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

/* supervisor_generation_fencing_smoke */
static void the_first_generation_is_zero(void)
{
    fixture_add(&f, "worker", "", "wait-term");

    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
    seed_has_text(&f, "worker", "FencePhase", "open");
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
    seed_add(&f, "worker", "", "wait-term, status=cancelled, wait=@", "go");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    g_autoptr(GVariant) fence = dict_dict(outcome, "GenerationFence");
    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "queued-after-stop");
    g_assert_true(dict_flag(fence, "CancelDelivered"));
    fixture_wait_text(&f, "worker", "StatusText", "cancelled");
    GPid old = (GPid)fixture_number(&f, "worker", "MainPID");
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
    seed_has_text(&f, "worker", "FencePhase", "waiting-for-old-stop");
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
    seed_add(&f, "worker", "", "wait-term, wait=@", "go");

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
    seed_add(&f, "worker", "", "wait-term, wait=@", "go");
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
    seed_event_has(&f, "child-control-stop-completed", "worker", "exit", "cancelled");
}

/* duplicate_restart_child_merges_to_already_pending_test */
static void a_second_restart_joins_the_first(void)
{
    fixture_fifo(&f, "go");
    seed_add(&f, "worker", "", "wait-term, wait=@", "go");
    g_autoptr(GVariant) first = fixture_verb(&f, "Restart", "worker");

    g_autoptr(GVariant) second = fixture_verb(&f, "Restart", "worker");
    g_autoptr(GVariant) fence = dict_dict(second, "GenerationFence");

    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "already-pending");
    g_assert_false(dict_flag(fence, "CancelDelivered"));
    seed_event_has(&f, "child-restart-conflict", "worker", "decision", "already-pending");
    fixture_release(&f, "go");
    fixture_wait_number(&f, "worker", "Generation", 1);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "worker"), ==, 2);
}

/* auto_restart_and_manual_restart_share_fence_gate_test */
static void policy_and_hand_share_one_gate(void)
{
    fixture_fifo(&f, "go");
    seed_add(&f, "beta", FAST, "fail-first, wait-term, wait=@, exit=1", "go");
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
    seed_has_text(&f, "worker", "Readiness", "unreported");
    fixture_wait_text(&f, "worker", "Status", "running");
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 1);
    g_assert_cmpuint(metric("proctor_notify_refused_total"), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", the_first_generation_is_zero);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", json_has_the_key_of_the_fence_always);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", restart_waits_for_the_old_attempt);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", restart_cites_the_old_attempt_and_the_target);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", restart_is_blocked_by_shutdown);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_failed_target_keeps_what_was_before);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_second_restart_joins_the_first);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", policy_and_hand_share_one_gate);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_stale_report_changes_nothing);
    return g_test_run();
}
