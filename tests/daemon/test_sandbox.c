/*
 * Sandboxes, by a real bubblewrap: what a child sees and may change in one, and that nothing else
 * about it differs from any other child. Skipped where bubblewrap cannot work.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static struct fixture f;
static const char *const *options;

#define AS_ROOT (geteuid() == 0)

/* @ is the test's folder. */
static void add(const char *manifest)
{
    g_auto(GStrv) parts = g_strsplit(manifest, "@", -1);
    g_autofree char *text = g_strjoinv(f.folder, parts);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    g_assert_nonnull(reply);
}

/* What its output file says, once `last` stands there. */
static char *said(const char *last)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    char *text = NULL;

    while (!g_file_get_contents(fixture_path(&f, "out"), &text, NULL, NULL) ||
           !strstr(text, last)) {
        g_clear_pointer(&text, g_free);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(10000);
    }
    return text;
}

/* A child that runs a script, says "end", and stays. */
static void add_script(const char *keys, const char *script)
{
    g_autofree char *manifest =
        g_strdup_printf("name: box\nexec: [/bin/sh, -c, '%s; echo end; exec sleep 1000']\n"
                        "stdout: {file: @/out}\n%s",
                        script, keys);
    add(manifest);
}

static void assert_reason(const char *expected)
{
    fixture_wait_event(&f, "child-spawn-failed", "box", 1);
    g_autofree char *reason = fixture_event_field(&f, "child-spawn-failed", "box", "reason");
    if (!strstr(reason, expected))
        g_error("\"%s\" is not about \"%s\"", reason, expected);
}

/* ---- what it sees ---------------------------------------------------------------------------- */

static void each_part_does_what_it_says(void)
{
    add_script(
        "sandbox: {system: read-only, home: none, tmp: private, devices: private, "
        "network: none, syscalls: service}\n",
        "ls -A /home /tmp /var/tmp | grep -v proctor; touch /etc/proctor-box && echo wrote "
        "etc; touch /tmp/proctor-box && echo wrote tmp; ls /dev/kmsg /dev/vda /dev/mem; test "
        "-w /dev/null && echo null; grep -c : /proc/net/dev; grep Seccomp: "
        "/proc/self/status; grep NoNewPrivs /proc/self/status");
    g_autofree char *text = said("end\n");

    g_assert_null(strstr(text, "wrote etc"));
    g_assert_nonnull(strstr(text, "wrote tmp\n"));
    g_assert_nonnull(strstr(text, "null\n1\nSeccomp:\t2\nNoNewPrivs:\t1\n"));
    g_assert_false(g_file_test("/tmp/proctor-box", G_FILE_TEST_EXISTS));
    g_autofree char *words = fixture_text(&f, "box", "Sandbox");
    g_assert_cmpstr(words, ==,
                    "system=read-only home=none tmp=private devices=private network=none "
                    "syscalls=service");
}

