/*
 * Identity: who says so. What strangers, liars and leftovers can do to the children of a proctord.
 *
 * All of it runs in a PID namespace of its own, so that a number which has become free can be given
 * to a stranger.
 */
#include "fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLLOWS "backoff: {initial: 1ms, max: 10ms, jitter: none}\n"

static struct fixture f;
static const char *const *options;
static gboolean own_numbers; /* we are root, and may give out PIDs */

/* ---- a namespace of PIDs --------------------------------------------------------------------- */

/* Its first process only waits. */
static void enter_namespace(void)
{
    int status;

    if (geteuid() != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
        return;
    pid_t first = fork();
    if (first > 0) {
        while (waitpid(first, &status, 0) < 0)
            ;
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    own_numbers = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                  mount("proc", "/proc", "proc", 0, NULL) == 0;
}

static gboolean choose_next(GPid pid)
{
    g_autofree char *text = g_strdup_printf("%d", (int)pid - 1);
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    gboolean chosen = fd >= 0 && write(fd, text, strlen(text)) > 0;

    if (fd >= 0)
        close(fd);
    return chosen;
}

/* A process with this number, which another has had, and that leads a group of this number.
 * It does what its arguments say; with none it only stays. */
static GPid stranger_with(GPid pid, char *const *command, char *const *environment)
{
    for (int i = 0; i < 1000; i++) {
        g_assert_true(choose_next(pid));
        GPid stranger = fork();
        if (stranger == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getpid() != pid)
                _exit(0);
            setpgid(0, 0);
            if (command)
                execve(command[0], command, environment);
            for (;;)
                pause();
        }
        if (stranger == pid)
            return stranger;
        waitpid(stranger, NULL, 0);
    }
    g_error("PID %d is never free", (int)pid);
}

static void assert_lives(GPid stranger)
{
    int status = 0;

    if (waitpid(stranger, &status, WNOHANG) != 0)
        g_error("the stranger has ended, by signal %d", WTERMSIG(status));
}

static void end(GPid stranger)
{
    kill(stranger, SIGKILL);
    waitpid(stranger, NULL, 0);
}

static GPid main_pid(const char *child)
{
    return (GPid)fixture_number(&f, child, "MainPID");
}

/* Before it has handed over, or after: its parent tells. */
static GPid first_main(const char *child)
{
    g_autofree char *attempt = fixture_event_field(&f, "child-running", child, "pid");

    return attempt ? (GPid)atoi(attempt) : main_pid(child);
}

static void wait_other_main(const char *child, GPid old)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (main_pid(child) == old && g_get_monotonic_time() < deadline)
        ;
    g_assert_cmpint(main_pid(child), !=, old);
}

static gboolean is_free(GPid pid)
{
    return kill(pid, 0) < 0;
}

static void wait_free(GPid pid)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (!is_free(pid) && g_get_monotonic_time() < deadline)
        g_usleep(1000);
    g_assert_true(is_free(pid));
}

static void wait_file(const char *name)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (!g_file_test(fixture_path(&f, name), G_FILE_TEST_EXISTS) &&
           g_get_monotonic_time() < deadline)
        g_usleep(1000);
    g_assert_true(g_file_test(fixture_path(&f, name), G_FILE_TEST_EXISTS));
}

static guint64 refused(void)
{
    g_autoptr(GVariant) reply = fixture_manager(&f, "GetMetrics", NULL, NULL);
    g_autoptr(GVariant) text = g_variant_get_child_value(reply, 0);
    const char *line = strstr(g_variant_get_string(text, NULL), "\nproctor_notify_refused_total ");

    return line ? g_ascii_strtoull(line + strlen("\nproctor_notify_refused_total "), NULL, 10) : 0;
}

static void wait_refused(guint64 count)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (refused() < count && g_get_monotonic_time() < deadline)
        ;
    g_assert_cmpuint(refused(), ==, count);
}

