/*
 * Real processes that misbehave, and callers that do: what an operator sees of it on the bus.
 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

static void add_with_file(const char *name, const char *yaml, const char *format, const char *file)
{
    g_autofree char *path = g_strdup_printf("%s/%s", f.folder, file);
    g_auto(GStrv) parts = g_strsplit(format, "@", -1);
    g_autofree char *text = g_strjoinv(path, parts);

    fixture_add(&f, name, yaml, text);
}

static GPid main_pid(const char *child)
{
    return (GPid)fixture_number(&f, child, "MainPID");
}

static void assert_dict_text(const char *child, const char *property, const char *key,
                             const char *part)
{
    g_autoptr(GVariant) value = fixture_property(&f, child, property);
    g_assert_nonnull(strstr(dict_text(value, key), part));
}

static void assert_explained(const char *child, const char *part)
{
    g_autofree char *text = fixture_text(&f, child, "Explanation");
    if (!strstr(text, part))
        g_error("explanation \"%s\" does not say \"%s\"", text, part);
}

/* ---- ends ------------------------------------------------------------------------------------ */

#define FAST "backoff: {initial: 10ms, jitter: none}\n"

static void kill_9_is_a_signaled_exit_and_a_restart(void)
{
    fixture_add(&f, "worker", FAST, "wait-term");

    kill(main_pid("worker"), SIGKILL);

    fixture_wait_number(&f, "worker", "Generation", 1);
    assert_dict_text("worker", "LastExit", "Kind", "signaled");
    g_autoptr(GVariant) last = fixture_property(&f, "worker", "LastExit");
    g_assert_cmpuint(dict_number(last, "Signal"), ==, SIGKILL);
    g_assert_cmpuint(fixture_number(&f, "worker", "RestartsUsed"), ==, 1);
}

static void the_death_of_a_grandchild_is_not_the_childs(void)
{
    add_with_file("worker", "", "fork=@, wait-term", "grandchild");
    GPid grandchild = fixture_read_pid(&f, "grandchild");

    kill(grandchild, SIGKILL);

    g_assert_cmpuint(fixture_number(&f, "worker", "Attempt"), ==, 1);
    g_autofree char *status = fixture_text(&f, "worker", "Status");
    g_assert_cmpstr(status, ==, "ready");
}

/* A zombie does not: the process that waits for it may still be starting. */
static gboolean runs(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return FALSE;
    const char *end = strrchr(text, ')');
    return end && strlen(end) > 2 && end[2] != 'Z' && end[2] != 'X';
}

static void leftovers(const char *steps)
{
    fixture_fifo(&f, "go");
    g_autofree char *format = g_strdup_printf(steps, f.folder);
    add_with_file("worker", "restart: temporary\nreadiness: immediate\n", format, "left");
    GPid left = fixture_read_pid(&f, "left");
    /* Without cgroups, an orphan with a session of its own is believed nothing. */
    if (!g_getenv("NO_CGROUPS") || getsid(left) == (pid_t)fixture_number(&f, "worker", "MainPID")) {
        g_autoptr(GVariant) found =
            fixture_manager(&f, "GetChildByPID", g_variant_new("(u)", (guint32)left), NULL);
        g_autofree char *path = g_variant_print(found, FALSE);
        g_assert_nonnull(strstr(path, "/org/proctor1/child/worker"));
    }

    fixture_release(&f, "go");

    fixture_wait_text(&f, "worker", "Status", "none");
    g_assert_false(runs(left)); /* gone before the attempt counted as over */
}

static void a_leftover_process_ends_with_its_attempt(void)
{
    leftovers("fork=@, wait=%s/go, exit=0");
}

static void a_double_forked_process_ends_with_its_attempt(void)
{
    leftovers("daemon=@, wait=%s/go, exit=0");
}