static void paths_are_added_on_top(void)
{
    g_mkdir(fixture_path(&f, "open"), 0755);
    g_mkdir(fixture_path(&f, "hidden"), 0755);
    g_mkdir(fixture_path(&f, "hidden/shown"), 0755);
    g_mkdir(fixture_path(&f, "hidden/other"), 0755);
    g_file_set_contents(fixture_path(&f, "secret"), "secret", -1, NULL);
    add_script("sandbox: {system: read-only, paths: {@/open: read-write, @/hidden: none, "
               "@/hidden/shown: read-only, @/secret: none, -/no/such: read-write}}\n",
               "touch @/open/x; ls @/hidden; cat @/secret; touch @/hidden/shown/x; touch "
               "@/hidden/x");
    g_autofree char *text = said("end\n");

    g_assert_true(g_file_test(fixture_path(&f, "open/x"), G_FILE_TEST_EXISTS));
    g_assert_true(g_str_has_prefix(text, "shown\n"));
    g_assert_null(strstr(text, "other"));
    g_assert_null(strstr(text, "secretsecret"));
    g_assert_false(g_file_test(fixture_path(&f, "hidden/x"), G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(fixture_path(&f, "hidden/shown/x"), G_FILE_TEST_EXISTS));
}

static void calls_of_the_machine_are_refused(void)
{
    if (!AS_ROOT) {
        g_test_skip("only root could make these calls");
        return;
    }
    add_script("sandbox: {syscalls: service}\n",
               "mount -t tmpfs none /mnt || echo no mount; umount /proc || echo no umount");
    g_autofree char *text = said("end\n");

    g_assert_nonnull(strstr(text, "no mount\n"));
    g_assert_nonnull(strstr(text, "no umount\n"));
}

/* ---- what is as without one ------------------------------------------------------------------ */

static void the_program_is_the_main_process(void)
{
    g_autofree char *child = g_path_get_dirname(g_getenv("TEST_CHILD"));
    g_autofree char *manifest = g_strdup_printf(
        "name: box\nexec: [/bin/sh, -c, 'echo $$ > @/open/pid; exec %s ready wait-term "
        "exit=7']\n"
        "readiness: explicit\nrestart: permanent\n"
        "sandbox: {preset: service, home: read-write, paths: {@/open: read-write, "
        "'%s': read-only}}\n",
        g_getenv("TEST_CHILD"), child);
    g_mkdir(fixture_path(&f, "open"), 0755);
    add(manifest);
    fixture_wait_text(&f, "box", "Readiness", "ready");
    g_assert_cmpint(fixture_read_pid(&f, "open/pid"), ==, fixture_number(&f, "box", "MainPID"));

    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "box");
    g_autofree char *code = fixture_event_field(&f, "child-exited", "box", "code");
    g_assert_cmpstr(code, ==, "7");
    fixture_wait_text(&f, "box", "Readiness", "ready");
    GPid pid = (GPid)fixture_number(&f, "box", "MainPID");
    fixture_upgrade(&f);
    g_assert_cmpint(fixture_number(&f, "box", "MainPID"), ==, pid);
    fixture_kill(&f);
    fixture_again(&f, options);
    g_assert_cmpint(fixture_number(&f, "box", "MainPID"), ==, pid);
    g_autofree char *words = fixture_text(&f, "box", "Sandbox");
    g_assert_true(g_str_has_prefix(words, "system=etc-read-only "));
    g_assert_true(g_strrstr(words, "=read-only") != NULL);
}

static void it_has_its_user_and_no_capabilities(void)
{
    if (!AS_ROOT) {
        g_test_skip("only root gives a child another user");
        return;
    }
    add_script("user: '65534'\nunix_group: '65534'\nsandbox: strict\n",
               "id -u; id -g; grep CapEff /proc/self/status; readlink /proc/self/ns/user");
    g_autofree char *text = said("end\n"), *own = g_file_read_link("/proc/self/ns/user", NULL);

    g_assert_true(g_str_has_prefix(text, "65534\n65534\nCapEff:\t0000000000000000\n"));
    g_assert_nonnull(strstr(text, own)); /* none of its own is needed */
}

static void commands_before_it_and_checks_are_inside(void)
{
    add_script("sandbox: {tmp: private, network: none}\n"
               "before: [[/bin/sh, -c, 'test ! -e @/out.none && grep -c : /proc/net/dev']]\n"
               "health_check: {exec: [/bin/sh, -c, 'test -e /tmp/proctor-box'], interval: 10ms}\n"
               "reload: [[/bin/sh, -c, 'test -e /tmp/proctor-box && echo seen']]\n"
               "readiness: check\n",
               "touch /tmp/proctor-box");
    fixture_wait_text(&f, "box", "Readiness", "ready");
    g_autofree char *text = said("end\n");

    g_assert_true(g_str_has_prefix(text, "1\n"));
    g_autoptr(GVariant) reload =
        fixture_call(&f, "/org/proctor1/child/box", "org.proctor1.Child", "Reload",
                     g_variant_new("(sa{sv})", "test", NULL), NULL);
    g_autofree char *more = said("seen\n");
}

