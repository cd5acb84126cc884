/*
 * The tree: what is declared together, in whatever order, and what of it is refused; and jobs.
 */
#include "core/model/members.h"
#include "world.h"

#include <errno.h>
#include <string.h>

static struct world *w;

static struct supervisor_declaration supervisor(const char *path)
{
    struct supervisor_declaration declaration;

    supervisor_declaration_defaults(&declaration, path);
    return declaration;
}

static int declare(const struct child_declaration *children, size_t n_children,
                   const struct supervisor_declaration *supervisors, size_t n_supervisors,
                   struct declaration_problem *problem)
{
    struct tree_declaration tree = {.children = children,
                                    .n_children = n_children,
                                    .supervisors = supervisors,
                                    .n_supervisors = n_supervisors};
    return core_declare_tree(w->core, &tree, "tester", "test", problem);
}

static char *order(void)
{
    GString *text = g_string_new("");

    for (const struct child *child = core_first(w->core); child; child = core_next(child))
        g_string_append_printf(text, "%s ", child->id);
    return g_string_free(text, FALSE);
}

/* ---- declaring ------------------------------------------------------------------------------- */

static void nothing_has_to_come_before_what_needs_it(void)
{
    struct child_declaration children[] = {world_worker("web"), world_worker("a/b/deep"),
                                           world_worker("a/first")};
    struct supervisor_declaration supervisors[] = {supervisor("a/b"), supervisor("a")};
    struct declaration_problem problem;

    supervisors[0].position = supervisors[1].position = 3; /* behind all of them, as it seems */
    g_assert_cmpint(declare(children, 3, supervisors, 2, &problem), ==, 0);

    g_autofree char *text = order();
    g_assert_cmpstr(text, ==, "web a/b/deep a/first ");
    g_assert_true(core_find_supervisor(w->core, "a/b")->member.supervisor ==
                  core_find_supervisor(w->core, "a"));
    g_assert_cmpuint(core_find_supervisor(w->core, "a/b")->depth, ==, 3);
}

static void a_later_child_stands_with_its_supervisor(void)
{
    struct child_declaration children[] = {world_worker("a/x"), world_worker("z")};
    struct child_declaration later = world_worker("a/y");
    struct supervisor_declaration a = supervisor("a");
    struct declaration_problem problem;

    g_assert_cmpint(declare(children, 2, &a, 1, &problem), ==, 0);
    g_assert_cmpint(declare(&later, 1, NULL, 0, &problem), ==, 0);

    g_autofree char *text = order();
    g_assert_cmpstr(text, ==, "a/x a/y z ");
}

static void a_tree_with_a_mistake_declares_nothing(void)
{
    struct child_declaration children[] = {world_worker("a/x"), world_worker("b/y")};
    struct supervisor_declaration supervisors[] = {supervisor("a"), supervisor("a/c")};
    struct supervisor_declaration root = supervisor("");
    struct declaration_problem problem;

    g_assert_cmpint(declare(children, 2, supervisors, 2, &problem), ==, -ENOENT);
    g_assert_cmpstr(problem.error.text, ==, "no supervisor is called \"b\"");
    g_assert_cmpint(problem.dependency, ==, PROBLEM_SUPERVISOR);
    children[1] = world_worker("a/c");
    g_assert_cmpint(declare(children, 2, supervisors, 2, &problem), ==, -EEXIST);
    children[1] = world_worker("y");
    children[1].group = "g";
    root.strategy = STRATEGY_ONE_FOR_ALL;
    struct supervisor_declaration three[] = {root, supervisors[0], supervisors[1]};
    g_assert_cmpint(declare(children, 2, three, 3, &problem), ==, -ENOENT);
    g_assert_cmpint(problem.dependency, ==, PROBLEM_GROUP);

    g_assert_cmpuint(core_count(w->core), ==, 0);
    g_assert_null(core_find_supervisor(w->core, "a"));
    g_assert_null(core_first_supervisor(w->core)->next);
    g_assert_cmpint(core_first_supervisor(w->core)->config->declaration.strategy, ==,
                    STRATEGY_ONE_FOR_ONE);
    g_assert_cmpuint(w->starts->len, ==, 0);
}