static void add_with_file(const char *name, const char *yaml, const char *format, const char *file)
{
    g_autofree char *path = g_strdup_printf("%s/%s", f.folder, file);
    g_auto(GStrv) parts = g_strsplit(format, "@", -1);
    g_autofree char *text = g_strjoinv(path, parts);

    fixture_add(&f, name, yaml, text);
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* The kernel gives a number to no process while a group or a session has it: the new main process
 * has left both. */
static void an_old_group_is_forgotten_with_its_leader(void)
{
    if (!own_numbers) {
        g_test_skip("needs a PID namespace");
        return;
    }
    fixture_add(&f, "worker", "readiness: immediate\nstop: {timeout: 10s}\n",
                "hand-over-session, wait-term");
    GPid old = first_main("worker");
    wait_other_main("worker", old);
    kill(old, SIGKILL);
    wait_free(old);
    GPid stranger = stranger_with(old, NULL, NULL);

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "worker");

    assert_lives(stranger);
    g_autofree char *status = fixture_text(&f, "worker", "Status");
    g_assert_cmpstr(status, ==, "none");
    g_autoptr(GVariant) last = fixture_property(&f, "worker", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "cancelled");
    end(stranger);
}

static void the_old_leaders_group_still_gets_the_stop(void)
{
    fixture_add(&f, "worker", "readiness: immediate\nstop: {timeout: 10s}\n",
                "hand-over, wait-term");
    GPid old = first_main("worker");
    wait_other_main("worker", old);

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "worker");

    g_assert_true(is_free(old));
}

static void who_has_been_handed_over_to_goes_on(void)
{
    add_with_file("worker", "readiness: immediate\nstop: {timeout: 10s}\n",
                  "log=@, hand-over-session, wait-term", "starts");
    GPid old = first_main("worker");
    wait_other_main("worker", old);
    GPid heir = main_pid("worker");
    kill(old, SIGKILL);
    wait_free(old);

    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_upgrade(&f);

    g_assert_cmpint(main_pid("worker"), ==, heir);
    g_assert_cmpuint(fixture_count_lines(&f, "starts"), ==, 1);
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "worker");
    wait_free(heir);
}

static void the_old_leaders_group_outlives_an_upgrade(void)
{
    fixture_add(&f, "worker", "readiness: immediate\nstop: {timeout: 10s}\n",
                "hand-over, wait-term");
    GPid old = first_main("worker");
    wait_other_main("worker", old);
    fixture_upgrade(&f);

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "worker");

    g_assert_true(is_free(old));
}

/* The main process of a dead proctord's attempt is not our child: its number is free at once. */
static GPid end_unseen(const char *child)
{
    GPid old = main_pid(child);

    kill(f.pid, SIGSTOP);
    kill(old, SIGKILL);
    wait_free(old);
    return old;
}

static void who_has_an_adopted_ones_number_is_not_believed(void)
{
    g_autofree char *socket = g_strdup_printf("NOTIFY_SOCKET=%s/run/notify", f.folder);
    g_autofree char *said = g_strdup_printf("listen-names=%s/said", f.folder);
    char *environment[] = {socket, NULL};
    char *command[] = {(char *)g_getenv("TEST_CHILD"), "status=lie", "ready", said, "pause", NULL};

    if (!own_numbers) {
        g_test_skip("needs a PID namespace");
        return;
    }
    fixture_add(&f, "worker", "restart: temporary\nreadiness: explicit\n", "pause");
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_wait_text(&f, "worker", "Status", "running");
    GPid old = end_unseen("worker");
    GPid stranger = stranger_with(old, command, environment);
    wait_file("said");
    kill(f.pid, SIGCONT);

    fixture_wait_text(&f, "worker", "Status", "none");
    wait_refused(2);
    assert_lives(stranger);
    g_autofree char *text = fixture_text(&f, "worker", "StatusText");
    g_assert_cmpstr(text, ==, "");
    g_assert_cmpuint(fixture_events(&f, "child-ready", "worker"), ==, 0);
    GError *error = NULL;
    fixture_manager(&f, "GetChildByPID", g_variant_new("(u)", (guint32)stranger), &error);
    g_assert_nonnull(error); /* it belongs to none */
    g_error_free(error);
    end(stranger);
}

