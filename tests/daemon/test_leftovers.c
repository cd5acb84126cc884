/*
 * An attempt is a tree of processes: what becomes of those that the main process leaves.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture f;
static const char *const *options;

/* @ is the test's folder. */
static char *in_folder(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    return g_strjoinv(f.folder, parts);
}

static void write_script(const char *name, const char *text)
{
    g_autofree char *script = in_folder(text);
    g_assert_true(g_file_set_contents(fixture_path(&f, name), script, -1, NULL));
}

static void add(const char *manifest)
{
    g_autofree char *text = in_folder(manifest);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
}

static gboolean runs(GPid pid)
{
    return kill(pid, 0) == 0;
}

/* Says where it is, counts its stop signals, and goes when it is let go. */
static void write_worker(void)
{
    write_script("left.sh", "trap 'echo term >> @/terms' TERM\n"
                            "echo $$ > @/left.part; mv @/left.part @/left\n"
                            "while [ ! -e @/terms ]; do sleep 0.02; done\n"
                            "while [ ! -e @/go ]; do sleep 0.01; done\n"
                            "echo flushed >> @/flushed\n");
}

static void let_go(void)
{
    g_assert_true(g_file_set_contents(fixture_path(&f, "go"), "", -1, NULL));
}

static void assert_told_once(void)
{
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 1);
    g_assert_cmpuint(fixture_count_lines(&f, "flushed"), ==, 1);
}

/* ---- wait ------------------------------------------------------------------------------------ */

static void they_have_the_time_to_stop(void)
{
    write_worker();
    add("name: web\nexec: [/bin/sh, -c, 'sh @/left.sh & wait']\nstop: {timeout: 60s}\n");
    GPid left = fixture_read_pid(&f, "left");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "web");
    fixture_wait_event(&f, "child-leftovers", "web", 1);

    fixture_wait_text(&f, "web", "Status", "cancelling");
    g_assert_cmpuint(fixture_number(&f, "web", "LeftProcesses"), >=, 1);
    g_assert_true(runs(left));
    let_go();
    fixture_wait_text(&f, "web", "StopState", "completed");
    g_assert_false(runs(left));
    assert_told_once();
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "web"), ==, 0);
    g_assert_cmpuint(fixture_number(&f, "web", "LeftProcesses"), ==, 0);
}

/* The new one is in a session of its own, and so are its workers. */
static void workers_of_a_new_main_process_are_told(void)
{
    write_worker();
    g_autofree char *steps =
        in_folder("hand-over-session, shell=@/left.sh, log=@/up, wait-term, exit=0");
    fixture_add(&f, "web", "stop: {timeout: 60s}\n", steps);
    GPid left = fixture_read_pid(&f, "left");
    g_autofree char *old = fixture_event_field(&f, "child-running", "web", "pid");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "web");
    fixture_wait_event(&f, "child-leftovers", "web", 1);

    g_assert_true(runs(left));
    let_go();
    kill((GPid)g_ascii_strtoll(old, NULL, 10), SIGKILL); /* it does not hear the signal */
    fixture_wait_text(&f, "web", "StopState", "completed");
    assert_told_once();
}

/* With kill_mode main they have not been told with the main process. */
static void with_kill_mode_main_they_are_told_later(void)
{
    write_worker();
    add("name: web\nexec: [/bin/sh, -c, 'sh @/left.sh & exec sleep 1000']\n"
        "stop: {timeout: 60s, kill_mode: main}\n");
    fixture_read_pid(&f, "left");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "web");
    fixture_wait_event(&f, "child-leftovers", "web", 1);
    let_go();

    fixture_wait_text(&f, "web", "StopState", "completed");
    assert_told_once();
}

#define ENDS_ITSELF                                                                                \
    "name: web\nbackoff: {initial: 10ms, jitter: none}\nstop: {timeout: 60s}\n"                    \
    "exec: [/bin/sh, -c, 'if [ -e @/end ]; then exec sleep 1000; fi; sh @/left.sh & "              \
    "while [ ! -e @/end ]; do sleep 0.01; done; exit 3']\n"