static void a_check_changes_nothing(void)
{
    struct child_declaration child = world_worker("a/x");
    struct supervisor_declaration a = supervisor("a");
    struct tree_declaration tree = {
        .children = &child, .n_children = 1, .supervisors = &a, .n_supervisors = 1};
    struct declaration_problem problem;

    g_assert_cmpint(core_dry_run(w->core, "add", &tree, NULL, "anna", "to see", &problem), ==, 0);

    g_assert_cmpuint(core_count(w->core), ==, 0);
    g_assert_null(core_find_supervisor(w->core, "a"));
    g_assert_cmpuint(w->events->len, ==, 1); /* and who asked is told */
}

static void note_id(void *userdata, const char *id)
{
    g_string_append_printf(userdata, "%s ", id);
}

/* The sidecar marks its primary as changed when it is bound to it. */
static void a_primary_that_is_only_tried_leaves_nothing(void)
{
    static const char *primary[] = {"p"};
    struct child_declaration children[2] = {world_worker("s"), world_worker("p")};
    struct tree_declaration tree = {.children = children, .n_children = 2};
    struct declaration_problem problem;
    g_autoptr(GString) named = g_string_new("");

    children[0].role = ROLE_SIDECAR;
    children[0].requires = primary;
    children[0].n_requires = 1;
    g_assert_cmpint(core_dry_run(w->core, "add", &tree, &(struct plan_visitor){note_id, named},
                                 "anna", "to see", &problem),
                    ==, 0);
    g_assert_cmpstr(named->str, ==, "s p ");
    g_assert_null(core_take_changed(w->core));

    children[1].autostart = false;
    g_string_truncate(named, 0);
    g_assert_cmpint(core_dry_run(w->core, "add", &tree, &(struct plan_visitor){note_id, named},
                                 "anna", "to see", &problem),
                    ==, 0);
    g_assert_cmpstr(named->str, ==, "");
}

static void eight_levels_are_enough(void)
{
    static const char *const paths[] = {"1",         "1/2",         "1/2/3",        "1/2/3/4",
                                        "1/2/3/4/5", "1/2/3/4/5/6", "1/2/3/4/5/6/7"};
    struct supervisor_declaration supervisors[7];
    struct supervisor_declaration more = supervisor("1/2/3/4/5/6/7/8");
    struct declaration_problem problem;

    for (int i = 0; i < 7; i++)
        supervisors[i] = supervisor(paths[i]);
    g_assert_cmpint(declare(NULL, 0, supervisors, 7, &problem), ==, 0);

    g_assert_cmpint(declare(NULL, 0, &more, 1, &problem), ==, -EINVAL);
    g_assert_true(problem.of_supervisor);
}

