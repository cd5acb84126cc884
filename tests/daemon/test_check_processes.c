/*
 * A health check is a tree of processes, too: none of them is left behind by an answer, a timeout,
 * a restart, a removal or a death of proctord.
 */
#include "fixture.h"

static struct fixture f;
static const char *const *options;

/* @ is the test's folder. */
static char *in_folder(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    return g_strjoinv(f.folder, parts);
}

static void add(const char *manifest)
{
    g_autofree char *text = in_folder(manifest);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
}

static void check_with(const char *command)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: web\nexec: [/bin/sleep, '1000']\n"
        "health_check: {exec: [/bin/sh, -c, '%s'], interval: 10ms, timeout: 50ms}\n",
        command);
    add(manifest);
}

static GPid *pids_of_checks(guint *n)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(fixture_path(&f, "checks"), &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    *n = g_strv_length(lines);
    GPid *pids = g_new0(GPid, *n);
    for (guint i = 0; i < *n; i++)
        pids[i] = (GPid)g_ascii_strtoll(lines[i], NULL, 10);
    return pids;
}

static void assert_all_go(void)
{
    guint n;
    g_autofree GPid *pids = pids_of_checks(&n);

    for (guint i = 0; i < n; i++)
        fixture_wait_gone(&f, pids[i]);
}

static void one_that_hangs_ends_whole(void)
{
    check_with("sleep 1000 & echo $! >> @/checks; wait");
    fixture_wait_lines(&f, "checks", 5);

    assert_all_go();
}

static void nothing_stays_behind_an_answer(void)
{
    check_with("setsid sh -c \"echo \\$\\$ >> @/checks; exec sleep 1000\" & sleep 0.01; exit 0");
    fixture_wait_lines(&f, "checks", 5);

    assert_all_go();
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

static void a_restart_and_a_removal_end_it(void)
{
    check_with("sleep 1000 & echo $! >> @/checks; wait");
    fixture_wait_lines(&f, "checks", 1);

    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");
    assert_all_go();
    fixture_wait_lines(&f, "checks", 2);
    g_autoptr(GVariant) removal = fixture_verb(&f, "Remove", "web");
    fixture_wait_removed(&f, "web");

    assert_all_go();
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

static void the_death_of_proctord_ends_it(void)
{
    add("name: web\nexec: [/bin/sleep, '1000']\n"
        "health_check: {exec: [/bin/sh, -c, 'sleep 1000 & echo $! >> @/checks; wait'], "
        "interval: 10ms, timeout: 60s}\n");
    fixture_wait_lines(&f, "checks", 1);
    guint n;
    g_autofree GPid *pids = pids_of_checks(&n);

    fixture_kill(&f);
    fixture_again(&f, options);

    fixture_wait_gone(&f, pids[0]);
    fixture_wait_lines(&f, "checks", 2);
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);

    FIXTURE_TEST(&f, options, "/daemon/check-processes", one_that_hangs_ends_whole);
    FIXTURE_TEST(&f, options, "/daemon/check-processes", nothing_stays_behind_an_answer);
    FIXTURE_TEST(&f, options, "/daemon/check-processes", a_restart_and_a_removal_end_it);
    FIXTURE_TEST(&f, options, "/daemon/check-processes", the_death_of_proctord_ends_it);
    return g_test_run();
}
