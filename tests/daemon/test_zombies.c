/*
 * If orphans are not reaped, as in a container whose PID 1 is a `sleep`: what has ended has ended,
 * on every path, and how it ended is known.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

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

static void die_and_come_back(void)
{
    fixture_kill(&f);
    fixture_again(&f, options);
}

static gboolean is_zombie(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, ") Z ");
}

static void wait_zombie(GPid pid)
{
    for (gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC; !is_zombie(pid);) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

static void let_go(const char *name)
{
    g_assert_true(g_file_set_contents(fixture_path(&f, name), "", -1, NULL));
}

#define PERMANENT "name: web\nrestart: permanent\nbackoff: {initial: 10ms, jitter: none}\n"
/* Ends with 3 when it is let go, the first time. */
#define EXITS_WITH_3                                                                               \
    "exec: [/bin/sh, -c, 'echo $$ > @/up.part; mv @/up.part @/up; "                                \
    "[ $PROCTOR_ATTEMPT = 1 ] || exec sleep 1000; "                                                \
    "while [ ! -e @/go ]; do sleep 0.01; done; exit 3']\n"

static void assert_last_exit(const char *kind, const char *key, guint64 value)
{
    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");

    g_assert_cmpstr(dict_text(last, "Kind"), ==, kind);
    g_assert_cmpuint(dict_number(last, key), ==, value);
}

/* ---- main processes -------------------------------------------------------------------------- */

static void the_end_of_an_adopted_child_is_seen(void)
{
    add(PERMANENT EXITS_WITH_3);
    GPid pid = fixture_read_pid(&f, "up");
    die_and_come_back();

    let_go("go");

    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_true(is_zombie(pid));
    assert_last_exit("failed", "Code", 3);
}

static void the_end_of_one_that_died_meanwhile_is_known(void)
{
    add(PERMANENT "exec: [/bin/sleep, '1000']\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");

    fixture_kill(&f);
    kill(pid, SIGKILL);
    wait_zombie(pid);
    fixture_again(&f, options);

    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_true(is_zombie(pid));
    assert_last_exit("signaled", "Signal", SIGKILL);
}

static void a_replaced_program_sees_it_too(void)
{
    add(PERMANENT EXITS_WITH_3);
    GPid pid = fixture_read_pid(&f, "up");
    die_and_come_back();
    fixture_upgrade(&f);

    let_go("go");

    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_true(is_zombie(pid));
    assert_last_exit("failed", "Code", 3);
}

static void a_pause_a_restart_and_the_shutdown_end(void)
{
    add("name: web\nexec: [/bin/sleep, '1000']\nstop: {timeout: 0}\n");
    add("name: db\nexec: [/bin/sleep, '1000']\nstop: {timeout: 0}\n");
    add("name: api\nexec: [/bin/sleep, '1000']\nstop: {timeout: 0}\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    fixture_wait_text(&f, "db", "Status", "ready");
    fixture_wait_text(&f, "api", "Status", "ready");
    die_and_come_back();

    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "db");

    fixture_wait_text(&f, "web", "Status", "none");
    fixture_wait_number(&f, "db", "Generation", 1);
    /* The shutdown, with api in it, is the fixture's. */
}

/* ---- those that they leave ------------------------------------------------------------------- */

#define WITH_A_WORKER                                                                              \
    "exec: [/bin/sh, -c, '[ $PROCTOR_ATTEMPT = 1 ] || exec sleep 1000; "                           \
    "sh -c \"echo \\$\\$ > @/left.part; mv @/left.part @/left; "                                   \
    "while [ ! -e @/go ]; do sleep 0.01; done\" & "                                                \
    "while [ ! -e @/end ]; do sleep 0.01; done; exit 4']\n"

