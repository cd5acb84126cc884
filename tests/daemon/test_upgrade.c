/*
 * The program is replaced in place: neither the children nor the callers notice.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MANAGER_PATH "/org/proctor1"
#define MANAGER      "org.proctor1.Manager"

static struct fixture f;
static const char *const *options;

static GVariant *reexecute(gboolean dry_run, GError **error)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    if (dry_run)
        g_variant_builder_add(&builder, "{sv}", "dry-run", g_variant_new_boolean(TRUE));
    return fixture_manager(&f, "Reexecute", g_variant_new("(sa{sv})", "test", &builder), error);
}

/* Once it answers from its loop again. */
static guint descriptors(void)
{
    g_assert_true(fixture_exists(&f, "web"));
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)f.pid);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    guint count = 0;

    while (g_dir_read_name(folder))
        count++;
    return count;
}

static guint64 manager_number(const char *name)
{
    g_autoptr(GVariant) value = fixture_manager_property(&f, name);
    return g_variant_get_uint64(value);
}

static void upgrade_by_signal(void)
{
    guint64 before = manager_number("StartedUSec");

    kill(f.pid, SIGUSR1);
    while (manager_number("StartedUSec") == before)
        g_main_context_iteration(NULL, FALSE);
}

/* ---- children -------------------------------------------------------------------------------- */

static void children_do_not_notice(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps =
        g_strdup_printf("\"wait=%s\", ready, wait-term", fixture_path(&f, "go"));
    fixture_add(&f, "web", "readiness: explicit\nstart_timeout: 0\n", steps);
    fixture_wait_text(&f, "web", "Status", "running");
    guint64 pid = fixture_number(&f, "web", "MainPID");

    fixture_upgrade(&f);
    g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
    fixture_release(&f, "go"); /* what it says reaches the new program */
    fixture_wait_text(&f, "web", "Readiness", "ready");
    fixture_upgrade(&f);
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "web");
    fixture_wait_number(&f, "web", "Generation", 1);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "web", "Readiness", "ready");
    g_assert_cmpint(kill((GPid)pid, 0), ==, -1);
    g_autofree char *by = fixture_event_field(&f, "supervisor-recovered", NULL, "lost");
    g_assert_cmpstr(by, ==, "0");
}

/* Of our own children the exit code is known, and so is what they had used. */
static void how_a_child_ends_is_known(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("\"wait=%s\", exit=7", fixture_path(&f, "go"));
    fixture_add(&f, "once", "restart: temporary\n", steps);
    fixture_upgrade(&f);
    fixture_release(&f, "go");
    fixture_wait_event(&f, "child-exited", "once", 1);
    g_autofree char *code = fixture_event_field(&f, "child-exited", "once", "code");
    g_assert_cmpstr(code, ==, "7");
}

static void a_signal_does_it_too(void)
{
    fixture_add(&f, "web", "", "wait-term");
    guint64 pid = fixture_number(&f, "web", "MainPID");

    upgrade_by_signal();
    g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
}

static void output_is_written_on(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *text = g_strdup_printf(
        "children:\n  - {name: web, exec: [/bin/sh, -c, 'echo one; read x < %s; echo two; sleep "
        "1000'], stdout: {file: %s}}\n",
        fixture_path(&f, "go"), fixture_path(&f, "web.log"));
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_upgrade(&f);
    fixture_release(&f, "go");
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    while (fixture_count_lines(&f, "web.log") < 2)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* ---- the callers ----------------------------------------------------------------------------- */

#define AT_ONCE 8

struct caller {
    guint under_way, answered, refused;
    char *refusal;
    gboolean stop;
};

static void call(struct caller *caller);

static void answer_came(GObject *source, GAsyncResult *result, gpointer data)
{
    struct caller *caller = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    caller->under_way--;
    if (reply)
        caller->answered++;
    else if (caller->refused++ == 0)
        caller->refusal = g_strdup(error->message);
    if (!caller->stop)
        call(caller);
}

/* So large that it arrives in pieces. */
static void ask_at_length(struct caller *caller)
{
    GVariantBuilder kinds, filter;

    g_variant_builder_init(&kinds, G_VARIANT_TYPE_STRING_ARRAY);
    for (int i = 0; i < 40000; i++)
        g_variant_builder_add(&kinds, "s", "child-ready");
    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&filter, "{sv}", "kinds", g_variant_builder_end(&kinds));
    g_dbus_connection_call(f.bus, "org.proctor1", MANAGER_PATH, MANAGER, "QueryEvents",
                           g_variant_new("(tua{sv})", (guint64)0, 1, &filter), NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, 10000, NULL, answer_came, caller);
}

