/*
 * Commands for a reload, for a stop and after it: they run as the child does, in order, each alone
 * and whole; failures are reported; a stop, a kill, a death of proctord and an upgrade end them,
 * and none is left.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>

static struct fixture f;
static const char *const *options;

static void assert_contents(const char *name, const char *expected)
{
    g_autofree char *text = NULL;
    g_file_get_contents(fixture_path(&f, name), &text, NULL, NULL);
    g_assert_cmpstr(text, ==, expected);
}

static void let_go(const char *name)
{
    g_assert_true(g_file_set_contents(fixture_path(&f, name), "x", 1, NULL));
}

static void assert_failure(const char *commands, const char *why)
{
    g_autofree char *list = fixture_event_field(&f, "child-command-failed", "web", "commands");
    g_autofree char *reason = fixture_event_field(&f, "child-command-failed", "web", "why");
    g_assert_cmpstr(list, ==, commands);
    g_assert_cmpstr(reason, ==, why);
}

/* Waits for its end; "pending": does not. */
static void reload(const char *result)
{
    GVariantBuilder with;
    gboolean waits = strcmp(result, "pending") != 0;

    g_variant_builder_init(&with, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&with, "{sv}", "wait", g_variant_new_boolean(waits));
    g_autoptr(GVariant) reply =
        fixture_call(&f, "/org/proctor1/child/web", "org.proctor1.Child", "Reload",
                     g_variant_new("(sa{sv})", "test", &with), NULL);
    g_autoptr(GVariant) outcome = g_variant_get_child_value(reply, 0);
    g_assert_cmpstr(dict_text(outcome, "Reload"), ==, result);
}

/* ---- after a start --------------------------------------------------------------------------- */

static void a_start_is_followed_by_them_when_it_is_ready(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sh, -c, 'echo $$ > @/new; mv @/new @/pid; "
            "while ! test -e @/go; do sleep 0.01; done; systemd-notify --ready; exec sleep 1000']\n"
            "readiness: explicit\nenvironment: {PATH: /usr/bin:/bin}\n"
            "after_start: [[/bin/sh, -c, 'echo first $PROCTOR_CHILD >> @/order'], "
            "[/bin/sh, -c, 'test $PROCTOR_MAIN_PID = $(cat @/pid) && echo second >> @/order']]\n");
    fixture_read_pid(&f, "pid");
    g_assert_cmpuint(fixture_count_lines(&f, "order"), ==, 0);
    let_go("go");

    fixture_wait_lines(&f, "order", 2);
    assert_contents("order", "first web\nsecond\n");
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");
    fixture_wait_lines(&f, "order", 4);
    g_assert_cmpuint(fixture_events(&f, "child-command-failed", "web"), ==, 0);
}

static void a_failure_after_a_start_changes_nothing(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/bin/sleep, '1000']\nstart_timeout: 300ms\n"
        "after_start: [{exec: [/bin/false], may_fail: true}, [/bin/sh, -c, 'exec sleep 1000']]\n");
    fixture_wait_event(&f, "child-command-failed", "web", 1);

    assert_failure("after_start", "after_start /bin/sh: the time for all commands has passed");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

static void a_check_that_passes_is_followed_by_them(void)
{
    fixture_add_manifest(&f,
                         "name: web\nexec: [/bin/sleep, '1000']\nreadiness: check\n"
                         "health_check: {exec: [/usr/bin/test, -e, @/healthy], interval: 50ms}\n"
                         "after_start: [[/bin/sh, -c, 'echo x >> @/ran']]\n");
    fixture_wait_text(&f, "web", "Status", "running");
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 0);
    let_go("healthy");

    fixture_wait_lines(&f, "ran", 1);
}

#define SLOW                                                                                       \
    "name: web\nexec: [/bin/sleep, '1000']\n"                                                      \
    "after_start: [[/bin/sh, -c, 'echo $$ > @/new; mv @/new @/pid; echo x >> @/ran; "              \
    "while ! test -e @/free; do sleep 0.01; done']]\n"

static void a_stop_kills_what_follows_a_start(void)
{
    fixture_add_manifest(&f, SLOW);
    GPid pid = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_gone(&f, pid);
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
    fixture_wait_text(&f, "web", "StopState", "completed");
}

