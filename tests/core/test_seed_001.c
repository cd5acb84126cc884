/*
 * The tests of seed 001, against the core under virtual time: commands, their audit, and the
 * shutdown of a tree. Each names the seed's test that it covers; tests/README.md maps them all.
 */
#include "world.h"

#include <string.h>

static struct world *w;

#define assert_has(text, part) g_assert_nonnull(strstr((text) ? (text) : "", part))

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/seed-001", commands_work_on_a_child_without_a_process);
    WORLD_TEST(&w, "/seed-001", an_unknown_child_is_an_error);
    WORLD_TEST(&w, "/seed-001", the_outcome_names_the_attempt);
    WORLD_TEST(&w, "/seed-001", a_blank_reason_is_refused);
    WORLD_TEST(&w, "/seed-001", the_shutdown_of_an_empty_tree_is_complete_at_once);
    return g_test_run();
}