/* By turns a question and a command. */
static void call(struct caller *caller)
{
    GVariantBuilder none;

    caller->under_way++;
    if ((caller->answered + caller->under_way) % 2 == 0) {
        g_dbus_connection_call(f.bus, "org.proctor1", MANAGER_PATH, MANAGER, "ListChildren", NULL,
                               NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, 10000, NULL, answer_came,
                               caller);
        return;
    }
    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_dbus_connection_call(f.bus, "org.proctor1", MANAGER_PATH, MANAGER, "RestartChild",
                           g_variant_new("(ssa{sv})", "web", "test", &none), NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, 10000, NULL, answer_came, caller);
}

static void no_call_is_refused(void)
{
    struct caller caller = {};

    fixture_add(&f, "web", "", "wait-term");
    for (int i = 0; i < AT_ONCE; i++)
        call(&caller);
    for (int i = 0; i < 20; i++) {
        guint before = caller.answered;
        if (i % 2 == 0)
            fixture_upgrade(&f);
        else
            upgrade_by_signal();
        while (caller.answered < before + AT_ONCE)
            g_main_context_iteration(NULL, TRUE);
    }
    caller.stop = TRUE;
    while (caller.under_way > 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(caller.refusal, ==, NULL);
    g_assert_cmpuint(caller.refused, ==, 0);
    g_assert_cmpuint(caller.answered, >=, 20 * AT_ONCE);
}

/* What has come by half is not lost. */
static void long_calls_are_read_to_their_end(void)
{
    for (int i = 0; i < 10; i++) {
        struct caller caller = {.stop = TRUE};
        for (caller.under_way = 0; caller.under_way < 20; caller.under_way++)
            ask_at_length(&caller);
        while (caller.answered < (guint)i)
            g_main_context_iteration(NULL, TRUE);
        kill(f.pid, SIGUSR1);
        while (caller.under_way > 0)
            g_main_context_iteration(NULL, TRUE);
        g_assert_cmpstr(caller.refusal, ==, NULL);
    }
}

struct answer {
    GVariant *reply;
    GError *error;
    gboolean came;
};

static void keep_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    struct answer *answer = data;

    answer->reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &answer->error);
    answer->came = TRUE;
}

static void ask(struct answer *answer, const char *path, const char *interface, const char *method,
                GVariant *arguments)
{
    *answer = (struct answer){};
    g_dbus_connection_call(f.bus, "org.proctor1", path, interface, method, arguments, NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, 20000, NULL, keep_answer, answer);
}

static GVariant *wait_for(struct answer *answer)
{
    while (!answer->came)
        g_main_context_iteration(NULL, TRUE);
    g_assert_no_error(answer->error);
    return answer->reply;
}

static GVariant *with_wait(const char *format, const char *text)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "wait", g_variant_new_boolean(TRUE));
    return strcmp(format, "(ssa{sv})") == 0 ? g_variant_new(format, text, "test", &builder)
                                            : g_variant_new(format, text, &builder);
}

/* The same key again: the same answer, and nothing is done. */
static void keys_are_remembered(void)
{
    char *answers[2];

    fixture_add(&f, "web", "", "wait-term");
    for (int i = 0; i < 2; i++) {
        GVariantBuilder builder;
        g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&builder, "{sv}", "idempotency-key", g_variant_new_string("k"));
        g_autoptr(GVariant) reply = fixture_manager(
            &f, "RestartChild", g_variant_new("(ssa{sv})", "web", "test", &builder), NULL);
        answers[i] = g_variant_print(reply, TRUE);
        fixture_upgrade(&f);
    }
    g_assert_cmpstr(answers[0], ==, answers[1]);
    g_free(answers[0]);
    g_free(answers[1]);
    fixture_wait_number(&f, "web", "Generation", 1);
    fixture_wait_text(&f, "web", "Status", "ready");
    g_autoptr(GVariant) paused = fixture_verb(&f, "Pause", "web");
    g_assert_cmpuint(fixture_events(&f, "command-accepted", "web"), ==, 1); /* the Pause */
    g_autofree char *from = fixture_event_field(&f, "command-accepted", "web", "from");
    g_assert_nonnull(strstr(from, "test-daemon-upg")); /* the caller is still known */
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 1);
}

