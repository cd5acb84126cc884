/*
 * The seed systems' tests, against the core under virtual time. Each names the seed test that it
 * covers; tests/README.md maps them all.
 */
#include "world.h"

#include <signal.h>
#include <string.h>

static struct world *w;

#define assert_has(text, part) g_assert_nonnull(strstr((text) ? (text) : "", part))

/* ---- seed 000 -------------------------------------------------------------------------------- */

/* current_state_exposes_full_runtime_state_fields_test */
static void state_shows_every_field(void)
{
    struct child *alpha = world_add_worker(w, "alpha"), *beta = world_add_worker(w, "beta");

    world_says(w, alpha, NOTIFY_HEARTBEAT | NOTIFY_READY);
    world_says(w, beta, NOTIFY_HEARTBEAT | NOTIFY_READY);

    g_assert_cmpuint(core_count(w->core), ==, 2);
    g_assert_true(core_first(w->core) == alpha && core_next(alpha) == beta);
    for (struct child *child = alpha; child; child = core_next(child)) {
        g_assert_cmpuint(child->generation, ==, 0);
        g_assert_cmpuint(child_attempt(child), ==, 1);
        g_assert_cmpint(child_status(child), ==, CHILD_READY);
        g_assert_cmpint(child->operation, ==, CHILD_ACTIVE);
        g_assert_cmpuint(child->heartbeat_usec, >, 0);
        g_assert_cmpint(child->readiness, ==, READINESS_READY);
        g_assert_false(child->heartbeat_stale);
        g_assert_cmpuint(restart_limit_view(&child->restart_limit).remaining, >, 0);
        g_assert_cmpint(child->failure->phase, ==, FAILURE_NONE);
    }
}

/* current_state_distinguishes_unreported_from_degraded_readiness_test */
static void unreported_is_not_the_same_as_not_ready(void)
{
    struct child_declaration d = world_worker("worker");
    d.readiness = READINESS_EXPLICIT;
    struct child *child = world_declare(w, &d);
    g_assert_cmpint(child->readiness, ==, READINESS_UNREPORTED);

    world_says(w, child, NOTIFY_NOT_READY);

    g_assert_cmpint(child->readiness, ==, READINESS_NOT_READY);
    g_assert_cmpint(child_status(child), ==, CHILD_RUNNING);
}

/* current_state_distinguishes_no_heartbeat_from_stale_test */
static void no_heartbeat_is_not_the_same_as_stale(void)
{
    struct child_declaration d = world_worker("worker");
    d.heartbeat_usec = 1 * SEC;
    d.stale_after_usec = 3 * SEC;
    struct child *child = world_declare(w, &d);
    world_advance(w, 60 * SEC);
    g_assert_cmpuint(child->heartbeat_usec, ==, 0);
    g_assert_false(child->heartbeat_stale);

    world_says(w, child, NOTIFY_HEARTBEAT);
    uint64_t beat = w->now;
    world_advance(w, 3 * SEC - 1);
    g_assert_false(child->heartbeat_stale);
    world_advance(w, 1);
    g_assert_true(child->heartbeat_stale);
    g_assert_cmpuint(child->heartbeat_usec_monotonic, ==, beat);
    world_advance(w, 60 * SEC);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_HEARTBEAT_STALE, "worker"), ==, 1);

    world_says(w, child, NOTIFY_HEARTBEAT);
    g_assert_false(child->heartbeat_stale);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_HEARTBEAT_RECOVERED, "worker"), ==, 1);
}

/* pause_child_delivers_real_cancellation_test */
static void pause_delivers_the_cancel(void)
{
    struct child *child = world_add_worker(w, "worker");

    struct outcome outcome = world_command(w, COMMAND_PAUSE, "worker");

    g_assert_cmpint(outcome.operation_after, ==, CHILD_PAUSED);
    g_assert_cmpint(outcome.status, ==, CHILD_CANCELLING);
    g_assert_true(outcome.cancel_delivered);
    g_assert_false(outcome.idempotent);
    g_assert_cmpuint(world_cancels(w), ==, 1);
    g_assert_cmpint(child_status(child), ==, CHILD_CANCELLING);
    assert_has(world_last(w, EVENT_CHILD_CONTROL_CANCEL_DELIVERED, "worker"), "command=pause");
    assert_has(world_last(w, EVENT_CHILD_OPERATION_CHANGED, "worker"), "from=active to=paused");
}