static void end_itself(void)
{
    write_worker();
    add(ENDS_ITSELF);
    fixture_read_pid(&f, "left");
    g_assert_true(g_file_set_contents(fixture_path(&f, "end"), "", -1, NULL));
    fixture_wait_event(&f, "child-leftovers", "web", 1);
    fixture_wait_text(&f, "web", "Status", "cancelling");
}

static void assert_restarted(void)
{
    fixture_wait_number(&f, "web", "Generation", 1);
    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "failed");
    g_assert_cmpuint(fixture_number(&f, "web", "RestartsUsed"), ==, 1);
    assert_told_once();
}

static void a_restart_waits_for_them(void)
{
    end_itself();
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);

    let_go();

    assert_restarted();
}

static void after_a_death_they_are_waited_for(void)
{
    end_itself();

    fixture_kill(&f);
    fixture_again(&f, options);

    fixture_wait_text(&f, "web", "Status", "cancelling");
    g_assert_true(runs(fixture_read_pid(&f, "left")));
    let_go();
    assert_restarted();
}

/* After the death they are not below proctord any more, and the next program has to know that. */
static void after_a_death_an_upgrade_goes_on_waiting(void)
{
    end_itself();
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_wait_text(&f, "web", "Status", "cancelling");

    fixture_upgrade(&f);

    fixture_wait_text(&f, "web", "Status", "cancelling");
    g_assert_true(runs(fixture_read_pid(&f, "left")));
    let_go();
    assert_restarted();
}

static void an_upgrade_goes_on_waiting(void)
{
    end_itself();

    fixture_upgrade(&f);

    fixture_wait_text(&f, "web", "Status", "cancelling");
    let_go();
    assert_restarted();
}

/* What cgroup.kill passes over is killed one by one. */
static void one_whose_main_thread_has_ended_is_killed(void)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: web\nrestart: temporary\nkind: worker\nstop: {timeout: 50ms}\n"
        "exec: [/bin/sh, -c, '%s ignore-term lose-main-thread log=@/lost pause & "
        "echo $! > @/part; mv @/part @/left; while [ ! -s @/lost ]; do sleep 0.01; done; "
        "exit 1']\n",
        g_getenv("TEST_CHILD"));
    add(manifest);
    GPid left = fixture_read_pid(&f, "left");

    fixture_wait_text(&f, "web", "Status", "none");

    fixture_wait_gone(&f, left);
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "web"), ==, 1);
}

/* ---- those that come after the signal -------------------------------------------------------- */

/* Counts the stop signals that it gets, and goes with the first one when it may. */
static void write_late(void)
{
    write_script("late.sh", "trap 'echo late >> @/late-terms; exit 0' TERM\n"
                            "echo $$ > @/late.part; mv @/late.part @/late\n"
                            "while :; do sleep 0.01; done\n");
}

/* Nothing else would end it: it would sit out the time to stop. */
static void what_a_handler_leaves_is_told_too(void)
{
    write_late();
    write_script("main.sh", "trap 'sh @/late.sh & while [ ! -e @/late ]; do sleep 0.01; done; "
                            "exit 0' TERM\n"
                            "echo $$ > @/up.part; mv @/up.part @/up\n"
                            "while :; do sleep 0.01; done\n");
    add("name: web\nexec: [/bin/sh, @/main.sh]\nstop: {timeout: 0}\n");
    fixture_read_pid(&f, "up");

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_text(&f, "web", "StopState", "completed");
    g_assert_cmpuint(fixture_count_lines(&f, "late-terms"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "web"), ==, 0);
}

