/*
 * Identity: who says so. What strangers, liars and leftovers can do to the children of a proctord.
 */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static struct fixture f;

/* ---- text ------------------------------------------------------------------------------------ */

static void a_reserved_code_point_blinds_nobody(void)
{
    fixture_add(&f, "worker", "", "ready, \"status=a\\uFFFE z \\uFDD0 \\U0001FFFE \\e[2J\"");

    fixture_wait_text(&f, "worker", "StatusText", "a? z ? ?  [2J");
    g_autoptr(GVariant) state =
        fixture_manager(&f, "CurrentState", NULL, NULL); /* fails the test where it fails */
    g_assert_nonnull(state);
}

int main(int argc, char **argv)
{
    const char *const *options =
        g_getenv("NO_CGROUPS") ? (const char *const[]){"--no-cgroups", NULL} : NULL;

    fixture_become_init();
    g_test_init(&argc, &argv, NULL);
    fixture_test(&f, options, "/daemon/identity/a-reserved-code-point-blinds-nobody",
                 a_reserved_code_point_blinds_nobody);
    return g_test_run();
}