static void a_discarded_supervisor_goes_with_its_last_child(void)
{
    struct child_declaration child = world_worker("a/b/x");
    struct supervisor_declaration supervisors[] = {supervisor("a"), supervisor("a/b")};
    struct declaration_problem problem;

    w->answer_starts = true;
    g_assert_cmpint(declare(&child, 1, supervisors, 2, &problem), ==, 0);
    core_discard_supervisor(w->core, core_find_supervisor(w->core, "a"));
    core_discard_supervisor(w->core, core_find_supervisor(w->core, "a/b"));
    g_assert_nonnull(core_find_supervisor(w->core, "a/b"));
    world_command(w, COMMAND_REMOVE, "a/b/x");
    world_exits(w, core_find(w->core, "a/b/x"), 0);

    g_assert_null(core_find_supervisor(w->core, "a/b"));
    g_assert_null(core_find_supervisor(w->core, "a"));
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static struct job *run(const char *name)
{
    struct child_declaration declaration = world_worker(name);
    struct declaration_problem problem;
    struct job *job = NULL;

    g_assert_cmpint(
        core_run_job(w->core, &declaration, SAME_NAME_REJECT, "tester", "test", &job, &problem), ==,
        0);
    return job;
}

static int try_to_run(guint number, struct declaration_problem *problem)
{
    g_autofree char *name = g_strdup_printf("n%u", number);
    struct child_declaration declaration = world_worker(name);
    struct job *job;

    return core_run_job(w->core, &declaration, SAME_NAME_REJECT, "tester", "test", &job, problem);
}

/* One that ends makes room for one. */
static void twenty_thousand_jobs_and_no_more(void)
{
    struct declaration_problem problem;

    w->answer_starts = true;
    for (guint i = 0; i < JOBS_MAX; i++)
        g_assert_cmpint(try_to_run(i, &problem), ==, 0);
    g_assert_cmpint(try_to_run(JOBS_MAX, &problem), ==, -E2BIG);
    g_assert_nonnull(strstr(problem.error.text, "20000"));

    world_exits(w, core_find(w->core, "jobs/1"), 0);
    g_assert_cmpint(try_to_run(JOBS_MAX, &problem), ==, 0);
    g_assert_cmpint(try_to_run(JOBS_MAX + 1, &problem), ==, -E2BIG);
}

static void a_job_cannot_end_the_tree(void)
{
    struct child_declaration success = world_worker("a"), failure = world_worker("b");
    struct declaration_problem problem;
    struct job *job;

    success.on_success = ON_END_SHUTDOWN_TREE;
    failure.on_give_up = ON_END_SHUTDOWN_TREE;
    g_assert_cmpint(
        core_run_job(w->core, &success, SAME_NAME_REJECT, "tester", "test", &job, &problem), ==,
        -EINVAL);
    g_assert_cmpint(
        core_run_job(w->core, &failure, SAME_NAME_REJECT, "tester", "test", &job, &problem), ==,
        -EINVAL);
    g_assert_nonnull(strstr(problem.error.text, "cannot end the tree"));
}

static void blocking_returns_value(void)
{
    struct completion completion = {.output = {.data = "42", .size = 2}};
    struct job *job = run("answer");

    world_spawned(w, job->child);
    core_completed(w->core, world_id(job->child), &completion);

    g_assert_cmpint(job->result, ==, JOB_SUCCEEDED);
    g_assert_cmpuint(job->output.size, ==, 2);
    g_assert_null(job->child);
    g_assert_null(core_find(w->core, "jobs/1"));
}

static void blocking_panic(void)
{
    struct job *job = run("crash");

    world_spawned(w, job->child);
    world_dies(w, job->child, 11);

    g_assert_cmpint(job->result, ==, JOB_PANICKED);
    g_assert_cmpint(job->signal, ==, 11);
}

/* blocking_registered_in_registry, oneshot_registered_in_registry,
 * blocking_spawner_task_appears_in_snapshot */
static void a_job_is_visible_while_it_runs(void)
{
    struct job *job = run("visible");

    world_spawned(w, job->child);
    g_assert_true(core_find(w->core, "jobs/1") == job->child);
    g_assert_true(core_first_job(w->core) == job);
    g_assert_cmpstr(core_find_job(w->core, 1)->name, ==, "visible");
    world_exits(w, job->child, 0);

    g_assert_cmpuint(core_count(w->core), ==, 0);
    g_assert_cmpint(core_find_job(w->core, 1)->state, ==, JOB_FINISHED);
}

static void measure_blocking_emits_metrics(void)
{
    struct completion completion = {.cpu_usec = 700};
    struct job *job = run("measured");

    world_spawned(w, job->child);
    world_advance(w, 3 * SEC);
    core_completed(w->core, world_id(job->child), &completion);

    const char *fields = world_last(w, EVENT_JOB_FINISHED, "jobs/1");
    g_assert_nonnull(strstr(fields, " wall_usec=3000000"));
    g_assert_nonnull(strstr(fields, " cpu_usec=700"));
}

static void spawn_blocking_semaphore_cap(void)
{
    struct job *jobs[16];

    for (int i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("job-%d", i);
        jobs[i] = run(name);
    }
    g_assert_cmpuint(w->starts->len, ==, 8);
    for (int i = 0; i < 16; i++) {
        g_assert_cmpuint(w->starts->len, ==, MIN(8 + i, 16));
        world_spawned(w, jobs[i]->child);
        world_exits(w, jobs[i]->child, 0);
        g_assert_cmpint(jobs[i]->result, ==, JOB_SUCCEEDED);
    }
}

/* No more than so many, and no fewer; what it says is what it does. */
static void as_many_jobs_run_as_there_are_places(void)
{
    static const uint32_t places[] = {1, 2, 8, 9};
    uint32_t runs = 0;

    g_assert_cmpuint(core_max_jobs(w->core), ==, JOBS_DEFAULT);
    core_set_max_jobs(w->core, JOBS_AT_ONCE_MAX);
    g_assert_cmpuint(core_max_jobs(w->core), ==, JOBS_AT_ONCE_MAX);
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        core_set_max_jobs(w->core, places[i]);
        g_assert_cmpuint(core_max_jobs(w->core), ==, places[i]);
        for (; runs < places[i] + 1; runs++) {
            g_autofree char *name = g_strdup_printf("job-%u", runs);
            run(name);
            g_assert_cmpuint(w->starts->len, ==, MIN(runs + 1, places[i]));
        }
    }
}