/* remove_child_cancels_and_eventually_removes_runtime_state_test */
static void remove_cancels_and_then_removes(void)
{
    struct child *child = world_add_worker(w, "worker");

    struct outcome outcome = world_command(w, COMMAND_REMOVE, "worker");
    g_assert_cmpint(outcome.operation_after, ==, CHILD_REMOVED);
    g_assert_true(outcome.cancel_delivered);
    g_assert_true(core_find(w->core, "worker") == child);
    world_exits(w, child, 0);

    g_assert_null(core_find(w->core, "worker"));
    assert_has(world_last(w, EVENT_CHILD_RUNTIME_STATE_REMOVED, "worker"),
               "final_status=stopped path=worker");
}

static void blocks_automatic_restart(enum command_verb verb, enum child_operation operation)
{
    struct child_declaration d = world_worker("worker");
    d.restart = RESTART_PERMANENT; /* a transient one is left alone after a cancel anyway */
    struct child *child = world_declare(w, &d);

    world_command(w, verb, "worker");
    world_exits(w, child, 1);
    g_assert_cmpint(child->last_exit->decision, ==, DECISION_HOLD);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpint(child->operation, ==, operation);
    g_assert_cmpuint(child_attempt(child), ==, 0);
    g_assert_cmpuint(child->generation, ==, 0);
}

/* quarantine_child_blocks_auto_restart_test */
static void quarantine_blocks_automatic_restart(void)
{
    blocks_automatic_restart(COMMAND_QUARANTINE, CHILD_QUARANTINED);
}

/* pause_child_blocks_auto_restart_after_exit_test */
static void pause_blocks_automatic_restart(void)
{
    blocks_automatic_restart(COMMAND_PAUSE, CHILD_PAUSED);
}

/* control_command_targets_current_instance_test */
static void a_command_acts_on_the_present_attempt(void)
{
    struct child_declaration d = world_worker("worker");
    d.backoff.initial_usec = 0;
    struct child *child = world_declare(w, &d);
    world_exits(w, child, 1);
    g_assert_cmpuint(child_attempt(child), ==, 2);

    struct outcome outcome = world_command(w, COMMAND_PAUSE, "worker");

    g_assert_cmpuint(outcome.attempt, ==, 2);
    g_assert_cmpuint(outcome.generation, ==, 1);
    g_assert_cmpuint(g_array_index(w->cancels, struct attempt_id, 0).attempt, ==, 2);
}

/* repeated_stop_commands_are_idempotent_after_cancel_delivery_test */
static void repeated_stop_commands_are_idempotent(void)
{
    static const enum command_verb verbs[] = {COMMAND_PAUSE, COMMAND_QUARANTINE, COMMAND_REMOVE};
    static const char *const names[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++)
        world_add_worker(w, names[i]);
    for (int i = 0; i < 3; i++) {
        g_assert_false(world_command(w, verbs[i], names[i]).idempotent);
        for (int n = 0; n < 10; n++) {
            struct outcome outcome = world_command(w, verbs[i], names[i]);
            g_assert_true(outcome.idempotent);
            g_assert_false(outcome.cancel_delivered);
            g_assert_cmpint(outcome.operation_before, ==, outcome.operation_after);
        }
    }

    g_assert_cmpuint(world_cancels(w), ==, 3);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_CONTROL_CANCEL_DELIVERED, NULL), ==, 3);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_OPERATION_CHANGED, NULL), ==, 3);
}

/* The second half of the same seed test: without an attempt. */
static void repeated_stop_commands_without_an_attempt_are_idempotent(void)
{
    struct child_declaration d = world_worker("worker");
    d.restart = RESTART_TEMPORARY;
    struct child *child = world_declare(w, &d);
    world_exits(w, child, 0);

    g_assert_false(world_command(w, COMMAND_PAUSE, "worker").idempotent);
    for (int n = 0; n < 10; n++)
        g_assert_true(world_command(w, COMMAND_PAUSE, "worker").idempotent);
    g_assert_false(world_command(w, COMMAND_QUARANTINE, "worker").idempotent);
    for (int n = 0; n < 10; n++)
        g_assert_true(world_command(w, COMMAND_QUARANTINE, "worker").idempotent);
    struct outcome outcome = world_command(w, COMMAND_PAUSE, "worker");
    g_assert_cmpint(outcome.operation_after, ==, CHILD_QUARANTINED);
    g_assert_true(outcome.idempotent);
}

