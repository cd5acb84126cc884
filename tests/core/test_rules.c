/*
 * The rules of the core that no single seed test tells: no allocation, determinism, dependencies,
 * shutdown order, holds, limits, cool-down, dry run, deadlines.
 */
#include "world.h"

#include <signal.h>
#include <string.h>

static struct world *w;

/* ---- core ------------------------------------------------------------------------------------ */

/* Drives a child through everything that can happen to it. */
static void live(struct world *world, struct child *child)
{
    world_says(world, child, NOTIFY_READY | NOTIFY_HEARTBEAT | NOTIFY_STATUS);
    for (int i = 0; i < 30; i++) {
        world_exits(world, child, 1);
        world_advance(world, 2 * SEC);
        if (child->operation == CHILD_QUARANTINED)
            world_command(world, COMMAND_RESUME, child->id);
        world_advance(world, 2 * SEC);
    }
    world_command(world, COMMAND_RESTART, child->id);
    world_advance(world, 20 * SEC);
    world_dies(world, child, SIGKILL);
    world_command(world, COMMAND_PAUSE, child->id);
    world_exits(world, child, 0);
    world_command(world, COMMAND_RESUME, child->id);
}

static void handling_an_input_allocates_nothing(void)
{
    struct child *child = world_add_worker(w, "worker");
    uint64_t before = w->allocations;

    live(w, child);
    core_shutdown(w->core, "tester", "test");
    world_exits(w, child, 0);

    g_assert_cmpuint(w->allocations, ==, before);
}

static void the_same_inputs_give_the_same_hash(void)
{
    struct child_declaration d = world_worker("worker");
    struct world *other = world_new();
    d.backoff.jitter = JITTER_EQUAL;

    live(w, world_declare(w, &d));
    live(other, world_declare(other, &d));

    g_assert_cmpuint(core_hash(w->core), ==, core_hash(other->core));
    world_free(other);
}

static void a_dry_run_changes_nothing(void)
{
    struct child *child = world_add_worker(w, "worker");
    static const enum command_verb verbs[] = {COMMAND_PAUSE, COMMAND_RESUME, COMMAND_QUARANTINE,
                                              COMMAND_RESTART, COMMAND_REMOVE};
    (void)child;

    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
        struct command command = {.verb = verbs[i],
                                  .child = "worker",
                                  .reason = "test",
                                  .requester = "tester",
                                  .dry_run = true};
        struct child before = *child;
        struct outcome outcome;
        struct error error;
        g_assert_cmpint(core_command(w->core, &command, &outcome, &error), ==, 0);
        g_assert_cmpmem(&before, sizeof(before), child, sizeof(*child));
        g_assert_cmpint(outcome.cancel_delivered, ==, verbs[i] != COMMAND_RESUME);
    }

    g_assert_cmpuint(world_cancels(w), ==, 0);
}

static void a_timer_fires_at_its_moment_and_in_order(void)
{
    struct child_declaration d = world_worker("slow");
    d.readiness = READINESS_EXPLICIT;
    d.start_timeout_usec = 5 * SEC;
    struct child *child = world_declare(w, &d);

    world_advance(w, 5 * SEC - 1);
    g_assert_cmpuint(world_cancels(w), ==, 0);
    world_advance(w, 1);
    g_assert_cmpuint(world_cancels(w), ==, 1);
    world_exits(w, child, 0);

    g_assert_cmpint(child->last_exit->kind, ==, EXIT_TIMED_OUT);
    g_assert_cmpuint(child->restart_limit.used, ==, 1);
}

static void an_extension_moves_the_deadline(void)
{
    struct child_declaration d = world_worker("slow");
    d.readiness = READINESS_EXPLICIT;
    d.start_timeout_usec = 5 * SEC;
    struct child *child = world_declare(w, &d);

    core_notify(w->core, world_id(child),
                &(struct notify_message){.flags = NOTIFY_EXTEND_TIMEOUT, .extend_usec = 60 * SEC});
    world_advance(w, 59 * SEC);
    g_assert_cmpuint(world_cancels(w), ==, 0);
    world_advance(w, 1 * SEC);
    g_assert_cmpuint(world_cancels(w), ==, 1);
}

static void an_exit_before_the_spawn_result_is_not_lost(void)
{
    w->answer_starts = false;
    struct child *child = world_add_worker(w, "worker");
    struct attempt_id id = world_id(child);

    core_completed(w->core, id, &(struct completion){.code = 1});
    core_spawned(w->core, id, 9);

    g_assert_cmpint(child->last_exit->kind, ==, EXIT_FAILED);
    g_assert_cmpuint(child_attempt(child), ==, 0);
    g_assert_cmpuint(child->last_stale->count, ==, 1);
}

