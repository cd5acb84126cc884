/*
 * The tree as a whole: manifests, reload, instances, the end of the daemon.
 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

static void assert_names(GVariant *changes, const char *key, const char *expected)
{
    g_autoptr(GVariant) names = dict_dict(changes, key);
    g_auto(GStrv) list = g_variant_dup_strv(names, NULL);
    g_autofree char *text = g_strjoinv(" ", list);
    g_assert_cmpstr(text, ==, expected);
}

/* ---- tree ------------------------------------------------------------------------------------ */

static void reload_applies_the_difference(void)
{
    fixture_write_tree(&f, "children:\n"
                           "  - {name: same, exec: [@, ready, wait-term], readiness: explicit}\n"
                           "  - {name: changes, exec: [@, ready, wait-term], readiness: explicit}\n"
                           "  - {name: goes, exec: [@, ready, wait-term], readiness: explicit}\n");
    g_autoptr(GVariant) first = fixture_reload(&f, NULL);
    assert_names(first, "added", "same changes goes");
    fixture_wait_text(&f, "changes", "Readiness", "ready");
    fixture_wait_text(&f, "goes", "Readiness", "ready");

    fixture_write_tree(
        &f, "children:\n"
            "  - {name: same, exec: [@, ready, wait-term], readiness: explicit}\n"
            "  - {name: changes, exec: [@, ready, wait-term], readiness: explicit, tags: [x]}\n"
            "  - {name: comes, exec: [@, ready, wait-term], readiness: explicit}\n");
    g_autoptr(GVariant) second = fixture_reload(&f, NULL);

    assert_names(second, "added", "comes");
    assert_names(second, "changed", "changes");
    assert_names(second, "removed", "goes");
    g_assert_cmpuint(dict_number(second, "unchanged"), ==, 1);
    fixture_wait_removed(&f, "goes");
    assert_names(second, "in-place", "changes");
    assert_names(second, "pending", "");
    g_assert_cmpuint(fixture_number(&f, "changes", "Generation"), ==, 0);
    g_autoptr(GVariant) tags = fixture_property(&f, "changes", "Tags");
    g_autofree char *text = g_variant_print(tags, FALSE);
    g_assert_cmpstr(text, ==, "['x']");
    g_assert_false(fixture_flag(&f, "changes", "ManifestPending"));
    g_assert_cmpuint(fixture_number(&f, "same", "Attempt"), ==, 1);
}

/* auto_restart_and_manual_restart_share_fence_gate_test: a sibling's strategy and a restart by hand
 */
static void a_strategy_and_hand_share_one_gate(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *text = g_strdup_printf(
        "supervisor: root\n"
        "strategy: one-for-all\n"
        "children:\n"
        "  - {name: alpha, restart: permanent, backoff: {initial: 10ms}, exec: [@, ready, "
        "wait-term],\n"
        "     readiness: explicit}\n"
        "  - {name: beta, exec: [@, ready, wait-term, \"wait=%s\"], readiness: explicit}\n",
        fixture_path(&f, "go"));
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "alpha", "Readiness", "ready");
    fixture_wait_text(&f, "beta", "Readiness", "ready");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "beta");

    kill((pid_t)fixture_number(&f, "alpha", "MainPID"), SIGKILL);
    fixture_wait_number(&f, "alpha", "Attempt", 0);
    g_assert_cmpuint(fixture_events(&f, "child-restart-conflict", "beta"), ==, 1);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "beta"), ==, 1);
    fixture_release(&f, "go");
    fixture_wait_number(&f, "alpha", "Attempt", 2);
    fixture_wait_number(&f, "beta", "Attempt", 2);

    g_assert_cmpuint(fixture_events(&f, "child-starting", "alpha"), ==, 2);
    g_assert_cmpuint(fixture_events(&f, "child-starting", "beta"), ==, 2);
}

