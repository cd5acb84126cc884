/*
 * The spawner: a child that hangs on its way to its program hangs alone, and a spawner that is
 * killed or stopped loses nothing and doubles nothing.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX 4096

static struct fixture f;
static const char *const *options;

/* ---- processes ------------------------------------------------------------------------------- */

static char *proc_text(GPid pid, const char *file)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, file);
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

static char **children_of(GPid pid)
{
    g_autofree char *file = g_strdup_printf("task/%d/children", (int)pid);
    g_autofree char *text = proc_text(pid, file);

    return g_strsplit(text ? text : "", " ", -1);
}

/* And not a child of it that has not executed anything yet (PF_FORKNOEXEC). */
static gboolean is_spawner(GPid pid)
{
    g_autofree char *name = pid > 0 ? proc_text(pid, "comm") : NULL;
    g_autofree char *text = name ? proc_text(pid, "stat") : NULL;
    const char *rest = text ? strrchr(text, ')') : NULL;
    unsigned flags = 0;

    return rest && strcmp(name, "proctor-spawner\n") == 0 &&
           sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && !(flags & 0x40);
}

static GPid spawner(void)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    for (;;) {
        g_auto(GStrv) children = children_of(f.pid);
        for (char **child = children; *child; child++) {
            if (is_spawner((GPid)atoi(*child)))
                return (GPid)atoi(*child);
        }
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void add(const char *name, const char *yaml)
{
    g_autofree char *manifest = g_strdup_printf("name: %s\nstdout: raw\n%s", name, yaml);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
}

static void assert_status(const char *child, const char *status)
{
    g_autofree char *text = fixture_text(&f, child, "Status");
    g_assert_cmpstr(text, ==, status);
}

/* ---- a file system that does not answer ------------------------------------------------------ */

static GPid holder;
static char *mount_point;

static void make_mount_point(void)
{
    mount_point = g_strdup(fixture_path(&f, "hanging"));
    g_assert_cmpint(g_mkdir(mount_point, 0755), ==, 0);
}

/* Returns false where there can be none. */
static gboolean begin_to_hang(void)
{
    char word[16] = "";
    int output;
    const char *const command[] = {g_getenv("HANGING_MOUNT"), mount_point, NULL};
    g_assert_true(g_spawn_async_with_pipes(NULL, (char **)(gpointer)command, NULL,
                                           G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &holder, NULL,
                                           &output, NULL, NULL));
    gboolean there = read(output, word, sizeof(word)) > 0;
    close(output);
    if (!there)
        g_test_skip("nothing can be mounted");
    return there;
}

static gboolean mount_hanging(void)
{
    make_mount_point();
    return begin_to_hang();
}

static void unmount_hanging(void)
{
    kill(holder, SIGTERM);
    waitpid(holder, NULL, 0);
    g_free(mount_point);
}

static const char *const ways[] = {"directory", "program", "environment", "output"};

/* Each kind of way on which it can be met. */
static void add_hanging(const char *more)
{
    g_autofree char *directory = g_strdup_printf(
        "exec: [/bin/sleep, \"1000\"]\nworking_directory: %s/x\n%s", mount_point, more);
    g_autofree char *program = g_strdup_printf("exec: [%s/p]\n%s", mount_point, more);
    g_autofree char *environment = g_strdup_printf(
        "exec: [/bin/sleep, \"1000\"]\nenvironment_file: %s/e\n%s", mount_point, more);
    g_autofree char *manifest = g_strdup_printf(
        "name: output\nexec: [/bin/sleep, \"1000\"]\nstdout: {file: %s/o}\n%s", mount_point, more);

    add("directory", directory);
    add("program", program);
    add("environment", environment);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
}

/* They fail as the file system does; a log file can be made where it has been. */
static void wait_for_all(void)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    for (gsize i = 0; i + 1 < G_N_ELEMENTS(ways); i++)
        fixture_wait_event(&f, "child-spawn-failed", ways[i], 1);
    while (fixture_events(&f, "child-spawn-failed", "output") +
               fixture_events(&f, "child-running", "output") ==
           0)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

static void who_hangs_hangs_alone(void)
{
    if (!mount_hanging())
        return;

    add_hanging("start_timeout: 30s\n");

    for (int i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("other%d", i);
        fixture_add(&f, name, "", "wait-term"); /* waits until it is ready */
    }
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        assert_status(ways[i], "starting");
    unmount_hanging();
    wait_for_all();
}

/* proctord binds the sockets itself, and makes the connection of a check. */
static void a_socket_on_it_hangs_alone(void)
{
    if (!mount_hanging())
        return;

    g_autofree char *socket = g_strdup_printf("exec: [/bin/sleep, \"1000\"]\nstart_timeout: 1h\n"
                                              "sockets: [{name: a, listen: %s/s}]\n",
                                              mount_point);
    g_autofree char *check = g_strdup_printf(
        "exec: [/bin/sleep, \"1000\"]\nhealth_check: {unix: %s/h, interval: 50ms, timeout: 50ms}\n",
        mount_point);
    add("socket", socket);
    add("check", check);

    for (int i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("other%d", i);
        fixture_add(&f, name, "", "wait-term");
    }
    assert_status("socket", "starting");
    fixture_wait_text(&f, "check", "Status", "ready");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "socket");
    g_autoptr(GVariant) removed = fixture_verb(&f, "Remove", "check");
    fixture_wait_removed(&f, "check");
    g_autoptr(GVariant) resumed = fixture_verb(&f, "Resume", "socket");
    assert_status("socket", "starting");
    unmount_hanging(); /* the look comes back, and the start continues */
    fixture_wait_text(&f, "socket", "Status", "ready");
}