static void ten_thousand_jobs_wait_without_a_timer(void)
{
    run("first");
    for (int i = 0; i < 10000; i++) {
        g_autofree char *name = g_strdup_printf("job-%d", i);
        run(name);
    }

    g_assert_cmpuint(w->starts->len, ==, 8);
    g_assert_cmpuint(w->timer, ==,
                     core_find(w->core, "jobs/1")->timers[TIMER_START_TIMEOUT].deadline_usec);
    uint64_t allocations = w->allocations;
    world_spawned(w, core_find(w->core, "jobs/1"));
    world_exits(w, core_find(w->core, "jobs/1"), 0);
    g_assert_cmpuint(w->starts->len, ==, 9);
    g_assert_cmpuint(w->allocations, ==, allocations);
}

static void the_oldest_finished_jobs_are_forgotten(void)
{
    for (int i = 0; i < JOBS_KEPT + 5; i++) {
        struct job *job = run("again");
        world_spawned(w, job->child);
        world_exits(w, job->child, 0);
    }

    g_assert_null(core_find_job(w->core, 5));
    g_assert_nonnull(core_find_job(w->core, 6));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/tree", nothing_has_to_come_before_what_needs_it);
    WORLD_TEST(&w, "/tree", a_later_child_stands_with_its_supervisor);
    WORLD_TEST(&w, "/tree", a_tree_with_a_mistake_declares_nothing);
    WORLD_TEST(&w, "/tree", a_check_changes_nothing);
    WORLD_TEST(&w, "/tree", a_primary_that_is_only_tried_leaves_nothing);
    WORLD_TEST(&w, "/tree", eight_levels_are_enough);
    WORLD_TEST(&w, "/tree", a_discarded_supervisor_goes_with_its_last_child);
    WORLD_TEST(&w, "/job", a_job_cannot_end_the_tree);
    WORLD_TEST(&w, "/job", blocking_returns_value);
    WORLD_TEST(&w, "/job", blocking_panic);
    WORLD_TEST(&w, "/job", a_job_is_visible_while_it_runs);
    WORLD_TEST(&w, "/job", measure_blocking_emits_metrics);
    WORLD_TEST(&w, "/job", spawn_blocking_semaphore_cap);
    WORLD_TEST(&w, "/job", as_many_jobs_run_as_there_are_places);
    WORLD_TEST(&w, "/job", ten_thousand_jobs_wait_without_a_timer);
    WORLD_TEST(&w, "/job", twenty_thousand_jobs_and_no_more);
    WORLD_TEST(&w, "/job", the_oldest_finished_jobs_are_forgotten);
    return g_test_run();
}