static void who_ignores_the_cancel_is_aborted_and_then_restarted(void)
{
    fixture_add(&f, "worker", "stop: {timeout: 20ms}\n", "ignore-term, pause");
    GPid old = main_pid("worker");

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "worker");
    fixture_wait_number(&f, "worker", "Generation", 1);

    g_assert_cmpint(kill(old, 0), ==, -1);
    g_assert_cmpuint(fixture_events(&f, "child-restart-fence-abort-requested", "worker"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-control-abort-requested", "worker"), ==, 1);
}

/* ---- starts-that-fail ------------------------------------------------------------------------ */

static void cannot_start(const char *exec, const char *yaml, const char *reason)
{
    g_autofree char *manifest =
        g_strdup_printf("name: worker\nexec: [%s]\nrestart_limit: {burst: 0}\n%s", exec, yaml);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);

    fixture_wait_text(&f, "worker", "Operation", "quarantined");
    assert_dict_text("worker", "Failure", "Phase", "spawn");
    assert_dict_text("worker", "Failure", "Reason", reason);
    g_assert_cmpuint(fixture_number(&f, "worker", "Attempt"), ==, 0);
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 0);
}

static void a_missing_program_is_a_spawn_failure(void)
{
    cannot_start("/nonexistent/program", "", "No such file or directory");
}

static void a_program_that_is_not_executable_is_a_spawn_failure(void)
{
    cannot_start("/etc/passwd", "", "Permission denied");
}

static void a_long_path_of_umlauts_is_a_spawn_failure_that_can_be_read(void)
{
    GString *path = g_string_new("/x");
    for (int i = 0; i < 100; i++)
        g_string_append(path, "\u00fc");

    cannot_start(path->str, "", "No such file or directory");
    g_string_free(path, TRUE);
}

static void an_unknown_user_is_a_spawn_failure(void)
{
    cannot_start("/bin/true", "user: nobody-has-this-name\n", "user nobody-has-this-name");
}

static void a_missing_working_directory_is_a_spawn_failure(void)
{
    cannot_start("/bin/true", "working_directory: /nonexistent\n", "working_directory");
}

/* ---- what-it-is-given ------------------------------------------------------------------ */

/* What is in a file once a text stands there: it is written outside of proctord, at its leisure. */
static char *text_with(const char *path, const char *last)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    char *text = NULL;

    while (!g_file_get_contents(path, &text, NULL, NULL) || !strstr(text, last)) {
        g_clear_pointer(&text, g_free);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(10000);
    }
    return text;
}

static void the_process_gets_what_the_manifest_says(void)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: probe\n"
        "exec: [/bin/sh, -c, 'umask; pwd; nice; ulimit -n; echo $COLOUR; echo $PROCTOR_CHILD "
        "$PROCTOR_GENERATION $PROCTOR_ATTEMPT; id -u; ls /proc/self/fd | wc -l; "
        "cut -d \" \" -f 6 /proc/$$/stat; echo $$; grep NoNewPrivs /proc/self/status']\n"
        "restart: temporary\numask: \"0027\"\nworking_directory: /usr\nnice: 5\n"
        "limits: {nofile: 77}\nenvironment: {COLOUR: blue}\nuser: daemon\n"
        "stdout: {file: %s/out}\n",
        f.folder);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_event(&f, "child-exited", "probe", 1);

    g_autofree char *text = text_with(fixture_path(&f, "out"), "NoNewPrivs");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpstr(lines[0], ==, "0027");
    g_assert_cmpstr(lines[1], ==, "/usr");
    g_assert_cmpstr(lines[2], ==, "5");
    g_assert_cmpstr(lines[3], ==, "77");
    g_assert_cmpstr(lines[4], ==, "blue");
    g_assert_cmpstr(lines[5], ==, "probe 0 1");
    g_assert_cmpstr(lines[6], ==, "1");
    g_assert_cmpint(atoi(lines[7]), <=, 5);  /* 0, 1, 2, and those of ls and its pipe */
    g_assert_cmpstr(lines[8], ==, lines[9]); /* a session of its own */
    g_assert_nonnull(strstr(lines[10], "1"));
}

static void only_the_capabilities_of_the_manifest_are_left(void)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: probe\nexec: [/bin/sh, -c, 'grep -E \"Cap(Eff|Bnd|Amb)\" /proc/self/status']\n"
        "restart: temporary\nuser: daemon\ncapabilities: [CAP_NET_BIND_SERVICE]\n"
        "stdout: {file: %s/out}\n",
        f.folder);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_event(&f, "child-exited", "probe", 1);

    g_autofree char *text = text_with(fixture_path(&f, "out"), "CapAmb:\t0000000000000400\n");
    g_assert_cmpstr(text, ==,
                    "CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\n"
                    "CapAmb:\t0000000000000400\n");
}