static void add_socket_and_check(void)
{
    g_autofree char *socket = g_strdup_printf("exec: [/bin/sleep, \"1000\"]\nstart_timeout: 1h\n"
                                              "sockets: [{name: a, listen: %s/s}]\n",
                                              mount_point);
    g_autofree char *check = g_strdup_printf(
        "exec: [/bin/sleep, \"1000\"]\nhealth_check: {unix: %s/h, interval: 50ms, timeout: 1h}\n",
        mount_point);

    add("socket", socket);
    add("check", check);
    fixture_wait_text(&f, "check", "Status", "ready");
}

/* What hangs in it is no part of proctord: neither its death nor its exec waits for it. */
static void no_proctord_hangs_in_it(void)
{
    if (!mount_hanging())
        return;
    add_socket_and_check();

    fixture_kill(&f);
    fixture_again(&f, options);
    assert_status("socket", "starting");
    fixture_upgrade(&f);
    assert_status("socket", "starting");

    unmount_hanging();
    fixture_wait_text(&f, "socket", "Status", "ready");
}

static void a_manifest_on_it_holds_up_a_reload_alone(void)
{
    if (!mount_hanging())
        return;
    fixture_add(&f, "good", "", "wait-term");
    guint64 good = fixture_number(&f, "good", "MainPID");
    g_autofree char *target = g_strdup_printf("%s/m.yaml", mount_point);
    g_assert_cmpint(symlink(target, fixture_path(&f, "children.d/m.yaml")), ==, 0);

    fixture_kill(&f);
    fixture_again(&f, options); /* it supervises while it reads */
    g_assert_cmpuint(fixture_number(&f, "good", "MainPID"), ==, good);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) changes = fixture_reload(&f, &error);
    g_assert_null(changes);
    if (!strstr(error->message, "children.d/m.yaml: does not respond"))
        g_error("%s", error->message);
    fixture_upgrade(&f);

    g_assert_cmpint(g_unlink(fixture_path(&f, "children.d/m.yaml")), ==, 0);
    g_autoptr(GVariant) again = fixture_reload(&f, NULL);
    unmount_hanging();
}

/* ---- a log file whose disk does not answer any more ------------------------------------------ */