/* What a handler waits for is its own to end: its grace is not cut short. */
static void what_a_handler_waits_for_is_not_told(void)
{
    write_script("flush.sh", "trap 'echo told >> @/late-terms' TERM\n"
                             "echo $$ > @/late.part; mv @/late.part @/late\n"
                             "while [ ! -e @/go ]; do sleep 0.01; done\n");
    write_script("left.sh", "trap 'sh @/flush.sh; echo flushed >> @/flushed; exit 0' TERM\n"
                            "echo $$ > @/left.part; mv @/left.part @/left\n"
                            "while :; do sleep 0.01; done\n");
    add("name: web\nexec: [/bin/sh, -c, 'sh @/left.sh & wait']\nstop: {timeout: 0}\n");
    fixture_read_pid(&f, "left");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "web");
    fixture_wait_event(&f, "child-leftovers", "web", 1);
    fixture_read_pid(&f, "late");
    /* Another child's whole life comes behind several looks. */
    add("name: clock\nexec: [/bin/sleep, '0.5']\nrestart: temporary\n");
    fixture_wait_event(&f, "child-exited", "clock", 1);
    let_go();

    fixture_wait_text(&f, "web", "StopState", "completed");
    g_assert_cmpuint(fixture_count_lines(&f, "flushed"), ==, 1);
    g_assert_false(g_file_test(fixture_path(&f, "late-terms"), G_FILE_TEST_EXISTS));
}

static void begin_stop_of_a_handler_that_leaves_one(void)
{
    write_late();
    write_worker();
    write_script("main.sh", "trap 'while [ ! -e @/exit ]; do sleep 0.01; done; "
                            "setsid sh @/late.sh & while [ ! -e @/late ]; do sleep 0.01; done; "
                            "exit 0' TERM\n"
                            "sh @/left.sh &\n"
                            "echo $$ > @/up.part; mv @/up.part @/up\n"
                            "while :; do sleep 0.01; done\n");
    add("name: web\nexec: [/bin/sh, @/main.sh]\nstop: {timeout: 0}\n");
    fixture_read_pid(&f, "up");
    fixture_read_pid(&f, "left");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "web");
    fixture_wait_lines(&f, "terms", 1);
}

static void assert_each_was_told_once(void)
{
    g_assert_true(g_file_set_contents(fixture_path(&f, "exit"), "", -1, NULL));
    fixture_wait_lines(&f, "late-terms", 1);
    let_go();
    fixture_wait_text(&f, "web", "StopState", "completed");
    assert_told_once();
    g_assert_cmpuint(fixture_count_lines(&f, "late-terms"), ==, 1);
}

static void an_upgrade_knows_who_has_been_told(void)
{
    begin_stop_of_a_handler_that_leaves_one();
    fixture_upgrade(&f);
    assert_each_was_told_once();
}

/* The stop was the very last input, and had been done. */
static void after_a_death_nobody_is_told_twice(void)
{
    begin_stop_of_a_handler_that_leaves_one();
    fixture_kill(&f);
    fixture_again(&f, options);
    assert_each_was_told_once();
}

/* Each has the further signal once, whatever comes and goes in between. */
static void a_further_signal_comes_once(void)
{
    write_script("steps.sh", "trap 'echo term >> @/terms' TERM\n"
                             "trap 'echo usr2 >> @/usr2s' USR2\n"
                             "echo $$ > @/up.part; mv @/up.part @/up\n"
                             "while [ ! -e @/go ]; do sleep 0.01; done\n");
    add("name: web\nexec: [/bin/sh, -c, 'sh @/steps.sh & wait']\n"
        "stop: {signals: [SIGTERM 100ms, SIGUSR2 0]}\n");
    fixture_read_pid(&f, "up");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "web");
    fixture_wait_event(&f, "child-leftovers", "web", 1);
    fixture_upgrade(&f);
    fixture_wait_lines(&f, "usr2s", 1);
    fixture_upgrade(&f);
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_wait_text(&f, "web", "Status", "cancelling");
    let_go();

    fixture_wait_text(&f, "web", "StopState", "completed");
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 1);
    g_assert_cmpuint(fixture_count_lines(&f, "usr2s"), ==, 1);
}

/* ---- odd ones -------------------------------------------------------------------------------- */

/* Lost its parent and took another user: without cgroups it is not waited for, as anybody could say
 * that he belongs to the attempt; but it does not outlive it either. */