static guint lines_of_all(void)
{
    guint lines = fixture_count_lines(&f, "out");

    for (int i = 1; i <= 20; i++) {
        g_autofree char *name = g_strdup_printf("out.%d", i);
        lines += fixture_count_lines(&f, name);
    }
    return lines;
}

/* They are written beside the loop: the end may be reported before its last line is there. A file
 * that becomes another one while it is counted counts twice, so they are counted again. */
static void wait_for_lines_of_all(guint count)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (lines_of_all() != count || lines_of_all() != count) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(10000);
    }
}

static void output_files_rotate_without_losing_a_line(void)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: loud\nexec: [/bin/sh, -c, 'i=0; while [ $i -lt 2000 ]; do echo line $i; "
        "i=$((i+1)); done']\nrestart: temporary\n"
        "stdout: {file: %s/out, max_size: 4K, keep: 20}\n",
        f.folder);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    fixture_wait_event(&f, "child-exited", "loud", 1);
    wait_for_lines_of_all(2000);

    g_assert_cmpuint(lines_of_all(), ==, 2000);
    g_assert_true(g_file_test(fixture_path(&f, "out.1"), G_FILE_TEST_EXISTS));
}

/* ---- notify ---------------------------------------------------------------------------------- */

static void a_strangers_message_is_refused_and_counted(void)
{
    fixture_add(&f, "worker", "readiness: explicit\n", "pause");
    g_autofree char *socket = g_strdup_printf("NOTIFY_SOCKET=%s/run/notify", f.folder);
    char *environment[] = {socket, NULL};
    char *command[] = {(char *)g_getenv("TEST_CHILD"), "ready", "beat", NULL};

    g_assert_true(g_spawn_sync(NULL, command, environment, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL,
                               NULL, NULL));
    const char *text = "";
    while (!strstr(text, "proctor_notify_refused_total 2")) {
        g_autoptr(GVariant) reply = fixture_manager(&f, "GetMetrics", NULL, NULL);
        text = g_intern_string(g_variant_get_string(g_variant_get_child_value(reply, 0), NULL));
    }

    g_autofree char *readiness = fixture_text(&f, "worker", "Readiness");
    g_assert_cmpstr(readiness, ==, "unreported");
    g_assert_cmpuint(fixture_number(&f, "worker", "LastHeartbeatUSec"), ==, 0);
}

static void a_silent_child_is_restarted_where_it_says_so(void)
{
    fixture_add(&f, "worker",
                FAST "readiness: immediate\nheartbeat: {interval: 10ms, stale_after: 30ms, "
                     "on_stale: restart, required: true}\n",
                "pause");

    fixture_wait_event(&f, "child-restarted", "worker", 1);

    assert_dict_text("worker", "LastExit", "Kind", "unhealthy");
}

static void a_child_that_never_gets_ready_is_timed_out(void)
{
    fixture_add(&f, "worker",
                FAST "readiness: explicit\nstart_timeout: 30ms\nrestart_limit: {burst: 0}\n",
                "pause");

    fixture_wait_text(&f, "worker", "Operation", "quarantined");
    assert_dict_text("worker", "LastExit", "Kind", "timed-out");
}

/* ---- explanations ---------------------------------------------------------------------------- */

static void every_state_is_explained(void)
{
    fixture_fifo(&f, "go");
    fixture_add(&f, "fine", "", "wait-term");
    fixture_add(&f, "silent", "readiness: explicit\n", "pause");
    fixture_add(&f, "needy", "requires: [silent]\nreadiness: immediate\n", "pause");
    fixture_add(&f, "waits", "backoff: {initial: 10s, jitter: none}\n", "exit=3");
    fixture_add(&f, "done", "restart: temporary\n", "exit=0");
    fixture_add(&f, "off", "autostart: false\nreadiness: immediate\n", "pause");
    add_with_file("held", "", "wait-term, wait=@", "go");
    fixture_wait_event(&f, "child-exited", "waits", 1);
    fixture_wait_event(&f, "child-exited", "done", 1);
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "held");

    assert_explained("fine", "ready for");
    assert_explained("silent", "has not reported readiness yet");
    assert_explained("needy", "requires silent, which is not ready");
    assert_explained("waits", "before restart 1 of 10, after exit code 3");
    assert_explained("done", "ended with success; restart policy temporary does not restart it");
    assert_explained("off", "autostart is off");
    assert_explained("held", "paused by root (uid 0)");
    assert_explained("held", "\"test\"; still stopping");
    fixture_release(&f, "go");
}