/* Each kind of waiting: for a start, a stop, a child that is added, a whole scope and a job. */
static void who_waits_is_answered(void)
{
    struct answer added, restarted, removed, scope, job;

    for (int i = 0; i < 4; i++)
        fixture_fifo(&f, (const char *[]){"start", "stop", "job", "late"}[i]);
    g_autofree char *slow =
        g_strdup_printf("\"wait=%s\", ready, wait-term", fixture_path(&f, "start"));
    g_autofree char *late = g_strdup_printf(
        "name: late\nexec: [%s, \"wait=%s\", ready, wait-term]\nreadiness: explicit\n",
        g_getenv("TEST_CHILD"), fixture_path(&f, "late"));
    g_autofree char *work = g_strdup_printf("name: work\nexec: [%s, \"wait=%s\", exit=3]\n",
                                            g_getenv("TEST_CHILD"), fixture_path(&f, "job"));
    fixture_add(&f, "slow", "readiness: explicit\n", slow);
    fixture_release(&f, "start");
    fixture_wait_text(&f, "slow", "Readiness", "ready");
    fixture_add(&f, "deaf", "stop: {timeout: 1h}\n", "ignore-term, pause");
    fixture_write_tree(&f, "children:\n  - supervisor: group\n    children:\n"
                           "      - {name: m, exec: [@, ignore-term, ready, pause], "
                           "readiness: explicit, stop: {timeout: 1h}}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "group/m", "Readiness", "ready");

    ask(&added, MANAGER_PATH, MANAGER, "AddChild", with_wait("(ssa{sv})", late));
    ask(&restarted, MANAGER_PATH "/child/slow", "org.proctor1.Child", "Restart",
        with_wait("(sa{sv})", "test"));
    ask(&removed, MANAGER_PATH "/child/deaf", "org.proctor1.Child", "Remove",
        with_wait("(sa{sv})", "test"));
    ask(&scope, MANAGER_PATH "/supervisor/root/group", "org.proctor1.Supervisor", "Pause",
        with_wait("(sa{sv})", "test"));
    ask(&job, MANAGER_PATH, MANAGER, "RunJob", with_wait("(ssa{sv})", work));
    fixture_wait_number(&f, "slow", "Generation", 1);
    GPid deaf = (GPid)fixture_number(&f, "deaf", "MainPID");
    GPid member = (GPid)fixture_number(&f, "group/m", "MainPID");
    fixture_upgrade(&f);
    g_assert_false(added.came || restarted.came || removed.came || scope.came);

    fixture_release(&f, "late");
    g_assert_nonnull(wait_for(&added));
    fixture_release(&f, "start");
    g_autoptr(GVariant) start = g_variant_get_child_value(wait_for(&restarted), 0);
    g_assert_cmpstr(dict_text(start, "Status"), ==, "ready");
    g_assert_cmpstr(dict_text(start, "ChildId"), ==, "slow");
    kill(deaf, SIGKILL);
    g_autoptr(GVariant) end = g_variant_get_child_value(wait_for(&removed), 0);
    g_assert_cmpstr(dict_text(end, "OperationAfter"), ==, "removed");
    kill(member, SIGKILL);
    g_autoptr(GVariant) list = g_variant_get_child_value(wait_for(&scope), 0);
    g_assert_cmpuint(g_variant_n_children(list), ==, 1);
    fixture_release(&f, "job");
    g_assert_nonnull(wait_for(&job));
}

/* ---- the subscribers ------------------------------------------------------------------------- */

static GArray *sequences;

static void event_came(GDBusConnection *bus, const char *sender, const char *path,
                       const char *interface, const char *name, GVariant *arguments, gpointer data)
{
    guint64 sequence;

    (void)bus, (void)sender, (void)path, (void)interface, (void)name, (void)data;
    g_variant_get_child(arguments, 0, "t", &sequence);
    g_array_append_val(sequences, sequence);
}

static void events_come_without_a_gap(void)
{
    GVariantBuilder all;
    guint64 last, reached = 0;

    sequences = g_array_new(FALSE, FALSE, sizeof(guint64));
    guint id =
        g_dbus_connection_signal_subscribe(f.bus, "org.proctor1", MANAGER, "Event", MANAGER_PATH,
                                           NULL, G_DBUS_SIGNAL_FLAGS_NONE, event_came, NULL, NULL);
    g_variant_builder_init(&all, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) first =
        fixture_manager(&f, "Subscribe", g_variant_new("(a{sv})", &all), NULL);
    fixture_add(&f, "web", "", "wait-term");
    for (int i = 0; i < 3; i++) {
        fixture_upgrade(&f);
        g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "web");
    }
    last = manager_number("Sequence");
    while (reached < last) {
        g_main_context_iteration(NULL, TRUE);
        reached = sequences->len > 0 ? g_array_index(sequences, guint64, sequences->len - 1) : 0;
    }
    for (guint i = 1; i < sequences->len; i++)
        g_assert_cmpuint(g_array_index(sequences, guint64, i), ==,
                         g_array_index(sequences, guint64, i - 1) + 1);
    g_dbus_connection_signal_unsubscribe(f.bus, id);
    g_array_unref(sequences);
}