/* PIDs go round and round, and each number is soon another's. */
static void where_numbers_wrap_no_stranger_is_hit(void)
{
    GPid strangers[40];

    if (!own_numbers) {
        g_test_skip("needs a PID namespace");
        return;
    }
    fixture_add(&f, "a", FOLLOWS "readiness: immediate\n", "hand-over-session, wait-term");
    fixture_add(&f, "b", FOLLOWS "readiness: immediate\n", "wait-term");
    for (guint round = 1; round <= 9; round++) {
        GPid old = first_main("a");
        wait_other_main("a", old);
        kill(old, SIGKILL);
        wait_free(old);
        kill(main_pid("b"), SIGKILL);
        g_assert_true(choose_next(old));
        for (guint i = 0; i < G_N_ELEMENTS(strangers); i++) {
            strangers[i] = fork();
            if (strangers[i] == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                setpgid(0, 0);
                for (;;)
                    pause();
            }
        }
        g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "a");
        fixture_wait_number(&f, "a", "Generation", round);
        fixture_wait_number(&f, "b", "Generation", round);
        for (guint i = 0; i < G_N_ELEMENTS(strangers); i++)
            assert_lives(strangers[i]);
        for (guint i = 0; i < G_N_ELEMENTS(strangers); i++)
            end(strangers[i]);
    }
}

/* ---- letters --------------------------------------------------------------------------------- */

static void who_has_lost_its_main_thread_is_not_started_again(void)
{
    add_with_file("worker", "stop: {timeout: 10s}\n",
                  "log=@, lose-main-thread, ready, wait-term, exit=0", "starts");
    GPid before = main_pid("worker");

    fixture_kill(&f);
    fixture_again(&f, options);

    fixture_wait_text(&f, "worker", "Status", "ready");
    g_assert_cmpint(main_pid("worker"), ==, before);
    g_assert_cmpuint(fixture_number(&f, "worker", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_count_lines(&f, "starts"), ==, 1);
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "worker");
    g_autoptr(GVariant) last = fixture_property(&f, "worker", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "cancelled");
}

/* ---- words ----------------------------------------------------------------------------------- */

/* A child with an orphan whose environment names the victim, and which speaks when it is let go. */
static void add_orphan(const char *by, const char *yaml, const char *says)
{
    g_autofree char *manifest =
        g_strdup_printf("name: liar\n%s"
                        "exec: [/bin/sh, -c, '(%s env PROCTOR_CHILD=victim PROCTOR_GENERATION=0 "
                        "PROCTOR_ATTEMPT=1 %s wait=%s/go %s pause &) ; exec %s ready pause']\n",
                        yaml, by, g_getenv("TEST_CHILD"), f.folder, says, g_getenv("TEST_CHILD"));
    fixture_fifo(&f, "go");
    g_chmod(fixture_path(&f, "go"), 0666);
    g_chmod(f.folder, 0755);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_text(&f, "liar", "Readiness", "ready");
}

static void add_liar(const char *yaml, const char *says)
{
    add_orphan("setsid", yaml, says);
}

static void assert_untouched(GPid before)
{
    g_autofree char *readiness = fixture_text(&f, "victim", "Readiness");
    g_autofree char *said = fixture_text(&f, "victim", "StatusText");

    g_assert_cmpstr(readiness, ==, "unreported");
    g_assert_cmpstr(said, ==, "");
    g_assert_cmpint(main_pid("victim"), ==, before);
}

static void an_environment_makes_nobody_ready(void)
{
    if (geteuid() != 0) {
        g_test_skip("needs another user");
        return;
    }
    fixture_add(&f, "victim", "readiness: explicit\n", "pause");
    GPid before = main_pid("victim");
    add_liar("user: nobody\n", "ready status=lie mainpid");

    fixture_release(&f, "go");

    if (g_getenv("NO_CGROUPS"))
        wait_refused(3);
    else
        fixture_wait_text(&f, "liar", "StatusText", "lie"); /* the kernel knows better */
    assert_untouched(before);
}

/* Also where it runs as the victim's own user. */
static void of_the_same_user_neither(void)
{
    fixture_add(&f, "victim", "readiness: explicit\n", "pause");
    GPid before = main_pid("victim");
    add_liar("", "ready status=lie mainpid");

    fixture_release(&f, "go");

    if (g_getenv("NO_CGROUPS"))
        wait_refused(3);
    else
        fixture_wait_text(&f, "liar", "StatusText", "lie");
    assert_untouched(before);
}

/* It says what another child would say, and is known by the session that it was born into. */
static void an_orphan_in_its_own_session_is_heard(void)
{
    fixture_add(&f, "victim", "readiness: explicit\n", "pause");
    GPid before = main_pid("victim");
    add_orphan("env", "", "status=word mainpid");

    fixture_release(&f, "go");

    fixture_wait_text(&f, "liar", "StatusText", "word");
    assert_untouched(before);
    g_assert_cmpuint(refused(), ==, 0);
}