/* ---- callers --------------------------------------------------------------------------------- */

static void refused(const char *method, GVariant *arguments, const char *name, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_manager(&f, method, arguments, &error);
    g_autofree char *remote = g_dbus_error_get_remote_error(error);

    g_assert_null(reply);
    g_assert_cmpstr(remote, ==, name);
    if (!strstr(error->message, part))
        g_error("\"%s\" does not say \"%s\"", error->message, part);
}

static void bad_calls_get_clear_errors_and_change_nothing(void)
{
    GVariantBuilder options;
    g_autofree char *huge = g_strnfill(100000, 'x');
    GString *umlauts = g_string_new("x");
    for (int i = 0; i < 500; i++)
        g_string_append(umlauts, "\u00fc"); /* an answer that quotes it must not cut one in half */
    fixture_add(&f, "worker", "", "wait-term");

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "dryrun", g_variant_new_boolean(TRUE));
    refused("PauseChild", g_variant_new("(ssa{sv})", "worker", "test", &options),
            "org.proctor1.Error.InvalidArgument", "dryrun");
    refused("PauseChild", g_variant_new("(ssa{sv})", "worker", huge, NULL),
            "org.proctor1.Error.InvalidArgument", "reason");
    refused("PauseChild", g_variant_new("(ssa{sv})", "../etc", "test", NULL),
            "org.proctor1.Error.NoSuchChild", "../etc");
    refused("GetChild", g_variant_new("(s)", huge), "org.proctor1.Error.NoSuchChild", "no child");
    refused("GetChild", g_variant_new("(s)", umlauts->str), "org.proctor1.Error.NoSuchChild",
            "no child");
    g_autofree char *manifest = g_strdup_printf("name: a\nrestart: %s\n", umlauts->str);
    refused("AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL),
            "org.proctor1.Error.InvalidManifest", "line 2, column 10: restart: expected one of");
    g_string_free(umlauts, TRUE);
    refused("AddChild", g_variant_new("(ssa{sv})", huge, "test", NULL),
            "org.proctor1.Error.LimitExceeded", "manifest");
    refused("AddChild", g_variant_new("(ssa{sv})", "name: worker\n", "test", NULL),
            "org.proctor1.Error.ChildExists", "worker");
    refused("AddChild", g_variant_new("(ssa{sv})", "name: a\nrestrat: always\n", "test", NULL),
            "org.proctor1.Error.InvalidManifest",
            "line 2, column 1: restrat: unknown key, did you mean \"restart\"?");
    refused("AddChild", g_variant_new("(ssa{sv})", "name: a\nrequires: [b]\n", "test", NULL),
            "org.proctor1.Error.InvalidManifest", "line 2, column 12: no child is called \"b\"");
    refused("GetChildByPID", g_variant_new("(u)", (guint32)1), "org.proctor1.Error.NoSuchChild",
            "belongs to no child");

    g_autofree char *operation = fixture_text(&f, "worker", "Operation");
    g_assert_cmpstr(operation, ==, "active");
    g_assert_false(fixture_exists(&f, "a"));
}

static GVariant *with_key(const char *key)
{
    GVariantBuilder options;
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "idempotency-key", g_variant_new_string(key));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "PauseChild", g_variant_new("(ssa{sv})", "worker", "test", &options), NULL);
    return g_variant_get_child_value(reply, 0);
}

static void the_same_key_gets_the_first_answer(void)
{
    fixture_add(&f, "worker", "", "wait-term");

    g_autoptr(GVariant) first = with_key("k1");
    g_autoptr(GVariant) second = with_key("k1");
    g_autoptr(GVariant) other = with_key("k2");

    g_assert_true(g_variant_equal(first, second));
    g_assert_true(dict_flag(second, "CancelDelivered"));
    g_assert_false(dict_flag(other, "CancelDelivered"));
}