static const char speaks[] =
    "exec: [/bin/sh, -c, \"i=0; while sleep 0.01; do i=$((i+1)); echo line "
    "$i; done\"]\nstart_timeout: 30s\n";

static void add_speaking(const char *name)
{
    g_autofree char *manifest =
        g_strdup_printf("name: %s\nstdout: {file: %s/%s}\n%s", name, mount_point, name, speaks);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_text(&f, name, "Status", "ready");
}

/* In a call that has to do with a file: not where it waits for what is to be done. */
static gboolean is_at_a_file(GPid pid)
{
    g_autofree char *name = proc_text(pid, "comm"), *text = proc_text(pid, "syscall");
    long call = text && g_ascii_isdigit(text[0]) ? strtol(text, NULL, 10) : -1;

#ifdef SYS_poll
    if (call == SYS_poll)
        return FALSE;
#endif
    return g_strcmp0(name, "proctor-outside\n") == 0 && call >= 0 && call != SYS_ppoll;
}

static gboolean hangs_in_kernel(GPid pid)
{
    gboolean hangs = is_at_a_file(pid);

    for (int i = 0; i < 20 && hangs; i++) {
        g_usleep(10000);
        hangs = is_at_a_file(pid);
    }
    return hangs;
}

/* Each thread has its own. */
static gboolean a_child_hangs(void)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)f.pid);
    GDir *folder = g_dir_open(tasks, 0, NULL);
    gboolean hangs = FALSE;

    for (const char *task; (task = g_dir_read_name(folder)) && !hangs;) {
        g_autofree char *file = g_strdup_printf("task/%s/children", task);
        g_autofree char *text = proc_text(f.pid, file);
        g_auto(GStrv) children = g_strsplit(text ? text : "", " ", -1);
        for (char **child = children; *child && !hangs; child++)
            hangs = **child && hangs_in_kernel((GPid)atoi(*child));
    }
    g_dir_close(folder);
    return hangs;
}

static void wait_until_it_hangs(void)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (!a_child_hangs())
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* Waits until so many more lines are in it; returns its text. */
static char *wait_for_lines(const char *name, guint more)
{
    g_autofree char *file = g_strdup_printf("hanging/%s", name);
    guint wanted = fixture_count_lines(&f, file) + more;
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    char *text = NULL;

    while (fixture_count_lines(&f, file) < wanted)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_assert_true(g_file_get_contents(fixture_path(&f, file), &text, NULL, NULL));
    return text;
}

static void each_line_is_whole(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint64 last = 0;

    for (char **line = lines; *line && line[1]; line++) {
        guint64 number =
            g_str_has_prefix(*line, "line ") ? g_ascii_strtoull(*line + 5, NULL, 10) : 0;
        if (number <= last && !strstr(*line, " bytes are missing here: "))
            g_error("after line %" G_GUINT64_FORMAT " comes: %s", last, *line);
        last = number > 0 ? number : last;
    }
}

static void a_log_on_it_keeps_no_proctord(void)
{
    static const char *const names[] = {"one", "two", "three", "four", "five", "six"};

    make_mount_point();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        add_speaking(names[i]);
    g_autofree char *before = wait_for_lines("one", 5);
    if (!begin_to_hang())
        return;
    wait_until_it_hangs();

    gint64 began = g_get_monotonic_time();
    fixture_kill(&f);
    g_assert_cmpint(g_get_monotonic_time() - began, <, 2 * G_USEC_PER_SEC);
    fixture_again(&f, options);
    wait_until_it_hangs();
    began = g_get_monotonic_time();
    fixture_upgrade(&f); /* it is refused where the program cannot be replaced */
    g_assert_cmpint(g_get_monotonic_time() - began, <, 4 * G_USEC_PER_SEC);
    fixture_add(&f, "other", "", "wait-term");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        assert_status(names[i], "ready");

    unmount_hanging();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *after = wait_for_lines(names[i], 5);
        each_line_is_whole(after);
    }
}