static void a_crash_kills_what_follows_a_start(void)
{
    fixture_add_manifest(&f, SLOW "kind: service\nbackoff: {initial: 1ms}\n");
    fixture_wait_lines(&f, "ran", 1);
    GPid pid = fixture_read_pid(&f, "pid");
    g_assert_cmpint(kill((pid_t)fixture_number(&f, "web", "MainPID"), SIGKILL), ==, 0);

    fixture_wait_gone(&f, pid);
    fixture_wait_lines(&f, "ran", 2);
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

static void a_reload_waits_for_what_follows_a_start(void)
{
    fixture_add_manifest(&f, SLOW "reload: [[/bin/sh, -c, 'echo reload >> @/ran']]\n");
    fixture_wait_lines(&f, "ran", 1);
    reload("pending");
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 1);
    let_go("free");

    fixture_wait_event(&f, "child-reload-completed", "web", 1);
    assert_contents("ran", "x\nreload\n");
}

static void a_death_of_proctord_runs_nothing_again(void)
{
    fixture_add_manifest(&f, SLOW);
    fixture_wait_lines(&f, "ran", 1);
    GPid pid = fixture_read_pid(&f, "pid");
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_wait_gone(&f, pid);
    fixture_upgrade(&f);

    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

/* ---- a reload -------------------------------------------------------------------------------- */

static void a_reload_runs_them_in_order(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sh, -c, 'trap \"echo hup >> @/order\" HUP; echo $$ > @/new; "
            "mv @/new @/pid; while :; do sleep 0.01; done']\nenvironment: {GREETING: hello}\n"
            "reload:\n  - [/bin/sh, -c, 'echo first $GREETING $PROCTOR_CHILD >> @/order']\n"
            "  - {exec: [/bin/false], may_fail: true}\n"
            "  - [/bin/sh, -c, 'test $PROCTOR_MAIN_PID = $(cat @/pid) && kill -HUP "
            "$PROCTOR_MAIN_PID']\n");
    fixture_read_pid(&f, "pid");
    reload("done");

    fixture_wait_lines(&f, "order", 2);
    assert_contents("order", "first hello web\nhup\n");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-command-failed", "web"), ==, 0);
}

static void a_reload_that_fails_is_reported(void)
{
    fixture_add_manifest(&f,
                         "name: web\nexec: [/bin/sleep, '1000']\n"
                         "reload: [[/bin/sh, -c, 'exit 7'], [/bin/sh, -c, 'echo x > @/ran']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    reload("failed");

    assert_failure("reload", "reload /bin/sh: exit code 7");
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 0);
    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

static void a_reload_has_the_start_timeout(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nstart_timeout: 300ms\n"
            "reload: [[/bin/sh, -c, 'sleep 1000 & echo $! > @/new; mv @/new @/pid; wait']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    reload("failed");

    assert_failure("reload", "reload /bin/sh: the time for all commands has passed");
    fixture_wait_gone(&f, fixture_read_pid(&f, "pid"));
    fixture_wait_text(&f, "web", "Status", "ready");
}

static void a_second_reload_runs_them_again(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\n"
            "reload: [[/bin/sh, -c, 'echo x >> @/ran; while ! test -e @/free; do sleep 0.01; "
            "done']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    reload("pending");
    fixture_wait_lines(&f, "ran", 1);
    reload("pending");
    let_go("free");

    fixture_wait_event(&f, "child-reload-completed", "web", 1);
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 2);
}

static void a_stop_kills_a_reload(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\n"
            "reload: [[/bin/sh, -c, 'echo $$ > @/new; mv @/new @/pid; exec sleep 1000']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    reload("pending");
    GPid pid = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_gone(&f, pid);
    g_autofree char *result = fixture_event_field(&f, "child-reload-completed", "web", "result");
    g_assert_cmpstr(result, ==, "interrupted");
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

static const char *const waits = "name: web\nexec: [/bin/sleep, '1000']\n"
                                 "reload: [[/bin/sh, -c, 'test -e @/free; n=$?; echo $$ >> @/ran; "
                                 "test $n = 0 || exec sleep 1000']]\n";

static void a_death_of_proctord_begins_a_reload_again(void)
{
    fixture_add_manifest(&f, waits);
    fixture_wait_text(&f, "web", "Status", "ready");
    reload("pending");
    fixture_wait_lines(&f, "ran", 1);
    fixture_kill(&f);
    let_go("free");
    fixture_again(&f, options);

    fixture_wait_event(&f, "child-reload-completed", "web", 1);
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 2);
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

static void an_upgrade_begins_a_reload_again(void)
{
    fixture_add_manifest(&f, waits);
    fixture_wait_text(&f, "web", "Status", "ready");
    reload("pending");
    fixture_wait_lines(&f, "ran", 1);
    let_go("free");
    fixture_upgrade(&f);

    fixture_wait_event(&f, "child-reload-completed", "web", 1);
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 2);
}

/* ---- a stop ---------------------------------------------------------------------------------- */