static void one_of_another_user_does_not_stay(void)
{
    add("name: web\nexec: [/bin/sh, -c, 'setsid setpriv --reuid=1 --clear-groups sh -c \"trap : "
        "TERM; "
        "echo \\$\\$; while :; do sleep 0.1; done\" > @/left & "
        "while [ ! -s @/left ]; do sleep 0.01; done; mv @/left @/there; exec sleep 1000']\n"
        "stop: {timeout: 100ms}\n");
    GPid left = fixture_read_pid(&f, "there");

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_text(&f, "web", "StopState", "completed");
    fixture_wait_gone(&f, left);
}

/* Returns FALSE where there are no cgroups. inner: of its own, below that of its attempt. */
static gboolean freeze(const char *cgroup, const char *inner)
{
    g_autofree char *hybrid = g_strdup_printf("/sys/fs/cgroup/unified%s", cgroup);
    g_autofree char *unified = g_strdup_printf("/sys/fs/cgroup%s", cgroup);
    const char *leaf = g_file_test(hybrid, G_FILE_TEST_EXISTS) ? hybrid : unified;
    g_autofree char *folder = g_build_filename(leaf, inner, NULL);
    g_autofree char *procs = g_build_filename(folder, "cgroup.procs", NULL);
    g_autofree char *file = g_build_filename(folder, "cgroup.freeze", NULL);
    g_autofree char *pid =
        g_strdup_printf("%" G_GUINT64_FORMAT, fixture_number(&f, "web", "MainPID"));

    if (options || !g_file_test(leaf, G_FILE_TEST_IS_DIR))
        return FALSE;
    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    int state = open(file, O_WRONLY | O_CLOEXEC), in = open(procs, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(state, >=, 0);
    g_assert_cmpint(in, >=, 0);
    if (inner)
        g_assert_cmpint(write(in, pid, strlen(pid)), ==, (ssize_t)strlen(pid));
    g_assert_cmpint(write(state, "1", 1), ==, 1);
    close(in);
    close(state);
    return TRUE;
}

/* It obeys its stop signal, as a stopped one does. */
static void is_let_run_to_its_end(const char *inner)
{
    add("name: web\nstop: {timeout: 0}\nexec: [/bin/sh, -c, 'trap \"echo term >> @/terms; exit 0\" "
        "TERM; "
        "sed -n s/^0:://p /proc/self/cgroup > @/cgroup.part; mv @/cgroup.part @/cgroup; "
        "while :; do sleep 0.01; done']\n");
    fixture_wait_lines(&f, "cgroup", 1);
    g_autofree char *cgroup = NULL;
    g_assert_true(g_file_get_contents(fixture_path(&f, "cgroup"), &cgroup, NULL, NULL));
    g_strchomp(cgroup);
    if (!freeze(cgroup, inner))
        return;

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");

    fixture_wait_text(&f, "web", "StopState", "completed");
    g_assert_cmpuint(fixture_count_lines(&f, "terms"), ==, 1);
}

static void a_frozen_one_is_let_run_to_its_end(void)
{
    is_let_run_to_its_end(NULL);
}

static void one_frozen_in_a_cgroup_of_its_own_is_too(void)
{
    is_let_run_to_its_end("its/own");
}

static gboolean is_its_command(const char *entry, const char *script)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/cmdline", entry);
    g_autofree char *line = NULL;
    gsize length;

    if (!g_ascii_isdigit(*entry) || !g_file_get_contents(path, &line, &length, NULL))
        return FALSE;
    for (const char *word = line; word < line + length; word += strlen(word) + 1)
        if (g_str_equal(word, script))
            return TRUE;
    return FALSE;
}

static gboolean somebody_runs(const char *script)
{
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    gboolean runs = FALSE;

    for (const char *entry; (entry = g_dir_read_name(processes));)
        runs |= is_its_command(entry, script);
    return runs;
}

/* During an exec it has no environment, and cannot be distinguished from a stranger: it is met all
 * the same, also by a proctord that has not started it. */