static void the_same_key_adds_a_child_once(void)
{
    for (int i = 0; i < 4; i++) { /* twice with wait, twice without: each pair has its own key */
        GVariantBuilder options;
        g_autofree char *manifest = g_strdup_printf("name: c%d\nexec: [/bin/true]\n", i / 2);
        g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&options, "{sv}", "idempotency-key",
                              g_variant_new_string(i < 2 ? "a" : "b"));
        g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(i < 2));
        g_autoptr(GVariant) reply = fixture_manager(
            &f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", &options), NULL);
    }

    g_assert_cmpuint(fixture_events(&f, "child-added", NULL), ==, 2);
}

static void wait_answers_when_the_effect_is_complete(void)
{
    fixture_add(&f, "worker", "", "wait-term");

    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "worker");
    g_assert_cmpuint(fixture_number(&f, "worker", "Generation"), ==, 1);
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "worker");

    g_assert_cmpstr(dict_text(restarted, "Status"), ==, "ready");
    g_assert_cmpstr(dict_text(paused, "StopState"), ==, "completed");
    g_assert_false(dict_has(paused, "Status"));
}

static char *leaf_file(const char *child, const char *file)
{
    g_autofree char *proc =
        g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/cgroup", fixture_number(&f, child, "MainPID"));
    g_autofree char *text = NULL;
    char *value = NULL;

    g_file_get_contents(proc, &text, NULL, NULL);
    char *path = strstr(text, "0::") + 3;
    path[strcspn(path, "\n")] = '\0';
    static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (gsize i = 0; !value && i < G_N_ELEMENTS(mounts); i++) {
        g_autofree char *name = g_build_filename(mounts[i], path, file, NULL);
        g_file_get_contents(name, &value, NULL, NULL);
    }
    return value;
}

/* Whichever this machine can do: each limit is in force, or said not to be. */
static void a_limit_is_in_force_or_told_not_to_be(void)
{
    static const struct {
        const char *name, *file, *value;
    } limits[] = {{"memory", "memory.max", "268435456\n"},
                  {"memory_high", "memory.high", "134217728\n"},
                  {"pids", "pids.max", "16\n"},
                  {"cpu_weight", "cpu.weight", "50\n"},
                  {"cpu_max", "cpu.max", "150000 100000\n"},
                  {"io_weight", "io.weight", "default 30\n"}};
    fixture_add(&f, "worker",
                "limits: {memory: 256M, memory_high: 128M, pids: 16, cpu_weight: 50, cpu_max: "
                "150%, io_weight: 30, nofile: 64}\n",
                "wait-term");
    g_autoptr(GVariant) property = fixture_property(&f, "worker", "UnenforcedLimits");
    g_autofree const char **unenforced = g_variant_get_strv(property, NULL);
    g_autofree char *explanation = fixture_text(&f, "worker", "Explanation");
    g_autofree char *proc = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/limits",
                                            fixture_number(&f, "worker", "MainPID"));
    g_autofree char *descriptors = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        if (g_strv_contains(unenforced, limits[i].name))
            continue;
        g_autofree char *value = leaf_file("worker", limits[i].file);
        g_assert_cmpstr(value, ==, limits[i].value);
    }
    g_assert_true((unenforced[0] != NULL) ==
                  (strstr(explanation, "without some of its limits") != NULL));
    g_file_get_contents(proc, &descriptors, NULL, NULL);
    g_assert_true(g_regex_match_simple("Max open files +64 +64 ", descriptors, 0, 0));

    fixture_add(&f, "free", "", "wait-term");
    g_autoptr(GVariant) none = fixture_property(&f, "free", "UnenforcedLimits");
    g_assert_cmpuint(g_variant_n_children(none), ==, 0);
}

static void assert_has_no_command(GVariant *answer)
{
    g_autoptr(GVariant) command = g_variant_lookup_value(answer, "CommandId", NULL);
    g_assert_null(command);
}