/* Main process and worker are in one group, and both zombies there. */
static void they_are_gone_when_they_have_ended(void)
{
    add(PERMANENT WITH_A_WORKER "stop: {timeout: 0, signal: SIGWINCH}\n");
    GPid left = fixture_read_pid(&f, "left");
    die_and_come_back();

    let_go("end");
    fixture_wait_text(&f, "web", "Status", "cancelling");
    g_assert_cmpuint(fixture_number(&f, "web", "LeftProcesses"), >=, 1);
    let_go("go");

    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_true(is_zombie(left));
    assert_last_exit("failed", "Code", 4);
}

/* Its main process ends while no proctord is there; what it leaves is not taken for it. */
static void those_of_one_that_died_meanwhile_are_gone(void)
{
    add(PERMANENT WITH_A_WORKER "stop: {timeout: 0, signal: SIGWINCH}\n");
    GPid left = fixture_read_pid(&f, "left");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");
    fixture_kill(&f);
    let_go("end");
    wait_zombie(pid);
    fixture_again(&f, options);

    fixture_wait_text(&f, "web", "Status", "cancelling");
    let_go("go");

    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_true(is_zombie(left));
    assert_last_exit("failed", "Code", 4);
}

static void whoever_is_killed_is_gone(void)
{
    add(PERMANENT "leftovers: kill\n" WITH_A_WORKER);
    GPid left = fixture_read_pid(&f, "left");
    die_and_come_back();

    let_go("end");

    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_true(is_zombie(left));
}

/* ---- jobs and checks ------------------------------------------------------------------------- */

static void it_ends_with_its_result(void)
{
    g_autofree char *text = in_folder("name: task\nexec: [/bin/sh, -c, 'echo $$ > @/up.part; "
                                      "mv @/up.part @/up; while [ ! -e @/go ]; do sleep 0.01; "
                                      "done; exit 5']\n");
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    const char *path;
    g_variant_get(reply, "(&o)", &path);
    GPid pid = fixture_read_pid(&f, "up");
    die_and_come_back();

    let_go("go");

    g_autoptr(GVariant) waited = fixture_call(&f, path, "org.proctor1.Job", "Wait", NULL, NULL);
    g_autoptr(GVariant) result = g_variant_get_child_value(waited, 0);
    g_assert_cmpstr(dict_text(result, "Result"), ==, "failed");
    g_assert_cmpuint(dict_number(result, "ExitCode"), ==, 5);
    g_assert_true(is_zombie(pid));
}

/* The check of a dead proctord is killed, and stays a zombie: it is in no one's way. */
static void it_is_asked_anew_and_its_child_can_be_stopped(void)
{
    add("name: web\nexec: [/bin/sleep, '1000']\nstop: {timeout: 0}\n"
        "health_check: {exec: [/bin/sh, -c, 'echo $$ >> @/checks; sleep 1000 & wait'], "
        "interval: 10ms, timeout: 60s}\n");
    fixture_wait_lines(&f, "checks", 1);
    die_and_come_back();
    fixture_wait_lines(&f, "checks", 2);

    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_text(&f, "web", "Status", "none");
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

int main(int argc, char **argv)
{
    fixture_become_careless_init();
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);

    FIXTURE_TEST(&f, options, "/daemon/zombies/main", the_end_of_an_adopted_child_is_seen);
    FIXTURE_TEST(&f, options, "/daemon/zombies/main", the_end_of_one_that_died_meanwhile_is_known);
    FIXTURE_TEST(&f, options, "/daemon/zombies/main", a_replaced_program_sees_it_too);
    FIXTURE_TEST(&f, options, "/daemon/zombies/main", a_pause_a_restart_and_the_shutdown_end);
    FIXTURE_TEST(&f, options, "/daemon/zombies/left", they_are_gone_when_they_have_ended);
    FIXTURE_TEST(&f, options, "/daemon/zombies/left", those_of_one_that_died_meanwhile_are_gone);
    FIXTURE_TEST(&f, options, "/daemon/zombies/left", whoever_is_killed_is_gone);
    FIXTURE_TEST(&f, options, "/daemon/zombies/job", it_ends_with_its_result);
    FIXTURE_TEST(&f, options, "/daemon/zombies/check",
                 it_is_asked_anew_and_its_child_can_be_stopped);
    return g_test_run();
}