/* remove_without_active_instance_returns_no_active_instance_test */
static void remove_without_an_attempt_says_so(void)
{
    struct child_declaration d = world_worker("worker");
    d.restart = RESTART_TEMPORARY;
    struct child *child = world_declare(w, &d);
    world_exits(w, child, 0);

    struct outcome outcome = world_command(w, COMMAND_REMOVE, "worker");

    g_assert_cmpint(outcome.stop_state, ==, STOP_NO_ACTIVE_ATTEMPT);
    g_assert_cmpuint(outcome.attempt, ==, 0);
    g_assert_cmpint(outcome.status, ==, CHILD_STATUS_NONE);
    g_assert_false(outcome.cancel_delivered);
    g_assert_false(outcome.idempotent);
    g_assert_null(core_find(w->core, "worker"));
    assert_has(world_last(w, EVENT_CHILD_RUNTIME_STATE_REMOVED, "worker"), "final_status=none");
}

/* stop_failure_outcome_carries_phase_and_reason_test */
static void a_failed_stop_tells_phase_and_reason(void)
{
    struct child_declaration d = world_worker("worker");
    d.stop_timeout_usec = 20 * MSEC;
    d.timeout_action = TIMEOUT_REPORT;
    struct child *child = world_declare(w, &d);

    g_assert_true(world_command(w, COMMAND_REMOVE, "worker").cancel_delivered);
    world_advance(w, 40 * MSEC);

    g_assert_cmpint(child->stop_state, ==, STOP_FAILED);
    g_assert_cmpint(child->failure->phase, ==, FAILURE_WAIT_COMPLETION);
    g_assert_true(child->failure->recoverable);
    struct outcome outcome = world_command(w, COMMAND_REMOVE, "worker");
    g_assert_cmpint(outcome.failure.phase, ==, FAILURE_WAIT_COMPLETION);
    g_assert_cmpuint(strlen(outcome.failure.reason), >, 0);
    const char *failed = world_last(w, EVENT_CHILD_CONTROL_STOP_FAILED, "worker");
    assert_has(failed, "status=cancelling stop_state=failed recoverable=true");
    assert_has(failed, outcome.failure.reason);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_CONTROL_STOP_FAILED, "worker"), ==, 1);
    g_assert_cmpuint(w->aborts->len, ==, 0);
}

/* restart_limit_exhaustion_visible_in_outcome_test */
static void an_exhausted_limit_shows_in_the_outcome(void)
{
    struct child_declaration d = world_worker("worker");
    d.burst = 2;
    d.interval_usec = 60 * SEC;
    struct child *child = world_declare(w, &d);
    for (int i = 0; i < 2; i++) {
        world_exits(w, child, 1);
        world_advance(w, SEC);
    }
    g_assert_cmpuint(world_starts(w, "worker"), ==, 3);
    world_exits(w, child, 1);
    world_advance(w, 10 * SEC);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 3);
    struct restart_limit_view before = restart_limit_view(&child->restart_limit);
    g_assert_cmpuint(before.burst, ==, 2);
    g_assert_cmpuint(before.used, >=, 2);
    g_assert_cmpuint(before.remaining, ==, 0);
    g_assert_true(before.exhausted);

    struct outcome outcome = world_command(w, COMMAND_PAUSE, "worker");

    g_assert_cmpuint(outcome.restart_limit.used, >=, before.used);
    g_assert_true(outcome.restart_limit.exhausted);
    g_assert_cmpuint(outcome.restart_limit.updated_usec, >=, before.updated_usec);
}

/* operation_wins_over_auto_restart_race_test */
static void a_hold_wins_against_an_automatic_restart(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_exits(w, child, 1);
    g_assert_cmpuint(child->timers[TIMER_START].deadline_usec, >, 0);

    world_command(w, COMMAND_PAUSE, "worker");
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpuint(child_attempt(child), ==, 0);

    /* The other way round: the pause comes first, and then the child fails. */
    struct child_declaration d = world_worker("other");
    d.restart = RESTART_PERMANENT;
    d.backoff.initial_usec = 0;
    struct child *other = world_declare(w, &d);
    world_command(w, COMMAND_PAUSE, "other");
    world_exits(w, other, 1);
    world_advance(w, 3600 * SEC);
    g_assert_cmpuint(world_starts(w, "other"), ==, 1);
    g_assert_cmpint(other->operation, ==, CHILD_PAUSED);
    g_assert_cmpuint(child_attempt(other), ==, 0);
}