static void its_start_timeout_ends_it(void)
{
    if (!mount_hanging())
        return;

    add_hanging("start_timeout: 100ms\nstop: {abort_timeout: 100ms}\n"
                "backoff: {initial: 1h, max: 1h}\n");

    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        fixture_wait_event(&f, "child-control-abort-requested", ways[i], 1);
    unmount_hanging(); /* only then the kernel ends them */
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        fixture_wait_text(&f, ways[i], "Status", "none");
}

static void it_can_be_paused_and_removed(void)
{
    if (!mount_hanging())
        return;
    add_hanging("start_timeout: 1h\n");

    g_autoptr(GVariant) paused = fixture_verb(&f, "Pause", "directory");
    g_autoptr(GVariant) removed = fixture_verb(&f, "Remove", "program");

    fixture_wait_text(&f, "directory", "Operation", "paused");
    unmount_hanging();
    fixture_wait_text(&f, "directory", "Status", "none");
    fixture_wait_removed(&f, "program");
}

static void the_next_proctord_comes_up(void)
{
    if (!mount_hanging())
        return;
    add_hanging("start_timeout: 1h\n");
    fixture_add(&f, "good", "", "wait-term");
    guint64 good = fixture_number(&f, "good", "MainPID");

    fixture_kill(&f);
    fixture_again(&f, options);

    g_assert_cmpuint(fixture_number(&f, "good", "MainPID"), ==, good);
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        assert_status(ways[i], "starting");
    unmount_hanging();
    wait_for_all();
}

static void an_upgrade_does_not_lose_it(void)
{
    if (!mount_hanging())
        return;
    add_hanging("start_timeout: 1h\n");

    fixture_upgrade(&f);

    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        assert_status(ways[i], "starting");
    unmount_hanging();
    wait_for_all();
}

/* ---- a child that its user stops ------------------------------------------------------------- */

/* A directory behind many links: the way there takes as long as its user likes. */
static char *long_way(void)
{
    GString *steps = g_string_new("/");

    while (steps->len < STEPS_MAX - 200)
        g_string_append(steps, "./");
    g_assert_cmpint(symlink("/tmp", fixture_path(&f, "way0")), ==, 0);
    for (int i = 1; i < 38; i++) {
        g_autofree char *name = g_strdup_printf("way%d", i);
        g_autofree char *before = g_strdup_printf("way%d", i - 1);
        g_autofree char *target = g_strdup_printf("%s%s", steps->str, fixture_path(&f, before) + 1);
        g_assert_cmpint(symlink(target, fixture_path(&f, name)), ==, 0);
    }
    g_string_free(steps, TRUE);
    return g_strdup(fixture_path(&f, "way37"));
}

/* On its way, as user 1: its memory is still the spawner's. */
static gboolean is_on_its_way(GPid pid)
{
    g_autofree char *command = proc_text(pid, "cmdline");
    g_autofree char *status = proc_text(pid, "status");

    return command && status && strcmp(command, "proctord") == 0 &&
           strstr(status, "\nUid:\t1\t1\t1\t1\n");
}

static gboolean is_stopped(GPid pid)
{
    g_autofree char *text = proc_text(pid, "stat");

    return text && (strstr(text, ") T ") || strstr(text, ") t "));
}