static void property_came(GDBusConnection *bus, const char *sender, const char *path,
                          const char *interface, const char *name, GVariant *arguments,
                          gpointer data)
{
    g_autoptr(GVariant) changed = g_variant_get_child_value(arguments, 1);
    char **operation = data;

    (void)bus, (void)sender, (void)path, (void)interface, (void)name;
    if (dict_has(changed, "Operation")) {
        g_free(*operation);
        *operation = g_strdup(dict_text(changed, "Operation"));
    }
}

/* What was shown of a child before is not known any more: its first change is reported all the
 * same. */
static void the_first_change_is_told(void)
{
    g_autofree char *operation = NULL;

    fixture_add(&f, "web", "", "wait-term");
    fixture_wait_text(&f, "web", "Status", "ready");
    guint id = g_dbus_connection_signal_subscribe(
        f.bus, "org.proctor1", "org.freedesktop.DBus.Properties", "PropertiesChanged",
        "/org/proctor1/child/web", "org.proctor1.Child", G_DBUS_SIGNAL_FLAGS_NONE, property_came,
        &operation, NULL);
    fixture_upgrade(&f);
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Pause", "web");
    g_autoptr(GVariant) again = fixture_property(&f, "web", "Operation"); /* comes after it */
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpstr(operation, ==, "paused");
    g_dbus_connection_signal_unsubscribe(f.bus, id);
}

/* ---- the program ----------------------------------------------------------------------------- */

static void nothing_piles_up(void)
{
    fixture_add(&f, "web", "", "wait-term");
    fixture_upgrade(&f);
    guint before = descriptors();
    for (int i = 0; i < 20; i++)
        fixture_upgrade(&f);
    /* One or two may be open just now; one that is left each time would be twenty. */
    g_assert_cmpuint(descriptors(), <, before + 10);
}

static void put_script(const char *path, const char *text)
{
    g_autofree char *fresh = g_strdup_printf("%s.new", path);

    g_assert_true(g_file_set_contents(fresh, text, -1, NULL));
    g_chmod(fresh, 0755);
    g_rename(fresh, path);
}

static void is_refused(const char *word, gboolean dry_run)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = reexecute(dry_run, &error);

    g_assert_null(reply);
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.CannotReexecute");
    if (!strstr(error->message, word))
        g_error("expected \"%s\", got \"%s\"", word, error->message);
}

/* A program that hangs is looked at beside the loop. */
static void holds_up_nobody(const char *path)
{
    struct answer answer;

    put_script(path, "#!/bin/sh\nexec sleep 60\n");
    ask(&answer, "/org/proctor1", "org.proctor1.Manager", "Reexecute",
        with_wait("(sa{sv})", "test"));
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "web");
    g_assert_false(answer.came);
    while (!answer.came)
        g_main_context_iteration(NULL, TRUE);
    g_assert_nonnull(answer.error);
    g_assert_nonnull(strstr(answer.error->message, "does not start with these options"));
    g_clear_error(&answer.error);
}

/* ---- two that reap --------------------------------------------------------------------------- */

static void next_stop(GPid pid, struct __ptrace_syscall_info *info)
{
    int status;

    g_assert_cmpint(ptrace(PTRACE_SYSCALL, pid, 0, 0), ==, 0);
    g_assert_cmpint(waitpid(pid, &status, __WALL), ==, pid);
    g_assert_true(WIFSTOPPED(status));
    info->op = PTRACE_SYSCALL_INFO_NONE;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80))
        g_assert_cmpint(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), info), >, 0);
}

/* It has seen that a child has ended, and is about to reap it. */
static GPid stop_before_it_reaps(GPid pid)
{
    struct __ptrace_syscall_info info;

    do
        next_stop(pid, &info);
    while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_waitid ||
           info.entry.args[0] != P_PID || info.entry.args[3] & WNOWAIT);
    return (GPid)info.entry.args[1];
}