static void a_reload_with_a_mistake_changes_nothing(void)
{
    fixture_write_tree(
        &f, "children:\n  - {name: a, exec: [@, ready, wait-term], readiness: explicit}\n");
    g_autoptr(GVariant) first = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "a", "Readiness", "ready");

    fixture_write_tree(
        &f, "children:\n  - {name: b, exec: [@]}\n  - {name: c, exec: [@], requires: [d]}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) second = fixture_reload(&f, &error);

    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_null(second);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.InvalidManifest");
    g_assert_nonnull(strstr(error->message, "tree.yaml:3:"));
    g_assert_nonnull(strstr(error->message, "no child is called \"d\""));
    g_assert_true(fixture_exists(&f, "a"));
    g_assert_false(fixture_exists(&f, "b"));
    g_assert_cmpuint(fixture_number(&f, "a", "Attempt"), ==, 1);
}

/* No descriptor is left, say: a folder that cannot be read is not an empty one. */
static void a_reload_that_can_not_read_changes_nothing(void)
{
    struct rlimit before;
    g_autoptr(GError) error = NULL;

    fixture_write_tree(&f, "children:\n  - {name: web, exec: [@, wait-term]}\n");
    g_autoptr(GVariant) first = fixture_reload(&f, NULL);
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, NULL, &before), ==, 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, &none, NULL), ==, 0);
    g_autoptr(GVariant) second = fixture_reload(&f, &error);
    g_assert_cmpint(prlimit(f.pid, RLIMIT_NOFILE, &before, NULL), ==, 0);
    g_assert_null(second);
    g_assert_nonnull(strstr(error->message, "Too many open files"));
    g_assert_true(fixture_exists(&f, "web"));
}

static void a_reload_with_a_cycle_changes_nothing(void)
{
    fixture_write_tree(&f, "children:\n"
                           "  - {name: a, exec: [@, ready, wait-term], readiness: explicit}\n"
                           "  - {name: b, exec: [@, pause], requires: [a]}\n");
    g_autoptr(GVariant) first = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "a", "Readiness", "ready");

    fixture_write_tree(
        &f, "children:\n"
            "  - {name: a, exec: [@, ready, wait-term], readiness: explicit, after: [b]}\n"
            "  - {name: b, exec: [@, pause], requires: [a]}\n"
            "  - {name: new, exec: [@, pause]}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) second = fixture_reload(&f, &error);

    g_assert_null(second);
    g_assert_nonnull(strstr(error->message, "cycle"));
    g_assert_false(fixture_exists(&f, "new"));
    g_assert_cmpuint(fixture_number(&f, "a", "Attempt"), ==, 1);
}

static void sighup_reloads(void)
{
    fixture_write_tree(
        &f, "children:\n  - {name: a, exec: [@, ready, wait-term], readiness: explicit}\n");

    kill(f.pid, SIGHUP);

    fixture_wait_event(&f, "child-ready", "a", 1);
}

static void a_second_instance_says_so(void)
{
    g_autofree char *state = g_strdup_printf("--state-dir=%s/state", f.folder);
    g_autofree char *run = g_strdup_printf("--runtime-dir=%s/run2", f.folder);
    char *command[] = {(char *)g_getenv("PROCTORD"), "--private-bus", state, run, NULL};
    g_autofree char *output = NULL;
    int status;

    g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &output,
                               &status, NULL));

    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_assert_nonnull(strstr(output, "another proctord is using this state folder"));
}

/* Not even its files are touched. */
static void a_second_instance_in_the_same_folders_hurts_nobody(void)
{
    static const char *const folders[][2] = {{"state", "run"}, {"state2", "run"}};

    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *state = g_strdup_printf("--state-dir=%s/%s", f.folder, folders[i][0]);
        g_autofree char *run = g_strdup_printf("--runtime-dir=%s/%s", f.folder, folders[i][1]);
        char *command[] = {(char *)g_getenv("PROCTORD"), "--private-bus", state, run, NULL};
        g_autofree char *output = NULL;
        int status;
        g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &output,
                                   &status, NULL));
        g_assert_cmpint(WEXITSTATUS(status), ==, 1);
        g_assert_nonnull(strstr(output, i == 0 ? "this state folder" : "this runtime folder"));
        g_assert_true(g_file_test(fixture_path(&f, "run/bus"), G_FILE_TEST_EXISTS));
        g_assert_true(g_file_test(fixture_path(&f, "run/notify"), G_FILE_TEST_EXISTS));
    }
    fixture_add(&f, "web", "readiness: explicit\n", "ready, wait-term");
    fixture_wait_text(&f, "web", "Status", "ready");
}

