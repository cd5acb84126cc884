/*
 * The tests of seed 000, against the core under virtual time: the state of a child, holds, and the
 * races between a command and a restart. Each names the seed's test that it covers; tests/README.md
 * maps them all.
 */
#include "world.h"

#include <string.h>

static struct world *w;

#define assert_has(text, part) g_assert_nonnull(strstr((text) ? (text) : "", part))

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
    return g_test_run();
}
