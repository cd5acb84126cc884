/*
 * Registry: what finds a child by its id or its slot, and a job by its name.
 */
#include "core/model/registry.h"
#include "core/private.h"
#include "world.h"

#define MANY 600 /* more than the tables begin with */

static struct world *w;

static struct child *add(unsigned i)
{
    g_autofree char *id = g_strdup_printf("group%u/child%u", i % 7, i);
    struct child_declaration d = world_worker(id);

    d.autostart = false;
    return world_declare(w, &d);
}

static struct child *find(unsigned i)
{
    g_autofree char *id = g_strdup_printf("group%u/child%u", i % 7, i);
    return core_find(w->core, id);
}

static void remove_one(unsigned i)
{
    g_autofree char *id = g_strdup_printf("group%u/child%u", i % 7, i);
    world_command(w, COMMAND_REMOVE, id);
}

static void supervisors(void)
{
    struct tree_declaration tree = {};
    struct supervisor_declaration list[7];
    struct declaration_problem problem;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < G_N_ELEMENTS(list); i++) {
        g_ptr_array_add(names, g_strdup_printf("group%u", i));
        supervisor_declaration_defaults(&list[i], g_ptr_array_index(names, i));
    }
    tree.supervisors = list;
    tree.n_supervisors = G_N_ELEMENTS(list);
    g_assert_cmpint(core_declare_tree(w->core, &tree, "test", "test", &problem), ==, 0);
}

static void each_is_found_by_its_id_however_many_there_are(void)
{
    g_autofree struct child **children = g_new0(struct child *, MANY);

    supervisors();
    for (unsigned i = 0; i < MANY; i++) {
        g_assert_null(find(i));
        children[i] = add(i);
    }
    for (unsigned i = 0; i < MANY; i++)
        g_assert_true(find(i) == children[i]);
    g_assert_null(core_find(w->core, ""));
    g_assert_null(core_find(w->core, "group1"));
    g_assert_cmpuint(core_count(w->core), ==, MANY);
}

static void one_that_is_removed_is_not_found_and_hides_nobody(void)
{
    supervisors();
    for (unsigned i = 0; i < MANY; i++)
        add(i);
    for (unsigned i = 0; i < MANY; i += 2)
        remove_one(i);
    for (unsigned i = 0; i < MANY; i++)
        g_assert_true((find(i) != NULL) == (i % 2 == 1));
    for (unsigned i = 0; i < MANY; i += 2)
        g_assert_true(add(i) == find(i));
    g_assert_cmpuint(core_count(w->core), ==, MANY);
}

static void a_slot_that_is_used_again_is_another_childs(void)
{
    struct child *first = world_add_worker(w, "first");
    struct attempt_id old = world_id(first);
    uint32_t slot = first->slot;

    g_assert_true(core_child_of(w->core, old) == first);
    world_spawned(w, first);
    world_command(w, COMMAND_REMOVE, "first");
    world_exits(w, first, 0);
    struct child *second = world_add_worker(w, "second");
    g_assert_cmpuint(second->slot, ==, slot);
    g_assert_cmpuint(second->serial, !=, old.serial);
    g_assert_null(core_child_of(w->core, old));
    g_assert_true(core_child_of(w->core, world_id(second)) == second);
    old.slot = UINT32_MAX;
    g_assert_null(core_child_of(w->core, old));
}

static struct job *run(const char *name)
{
    struct child_declaration d;
    struct declaration_problem problem;
    struct job *job = NULL;

    declaration_defaults(&d, ROLE_JOB);
    d.id = name;
    d.has_process = true;
    g_assert_cmpint(core_run_job(w->core, &d, SAME_NAME_QUEUE, "test", "test", &job, &problem), ==,
                    0);
    return job;
}

static void the_last_job_of_a_name_is_the_latest(void)
{
    struct job *import = run("import"), *other = run("export");

    g_assert_true(registry_last_job(w->core, "import") == import);
    struct job *again = run("import");
    g_assert_true(registry_last_job(w->core, "import") == again);
    g_assert_true(registry_last_job(w->core, "export") == other);
    g_assert_null(registry_last_job(w->core, "impor"));
    g_assert_null(registry_last_job(w->core, "imports"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/registry", each_is_found_by_its_id_however_many_there_are);
    WORLD_TEST(&w, "/registry", one_that_is_removed_is_not_found_and_hides_nobody);
    WORLD_TEST(&w, "/registry", a_slot_that_is_used_again_is_another_childs);
    WORLD_TEST(&w, "/registry", the_last_job_of_a_name_is_the_latest);
    return g_test_run();
}
