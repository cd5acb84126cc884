/*
 * Commands before a start: they run as the child does, in order, each alone and whole; one that
 * fails fails the start; a stop, a death of proctord and an upgrade end them, and none is left.
 */
#include "fixture.h"

static struct fixture f;
static const char *const *options;

static char *contents(const char *name)
{
    char *text = NULL;
    g_file_get_contents(fixture_path(&f, name), &text, NULL, NULL);
    return text;
}

static void assert_reason(const char *child, const char *expected)
{
    g_autofree char *reason = fixture_event_field(&f, "child-spawn-failed", child, "reason");
    g_assert_cmpstr(reason, ==, expected);
}

static void they_run_in_order_before_the_program(void)
{
    fixture_add_manifest(&f, "name: web\n"
                             "exec: [/bin/sh, -c, 'echo program >> @/order; exec sleep 1000']\n"
                             "environment: {GREETING: hello}\n"
                             "before:\n"
                             "  - [/bin/sh, -c, 'echo first $GREETING $PROCTOR_CHILD >> @/order']\n"
                             "  - {exec: [/bin/sh, -c, 'pwd >> @/order']}\n"
                             "working_directory: /usr\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    fixture_wait_lines(&f, "order", 3);
    g_autofree char *order = contents("order");
    g_assert_cmpstr(order, ==, "first hello web\n/usr\nprogram\n");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");
    fixture_wait_lines(&f, "order", 6);
}

static void their_output_is_in_the_log_of_the_child(void)
{
    fixture_add_manifest(&f, "name: web\nexec: [/bin/sh, -c, 'echo program; exec sleep 1000']\n"
                             "stdout: {file: '@/log'}\n"
                             "before: [[/bin/sh, -c, 'echo said before; echo and wrong >&2']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    fixture_wait_lines(&f, "log", 3);
    g_autofree char *log = contents("log");
    g_assert_cmpstr(log, ==, "said before\nand wrong\nprogram\n");
}

static void what_a_command_leaves_is_gone_before_the_program_runs(void)
{
    fixture_add_manifest(
        &f,
        "name: web\n"
        "exec: [/bin/sh, -c, 'kill -0 $(cat @/left) 2> /dev/null && echo there > @/seen || "
        "echo gone > @/seen; exec sleep 1000']\n"
        "before: [[/bin/sh, -c, 'setsid sh -c \"echo \\$\\$ > @/left.new; mv @/left.new @/left; "
        "exec sleep 1000\" & while ! test -e @/left; do sleep 0.01; done']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    fixture_wait_lines(&f, "seen", 1);
    g_autofree char *seen = contents("seen");
    g_assert_cmpstr(seen, ==, "gone\n");
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

static void a_failure_is_a_failed_start_that_counts(void)
{
    fixture_add_manifest(&f, "name: web\nexec: [/bin/sh, -c, 'echo x >> @/ran; exec sleep 1000']\n"
                             "restart_limit: {burst: 1}\nbackoff: {initial: 1ms}\n"
                             "before: [[/bin/true], [/bin/sh, -c, 'exit 7']]\n");
    fixture_wait_text(&f, "web", "Operation", "quarantined");

    assert_reason("web", "before /bin/sh: exit code 7");
    g_assert_cmpuint(fixture_events(&f, "child-spawn-failed", "web"), ==, 2);
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 0);
    g_assert_cmpuint(fixture_events(&f, "child-running", "web"), ==, 0);
}

static void a_command_that_is_missing_fails_the_start(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nrestart: temporary\nbefore: [[/no/such]]\n");
    fixture_wait_event(&f, "child-spawn-failed", "web", 1);

    assert_reason("web", "before /no/such: exec: No such file or directory");
}

static void one_that_may_fail_holds_up_nothing(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\n"
            "before: [{exec: [/bin/false], may_fail: true}, {exec: [/no/such], may_fail: true}, "
            "{exec: [/bin/sleep, '1000'], timeout: 50ms, may_fail: true}]\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    g_assert_cmpuint(fixture_events(&f, "child-spawn-failed", "web"), ==, 0);
}

static void a_timeout_ends_the_whole_command(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nrestart: temporary\n"
            "before: [{exec: [/bin/sh, -c, 'sleep 1000 & echo $! > @/new; mv @/new @/pid; wait'], "
            "timeout: 300ms}]\n");
    GPid pid = fixture_read_pid(&f, "pid");
    fixture_wait_event(&f, "child-spawn-failed", "web", 1);

    assert_reason("web", "before /bin/sh: its timeout has passed");
    fixture_wait_gone(&f, pid);
}

static void the_start_timeout_bounds_them_all(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nrestart: temporary\nstart_timeout: 300ms\n"
            "before: [[/bin/sh, -c, 'echo $$ > @/new; mv @/new @/pid; exec sleep 1000']]\n");
    GPid pid = fixture_read_pid(&f, "pid");
    fixture_wait_event(&f, "child-spawn-failed", "web", 1);

    assert_reason("web", "it was stopped before it had started: before /bin/sh: signal 15");
    fixture_wait_gone(&f, pid);
}

static void a_stop_asks_first(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/bin/sh, -c, 'echo x > @/ran; exec sleep 1000']\n"
        "before: [[/bin/sh, -c, 'trap \"echo asked > @/asked; exit 0\" TERM; echo $$ > @/new; mv "
        "@/new @/pid; "
        "while :; do sleep 0.01; done']]\n");
    GPid pid = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_gone(&f, pid);
    g_assert_cmpuint(fixture_count_lines(&f, "asked"), ==, 1);
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 0);
    fixture_wait_text(&f, "web", "StopState", "completed");
}