/* ---- limit ----------------------------------------------------------------------------------- */

static void an_exit_leaves_the_window_when_it_is_older_than_the_interval(void)
{
    struct child_declaration d = world_worker("worker");
    d.interval_usec = 60 * SEC;
    struct child *child = world_declare(w, &d);
    world_exits(w, child, 1);

    world_advance(w, 60 * SEC);
    world_exits(w, child, 1);
    g_assert_cmpuint(child->restart_limit.used, ==, 2); /* exactly as old: it still counts */
    world_advance(w, 1);
    g_assert_cmpuint(child->restart_limit.used, ==, 1); /* nobody had to look */
}

static void the_stamp_grows_even_when_the_wall_clock_goes_back(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_exits(w, child, 1);
    uint64_t before = child->restart_limit.updated_usec;
    world_advance(w, SEC);

    w->wall -= 3600 * SEC;
    world_exits(w, child, 1);

    g_assert_cmpuint(child->restart_limit.updated_usec, >, before);
}

static void a_fatal_exit_code_ends_restarts_at_once(void)
{
    struct child *child = world_add_worker(w, "worker");

    world_exits(w, child, 78);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpint(child->operation, ==, CHILD_QUARANTINED);
}

static void a_service_cools_down_and_is_tried_once(void)
{
    struct child_declaration d = world_worker("web");
    d.on_limit = ON_LIMIT_COOL_DOWN;
    d.burst = 0;
    struct child *child = world_declare(w, &d);

    static const uint64_t minutes[] = {5, 10, 20, 40, 60, 60};
    for (size_t i = 0; i < G_N_ELEMENTS(minutes); i++) {
        unsigned starts = world_starts(w, "web");
        world_exits(w, child, 1);
        world_advance(w, minutes[i] * 60 * SEC - 1);
        g_assert_cmpuint(world_starts(w, "web"), ==, starts);
        world_advance(w, 1);
        g_assert_cmpuint(world_starts(w, "web"), ==, starts + 1);
    }
}

static void backoff_starts_anew_after_health(void)
{
    struct child *child = world_add_worker(w, "worker");
    for (int i = 0; i < 4; i++) {
        world_exits(w, child, 1);
        world_advance(w, SEC);
    }
    g_assert_cmpuint(child->backoff_n, ==, 4);

    world_advance(w, 61 * SEC);
    world_exits(w, child, 1);

    g_assert_cmpuint(child->backoff_n, ==, 1);
}

static void the_tree_ends_where_the_limit_says_so(void)
{
    struct child_declaration d = world_worker("worker");
    d.on_limit = ON_LIMIT_SHUTDOWN_TREE;
    d.burst = 0;
    struct child *other = world_add_worker(w, "other");
    struct child *child = world_declare(w, &d);

    world_exits(w, child, 1);
    g_assert_true(core_shutdown_by_policy(w->core));
    world_exits(w, other, 0);

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
}

/* ---- holds ----------------------------------------------------------------------------------- */

static void a_stop_withdraws_a_pending_restart(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_command(w, COMMAND_RESTART, "worker");

    world_command(w, COMMAND_PAUSE, "worker");
    world_exits(w, child, 0);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_nonnull(
        strstr(world_last(w, EVENT_CHILD_RESTART_CONFLICT, "worker"), "decision=withdrawn"));
}

static void resume_starts_through_the_fence(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_command(w, COMMAND_PAUSE, "worker");

    world_command(w, COMMAND_RESUME, "worker");
    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    world_exits(w, child, 0);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    g_assert_cmpuint(child->generation, ==, 1);
}

static void resume_leaves_alone_what_the_policy_leaves_alone(void)
{
    struct child_declaration d = world_worker("once");
    d.restart = RESTART_TEMPORARY;
    struct child *child = world_declare(w, &d);
    world_exits(w, child, 0);
    world_command(w, COMMAND_PAUSE, "once");

    world_command(w, COMMAND_RESUME, "once");

    g_assert_cmpuint(world_starts(w, "once"), ==, 1);
}

static void restart_under_a_hold_is_rejected(void)
{
    world_add_worker(w, "worker");
    world_command(w, COMMAND_QUARANTINE, "worker");

    struct outcome outcome = world_command(w, COMMAND_RESTART, "worker");

    g_assert_cmpint(outcome.fence.decision, ==, FENCE_REJECTED);
    g_assert_nonnull(strstr(outcome.fence.conflict, "quarantined"));
}