/* It writes down its stop signal, and ends. */
#define PROGRAM                                                                                    \
    "exec: [/bin/sh, -c, 'trap \"echo signal >> @/order; exit 0\" TERM; echo $$ > @/new; "         \
    "mv @/new @/pid; while :; do sleep 0.01; done']\n"

static void a_stop_runs_them_before_the_signal(void)
{
    fixture_add_manifest(
        &f,
        "name: web\n" PROGRAM
        "stop: {commands: [[/bin/sh, -c, 'test $PROCTOR_MAIN_PID = $(cat @/pid) && echo first >> "
        "@/order'], [/bin/false], [/bin/sh, -c, 'echo never >> @/order']]}\n");
    fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    assert_contents("order", "first\nsignal\n");
    assert_failure("stop", "stop /bin/false: exit code 1");
    fixture_wait_text(&f, "web", "StopState", "completed");
}

static void a_command_that_ends_the_program_runs_to_its_end(void)
{
    fixture_add_manifest(
        &f,
        "name: web\n" PROGRAM
        "stop: {commands: [[/bin/sh, -c, 'kill -KILL $PROCTOR_MAIN_PID; sleep 0.2; echo ended >> "
        "@/order']]}\n");
    fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    assert_contents("order", "ended\n");
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
}

static void the_time_of_a_stop_bounds_them(void)
{
    fixture_add_manifest(
        &f, "name: web\n" PROGRAM
            "stop: {timeout: 300ms, commands: [[/bin/sh, -c, 'echo $$ > @/new2; mv @/new2 @/held; "
            "exec sleep 1000']]}\n");
    GPid program = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_gone(&f, program);
    fixture_wait_gone(&f, fixture_read_pid(&f, "held"));
    g_assert_cmpuint(fixture_events(&f, "child-control-stop-failed", "web"), ==, 1);
}

static void a_further_signal_takes_their_time(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sh, -c, 'trap \"echo quit >> @/order; exit 0\" QUIT; echo $$ > "
            "@/new; mv @/new @/pid; while :; do sleep 0.01; done']\n"
            "stop: {signals: [SIGTERM 300ms, SIGQUIT 60s], commands: [[/bin/sleep, '1000']]}\n");
    fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_lines(&f, "order", 1);
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "web"), ==, 0);
}

static void a_death_of_proctord_begins_a_stop_again(void)
{
    fixture_add_manifest(&f,
                         "name: web\n" PROGRAM
                         "stop: {commands: [[/bin/sh, -c, 'test -e @/free; n=$?; echo $$ >> @/ran; "
                         "test $n = 0 || exec sleep 1000']]}\n");
    GPid pid = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb(&f, "Pause", "web");
    fixture_wait_lines(&f, "ran", 1);
    fixture_kill(&f);
    let_go("free");
    fixture_again(&f, options);

    fixture_wait_text(&f, "web", "Status", "none");
    g_assert_true(fixture_has_ended(pid));
    assert_contents("order", "signal\n");
    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 2);
}

static void a_death_of_proctord_after_the_signal_begins_nothing_again(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/bin/sh, -c, 'trap \"echo signal >> @/order\" TERM; echo $$ > @/new; mv "
        "@/new @/pid; while ! test -e @/free; do sleep 0.01; done']\nstop: {kill_mode: main, "
        "timeout: 60s, commands: [[/bin/sh, -c, 'echo first >> @/order']]}\n");
    fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb(&f, "Pause", "web");
    fixture_wait_lines(&f, "order", 2);
    fixture_wait_text(&f, "web", "Status", "cancelling"); /* what it has done is on the disk */
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_wait_text(&f, "web", "Status", "cancelling");
    let_go("free");

    fixture_wait_text(&f, "web", "Status", "none");
    assert_contents("order", "first\nsignal\n");
}

/* ---- after it -------------------------------------------------------------------------------- */

static void a_crash_is_followed_by_them(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/bin/sh, -c, 'echo program >> @/order; test -e @/crashed && exec sleep "
        "1000; echo x > @/crashed; exit 3']\nkind: service\nbackoff: {initial: 1ms}\n"
        "after_stop: [[/bin/sh, -c, 'echo $PROCTOR_EXIT $PROCTOR_EXIT_CODE- >> @/order'], "
        "[/bin/sh, -c, 'exit 9']]\n");
    fixture_wait_number(&f, "web", "Attempt", 2);
    fixture_wait_text(&f, "web", "Status", "ready");

    fixture_wait_lines(&f, "order", 3);
    assert_contents("order", "program\nfailed 3-\nprogram\n");
    assert_failure("after_stop", "after_stop /bin/sh: exit code 9");
    g_assert_cmpuint(fixture_events(&f, "child-leftovers", "web"), ==, 0);
    g_assert_cmpuint(fixture_events(&f, "child-after-stop", "web"), ==, 1);
}