static void one_that_executes_itself_again_and_again(gboolean with_a_death)
{
    write_script("again.sh", "[ -e @/there ] || { echo $$ > @/part.$$; mv @/part.$$ @/there; }\n"
                             "exec setsid sh @/again.sh\n");
    add("name: web\nstop: {timeout: 50ms}\n"
        "exec: [/bin/sh, -c, 'setsid sh @/again.sh & setsid sh @/again.sh & "
        "setsid sh @/again.sh & setsid sh @/again.sh & exec sleep 1000']\n");
    fixture_read_pid(&f, "there");
    if (with_a_death) {
        fixture_kill(&f);
        fixture_again(&f, options);
    }
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");
    fixture_wait_text(&f, "web", "Status", "none");
    for (int i = 0; i < 20; i++) /* during an exec its command line is not seen either */
        g_assert_false(somebody_runs(fixture_path(&f, "again.sh")));
}

static void one_in_the_midst_of_an_exec_is_met(void)
{
    one_that_executes_itself_again_and_again(FALSE);
}

static void one_in_the_midst_of_an_exec_is_met_after_a_death(void)
{
    one_that_executes_itself_again_and_again(TRUE);
}

/* One that has lost its main thread has no environment any more, and cannot say whose it is. */
static void those_of_others_are_not_counted(void)
{
    g_autofree char *lost = g_strdup_printf("name: lost\nrestart: temporary\nstop: {timeout: 60s}\n"
                                            "exec: [/bin/sh, -c, '%s ignore-term lose-main-thread "
                                            "log=@/lost pause & sleep .1; exit 1']\n",
                                            g_getenv("TEST_CHILD"));

    add(lost);
    fixture_wait_event(&f, "child-leftovers", "lost", 1);
    for (int i = 0; i < 5; i++) {
        g_autofree char *id = g_strdup_printf("web-%d", i);
        g_autofree char *manifest =
            g_strdup_printf("name: %s\nrestart: temporary\nstop: {timeout: 60s}\n"
                            "exec: [/bin/sh, -c, 'sleep 1000 & sleep .02; exit 1']\n",
                            id);
        add(manifest);
        fixture_wait_event(&f, "child-leftovers", id, 1);
        g_autofree char *left = fixture_event_field(&f, "child-leftovers", id, "left");
        g_assert_cmpstr(left, ==, "1");
    }
}