static GPid stop_on_its_way(void)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    for (;;) {
        g_auto(GStrv) children = children_of(f.pid);
        for (char **child = children; *child; child++) {
            GPid pid = (GPid)atoi(*child);
            if (pid > 0 && is_on_its_way(pid)) {
                kill(pid, SIGSTOP);
                while (is_on_its_way(pid) && !is_stopped(pid))
                    ;
                if (is_on_its_way(pid))
                    return pid;
                kill(pid, SIGCONT);
            }
        }
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void who_is_stopped_hangs_alone(void)
{
    if (geteuid() != 0) {
        g_test_skip("needs root");
        return;
    }
    g_autofree char *way = long_way();
    g_autofree char *yaml = g_strdup_printf(
        "exec: [/bin/true]\nuser: daemon\nworking_directory: %s\nrestart: permanent\n"
        "backoff: {initial: 1ms, max: 1ms}\nrestart_limit: {burst: 1000, interval: 1s}\n",
        way);
    g_assert_cmpint(chmod(f.folder, 0711), ==, 0);
    add("stopped", yaml);
    GPid pid = stop_on_its_way();

    fixture_add(&f, "other", "", "wait-term");
    assert_status("stopped", "starting");
    guint64 attempt = fixture_number(&f, "stopped", "Attempt");
    fixture_kill(&f);
    fixture_again(&f, options);

    fixture_wait_gone(&f, pid);
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (fixture_number(&f, "stopped", "Attempt") <= attempt)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* ---- the spawner ----------------------------------------------------------------------------- */

static void one_that_is_killed_is_replaced(void)
{
    fixture_add_manifest(&f,
                         "name: web\nexec: [/bin/sleep, '1000']\nreload: [[/bin/touch, @/done]]\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    GPid old = spawner();
    kill(old, SIGSTOP); /* what it is asked for dies with it, and is asked for again */
    g_autoptr(GVariant) pending =
        fixture_call(&f, "/org/proctor1/child/web", "org.proctor1.Child", "Reload",
                     g_variant_new("(sa{sv})", "test", NULL), NULL);
    kill(old, SIGKILL);
    fixture_wait_event(&f, "child-reload-completed", "web", 1);
    g_assert_cmpint(spawner(), !=, old);
    g_assert_cmpuint(fixture_events(&f, "child-command-failed", "web"), ==, 0);
}

static void one_that_is_stopped_is_replaced(void)
{
    GPid old = spawner();

    kill(old, SIGSTOP);
    fixture_add(&f, "web", "", "wait-term");

    fixture_wait_gone(&f, old);
}

/* Each child says once that it runs, however often the spawner dies meanwhile. */
static void nothing_is_lost_or_doubled(void)
{
    enum { CHILDREN = 60 };

    for (int i = 0; i < CHILDREN; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        g_autofree char *yaml = g_strdup_printf(
            "exec: [/bin/sh, -c, \"echo x >> %s; exec sleep 1000\"]\nrestart: temporary\n",
            fixture_path(&f, name));
        if (i % 6 == 0)
            kill(spawner(), i == 30 ? SIGSTOP : SIGKILL);
        add(name, yaml);
        if (i % 6 == 1)
            kill(spawner(), SIGKILL);
    }
    for (int i = 0; i < CHILDREN; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        fixture_wait_text(&f, name, "Status", "ready");
        gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        while (fixture_count_lines(&f, name) == 0)
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    for (int i = 0; i < CHILDREN; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        g_assert_cmpuint(fixture_count_lines(&f, name), ==, 1);
        g_assert_cmpuint(fixture_number(&f, name, "Attempt"), ==, 1);
    }
}

/* Longer than what is sent to the spawner in one piece. */
static void long_arguments_pass(void)
{
    g_autofree char *word = g_strnfill(25000, 'x');
    g_autofree char *yaml = g_strdup_printf(
        "exec: [/bin/sh, -c, 'test ${#1} = 25000 && test ${#A} = 25000 && exec sleep 1000', sh, "
        "%s]\nenvironment: {A: %s}\nrestart: temporary\n",
        word, word);

    add("long", yaml);

    fixture_wait_text(&f, "long", "Status", "ready");
    g_autofree char *status = fixture_text(&f, "long", "Status");
    g_assert_cmpstr(status, ==, "ready");
}

static guint64 metric(const char *name)
{
    const char *text;
    g_autoptr(GVariant) reply = fixture_manager(&f, "GetMetrics", NULL, NULL);
    g_autofree char *needle = g_strdup_printf("\n%s ", name);

    g_variant_get(reply, "(&s)", &text);
    const char *line = strstr(text, needle);
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen(needle), NULL, 10);
}

/* What proctord lacks is not the child's failure: it waits, and its limit is untouched. */
static void what_proctord_lacks_is_waited_for(void)
{
    enum { CHILDREN = 100 };
    struct rlimit before, few;

    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, NULL, &before), ==, 0);
    few = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, &few, NULL), ==, 0);
    for (int i = 0; i < CHILDREN; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        add(name, "exec: [/bin/sleep, \"1000\"]\n");
    }

    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (metric("proctor_starts_delayed_total") == 0)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, &before, NULL), ==, 0);

    for (int i = 0; i < CHILDREN; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        fixture_wait_text(&f, name, "Status", "ready");
        g_assert_cmpuint(fixture_number(&f, name, "RestartsUsed"), ==, 0);
        g_assert_cmpuint(fixture_number(&f, name, "Attempt"), ==, 1);
    }
}