static void a_dry_run_tells_and_changes_nothing(void)
{
    GVariantBuilder options;
    fixture_add(&f, "worker", "", "wait-term");

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "dry-run", g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "RestartChild", g_variant_new("(ssa{sv})", "worker", "test", &options), NULL);
    g_autoptr(GVariant) outcome = g_variant_get_child_value(reply, 0);

    g_autoptr(GVariant) fence = dict_dict(outcome, "GenerationFence");
    g_assert_cmpstr(dict_text(fence, "Decision"), ==, "queued-after-stop");
    g_assert_true(dict_flag(outcome, "DryRun"));
    assert_has_no_command(outcome);
    g_autofree char *status = fixture_text(&f, "worker", "Status");
    g_autofree char *phase = fixture_text(&f, "worker", "FencePhase");
    g_assert_cmpstr(status, ==, "ready");
    g_assert_cmpstr(phase, ==, "open");
    g_assert_cmpuint(fixture_events(&f, "child-control-cancel-delivered", NULL), ==, 0);
}

static GVariant *dry_run(const char *method, const char *subject)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "dry-run", g_variant_new_boolean(TRUE));
    return fixture_manager(&f, method,
                           subject ? g_variant_new("(ssa{sv})", subject, "test", &options)
                                   : g_variant_new("(sa{sv})", "test", &options),
                           NULL);
}

/* The id that it would have goes to the next command of another caller. */
static void a_dry_run_is_no_command(void)
{
    fixture_add(&f, "worker", "", "wait-term");
    g_autoptr(GVariant) paused = dry_run("PauseChild", "worker");
    g_autoptr(GVariant) outcome = g_variant_get_child_value(paused, 0);
    assert_has_no_command(outcome);
    g_autoptr(GVariant) shut = dry_run("Shutdown", NULL);
    g_autoptr(GVariant) shutdown = g_variant_get_child_value(shut, 0);
    assert_has_no_command(shutdown);
    g_autofree char *phase = g_strdup(dict_text(shutdown, "Phase"));
    g_assert_cmpstr(phase, ==, "idle");

    g_autoptr(GVariant) done = fixture_verb(&f, "Pause", "worker");
    g_assert_nonnull(dict_text(done, "CommandId"));
}

static guint64 first_sequence;
static guint events_seen;

static void count_event(GDBusConnection *bus, const char *sender, const char *path,
                        const char *interface, const char *name, GVariant *arguments, gpointer data)
{
    guint64 sequence;
    (void)bus, (void)sender, (void)path, (void)interface, (void)name, (void)data;
    g_variant_get_child(arguments, 0, "t", &sequence);
    g_assert_cmpuint(sequence, ==, first_sequence + events_seen);
    events_seen++;
}

static void subscribers_get_every_event_in_order(void)
{
    guint id = g_dbus_connection_signal_subscribe(f.bus, "org.proctor1", "org.proctor1.Manager",
                                                  "Event", NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                  count_event, NULL, NULL);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "Subscribe", g_variant_new("(a{sv})", NULL), NULL);
    g_variant_get(reply, "(t)", &first_sequence);
    events_seen = 0;

    fixture_add(&f, "worker", "restart: temporary\n", "exit=0");
    fixture_wait_event(&f, "child-exited", "worker", 1);
    while (events_seen < 4)
        g_main_context_iteration(NULL, TRUE);

    g_dbus_connection_signal_unsubscribe(f.bus, id);
}

/* Newer kernels kill what is cloned into a cgroup that cgroup.kill has emptied once. Only a
 * process that lives on can say that it is ready. */
static void the_next_one_lives_after_leftovers(void)
{
    add_with_file("child", "restart: permanent\nreadiness: explicit\nbackoff: {initial: 10ms}\n",
                  "fork=@, ready, wait-term", "grandchild");
    fixture_wait_text(&f, "child", "Readiness", "ready");

    kill((pid_t)fixture_number(&f, "child", "MainPID"), SIGKILL);
    fixture_wait_number(&f, "child", "Attempt", 2);
    fixture_wait_text(&f, "child", "Readiness", "ready");

    g_assert_cmpuint(fixture_number(&f, "child", "Attempt"), ==, 2);
}

