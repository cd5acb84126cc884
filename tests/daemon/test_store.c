/*
 * Under a service manager that keeps descriptors: what only the dead proctord had open is still
 * there for the next one.
 */
#include "fixture.h"

#include <gio/gunixsocketaddress.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
static const char *const options[] = {"--fd-store", NULL};

static GPid pid_of_proctord(void)
{
    return fixture_read_pid(&f, "pid");
}

static void until_another_one_runs(GPid before)
{
    while (pid_of_proctord() == before)
        g_main_context_iteration(NULL, FALSE);
    fixture_reconnect(&f);
}

static void die(void)
{
    GPid before = pid_of_proctord();

    kill(before, SIGKILL);
    until_another_one_runs(before);
}

static void a_connection_waits_for_an_idle_child(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup(fixture_path(&f, "web.socket"));
    g_autofree char *yaml =
        g_strdup_printf("sockets: [{name: web, listen: %s}]\nrestart: temporary\n", path);

    fixture_add(&f, "web", yaml, "serve");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &error);
    g_assert_no_error(error); /* no child runs, and the connection waits */

    die();
    fixture_wait_text(&f, "web", "Operation", "paused");
    g_autoptr(GVariant) resumed = fixture_verb(&f, "Resume", "web");
    char answer[16] = "";
    gssize n = g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(connection)), answer,
                                   sizeof(answer) - 1, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(n, ==, 1);
    g_assert_cmpstr(answer, ==, "1");
}

static void how_it_ended_is_known(void)
{
    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    GPid child = (GPid)fixture_number(&f, "web", "MainPID");
    GPid before = pid_of_proctord();

    kill(before, SIGSTOP); /* so that the end of the child comes before the next proctord */
    kill(child, SIGUSR1);
    kill(before, SIGKILL);
    until_another_one_runs(before);
    fixture_wait_number(&f, "web", "Generation", 1);
    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");
    /* Linux 6.15 and later tell a holder of the pidfd. */
    if (strstr(dict_text(last, "Reason"), "not known"))
        g_test_skip("this kernel does not tell");
    else
        g_assert_cmpuint(dict_number(last, "Signal"), ==, SIGUSR1);
}

static void what_was_said_meanwhile_is_heard(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *steps = g_strdup_printf("\"wait=%s\", ready, \"log=%s\", wait-term",
                                             fixture_path(&f, "go"), fixture_path(&f, "said"));
    fixture_add(&f, "web", "readiness: explicit\nstart_timeout: 0\n", steps);
    fixture_wait_text(&f, "web", "Status", "running");
    GPid before = pid_of_proctord();

    kill(before, SIGSTOP);
    fixture_release(&f, "go");
    while (fixture_count_lines(&f, "said") < 1)
        g_main_context_iteration(NULL, FALSE);
    kill(before, SIGKILL);
    until_another_one_runs(before);
    fixture_wait_text(&f, "web", "Readiness", "ready");
}

static void assert_has(const char *name, const char *contents)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(fixture_path(&f, name), &text, NULL, NULL));
    g_assert_cmpstr(text, ==, contents);
}

/* Of one that runs, and of one that does not. */
static void what_children_have_given_is_there(void)
{
    const char *const names[] = {"web", "held"};

    for (int i = 0; i < 2; i++) {
        g_autofree char *steps = g_strdup_printf(
            "store-contents=%s, store=b, store=a, ready, live=600000", fixture_path(&f, names[i]));
        fixture_add(&f, names[i], "readiness: explicit\nfd_store_max: 2\n", steps);
        fixture_wait_text(&f, names[i], "Readiness", "ready");
    }
    g_variant_unref(fixture_verb_waiting(&f, "Pause", "held"));
    die();
    g_variant_unref(fixture_verb_waiting(&f, "Restart", "web"));
    g_variant_unref(fixture_verb_waiting(&f, "Resume", "held"));
    for (int i = 0; i < 2; i++) {
        fixture_wait_text(&f, names[i], "Readiness", "ready");
        assert_has(names[i], "b:a b a");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, options, "/daemon/store", a_connection_waits_for_an_idle_child);
    FIXTURE_TEST(&f, options, "/daemon/store", how_it_ended_is_known);
    FIXTURE_TEST(&f, options, "/daemon/store", what_was_said_meanwhile_is_heard);
    FIXTURE_TEST(&f, options, "/daemon/store", what_children_have_given_is_there);
    return g_test_run();
}