/* ---- seed 001 -------------------------------------------------------------------------------- */

/* control_commands_update_child_state */
static void commands_work_on_a_child_without_a_process(void)
{
    struct child_declaration d = world_worker("worker");
    d.has_process = false;
    struct child *child = world_declare(w, &d);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 0);

    g_assert_cmpint(world_command(w, COMMAND_PAUSE, "worker").operation_after, ==, CHILD_PAUSED);
    g_assert_true(world_command(w, COMMAND_PAUSE, "worker").idempotent);
    world_command(w, COMMAND_RESUME, "worker");
    struct outcome outcome = world_command(w, COMMAND_RESTART, "worker");

    g_assert_cmpint(outcome.failure.phase, ==, FAILURE_SPAWN);
    g_assert_cmpint(child_status(child), ==, CHILD_STATUS_NONE);
}

/* child_state_result_variant_is_replaced_by_child_control_test: an unknown child is an error here,
 * and makes no record (semantics.md section 3). */
static void an_unknown_child_is_an_error(void)
{
    struct command command = {
        .verb = COMMAND_PAUSE, .child = "nobody", .reason = "test", .requester = "tester"};
    struct outcome outcome;
    struct error error;

    g_assert_cmpint(core_command(w->core, &command, &outcome, &error), ==, -ENOENT);
    g_assert_cmpuint(core_count(w->core), ==, 0);
}

/* child_control_result_contains_runtime_state_identity_test */
static void the_outcome_names_the_attempt(void)
{
    world_add_worker(w, "worker");

    struct outcome outcome = world_command(w, COMMAND_PAUSE, "worker");

    g_assert_cmpstr(outcome.child_id, ==, "worker");
    g_assert_cmpuint(outcome.generation, ==, 0);
    g_assert_cmpuint(outcome.attempt, ==, 1);
    g_assert_cmpint(outcome.stop_state, ==, STOP_CANCEL_DELIVERED);
}

/* control_commands_reject_empty_audit_metadata */
static void a_blank_reason_is_refused(void)
{
    struct child *child = world_add_worker(w, "worker");
    struct command command = {
        .verb = COMMAND_PAUSE, .child = "worker", .reason = " \t", .requester = "tester"};
    struct outcome outcome;
    struct error error;
    uint64_t hash = core_hash(w->core);

    g_assert_cmpint(core_command(w->core, &command, &outcome, &error), ==, -EINVAL);
    assert_has(error.text, "reason");
    g_assert_cmpint(child->operation, ==, CHILD_ACTIVE);
    g_assert_cmpuint(world_cancels(w), ==, 0);
    g_assert_cmpuint(core_hash(w->core), !=, hash); /* the refusal is in the event stream */
}

/* shutdown_tree_returns_completed_report */
static void the_shutdown_of_an_empty_tree_is_complete_at_once(void)
{
    core_shutdown(w->core, "tester", "test");

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    g_assert_cmpuint(world_count(w, EVENT_SHUTDOWN_PHASE_CHANGED, NULL), ==, 5);
    g_assert_cmpuint(world_count(w, EVENT_SHUTDOWN_COMPLETED, NULL), ==, 1);
}

/* ---- seed 002 -------------------------------------------------------------------------------- */

/* supervisor_generation_fencing_smoke */
static void the_first_generation_is_zero(void)
{
    struct child *child = world_add_worker(w, "worker");

    g_assert_cmpuint(child->generation, ==, 0);
    g_assert_cmpint(child->fence_phase, ==, FENCE_OPEN);
}

/* generation_fence_optional_field_present_in_dashboard_child_control_projection_test: the key of
 * the JSON is tested with proctorctl; here, that only Restart has a fence to tell. */
static void only_restart_tells_of_the_fence(void)
{
    world_add_worker(w, "worker");

    g_assert_true(world_command(w, COMMAND_RESTART, "worker").has_fence);
    g_assert_false(world_command(w, COMMAND_PAUSE, "worker").has_fence);
}