static void a_limit_that_ends_the_tree_ends_the_daemon_with_10(void)
{
    fixture_add(&f, "other", "", "wait-term");
    fixture_add(&f, "fatal", "restart_limit: {burst: 0, on_limit: shutdown-tree}\n", "exit=1");

    g_assert_cmpint(fixture_wait_end(&f), ==, 10);
}

static void a_child_starts_when_what_it_requires_is_ready(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("wait=%s/go, ready, pause", f.folder);
    fixture_add(&f, "database", "readiness: explicit\n", steps);
    fixture_add(&f, "web", "requires: [database]\nreadiness: immediate\n", "pause");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 0);

    fixture_release(&f, "go");

    fixture_wait_number(&f, "web", "Attempt", 1);
}

static guint added, removed;

static void count_signal(GDBusConnection *bus, const char *sender, const char *path,
                         const char *interface, const char *name, GVariant *arguments,
                         gpointer data)
{
    (void)bus, (void)sender, (void)path, (void)interface, (void)arguments, (void)data;
    added += strcmp(name, "ChildAdded") == 0 || strcmp(name, "InterfacesAdded") == 0;
    removed += strcmp(name, "ChildRemoved") == 0 || strcmp(name, "InterfacesRemoved") == 0;
}

static void coming_and_going_is_signalled(void)
{
    guint id =
        g_dbus_connection_signal_subscribe(f.bus, "org.proctor1", NULL, NULL, "/org/proctor1", NULL,
                                           G_DBUS_SIGNAL_FLAGS_NONE, count_signal, NULL, NULL);
    added = removed = 0;

    fixture_add(&f, "worker", "", "wait-term");
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Remove", "worker");
    while (added < 2 || removed < 2)
        g_main_context_iteration(NULL, TRUE);

    g_assert_cmpuint(added, ==, 2);
    g_assert_cmpuint(removed, ==, 2);
    g_dbus_connection_signal_unsubscribe(f.bus, id);
}

/* ---- a service manager that does not read ---------------------------------------------------- */

static int bind_manager(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    /* Each has room of its own for a part of what fills the queue. */
    for (gboolean more = TRUE; more;) {
        int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ssize_t n = sendto(other, "X=1", 3, 0, (struct sockaddr *)&address, sizeof(address));
        more = n > 0;
        while (n > 0)
            n = sendto(other, "X=1", 3, 0, (struct sockaddr *)&address, sizeof(address));
        close(other);
    }
    return fd;
}

/* Each word once, in the order in which they were said; others between them do not matter. */
static void wait_for_words(int fd, const char *const *words)
{
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    char text[4096];

    while (*words) {
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        words += strcmp(text, *words) == 0;
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void a_manager_that_does_not_read_holds_up_nobody(void)
{
    static const char *const words[] = {"READY=1", "RELOADING=1", "READY=1", NULL};
    g_autofree char *path = g_strdup(fixture_path(&f, "manager"));
    int manager = bind_manager(path);

    fixture_kill(&f);
    g_setenv("NOTIFY_SOCKET", path, TRUE);
    fixture_again(&f, NULL);
    g_unsetenv("NOTIFY_SOCKET");
    fixture_write_tree(&f, "children:\n  - {name: a, exec: [@, wait-term]}\n");
    kill(f.pid, SIGHUP);
    fixture_wait_event(&f, "child-ready", "a", 1);
    fixture_add(&f, "b", "", "wait-term");

    wait_for_words(manager, words);
    close(manager);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/seed-002", a_strategy_and_hand_share_one_gate);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", reload_applies_the_difference);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_reload_with_a_mistake_changes_nothing);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_reload_that_can_not_read_changes_nothing);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_reload_with_a_cycle_changes_nothing);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", sighup_reloads);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_manager_that_does_not_read_holds_up_nobody);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_second_instance_says_so);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_second_instance_in_the_same_folders_hurts_nobody);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_limit_that_ends_the_tree_ends_the_daemon_with_10);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", a_child_starts_when_what_it_requires_is_ready);
    FIXTURE_TEST(&f, NULL, "/daemon/tree", coming_and_going_is_signalled);
    return g_test_run();
}