/* Each process of the chain holds a FIFO open, from one to the next. */
static int hold_fifo(void)
{
    g_assert_cmpint(mkfifo(fixture_path(&f, "held"), 0600), ==, 0);
    int fd = open(fixture_path(&f, "held"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static gboolean is_held(int fd)
{
    char nothing;

    return read(fd, &nothing, 1) != 0;
}

/* No process of it is there for longer than it takes to start the next one, and none obeys. */
static void a_chain_is_met(gboolean with_a_death)
{
    int held = hold_fifo();
    g_autofree char *manifest =
        g_strdup_printf("name: web\nstop: {timeout: 1s}\nexec: [/bin/sh, -c, "
                        "'%s chain=@/held & exec sleep 1000']\n",
                        g_getenv("TEST_CHILD"));
    add(manifest);
    while (!is_held(held))
        g_usleep(1000);
    if (with_a_death) {
        fixture_kill(&f);
        fixture_again(&f, options);
    }
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");
    fixture_wait_text(&f, "web", "Status", "none");
    g_assert_false(is_held(held));
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "web"), ==, 1);
    close(held);
}

static void a_chain_of_processes_is_met(void)
{
    a_chain_is_met(FALSE);
}

static void a_chain_of_processes_is_met_after_a_death(void)
{
    a_chain_is_met(TRUE);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void a_run_has_its_time(void)
{
    add("name: web\nexec: [/bin/sleep, '1000']\nrun_timeout: 50ms\nbackoff: {initial: 10ms}\n");

    fixture_wait_event(&f, "child-exited", "web", 1);

    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "timed-out");
    g_assert_nonnull(strstr(dict_text(last, "Reason"), "run timeout"));
}

static void a_stop_goes_by_steps(void)
{
    write_script("steps.sh", "trap 'echo term >> @/got' TERM\n"
                             "trap 'echo quit >> @/got; exit 0' QUIT\n"
                             "echo $$ > @/up.part; mv @/up.part @/up\n"
                             "while :; do sleep 0.02; done\n");
    add("name: web\nexec: [/bin/sh, @/steps.sh]\nstop: {signals: [SIGTERM 100ms, SIGQUIT 60s]}\n");
    fixture_read_pid(&f, "up");

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");

    g_assert_cmpuint(fixture_count_lines(&f, "got"), ==, 2);
    g_assert_cmpuint(fixture_events(&f, "child-control-stop-escalated", "web"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "web"), ==, 0);
}

/* ---- kill and keep --------------------------------------------------------------------------- */

static void they_end_at_once(void)
{
    write_worker();
    add("name: web\nleftovers: kill\nstop: {timeout: 60s}\n"
        "exec: [/bin/sh, -c, 'trap \"exit 0\" TERM; setsid sh @/left.sh & sleep 1000 & wait']\n");
    GPid left = fixture_read_pid(&f, "left");

    kill((GPid)fixture_number(&f, "web", "MainPID"), SIGKILL);

    fixture_wait_gone(&f, left);
    g_assert_false(g_file_test(fixture_path(&f, "flushed"), G_FILE_TEST_EXISTS));
}

#define KEEPER                                                                                     \
    "name: sshd\nleftovers: keep\nbackoff: {initial: 10ms, jitter: none}\n"                        \
    "exec: [/bin/sh, -c, 'sleep 1000 & echo $! > @/kept$PROCTOR_ATTEMPT.part; "                    \
    "mv @/kept$PROCTOR_ATTEMPT.part @/kept$PROCTOR_ATTEMPT; exec sleep 1000']\n"

static void what_is_kept_outlives_all(void)
{
    add(KEEPER);
    GPid first = fixture_read_pid(&f, "kept1");

    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "sshd");
    GPid second = fixture_read_pid(&f, "kept2");
    fixture_wait_number(&f, "sshd", "LeftProcesses", 1);
    kill((GPid)fixture_number(&f, "sshd", "MainPID"), SIGKILL);
    GPid third = fixture_read_pid(&f, "kept3");
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_wait_text(&f, "sshd", "Status", "ready");
    fixture_upgrade(&f);
    g_autoptr(GVariant) again = fixture_verb_waiting(&f, "Restart", "sshd");
    GPid fourth = fixture_read_pid(&f, "kept4");
    g_autoptr(GVariant) removal = fixture_verb(&f, "Remove", "sshd");
    fixture_wait_removed(&f, "sshd");

    GPid kept[] = {first, second, third, fourth};
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++) {
        g_assert_true(runs(kept[i]));
        kill(kept[i], SIGKILL);
    }
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "sshd"), ==, 0);
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);

    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", they_have_the_time_to_stop);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", workers_of_a_new_main_process_are_told);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", with_kill_mode_main_they_are_told_later);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", a_restart_waits_for_them);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", after_a_death_they_are_waited_for);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", an_upgrade_goes_on_waiting);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", after_a_death_an_upgrade_goes_on_waiting);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/wait", one_whose_main_thread_has_ended_is_killed);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/late", what_a_handler_leaves_is_told_too);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/late", what_a_handler_waits_for_is_not_told);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/late", an_upgrade_knows_who_has_been_told);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/late", after_a_death_nobody_is_told_twice);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/late", a_further_signal_comes_once);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", one_of_another_user_does_not_stay);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", a_frozen_one_is_let_run_to_its_end);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", one_frozen_in_a_cgroup_of_its_own_is_too);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", one_in_the_midst_of_an_exec_is_met);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd",
                 one_in_the_midst_of_an_exec_is_met_after_a_death);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", a_chain_of_processes_is_met);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", a_chain_of_processes_is_met_after_a_death);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/odd", those_of_others_are_not_counted);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/limits", a_run_has_its_time);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/limits", a_stop_goes_by_steps);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/kill", they_end_at_once);
    FIXTURE_TEST(&f, options, "/daemon/leftovers/keep", what_is_kept_outlives_all);
    return g_test_run();
}