/* restart_child_sends_cancel_before_second_spawn_test */
static void restart_waits_for_the_old_attempt(void)
{
    struct child *child = world_add_worker(w, "worker");

    struct outcome outcome = world_command(w, COMMAND_RESTART, "worker");
    g_assert_cmpint(outcome.fence.decision, ==, FENCE_QUEUED_AFTER_STOP);
    g_assert_true(outcome.cancel_delivered);
    world_advance(w, 400 * MSEC);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpuint(child->generation, ==, 0);
    g_assert_cmpint(child_status(child), ==, CHILD_CANCELLING);
    world_exits(w, child, 0);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    g_assert_cmpuint(child->generation, ==, 1);
    g_assert_cmpuint(child_attempt(child), ==, 2);
    unsigned entered = world_index(w, EVENT_CHILD_RESTART_FENCE_ENTERED, "worker", 1);
    unsigned exited = world_index(w, EVENT_CHILD_EXITED, "worker", 1);
    unsigned started = world_index(w, EVENT_CHILD_STARTING, "worker", 2);
    unsigned released = world_index(w, EVENT_CHILD_RESTART_FENCE_RELEASED, "worker", 1);
    g_assert_cmpuint(entered, <, exited);
    g_assert_cmpuint(exited, <, started);
    g_assert_cmpuint(started, <, released);
}

/* restart_child_queues_after_stop_decision_test */
static void restart_cites_the_old_attempt_and_the_target(void)
{
    world_add_worker(w, "worker");

    struct outcome outcome = world_command(w, COMMAND_RESTART, "worker");

    g_assert_cmpuint(outcome.attempt, ==, 1);
    g_assert_cmpuint(outcome.generation, ==, 0);
    g_assert_cmpuint(outcome.fence.old_generation, ==, 0);
    g_assert_cmpuint(outcome.fence.old_attempt, ==, 1);
    g_assert_cmpuint(outcome.fence.target_generation, ==, 1);
}

/* restart_child_blocked_during_tree_shutdown_test */
static void restart_is_blocked_by_shutdown(void)
{
    struct child *child = world_add_worker(w, "worker");
    core_shutdown(w->core, "tester", "test");

    struct outcome during = world_command(w, COMMAND_RESTART, "worker");
    world_exits(w, child, 0);
    struct outcome after = world_command(w, COMMAND_RESTART, "worker");

    g_assert_cmpint(during.fence.decision, ==, FENCE_BLOCKED_BY_SHUTDOWN);
    g_assert_cmpint(after.fence.decision, ==, FENCE_BLOCKED_BY_SHUTDOWN);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_RESTART_FENCE_ENTERED, NULL), ==, 0);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
}

/* pending_restart_target_spawn_failure_retains_prior_outcomes_test */
static void a_failed_target_keeps_what_was_before(void)
{
    struct child_declaration d = world_worker("worker");
    d.burst = 0;
    struct child *child = world_declare(w, &d);
    world_command(w, COMMAND_RESTART, "worker");
    w->fail_next_spawns = 1;
    world_exits(w, child, 0);

    g_assert_cmpint(child->failure->phase, ==, FAILURE_SPAWN);
    assert_has(child->failure->reason, "test: the spawn fails");
    g_assert_cmpuint(child->generation, ==, 0);
    g_assert_cmpint(child->last_exit->kind, ==, EXIT_CANCELLED);
    g_assert_cmpuint(child->last_exit->generation, ==, 0);
    g_assert_cmpuint(child->last_exit->attempt, ==, 1);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_RESTART_FENCE_RELEASED, NULL), ==, 0);
    assert_has(world_last(w, EVENT_CHILD_CONTROL_STOP_COMPLETED, "worker"), "exit=cancelled");
}

/* The policy decides on the next try: the generation that comes is the one that was meant. */
static void a_failed_target_is_tried_again_by_policy(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_command(w, COMMAND_RESTART, "worker");
    w->fail_next_spawns = 1;
    world_exits(w, child, 0);
    g_assert_cmpuint(child_attempt(child), ==, 0);

    world_advance(w, SEC);

    g_assert_cmpuint(child->generation, ==, 1);
    g_assert_cmpuint(child_attempt(child), ==, 3);
}