static void the_next_one_lives_after_an_abort(void)
{
    fixture_add(&f, "child", "stop: {timeout: 10ms}\nreadiness: explicit\n",
                "ignore-term, ready, pause");
    fixture_wait_text(&f, "child", "Readiness", "ready");

    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "child");
    fixture_wait_number(&f, "child", "Attempt", 2);
    fixture_wait_text(&f, "child", "Readiness", "ready");

    g_assert_cmpuint(fixture_number(&f, "child", "Attempt"), ==, 2);
}

static void shutdown_follows_the_dependencies(void)
{
    fixture_fifo(&f, "go");
    fixture_add(&f, "database", "", "wait-term");
    add_with_file("web", "requires: [database]\n", "wait-term, wait=@", "go");

    kill(f.pid, SIGTERM);
    fixture_wait_text(&f, "web", "Status", "cancelling");

    g_autofree char *status = fixture_text(&f, "database", "Status");
    g_assert_cmpstr(status, ==, "ready"); /* as long as web is there */
    fixture_release(&f, "go");
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

int main(int argc, char **argv)
{
    const char *const *options = fixture_cgroups();

    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, options, "/daemon/ends", kill_9_is_a_signaled_exit_and_a_restart);
    FIXTURE_TEST(&f, options, "/daemon/ends", the_death_of_a_grandchild_is_not_the_childs);
    FIXTURE_TEST(&f, options, "/daemon/ends", a_leftover_process_ends_with_its_attempt);
    FIXTURE_TEST(&f, options, "/daemon/ends", a_double_forked_process_ends_with_its_attempt);
    FIXTURE_TEST(&f, options, "/daemon/ends", who_ignores_the_cancel_is_aborted_and_then_restarted);
    FIXTURE_TEST(&f, options, "/daemon/starts-that-fail", a_missing_program_is_a_spawn_failure);
    FIXTURE_TEST(&f, options, "/daemon/starts-that-fail",
                 a_program_that_is_not_executable_is_a_spawn_failure);
    FIXTURE_TEST(&f, options, "/daemon/starts-that-fail",
                 a_long_path_of_umlauts_is_a_spawn_failure_that_can_be_read);
    FIXTURE_TEST(&f, options, "/daemon/starts-that-fail", an_unknown_user_is_a_spawn_failure);
    FIXTURE_TEST(&f, options, "/daemon/starts-that-fail",
                 a_missing_working_directory_is_a_spawn_failure);
    FIXTURE_TEST(&f, options, "/daemon/what-it-is-given", the_process_gets_what_the_manifest_says);
    FIXTURE_TEST(&f, options, "/daemon/what-it-is-given",
                 only_the_capabilities_of_the_manifest_are_left);
    FIXTURE_TEST(&f, options, "/daemon/what-it-is-given",
                 output_files_rotate_without_losing_a_line);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_strangers_message_is_refused_and_counted);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_silent_child_is_restarted_where_it_says_so);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_child_that_never_gets_ready_is_timed_out);
    FIXTURE_TEST(&f, options, "/daemon/explanations", every_state_is_explained);
    FIXTURE_TEST(&f, options, "/daemon/callers", bad_calls_get_clear_errors_and_change_nothing);
    FIXTURE_TEST(&f, options, "/daemon/callers", the_same_key_gets_the_first_answer);
    FIXTURE_TEST(&f, options, "/daemon/callers", the_same_key_adds_a_child_once);
    FIXTURE_TEST(&f, options, "/daemon/callers", wait_answers_when_the_effect_is_complete);
    FIXTURE_TEST(&f, options, "/daemon/processes", a_limit_is_in_force_or_told_not_to_be);
    FIXTURE_TEST(&f, options, "/daemon/callers", a_dry_run_tells_and_changes_nothing);
    FIXTURE_TEST(&f, options, "/daemon/callers", a_dry_run_is_no_command);
    FIXTURE_TEST(&f, options, "/daemon/callers", subscribers_get_every_event_in_order);
    FIXTURE_TEST(&f, options, "/daemon/processes", the_next_one_lives_after_leftovers);
    FIXTURE_TEST(&f, options, "/daemon/processes", the_next_one_lives_after_an_abort);
    FIXTURE_TEST(&f, options, "/daemon/callers", shutdown_follows_the_dependencies);
    return g_test_run();
}
