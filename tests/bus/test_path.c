/*
 * Paths: each child has one object path, and a path that is not one of these names no child.
 */
#include "bus/path.h"
#include "private.h"
#include "world.h"

#include <string.h>

static struct world *w;

static void expect_path(const char *id, const char *wanted)
{
    char *path = path_of_child(id);

    g_assert_cmpstr(path, ==, wanted);
    free(path);
}

static void what_a_path_cannot_hold_is_escaped(void)
{
    expect_path("web", "/org/proctor1/child/web");
    expect_path("a/b/c", "/org/proctor1/child/a/b/c");
    expect_path("web1", "/org/proctor1/child/web1");
    expect_path("1web", "/org/proctor1/child/_31web"); /* a digit at the beginning only */
    expect_path("a/1/x", "/org/proctor1/child/a/_31/x");
    expect_path("a_b", "/org/proctor1/child/a_5fb");
    expect_path("-.@:", "/org/proctor1/child/_2d_2e_40_3a");
}

static void a_path_leads_back_to_its_child(void)
{
    static const char *const ids[] = {"web", "web1", "1web", "a_b", "a-b", "a.b@c:d"};
    struct service service = {.core = w->core};

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        struct child *child = world_add_worker(w, ids[i]);
        char *path = path_of_child(ids[i]);
        g_assert_true(child_of_path(&service, path) == child);
        free(path);
    }
}

static void a_child_has_one_path_and_no_other(void)
{
    static const char *const others[] = {
        "/org/proctor1/child",        "/org/proctor1/child/",         "/org/proctor1/child/web/",
        "/org/proctor1/child//web",   "/org/proctor1/child/we",       "/org/proctor1/child/webs",
        "/org/proctor1/child/_77eb",  /* decodes to web */
        "/org/proctor1/child/web_",   /* half an escape */
        "/org/proctor1/child/web_2",  /* the same */
        "/org/proctor1/child/web_zz", /* none */
        "/org/proctor1/child/a_2fb",  /* a slash within a segment */
        "/org/proctor1/childweb",     "/org/proctor1/supervisor/web", "/",
    };
    struct service service = {.core = w->core};

    world_add_worker(w, "web");
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (child_of_path(&service, others[i]))
            g_error("%s names a child", others[i]);
}

/* Of 63, 64 and 65 characters, each of which is escaped. */
static void the_longest_name_has_a_path(void)
{
    struct service service = {.core = w->core};

    for (size_t n = CHILD_SEGMENT_MAX - 1; n <= CHILD_SEGMENT_MAX + 1; n++) {
        g_autofree char *id = g_strnfill(n, '-');
        char *path = path_of_child(id);
        struct child *child = n <= CHILD_SEGMENT_MAX ? world_add_worker(w, id) : NULL;
        g_assert_cmpuint(strlen(path), ==, strlen("/org/proctor1/child/") + 3 * n);
        g_assert_true(child_of_path(&service, path) == child);
        free(path);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    WORLD_TEST(&w, "/path", what_a_path_cannot_hold_is_escaped);
    WORLD_TEST(&w, "/path", a_path_leads_back_to_its_child);
    WORLD_TEST(&w, "/path", a_child_has_one_path_and_no_other);
    WORLD_TEST(&w, "/path", the_longest_name_has_a_path);
    return g_test_run();
}