/* duplicate_restart_child_merges_to_already_pending_test */
static void a_second_restart_joins_the_first(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_command(w, COMMAND_RESTART, "worker");

    struct outcome outcome = world_command(w, COMMAND_RESTART, "worker");

    g_assert_cmpint(outcome.fence.decision, ==, FENCE_ALREADY_PENDING);
    g_assert_false(outcome.cancel_delivered);
    g_assert_true(outcome.idempotent);
    g_assert_cmpuint(outcome.fence.duplicate_request_count, ==, 1);
    assert_has(world_last(w, EVENT_CHILD_RESTART_CONFLICT, "worker"), "decision=already-pending");
    world_exits(w, child, 0);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
}

/* auto_restart_and_manual_restart_share_fence_gate_test: the failure that would be restarted by
 * policy meets the restart by hand. */
static void policy_and_hand_share_one_gate(void)
{
    struct child *child = world_add_worker(w, "beta");
    world_command(w, COMMAND_RESTART, "beta");

    world_dies(w, child, SIGSEGV);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "beta"), ==, 2);
    g_assert_cmpuint(child->generation, ==, 1);
    g_assert_cmpuint(child->restart_limit.used, ==, 0);
}

/* auto_restart_and_manual_restart_share_fence_gate_test: a sibling's failure, under one-for-all,
 * meets the restart by hand. */
static void a_siblings_strategy_and_hand_share_one_gate(void)
{
    world_set_strategy(w, STRATEGY_ONE_FOR_ALL);
    struct child *alpha = world_add_worker(w, "alpha");
    struct child *beta = world_add_worker(w, "beta");
    world_command(w, COMMAND_RESTART, "beta");

    world_dies(w, alpha, SIGSEGV);
    world_advance(w, 250 * 1000);

    g_assert_cmpuint(world_starts(w, "alpha"), ==, 1);
    g_assert_cmpuint(world_starts(w, "beta"), ==, 1);
    assert_has(world_last(w, EVENT_CHILD_RESTART_CONFLICT, "beta"), "command=policy");
    world_exits(w, beta, 0);
    g_assert_cmpuint(world_starts(w, "alpha"), ==, 2);
    g_assert_cmpuint(world_starts(w, "beta"), ==, 2);
    g_assert_cmpuint(world_cancels(w), ==, 1);
}

/* stale_exit_report_never_overwrites_current_attempt_test */
static void a_stale_report_changes_nothing(void)
{
    struct child *child = world_add_worker(w, "worker");
    struct attempt_id old = world_id(child);
    world_command(w, COMMAND_RESTART, "worker");
    world_exits(w, child, 0);
    struct attempt_id present = world_id(child);

    core_completed(w->core, old, &(struct completion){.code = 0});
    core_notify(w->core, old, &(struct notify_message){.flags = NOTIFY_NOT_READY});
    core_spawned(w->core, old, 7);

    g_assert_cmpuint(child->generation, ==, 1);
    g_assert_cmpuint(child_attempt(child), ==, present.attempt);
    g_assert_cmpint(child_status(child), ==, CHILD_READY);
    g_assert_cmpuint(child->attempt.pid, ==, 1000);
    g_assert_cmpuint(child->last_stale->count, ==, 3);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_ATTEMPT_STALE_REPORT, "worker"), ==, 3);
}

/* ---- seed 004, supervised tasks -------------------------------------------------------------- */

/* test_restart_only_on_panic */
static void a_transient_child_restarts_only_on_failure(void)
{
    struct child *child = world_add_worker(w, "worker");

    world_dies(w, child, SIGABRT);
    world_advance(w, SEC);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    world_exits(w, child, 0);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    g_assert_cmpint(child->last_exit->kind, ==, EXIT_SUCCEEDED);
}

/* test_restart_policy */
static void a_child_that_always_fails_is_given_up_and_still_listed(void)
{
    struct child_declaration d = world_worker("worker");
    d.burst = 2;
    struct child *child = world_declare(w, &d);

    for (int i = 0; i < 3; i++) {
        world_dies(w, child, SIGABRT);
        world_advance(w, SEC);
    }

    g_assert_cmpuint(world_starts(w, "worker"), ==, 3);
    g_assert_true(core_find(w->core, "worker") == child);
    g_assert_cmpint(child->operation, ==, CHILD_QUARANTINED);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_QUARANTINED, "worker"), ==, 1);
}