static void nothing_of_bubblewrap_is_left(void)
{
    add_script("sandbox: service\n", "ls -l /proc/self/fd | grep -c pipe");
    g_autofree char *text = said("end\n");

    g_assert_cmpint(atoi(text), <=, 3); /* stdout, stderr, and the pipe to grep */
    g_assert_cmpuint(fixture_number(&f, "box", "LeftProcesses"), ==, 0);
    g_autoptr(GVariant) pause = fixture_verb_waiting(&f, "Pause", "box");
    g_assert_cmpuint(fixture_number(&f, "box", "LeftProcesses"), ==, 0);
}

static void a_change_takes_effect_with_a_restart(void)
{
    fixture_write_tree(&f, "children:\n  - {name: box, exec: [/bin/sleep, '1000']}\n");
    g_autoptr(GVariant) first = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "box", "Status", "ready");
    fixture_write_tree(&f, "children:\n  - {name: box, exec: [/bin/sleep, '1000'], sandbox: "
                           "{home: read-only}}\n");
    g_autoptr(GVariant) second = fixture_reload(&f, NULL);
    g_autofree char *before = fixture_text(&f, "box", "Sandbox");
    g_assert_cmpstr(before, ==, "");
    g_assert_true(fixture_flag(&f, "box", "ManifestPending"));
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "box");
    g_autofree char *after = fixture_text(&f, "box", "Sandbox");
    g_assert_cmpstr(after, ==, "home=read-only");
}

/* ---- what fails ------------------------------------------------------------------------------ */

static void without_bubblewrap_nothing_is_started(void)
{
    fixture_kill(&f);
    g_setenv("PROCTOR_BWRAP", "/no/such/bwrap", TRUE);
    fixture_again(&f, options);
    g_unsetenv("PROCTOR_BWRAP");
    fixture_write_tree(&f, "children:\n  - {name: box, exec: [/bin/sleep, '1000'], restart: "
                           "temporary, sandbox: {tmp: private}}\n");
    g_autoptr(GVariant) reload = fixture_reload(&f, NULL);

    assert_reason(
        "tree.yaml: /no/such/bwrap: No such file or directory (is bubblewrap installed?)");
    g_assert_cmpuint(fixture_number(&f, "box", "MainPID"), ==, 0);
}

static void a_path_that_is_missing_fails_the_start(void)
{
    add_script("restart: temporary\nsandbox: {paths: {@/nothing: read-only}}\n", "true");
    assert_reason("nothing: No such file or directory");
}

/* A child could lead a path in a folder of its own to another place. */
static void a_link_of_another_user_is_not_followed(void)
{
    if (!AS_ROOT) {
        g_test_skip("only root makes links of others");
        return;
    }
    g_assert_cmpint(symlink("/etc", fixture_path(&f, "link")), ==, 0);
    g_assert_cmpint(lchown(fixture_path(&f, "link"), 65534, 65534), ==, 0);
    add_script("restart: temporary\nsandbox: {system: read-only, paths: {@/link: read-write}}\n",
               "true");
    assert_reason("link: is a symbolic link that is not followed");
}

static gboolean bubblewrap_works(void)
{
    int status = -1;

    return g_spawn_command_line_sync("bwrap --bind / / --unshare-net /bin/true", NULL, NULL,
                                     &status, NULL) &&
           status == 0;
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);
#ifndef HAVE_SECCOMP
    g_print("1..0 # SKIP proctord was built without libseccomp\n");
    return 0;
#endif
    if (!bubblewrap_works()) {
        g_print("1..0 # SKIP bubblewrap is missing, or may make no namespaces here\n");
        return 0;
    }
    FIXTURE_TEST(&f, options, "/daemon/sandbox", each_part_does_what_it_says);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", paths_are_added_on_top);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", calls_of_the_machine_are_refused);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", the_program_is_the_main_process);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", it_has_its_user_and_no_capabilities);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", commands_before_it_and_checks_are_inside);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", nothing_of_bubblewrap_is_left);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", a_change_takes_effect_with_a_restart);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", without_bubblewrap_nothing_is_started);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", a_path_that_is_missing_fails_the_start);
    FIXTURE_TEST(&f, options, "/daemon/sandbox", a_link_of_another_user_is_not_followed);
    return g_test_run();
}