/* Until it has a spawner: then it takes signals. */
static GPid start_without_bus(const char *path)
{
    g_autofree char *bus = g_strdup_printf("--bus-address=unix:path=%s", fixture_path(&f, "none"));
    g_autofree char *state = g_strdup_printf("--state-dir=%s", fixture_path(&f, "alone"));
    g_autofree char *run = g_strdup_printf("--runtime-dir=%s", fixture_path(&f, "alone-run"));
    g_autofree char *tree = g_strdup_printf("--manifests=%s", fixture_path(&f, "children.d"));
    const char *const arguments[] = {path, bus, state, run, tree, NULL};
    GPid pid;

    g_assert_true(g_spawn_async(NULL, (char **)(uintptr_t)arguments, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL));
    g_autofree char *children = g_strdup_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
    for (g_autofree char *text = NULL; !text || !*text; g_usleep(1000)) {
        g_clear_pointer(&text, g_free);
        g_assert_true(g_file_get_contents(children, &text, NULL, NULL));
    }
    return pid;
}

/* The thread that looks at the program on disk waits for that, too. It comes first here, as it
 * waits for the end of the output no longer than two seconds. */
static void two_may_reap_the_same(void)
{
    g_autofree char *path = g_strdup(fixture_path(&f, "proctord"));
    int status;

    g_assert_cmpint(symlink(g_getenv("PROCTORD"), path), ==, 0);
    GPid pid = start_without_bus(path);
    put_script(path, "#!/bin/sh\nsleep 20 &\nexit 0\n"); /* which keeps the output open */

    g_assert_cmpint(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), ==, 0);
    g_assert_cmpint(ptrace(PTRACE_INTERRUPT, pid, 0, 0), ==, 0);
    g_assert_cmpint(waitpid(pid, &status, __WALL), ==, pid);
    kill(pid, SIGUSR1);
    fixture_wait_gone(&f, stop_before_it_reaps(pid));
    g_assert_cmpint(ptrace(PTRACE_DETACH, pid, 0, 0), ==, 0);

    kill(pid, SIGTERM);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

/* The file where proctord was started from is a program that cannot take over. */
static void what_can_not_take_over_does_not(void)
{
    const char *real = g_getenv("PROCTORD");
    g_autofree char *path = g_strdup(fixture_path(&f, "proctord"));
    g_autofree char *gone = g_strdup_printf(
        "#!/bin/sh\ncase \"$*\" in *--version) rm \"$0\";; esac\nexec %s \"$@\"\n", real);
    g_autofree char *good = g_strdup_printf("#!/bin/sh\nexec %s \"$@\"\n", real);

    g_assert_cmpint(symlink(real, path), ==, 0);
    g_setenv("PROCTORD", path, TRUE);
    fixture_kill(&f);
    fixture_again(&f, options);
    fixture_add(&f, "web", "", "wait-term");
    guint64 pid = fixture_number(&f, "web", "MainPID");

    put_script(path, "#!/bin/sh\necho proctord 9; echo formats: journal-9\n");
    is_refused("uses other formats (formats: journal-9)", TRUE);
    is_refused("uses other formats", FALSE);
    put_script(path, "#!/bin/sh\necho oh dear >&2\nexit 1\n");
    is_refused("its output: oh dear", FALSE);
    holds_up_nobody(path);
    pid = fixture_number(&f, "web", "MainPID");
    g_unlink(path);
    is_refused("No such file", TRUE);
    put_script(path, gone); /* it passes, and then it is not there any more */
    is_refused("No such file", FALSE);
    g_assert_cmpuint(fixture_events(&f, "supervisor-recovered", NULL), ==, 1);

    put_script(path, good);
    g_autoptr(GVariant) dry = reexecute(TRUE, NULL);
    g_autoptr(GVariant) result = g_variant_get_child_value(dry, 0);
    g_assert_cmpstr(dict_text(result, "version"), ==, PROCTOR_VERSION);
    fixture_upgrade(&f);
    g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
    g_setenv("PROCTORD", real, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    options = fixture_cgroups();
    FIXTURE_TEST(&f, options, "/daemon/upgrade", children_do_not_notice);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", how_a_child_ends_is_known);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", a_signal_does_it_too);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", output_is_written_on);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", no_call_is_refused);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", long_calls_are_read_to_their_end);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", keys_are_remembered);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", who_waits_is_answered);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", events_come_without_a_gap);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", the_first_change_is_told);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", nothing_piles_up);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", what_can_not_take_over_does_not);
    FIXTURE_TEST(&f, options, "/daemon/upgrade", two_may_reap_the_same);
    return g_test_run();
}