/* test_exponential_backoff */
static void backoff_doubles(void)
{
    struct child_declaration d = world_worker("worker");
    d.backoff.initial_usec = 50 * MSEC;
    struct child *child = world_declare(w, &d);
    uint64_t expected[] = {50 * MSEC, 100 * MSEC, 200 * MSEC, 400 * MSEC, 800 * MSEC, SEC, SEC};

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        world_exits(w, child, 1);
        uint64_t died = w->now;
        world_advance(w, expected[i]);
        g_assert_cmpuint(g_array_index(w->starts, struct seen_start, w->starts->len - 1).usec -
                             died,
                         ==, expected[i]);
    }
}

/* test_graceful_shutdown, test_cancellation_token */
static void shutdown_cancels_all(void)
{
    struct child *children[] = {world_add_worker(w, "a"), world_add_worker(w, "b"),
                                world_add_worker(w, "c")};

    for (int i = 0; i < 3; i++) /* not cancelled before */
        g_assert_false(children[i]->attempt.cancel_delivered);
    g_assert_cmpuint(world_cancels(w), ==, 0);
    core_shutdown(w->core, "tester", "test");
    g_assert_cmpuint(world_cancels(w), ==, 3);
    g_assert_cmpuint(g_array_index(w->cancels, struct attempt_id, 0).slot, ==, children[2]->slot);
    for (int i = 0; i < 3; i++)
        world_exits(w, children[i], 0);

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    for (int i = 0; i < 3; i++) {
        struct shutdown_row row;
        g_assert_true(core_shutdown_row(w->core, children[i], &row));
        g_assert_cmpint(row.result, ==, SHUTDOWN_GRACEFUL);
        g_assert_true(row.cancel_delivered);
    }
}

/* test_force_abort_marks_aborted, test_shutdown_timeout_expiry */
static void shutdown_marks_who_was_aborted(void)
{
    struct child_declaration d = world_worker("stubborn");
    d.stop_timeout_usec = 1 * MSEC;
    struct child *child = world_declare(w, &d);
    struct shutdown_row row;

    core_shutdown(w->core, "tester", "test");
    world_advance(w, 1 * MSEC);
    g_assert_cmpuint(w->aborts->len, ==, 1);
    world_dies(w, child, SIGKILL);

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    g_assert_true(core_shutdown_row(w->core, child, &row));
    g_assert_cmpint(row.result, ==, SHUTDOWN_ABORTED);
}

/* test_shutdown_drains_post_cancel_completions (zeph #3161) */
static void shutdown_waits_for_every_completion_after_the_cancel(void)
{
    struct child *children[7];
    for (int i = 0; i < 7; i++)
        children[i] = world_add_worker(w, (const char *[]){"a", "b", "c", "d", "e", "f", "g"}[i]);

    core_shutdown(w->core, "tester", "test");
    for (int i = 0; i < 7; i++) {
        g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_GRACEFUL_DRAIN);
        world_advance(w, 64 * MSEC);
        world_exits(w, children[i], 0);
    }

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
    g_assert_cmpuint(w->aborts->len, ==, 0);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_SHUTDOWN_GRACEFUL, NULL), ==, 7);
}

/* test_restart_max_zero */
static void burst_zero_means_no_restart(void)
{
    struct child_declaration d = world_worker("worker");
    d.burst = 0;
    struct child *child = world_declare(w, &d);

    world_dies(w, child, SIGABRT);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpint(child->operation, ==, CHILD_QUARANTINED);
}

/* test_registry_snapshot */
static void all_that_run_are_listed(void)
{
    struct child *a = world_add_worker(w, "a"), *b = world_add_worker(w, "b");

    g_assert_cmpuint(core_count(w->core), ==, 2);
    g_assert_true(core_first(w->core) == a && core_next(a) == b && !core_next(b));
    g_assert_cmpint(child_status(a), ==, CHILD_READY);
    g_assert_cmpint(child_status(b), ==, CHILD_READY);
}

/* test_spawn_and_complete, test_panic_capture */
static void a_temporary_child_ends_and_stays_listed(void)
{
    struct child_declaration d = world_worker("once");
    d.restart = RESTART_TEMPORARY;
    struct child *child = world_declare(w, &d);
    g_assert_cmpint(child_status(child), ==, CHILD_READY);

    world_dies(w, child, SIGABRT);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "once"), ==, 1);
    g_assert_cmpint(child->last_exit->kind, ==, EXIT_SIGNALED);
    g_assert_cmpint(child->operation, ==, CHILD_ACTIVE);
}