static void restart_supersedes_the_backoff(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_exits(w, child, 1);

    struct outcome outcome = world_command(w, COMMAND_RESTART, "worker");
    world_advance(w, 3600 * SEC);

    g_assert_cmpint(outcome.fence.decision, ==, FENCE_STARTED_IMMEDIATELY);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
    g_assert_cmpuint(child->generation, ==, 1);
}

static void a_restart_after_a_failed_stop_aborts_in_the_end(void)
{
    struct child_declaration d = world_worker("worker");
    d.timeout_action = TIMEOUT_REPORT;
    struct child *child = world_declare(w, &d);
    world_command(w, COMMAND_PAUSE, "worker");
    world_advance(w, 3600 * SEC);
    g_assert_cmpuint(w->aborts->len, ==, 0);
    world_command(w, COMMAND_RESUME, "worker");

    world_command(w, COMMAND_RESTART, "worker");
    world_advance(w, 10 * SEC);

    g_assert_cmpuint(w->aborts->len, ==, 1);
    g_assert_cmpint(child->fence_phase, ==, FENCE_ABORTING_OLD);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 1); /* not at the moment of the abort */
    world_dies(w, child, SIGKILL);
    g_assert_cmpuint(world_starts(w, "worker"), ==, 2);
}

static void a_second_one_spares_the_target_on_its_way(void)
{
    struct child_declaration d = world_worker("worker");
    struct child *child = world_declare(w, &d);

    world_command(w, COMMAND_RESTART, "worker");
    w->answer_starts = false;
    world_exits(w, child, 0);
    g_assert_cmpint(world_command(w, COMMAND_RESTART, "worker").fence.decision, ==,
                    FENCE_ALREADY_PENDING);
    world_spawned(w, child);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_count(w, EVENT_CHILD_CONTROL_STOP_FAILED, "worker"), ==, 0);
    g_assert_cmpuint(w->aborts->len, ==, 0);
    g_assert_cmpint(child->stop_state, ==, STOP_IDLE);
}

static void cancel_and_abort_go_out_once(void)
{
    struct child *child = world_add_worker(w, "worker");

    world_command(w, COMMAND_RESTART, "worker");
    world_command(w, COMMAND_PAUSE, "worker");
    world_command(w, COMMAND_QUARANTINE, "worker");
    core_shutdown(w->core, "tester", "test");
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(world_cancels(w), ==, 1);
    g_assert_cmpuint(w->aborts->len, ==, 1);
    g_assert_cmpint(child->failure->phase, ==, FAILURE_WAIT_ABORT);
}

/* ---- dependencies ---------------------------------------------------------------------------- */

static void declare_pair(enum readiness_policy readiness)
{
    static const char *requires[] = {"database"};
    struct child_declaration d[] = {world_worker("web"), world_worker("database")};
    struct declaration_problem problem;

    d[0].requires = requires;
    d[0].n_requires = 1;
    d[1].readiness = readiness;
    g_assert_cmpint(core_declare(w->core, d, 2, "tester", "test", &problem), ==, 0);
}

static void a_child_starts_when_what_it_requires_is_ready(void)
{
    declare_pair(READINESS_EXPLICIT);
    struct child *database = core_find(w->core, "database");
    world_spawned(w, database);
    g_assert_cmpuint(world_starts(w, "web"), ==, 0);

    world_says(w, database, NOTIFY_READY);

    g_assert_cmpuint(world_starts(w, "web"), ==, 1);
}

static void a_dependency_is_cancelled_after_those_that_need_it(void)
{
    declare_pair(READINESS_IMMEDIATE);
    struct child *database = core_find(w->core, "database"), *web = core_find(w->core, "web");
    world_spawned(w, database);
    world_spawned(w, web);

    core_shutdown(w->core, "tester", "test");
    g_assert_cmpuint(world_cancels(w), ==, 1);
    g_assert_true(web->attempt.cancel_delivered);
    world_exits(w, web, 0);
    g_assert_true(database->attempt.cancel_delivered);
    world_exits(w, database, 0);

    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
}