static void a_stop_and_a_kill_are_followed_by_them(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nkind: service\nbackoff: {initial: 1ms}\n"
            "after_stop: [[/bin/sh, -c, 'echo $PROCTOR_EXIT $PROCTOR_EXIT_SIGNAL >> @/order']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpint(kill((pid_t)fixture_number(&f, "web", "MainPID"), SIGKILL), ==, 0);
    fixture_wait_lines(&f, "order", 2);
    fixture_wait_text(&f, "web", "Status", "ready");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    assert_contents("order", "cancelled 15\nsignaled 9\ncancelled 15\n");
}

static void it_is_cancelling_meanwhile(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/bin/sh, -c, 'while ! test -e @/crash; do sleep 0.01; done; exit 1']\n"
        "kind: service\nbackoff: {initial: 1ms}\n"
        "after_stop: [[/bin/sh, -c, 'echo x >> @/ran; while ! test -e @/free; do sleep 0.01; "
        "done']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    let_go("crash");
    fixture_wait_lines(&f, "ran", 1);

    fixture_wait_text(&f, "web", "Status", "cancelling");
    g_autofree char *readiness = fixture_text(&f, "web", "Readiness");
    g_assert_cmpstr(readiness, ==, "unreported");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    let_go("free");
    fixture_wait_event(&f, "child-exited", "web", 1);
}

static void they_have_the_time_of_a_stop(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/false]\nrestart: temporary\nstop: {timeout: 300ms}\n"
            "after_stop: [[/bin/sh, -c, 'sleep 1000 & echo $! > @/new; mv @/new @/pid; wait']]\n");
    fixture_wait_event(&f, "child-exited", "web", 1);

    fixture_wait_gone(&f, fixture_read_pid(&f, "pid"));
    fixture_wait_text(&f, "web", "Status", "none");
    g_autofree char *exit = fixture_event_field(&f, "child-exited", "web", "exit");
    g_assert_cmpstr(exit, ==, "failed");
}

static void one_that_had_to_be_killed_has_them_too(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sh, -c, 'trap \"\" TERM; while :; do sleep 0.01; done']\n"
            "stop: {timeout: 200ms}\nafter_stop: [[/bin/sh, -c, 'echo x >> @/ran']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    g_assert_cmpuint(fixture_count_lines(&f, "ran"), ==, 1);
    fixture_wait_text(&f, "web", "StopState", "completed");
}

static void leftovers_go_first(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/bin/sh, -c, '(trap \"sleep 0.1; echo left >> @/order; exit 0\" TERM; "
        "while :; do sleep 0.01; done) & sleep 0.2; exit 1']\nrestart: temporary\n"
        "after_stop: [[/bin/sh, -c, 'echo after >> @/order']]\n");
    fixture_wait_event(&f, "child-exited", "web", 1);

    assert_contents("order", "left\nafter\n");
}

static const char *const after = "name: web\nexec: [/bin/false]\nrestart: temporary\n"
                                 "after_stop: [[/bin/sh, -c, 'test -e @/free; n=$?; "
                                 "echo $PROCTOR_EXIT >> @/ran; test $n = 0 || exec sleep 1000']]\n";

static void a_death_of_proctord_begins_them_again(void)
{
    fixture_add_manifest(&f, after);
    fixture_wait_lines(&f, "ran", 1);
    fixture_kill(&f);
    let_go("free");
    fixture_again(&f, options);

    fixture_wait_event(&f, "child-exited", "web", 1);
    assert_contents("ran", "failed\nfailed\n");
    fixture_wait_text(&f, "web", "Status", "none");
}

static void an_upgrade_begins_them_again(void)
{
    fixture_add_manifest(&f, after);
    fixture_wait_lines(&f, "ran", 1);
    let_go("free");
    fixture_upgrade(&f);

    fixture_wait_event(&f, "child-exited", "web", 1);
    assert_contents("ran", "failed\nfailed\n");
}

static void a_start_that_fails_is_followed_by_them(void)
{
    fixture_add_manifest(
        &f,
        "name: web\nexec: [/no/such]\nrestart: temporary\n"
        "after_stop: [[/bin/sh, -c, 'echo $PROCTOR_EXIT $PROCTOR_EXIT_CODE- >> @/ran; exit 7']]\n");
    fixture_wait_event(&f, "child-spawn-failed", "web", 1);

    g_autofree char *why = fixture_event_field(&f, "child-spawn-failed", "web", "reason");
    g_assert_nonnull(strstr(why, "; after_stop /bin/sh: exit code 7"));
    g_assert_cmpuint(fixture_events(&f, "child-running", "web"), ==, 0);
    assert_contents("ran", "spawn-failed -\n");
    fixture_wait_text(&f, "web", "Status", "none");
}