/* test_concurrent_spawns */
static void fifty_children_end_one_by_one(void)
{
    for (int i = 0; i < 50; i++) {
        g_autofree char *id = g_strdup_printf("task-%d", i);
        struct child_declaration d = world_worker(id);
        d.restart = RESTART_TEMPORARY;
        world_declare(w, &d);
    }

    for (struct child *child = core_first(w->core); child; child = core_next(child))
        world_exits(w, child, 0);

    g_assert_cmpuint(world_count(w, EVENT_CHILD_EXITED, NULL), ==, 50);
    for (struct child *child = core_first(w->core); child; child = core_next(child))
        g_assert_cmpint(child_status(child), ==, CHILD_STATUS_NONE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/seed-000", state_shows_every_field);
    WORLD_TEST(&w, "/seed-000", unreported_is_not_the_same_as_not_ready);
    WORLD_TEST(&w, "/seed-000", no_heartbeat_is_not_the_same_as_stale);
    WORLD_TEST(&w, "/seed-000", pause_delivers_the_cancel);
    WORLD_TEST(&w, "/seed-000", remove_cancels_and_then_removes);
    WORLD_TEST(&w, "/seed-000", quarantine_blocks_automatic_restart);
    WORLD_TEST(&w, "/seed-000", pause_blocks_automatic_restart);
    WORLD_TEST(&w, "/seed-000", a_command_acts_on_the_present_attempt);
    WORLD_TEST(&w, "/seed-000", repeated_stop_commands_are_idempotent);
    WORLD_TEST(&w, "/seed-000", repeated_stop_commands_without_an_attempt_are_idempotent);
    WORLD_TEST(&w, "/seed-000", remove_without_an_attempt_says_so);
    WORLD_TEST(&w, "/seed-000", a_failed_stop_tells_phase_and_reason);
    WORLD_TEST(&w, "/seed-000", an_exhausted_limit_shows_in_the_outcome);
    WORLD_TEST(&w, "/seed-000", a_hold_wins_against_an_automatic_restart);
    WORLD_TEST(&w, "/seed-001", commands_work_on_a_child_without_a_process);
    WORLD_TEST(&w, "/seed-001", an_unknown_child_is_an_error);
    WORLD_TEST(&w, "/seed-001", the_outcome_names_the_attempt);
    WORLD_TEST(&w, "/seed-001", a_blank_reason_is_refused);
    WORLD_TEST(&w, "/seed-001", the_shutdown_of_an_empty_tree_is_complete_at_once);
    WORLD_TEST(&w, "/seed-002", the_first_generation_is_zero);
    WORLD_TEST(&w, "/seed-002", only_restart_tells_of_the_fence);
    WORLD_TEST(&w, "/seed-002", restart_waits_for_the_old_attempt);
    WORLD_TEST(&w, "/seed-002", restart_cites_the_old_attempt_and_the_target);
    WORLD_TEST(&w, "/seed-002", restart_is_blocked_by_shutdown);
    WORLD_TEST(&w, "/seed-002", a_failed_target_keeps_what_was_before);
    WORLD_TEST(&w, "/seed-002", a_failed_target_is_tried_again_by_policy);
    WORLD_TEST(&w, "/seed-002", a_second_restart_joins_the_first);
    WORLD_TEST(&w, "/seed-002", policy_and_hand_share_one_gate);
    WORLD_TEST(&w, "/seed-002", a_siblings_strategy_and_hand_share_one_gate);
    WORLD_TEST(&w, "/seed-002", a_stale_report_changes_nothing);
    WORLD_TEST(&w, "/seed-004", a_transient_child_restarts_only_on_failure);
    WORLD_TEST(&w, "/seed-004", a_child_that_always_fails_is_given_up_and_still_listed);
    WORLD_TEST(&w, "/seed-004", backoff_doubles);
    WORLD_TEST(&w, "/seed-004", all_that_run_are_listed);
    WORLD_TEST(&w, "/seed-004", shutdown_cancels_all);
    WORLD_TEST(&w, "/seed-004", shutdown_marks_who_was_aborted);
    WORLD_TEST(&w, "/seed-004", shutdown_waits_for_every_completion_after_the_cancel);
    WORLD_TEST(&w, "/seed-004", burst_zero_means_no_restart);
    WORLD_TEST(&w, "/seed-004", a_temporary_child_ends_and_stays_listed);
    WORLD_TEST(&w, "/seed-004", fifty_children_end_one_by_one);
    return g_test_run();
}
