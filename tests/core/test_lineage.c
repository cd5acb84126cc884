/*
 * Lineage: neither generation nor fencing token of an id ever goes back (lineage.h).
 */
#include "core/model/lineage.h"
#include "core/private.h"
#include "world.h"

static struct world *w;

static struct child *add(const char *id)
{
    struct child_declaration d = world_worker(id);
    return world_declare(w, &d);
}

static void remove_it(struct child *child)
{
    const char *id = child->id;

    if (child_attempt(child) > 0) {
        g_autofree char *name = g_strdup(id);
        world_command(w, COMMAND_REMOVE, name);
        world_exits(w, child, 0);
    } else {
        world_command(w, COMMAND_REMOVE, id);
    }
}

static void a_child_that_is_added_again_goes_on_from_the_highest_generation(void)
{
    struct child *child = add("web");

    world_command(w, COMMAND_RESTART, "web");
    world_exits(w, child, 0);
    g_assert_cmpuint(child->generation, ==, 1);
    uint64_t fence = child->fence;
    remove_it(child);
    child = add("web");
    g_assert_cmpuint(child->attempt.generation, ==, 2);
    g_assert_cmpuint(child_attempt(child), ==, 1);
    g_assert_cmpuint(child->fence, >, fence);
}

static void one_of_another_id_begins_at_0(void)
{
    remove_it(add("web"));
    struct child *child = add("api");
    g_assert_cmpuint(child->attempt.generation, ==, 0);
}

static void the_token_grows_when_the_wall_clock_goes_back(void)
{
    struct child *child = add("web");
    uint64_t fence = child->fence;

    g_assert_cmpuint(fence, ==, w->now + w->wall);
    w->wall /= 2;
    remove_it(child);
    child = add("web");
    g_assert_cmpuint(child->fence, ==, fence + 1);
}

/* As if a child had been declared, started and removed: the rest of the core is slower. */
static void come_and_go(const char *id)
{
    struct child child = {.id = id, .born = true, .generation = 7, .fence = 1};

    child.lineage = lineage_new(w->core, id);
    lineage_leave(w->core, &child);
    g_assert_null(child.lineage);
}

static uint64_t generation_left_by(const char *id)
{
    struct child child = {.id = id};

    child.lineage = lineage_new(w->core, id);
    lineage_resume(w->core, &child);
    w->core->ports.release(w->core->ports.userdata, child.lineage);
    return child.has_past ? child.generation : 0;
}

static void the_oldest_of_too_many_is_forgotten(void)
{
    char id[32];

    for (uint32_t i = 0; i < LINEAGES_MAX - 1; i++) {
        g_snprintf(id, sizeof(id), "n%u", i);
        come_and_go(id);
    }
    g_assert_cmpuint(w->core->lineages.count, ==, LINEAGES_MAX - 1);
    come_and_go("last that fits");
    g_assert_cmpuint(w->core->lineages.count, ==, LINEAGES_MAX);
    come_and_go("one too many");
    g_assert_cmpuint(w->core->lineages.count, ==, LINEAGES_MAX);
    g_assert_cmpuint(generation_left_by("n0"), ==, 0);
    g_assert_cmpuint(generation_left_by("n1"), ==, 7);
    g_assert_cmpuint(generation_left_by("one too many"), ==, 7);
    g_assert_cmpuint(w->core->lineages.count, ==, LINEAGES_MAX - 2); /* one that is back has none */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/lineage", a_child_that_is_added_again_goes_on_from_the_highest_generation);
    WORLD_TEST(&w, "/lineage", one_of_another_id_begins_at_0);
    WORLD_TEST(&w, "/lineage", the_token_grows_when_the_wall_clock_goes_back);
    WORLD_TEST(&w, "/lineage", the_oldest_of_too_many_is_forgotten);
    return g_test_run();
}