static void a_stop_that_is_ignored_kills(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nstop: {timeout: 100ms}\n"
            "before: [[/bin/sh, -c, 'trap \"\" TERM; sleep 1000 & echo $! > @/new; mv @/new @/pid; "
            "wait; wait']]\n");
    GPid pid = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_gone(&f, pid);
    fixture_wait_text(&f, "web", "Status", "none");
}

static void a_restart_meanwhile_begins_again(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\n"
            "before: [[/bin/sh, -c, 'echo $$ >> @/pids; test -e @/free || exec sleep 1000']]\n");
    fixture_wait_lines(&f, "pids", 1);
    g_assert_true(g_file_set_contents(fixture_path(&f, "free"), "x", 1, NULL));
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");

    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpuint(fixture_count_lines(&f, "pids"), ==, 2);
}

/* The command that an earlier proctord has started is gone, or a zombie, before another one is. */
static const char *const exclusive =
    "name: web\nexec: [/bin/sh, -c, 'echo x >> @/ran; exec sleep 1000']\n"
    "before: [[/bin/sh, -c, 'grep -qs \"^State:.[^ZX]\" /proc/$(cat @/holder 2> /dev/null)/status "
    "&& echo twice >> @/twice; echo $$ > @/holder; echo $$ >> @/pids; "
    "test -e @/free || exec sleep 1000']]\n";

static void let_go_and_look(void)
{
    fixture_wait_lines(&f, "pids", 2);
    g_assert_cmpuint(fixture_count_lines(&f, "twice"), ==, 0);
    fixture_wait_text(&f, "web", "Status", "ready");
    fixture_wait_lines(&f, "ran", 1);
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

static void a_death_of_proctord_begins_them_again(void)
{
    fixture_add_manifest(&f, exclusive);
    fixture_wait_lines(&f, "pids", 1);
    fixture_kill(&f);
    g_assert_true(g_file_set_contents(fixture_path(&f, "free"), "x", 1, NULL));
    fixture_again(&f, options);

    let_go_and_look();
}

static void an_upgrade_begins_them_again(void)
{
    fixture_add_manifest(&f, exclusive);
    fixture_wait_lines(&f, "pids", 1);
    g_assert_true(g_file_set_contents(fixture_path(&f, "free"), "x", 1, NULL));
    fixture_upgrade(&f);

    let_go_and_look();
}

static void a_message_of_theirs_is_not_the_program_s(void)
{
    g_autofree char *manifest =
        g_strdup_printf("name: web\nexec: [/bin/sleep, '1000']\nreadiness: explicit\n"
                        "before: [['%s', ready, exit=0]]\n",
                        g_getenv("TEST_CHILD"));
    fixture_add_manifest(&f, manifest);
    fixture_wait_text(&f, "web", "Status", "running");

    g_assert_cmpuint(fixture_events(&f, "child-ready", "web"), ==, 0);
}

static void a_job_has_them_too(void)
{
    g_auto(GStrv) parts = g_strsplit("name: job\nexec: [/bin/sh, -c, 'cat @/made']\n"
                                     "before: [[/bin/sh, -c, 'echo made > @/made']]\n",
                                     "@", -1);
    g_autofree char *text = g_strjoinv(f.folder, parts);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    g_assert_nonnull(reply);
    fixture_wait_event(&f, "job-finished", NULL, 1);

    g_autofree char *made = contents("made");
    g_assert_cmpstr(made, ==, "made\n");
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);

    FIXTURE_TEST(&f, options, "/daemon/before", they_run_in_order_before_the_program);
    FIXTURE_TEST(&f, options, "/daemon/before", their_output_is_in_the_log_of_the_child);
    FIXTURE_TEST(&f, options, "/daemon/before",
                 what_a_command_leaves_is_gone_before_the_program_runs);
    FIXTURE_TEST(&f, options, "/daemon/before", a_failure_is_a_failed_start_that_counts);
    FIXTURE_TEST(&f, options, "/daemon/before", a_command_that_is_missing_fails_the_start);
    FIXTURE_TEST(&f, options, "/daemon/before", one_that_may_fail_holds_up_nothing);
    FIXTURE_TEST(&f, options, "/daemon/before", a_timeout_ends_the_whole_command);
    FIXTURE_TEST(&f, options, "/daemon/before", the_start_timeout_bounds_them_all);
    FIXTURE_TEST(&f, options, "/daemon/before", a_stop_asks_first);
    FIXTURE_TEST(&f, options, "/daemon/before", a_stop_that_is_ignored_kills);
    FIXTURE_TEST(&f, options, "/daemon/before", a_restart_meanwhile_begins_again);
    FIXTURE_TEST(&f, options, "/daemon/before", a_death_of_proctord_begins_them_again);
    FIXTURE_TEST(&f, options, "/daemon/before", an_upgrade_begins_them_again);
    FIXTURE_TEST(&f, options, "/daemon/before", a_message_of_theirs_is_not_the_program_s);
    FIXTURE_TEST(&f, options, "/daemon/before", a_job_has_them_too);
    return g_test_run();
}