static void a_liar_does_not_keep_its_victim(void)
{
    fixture_add(&f, "victim", "readiness: immediate\n", "wait-term");
    add_liar(geteuid() == 0 ? "user: nobody\n" : "", "ready");

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "victim");

    g_autofree char *status = fixture_text(&f, "victim", "Status");
    g_assert_cmpstr(status, ==, "none");
    g_autofree char *other = fixture_text(&f, "liar", "Status");
    g_assert_cmpstr(other, ==, "ready");
}

/* ---- folders --------------------------------------------------------------------------------- */

static void refuses_to_start(char *option, const char *why)
{
    g_autofree char *owned = option;
    const char *extra[] = {option, g_getenv("NO_CGROUPS") ? "--no-cgroups" : NULL, NULL};
    g_autofree char *said = fixture_fails(&f, extra);

    if (!strstr(said, why))
        g_error("\"%s\" does not say \"%s\"", said, why);
}

static void a_strangers_folder_is_refused(void)
{
    g_autofree char *victim = g_strdup(fixture_path(&f, "victim"));
    g_autofree char *theirs = g_strdup(fixture_path(&f, "theirs"));
    g_autofree char *configuration = g_build_filename(theirs, "bus.conf", NULL);
    g_autofree char *text = NULL;

    if (geteuid() != 0) {
        g_test_skip("needs another user");
        return;
    }
    fixture_kill(&f);
    g_assert_true(g_file_set_contents(victim, "mine", -1, NULL));
    g_assert_cmpint(g_mkdir(theirs, 0755), ==, 0);
    g_assert_cmpint(symlink(victim, configuration), ==, 0);
    g_assert_cmpint(chown(theirs, 65534, 65534), ==, 0);

    refuses_to_start(g_strconcat("--runtime-dir=", theirs, NULL),
                     "the runtime folder cannot be used: ");
    refuses_to_start(g_strconcat("--state-dir=", theirs, NULL),
                     "theirs belongs to user 65534, not to user 0");
    refuses_to_start(g_strconcat("--state-dir=", theirs, "/below", NULL),
                     "theirs belongs to user 65534, who can replace its contents");
    refuses_to_start(g_strconcat("--metrics-socket=", theirs, "/socket", NULL),
                     "theirs/socket: its folder cannot be used: ");

    g_assert_true(g_file_get_contents(victim, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "mine");
    fixture_again(&f, options);
}

/* It is put aside, and made again. */
static void a_link_inside_is_not_followed(const char *name)
{
    g_autofree char *target = g_strdup(fixture_path(&f, "target"));
    g_autofree char *link = g_strdup(fixture_path(&f, name));
    g_autofree char *aside = g_strconcat(link, ".aside", NULL);
    g_autofree char *text = NULL;

    fixture_kill(&f);
    g_assert_true(g_file_set_contents(target, "mine", -1, NULL));
    g_assert_cmpint(g_rename(link, aside), ==, 0);
    g_assert_cmpint(symlink(target, link), ==, 0);

    fixture_again(&f, options);

    g_assert_true(g_file_get_contents(target, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "mine");
    g_assert_false(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
}

static void no_link_in_our_folders_is_followed(void)
{
    static const char *const names[] = {
        "state/lock",       "state/journal",     "state/results", "state/starts", "run/lock",
        "run/journal.tail", "run/journal.tail2", "run/notify",    "run/bus.conf", "run/bus.lock"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        a_link_inside_is_not_followed(names[i]);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void a_reserved_code_point_blinds_nobody(void)
{
    fixture_add(&f, "worker", "", "ready, \"status=a\\uFFFE z \\uFDD0 \\U0001FFFE \\e[2J\"");

    fixture_wait_text(&f, "worker", "StatusText", "a? z ? ?  [2J");
    g_autoptr(GVariant) state =
        fixture_manager(&f, "CurrentState", NULL, NULL); /* fails the test where it fails */
    g_assert_nonnull(state);
}

/* Of a user that no other is, nor one of these tests that runs beside this one. */
static void add_crowded(const char *name, guint32 uid, const char *yaml)
{
    g_autofree char *manifest =
        g_strdup_printf("name: %s\nexec: [/bin/sleep, \"1000\"]\nrestart: permanent\n"
                        "user: \"%u\"\n%s",
                        name, uid, yaml);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
}

/* A process that shares a child's user can take all processes that the user may have: that costs no
 * restart. */
static void whoever_shares_its_user_uses_up_no_restarts(void)
{
    if (geteuid() != 0) {
        g_test_skip("needs root");
        return;
    }
    guint32 uid = (guint32)g_random_int_range(1 << 20, G_MAXINT32);
    add_crowded("one", uid, "");
    add_crowded("other", uid, "");
    fixture_wait_text(&f, "one", "Status", "ready");
    fixture_wait_text(&f, "other", "Status", "ready");
    add_crowded("web", uid, "start_timeout: 100ms\nlimits: {nproc: 1}\n");
    fixture_wait_event(&f, "child-start-delayed", "web", 1);
    g_assert_cmpuint(fixture_number(&f, "web", "RestartsUsed"), ==, 0);

    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "other");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-spawn-failed", "web"), ==, 0);
}

/* The file is read before the child becomes its user: what root alone may read is not led to. */
static void no_strangers_link_leads_to_an_environment(void)
{
    if (geteuid() != 0) {
        g_test_skip("needs root");
        return;
    }
    g_autofree char *link = g_strdup(fixture_path(&f, "link"));
    g_autofree char *manifest = g_strdup_printf(
        "name: web\nexec: [/bin/sleep, \"1000\"]\nuser: \"65534\"\nenvironment_file: %s\n"
        "backoff: {initial: 1h, max: 1h}\n",
        link);
    g_assert_true(g_file_set_contents(fixture_path(&f, "secret"), "SECRET=1\n", -1, NULL));
    g_assert_cmpint(symlink("secret", link), ==, 0);
    g_assert_cmpint(lchown(link, 65534, 65534), ==, 0);

    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_event(&f, "child-spawn-failed", "web", 1);
    g_autofree char *why = fixture_event_field(&f, "child-spawn-failed", "web", "reason");
    g_assert_nonnull(strstr(why, "link: is a symbolic link that is not followed"));

    g_assert_cmpint(chown(fixture_path(&f, "secret"), 65534, 65534), ==, 0);
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "web");
    fixture_wait_text(&f, "web", "Status", "ready");
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    enter_namespace();
    fixture_become_init();
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, options, "/daemon/identity", an_old_group_is_forgotten_with_its_leader);
    FIXTURE_TEST(&f, options, "/daemon/identity", the_old_leaders_group_still_gets_the_stop);
    FIXTURE_TEST(&f, options, "/daemon/identity", who_has_been_handed_over_to_goes_on);
    FIXTURE_TEST(&f, options, "/daemon/identity", the_old_leaders_group_outlives_an_upgrade);
    FIXTURE_TEST(&f, options, "/daemon/identity", who_has_an_adopted_ones_number_is_not_believed);
    FIXTURE_TEST(&f, options, "/daemon/identity", where_numbers_wrap_no_stranger_is_hit);
    FIXTURE_TEST(&f, options, "/daemon/identity",
                 who_has_lost_its_main_thread_is_not_started_again);
    FIXTURE_TEST(&f, options, "/daemon/identity", an_environment_makes_nobody_ready);
    FIXTURE_TEST(&f, options, "/daemon/identity", of_the_same_user_neither);
    FIXTURE_TEST(&f, options, "/daemon/identity", an_orphan_in_its_own_session_is_heard);
    FIXTURE_TEST(&f, options, "/daemon/identity", a_liar_does_not_keep_its_victim);
    FIXTURE_TEST(&f, options, "/daemon/identity", a_strangers_folder_is_refused);
    FIXTURE_TEST(&f, options, "/daemon/identity", no_link_in_our_folders_is_followed);
    FIXTURE_TEST(&f, options, "/daemon/identity", a_reserved_code_point_blinds_nobody);
    FIXTURE_TEST(&f, options, "/daemon/identity", whoever_shares_its_user_uses_up_no_restarts);
    FIXTURE_TEST(&f, options, "/daemon/identity", no_strangers_link_leads_to_an_environment);
    return g_test_run();
}