static void a_command_before_it_that_fails_is_followed_by_them(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/bin/sleep, '1000']\nkind: service\nbackoff: {initial: 1ms}\n"
            "before: [[/bin/sh, -c, 'echo before >> @/ran; test -e @/fixed']]\n"
            "after_stop: [[/bin/sh, -c, 'echo $PROCTOR_EXIT >> @/ran; echo > @/fixed']]\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    assert_contents("ran", "before\nspawn-failed\nbefore\n");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 2);
}

static void a_start_that_is_stopped_is_followed_by_them(void)
{
    fixture_add_manifest(&f, "name: web\nexec: [/bin/true]\nstart_timeout: 60s\n"
                             "before: [[/bin/sh, -c, 'echo before >> @/ran; exec sleep 1000']]\n"
                             "after_stop: [[/bin/sh, -c, 'echo $PROCTOR_EXIT >> @/ran']]\n");
    fixture_wait_lines(&f, "ran", 1);
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    assert_contents("ran", "before\nspawn-failed\n");
}

static void a_kill_ends_those_of_a_start(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/no/such]\nstop: {timeout: 200ms}\nrestart: temporary\n"
            "after_stop: [[/bin/sh, -c, 'echo $$ > @/new; mv @/new @/pid; trap \"\" TERM; "
            "while :; do sleep 0.01; done']]\n");
    GPid pid = fixture_read_pid(&f, "pid");
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_gone(&f, pid);
    fixture_wait_text(&f, "web", "Status", "none");
}

static void a_death_of_proctord_begins_a_start_again(void)
{
    fixture_add_manifest(
        &f, "name: web\nexec: [/no/such]\nrestart: temporary\n"
            "after_stop: [[/bin/sh, -c, 'test -e @/free; n=$?; echo $PROCTOR_EXIT >> @/ran; "
            "test $n = 0 || exec sleep 1000']]\n");
    fixture_wait_lines(&f, "ran", 1);
    fixture_kill(&f);
    let_go("free");
    fixture_again(&f, options);

    fixture_wait_event(&f, "child-spawn-failed", "web", 1);
    assert_contents("ran", "spawn-failed\nspawn-failed\n");
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);

    FIXTURE_TEST(&f, options, "/daemon/commands", a_start_is_followed_by_them_when_it_is_ready);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_failure_after_a_start_changes_nothing);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_check_that_passes_is_followed_by_them);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_stop_kills_what_follows_a_start);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_crash_kills_what_follows_a_start);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_reload_waits_for_what_follows_a_start);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_death_of_proctord_runs_nothing_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_reload_runs_them_in_order);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_reload_that_fails_is_reported);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_reload_has_the_start_timeout);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_second_reload_runs_them_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_stop_kills_a_reload);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_death_of_proctord_begins_a_reload_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", an_upgrade_begins_a_reload_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_stop_runs_them_before_the_signal);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_command_that_ends_the_program_runs_to_its_end);
    FIXTURE_TEST(&f, options, "/daemon/commands", the_time_of_a_stop_bounds_them);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_further_signal_takes_their_time);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_death_of_proctord_begins_a_stop_again);
    FIXTURE_TEST(&f, options, "/daemon/commands",
                 a_death_of_proctord_after_the_signal_begins_nothing_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_crash_is_followed_by_them);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_stop_and_a_kill_are_followed_by_them);
    FIXTURE_TEST(&f, options, "/daemon/commands", it_is_cancelling_meanwhile);
    FIXTURE_TEST(&f, options, "/daemon/commands", they_have_the_time_of_a_stop);
    FIXTURE_TEST(&f, options, "/daemon/commands", one_that_had_to_be_killed_has_them_too);
    FIXTURE_TEST(&f, options, "/daemon/commands", leftovers_go_first);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_death_of_proctord_begins_them_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", an_upgrade_begins_them_again);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_start_that_fails_is_followed_by_them);
    FIXTURE_TEST(&f, options, "/daemon/commands",
                 a_command_before_it_that_fails_is_followed_by_them);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_start_that_is_stopped_is_followed_by_them);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_kill_ends_those_of_a_start);
    FIXTURE_TEST(&f, options, "/daemon/commands", a_death_of_proctord_begins_a_start_again);
    return g_test_run();
}
