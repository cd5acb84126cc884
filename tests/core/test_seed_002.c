/*
 * The tests of seed 002, against the core under virtual time: generations, and the fence between
 * two attempts. Each names the seed's test that it covers; tests/README.md maps them all.
 */
#include "world.h"

#include <signal.h>
#include <string.h>

static struct world *w;

#define assert_has(text, part) g_assert_nonnull(strstr((text) ? (text) : "", part))

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
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
    return g_test_run();
}