static void a_set_with_a_mistake_declares_nothing(void)
{
    static const char *a[] = {"b"}, *b[] = {"a"}, *unknown[] = {"nobody"};
    struct child_declaration d[] = {world_worker("fine"), world_worker("a"), world_worker("b")};
    struct declaration_problem problem;

    d[1].requires = a, d[1].n_requires = 1;
    d[2].after = b, d[2].n_after = 1;
    g_assert_cmpint(core_declare(w->core, d, 3, "t", "t", &problem), ==, -ELOOP);
    d[2].after = unknown;
    g_assert_cmpint(core_declare(w->core, d, 3, "t", "t", &problem), ==, -ENOENT);
    g_assert_cmpuint(problem.declaration, ==, 2);
    d[2] = world_worker("fine");
    d[1] = world_worker("b");
    g_assert_cmpint(core_declare(w->core, d, 3, "t", "t", &problem), ==, -EEXIST);

    g_assert_cmpuint(core_count(w->core), ==, 0);
    g_assert_cmpuint(w->starts->len, ==, 0);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

static void no_start_comes_after_the_shutdown_began(void)
{
    struct child *backoff = world_add_worker(w, "backoff"), *fence = world_add_worker(w, "fence");
    world_exits(w, backoff, 1);
    world_command(w, COMMAND_RESTART, "fence");
    unsigned starts = w->starts->len;

    core_shutdown(w->core, "tester", "test");
    world_exits(w, fence, 0);
    world_advance(w, 3600 * SEC);

    g_assert_cmpuint(w->starts->len, ==, starts);
    g_assert_cmpint(fence->fence_phase, ==, FENCE_CLOSED);
    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);
}

static void a_late_report_is_added_to_the_row(void)
{
    struct child *child = world_add_worker(w, "stuck");
    struct shutdown_row row;
    core_shutdown(w->core, "tester", "test");
    world_advance(w, 3600 * SEC);
    g_assert_true(core_shutdown_row(w->core, child, &row));
    g_assert_cmpint(row.result, ==, SHUTDOWN_ABORT_FAILED);
    g_assert_cmpint(core_shutdown_phase(w->core), ==, SHUTDOWN_COMPLETED);

    world_dies(w, child, SIGKILL);

    g_assert_true(core_shutdown_row(w->core, child, &row));
    g_assert_cmpint(row.result, ==, SHUTDOWN_LATE_REPORT);
    g_assert_cmpuint(world_count(w, EVENT_CHILD_SHUTDOWN_LATE_REPORT, "stuck"), ==, 1);
}

static void a_second_shutdown_is_the_same_one(void)
{
    world_add_worker(w, "worker");

    uint64_t first = core_shutdown(w->core, "tester", "test");

    g_assert_cmpuint(core_shutdown(w->core, "other", "again"), ==, first);
    g_assert_cmpuint(world_count(w, EVENT_SHUTDOWN_REQUESTED, NULL), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/core", handling_an_input_allocates_nothing);
    WORLD_TEST(&w, "/core", the_same_inputs_give_the_same_hash);
    WORLD_TEST(&w, "/core", a_dry_run_changes_nothing);
    WORLD_TEST(&w, "/core", a_timer_fires_at_its_moment_and_in_order);
    WORLD_TEST(&w, "/core", an_extension_moves_the_deadline);
    WORLD_TEST(&w, "/core", an_exit_before_the_spawn_result_is_not_lost);
    WORLD_TEST(&w, "/limit", an_exit_leaves_the_window_when_it_is_older_than_the_interval);
    WORLD_TEST(&w, "/limit", the_stamp_grows_even_when_the_wall_clock_goes_back);
    WORLD_TEST(&w, "/limit", a_fatal_exit_code_ends_restarts_at_once);
    WORLD_TEST(&w, "/limit", a_service_cools_down_and_is_tried_once);
    WORLD_TEST(&w, "/limit", backoff_starts_anew_after_health);
    WORLD_TEST(&w, "/limit", the_tree_ends_where_the_limit_says_so);
    WORLD_TEST(&w, "/holds", a_stop_withdraws_a_pending_restart);
    WORLD_TEST(&w, "/holds", resume_starts_through_the_fence);
    WORLD_TEST(&w, "/holds", resume_leaves_alone_what_the_policy_leaves_alone);
    WORLD_TEST(&w, "/holds", restart_under_a_hold_is_rejected);
    WORLD_TEST(&w, "/holds", restart_supersedes_the_backoff);
    WORLD_TEST(&w, "/holds", a_restart_after_a_failed_stop_aborts_in_the_end);
    WORLD_TEST(&w, "/holds", cancel_and_abort_go_out_once);
    WORLD_TEST(&w, "/restart", a_second_one_spares_the_target_on_its_way);
    WORLD_TEST(&w, "/dependencies", a_child_starts_when_what_it_requires_is_ready);
    WORLD_TEST(&w, "/dependencies", a_dependency_is_cancelled_after_those_that_need_it);
    WORLD_TEST(&w, "/dependencies", a_set_with_a_mistake_declares_nothing);
    WORLD_TEST(&w, "/shutdown", no_start_comes_after_the_shutdown_began);
    WORLD_TEST(&w, "/shutdown", a_late_report_is_added_to_the_row);
    WORLD_TEST(&w, "/shutdown", a_second_shutdown_is_the_same_one);
    return g_test_run();
}