/* However long that takes: its start_timeout does not run. */
static void a_delayed_start_has_all_its_time(void)
{
    enum { TRIES = 6 }; /* the last of them later than 50 + 100 + 200 + 400 ms */
    struct rlimit before, few;
    guint64 tried = metric("proctor_starts_delayed_total");

    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, NULL, &before), ==, 0);
    few = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    add("waits", "exec: [/bin/sleep, \"1000\"]\nautostart: false\nstart_timeout: 100ms\n");
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, &few, NULL), ==, 0);
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "waits");
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    while (metric("proctor_starts_delayed_total") < tried + TRIES)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_autofree char *waiting = fixture_text(&f, "waits", "Status");
    g_autofree char *why = fixture_text(&f, "waits", "Explanation");
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, &before, NULL), ==, 0);

    g_assert_cmpstr(waiting, ==, "starting");
    g_assert_nonnull(strstr(why, "delayed until proctord has"));
    g_assert_null(strstr(why, "pid 0"));
    fixture_wait_text(&f, "waits", "Status", "ready");
    g_assert_cmpuint(fixture_number(&f, "waits", "RestartsUsed"), ==, 0);
    g_assert_cmpuint(fixture_number(&f, "waits", "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-start-delayed", "waits"), ==, 1);
}

static void after_proctord_none_is_left(void)
{
    GPid old = spawner();

    fixture_kill(&f);
    fixture_wait_gone(&f, old);

    fixture_again(&f, options);
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, options, "/daemon/spawner", who_hangs_hangs_alone);
    FIXTURE_TEST(&f, options, "/daemon/spawner", a_socket_on_it_hangs_alone);
    FIXTURE_TEST(&f, options, "/daemon/spawner", no_proctord_hangs_in_it);
    FIXTURE_TEST(&f, options, "/daemon/spawner", a_manifest_on_it_holds_up_a_reload_alone);
    FIXTURE_TEST(&f, options, "/daemon/spawner", a_log_on_it_keeps_no_proctord);
    FIXTURE_TEST(&f, options, "/daemon/spawner", its_start_timeout_ends_it);
    FIXTURE_TEST(&f, options, "/daemon/spawner", it_can_be_paused_and_removed);
    FIXTURE_TEST(&f, options, "/daemon/spawner", the_next_proctord_comes_up);
    FIXTURE_TEST(&f, options, "/daemon/spawner", an_upgrade_does_not_lose_it);
    FIXTURE_TEST(&f, options, "/daemon/spawner", who_is_stopped_hangs_alone);
    FIXTURE_TEST(&f, options, "/daemon/spawner", one_that_is_killed_is_replaced);
    FIXTURE_TEST(&f, options, "/daemon/spawner", one_that_is_stopped_is_replaced);
    FIXTURE_TEST(&f, options, "/daemon/spawner", nothing_is_lost_or_doubled);
    FIXTURE_TEST(&f, options, "/daemon/spawner", long_arguments_pass);
    FIXTURE_TEST(&f, options, "/daemon/spawner", what_proctord_lacks_is_waited_for);
    FIXTURE_TEST(&f, options, "/daemon/spawner", a_delayed_start_has_all_its_time);
    FIXTURE_TEST(&f, options, "/daemon/spawner", after_proctord_none_is_left);
    return g_test_run();
}
