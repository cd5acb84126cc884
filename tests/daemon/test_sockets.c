/*
 * Listening sockets that proctord holds: no connection is refused, whatever becomes of the child.
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fixture f;

/* ---- clients --------------------------------------------------------------------------------- */

struct client {
    struct sockaddr_storage addresses[3];
    socklen_t sizes[3];
    gint stop;
    guint answered, refused;
};

static guint16 free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return ntohs(address.sin_port);
}

static void set_tcp(struct client *client, int i, guint16 port)
{
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&client->addresses[i];

    *address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->sizes[i] = sizeof(*address);
}

static void set_local(struct client *client, int i, const char *name)
{
    struct sockaddr_un *address = (struct sockaddr_un *)(void *)&client->addresses[i];

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(address->sun_path, name);
    client->sizes[i] = sizeof(*address);
    if (name[0] != '@')
        return;
    address->sun_path[0] = '\0';
    client->sizes[i] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

/* The generation that answers at this address, -1 where the connection is refused. */
static int ask(const struct client *client, int i)
{
    char text[32] = "";
    int fd = socket(client->addresses[i].ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 10};
    ssize_t n = -1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&client->addresses[i], client->sizes[i]) == 0)
        n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 ? atoi(text) : -1;
}

static gpointer connect_all_the_time(gpointer data)
{
    struct client *client = data;

    for (int i = 0; !g_atomic_int_get(&client->stop); i = (i + 1) % 3) {
        if (ask(client, i) >= 0)
            client->answered++;
        else
            client->refused++;
    }
    return NULL;
}

static void declare_server(guint16 port, const char *more)
{
    g_autofree char *text = g_strdup_printf(
        "children:\n"
        "  - name: server\n"
        "    exec: [@, \"listen-names=%s\", ready, serve]\n"
        "    readiness: explicit\n"
        "    sockets: [{name: tcp, listen: \"127.0.0.1:%u\"},\n"
        "              {name: local, listen: %s, mode: 0600},\n"
        "              {name: abstract, listen: \"\\x40proctor-test-%u\"}]\n" /* an @: the file's
                                                                                 own has a meaning
                                                                               */
        "%s",
        fixture_path(&f, "names"), port, fixture_path(&f, "socket"), port, more);
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
}

static void set_addresses(struct client *client, guint16 port)
{
    g_autofree char *name = g_strdup_printf("@proctor-test-%u", port);

    set_tcp(client, 0, port);
    set_local(client, 1, fixture_path(&f, "socket"));
    set_local(client, 2, name);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void nobody_is_refused_across_restarts(void)
{
    struct client client = {};
    guint16 port = free_port();

    declare_server(port, "");
    fixture_wait_text(&f, "server", "Readiness", "ready");
    set_addresses(&client, port);
    GThread *thread = g_thread_new("client", connect_all_the_time, &client);
    for (int i = 0; i < 200; i++) {
        g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "server");
        g_assert_cmpstr(dict_text(outcome, "Status"), ==, "ready");
        if (i == 100)
            fixture_upgrade(&f);
    }
    declare_server(port, "    umask: \"0027\"\n");
    g_autoptr(GVariant) changes = fixture_reload_with(&f, "restart");
    fixture_wait_number(&f, "server", "Generation", 201);
    fixture_wait_text(&f, "server", "Readiness", "ready");
    g_atomic_int_set(&client.stop, 1);
    g_thread_join(thread);

    g_assert_cmpuint(client.refused, ==, 0);
    g_assert_cmpuint(client.answered, >, 200);
    for (int i = 0; i < 3; i++)
        g_assert_cmpint(ask(&client, i), ==, 201);
}

static void the_names_are_told(void)
{
    g_autofree char *names = NULL;

    declare_server(free_port(), "");
    fixture_wait_text(&f, "server", "Readiness", "ready");
    g_assert_true(g_file_get_contents(fixture_path(&f, "names"), &names, NULL, NULL));

    g_assert_cmpstr(names, ==, "tcp:local:abstract\n");
}

static void a_connection_waits_while_the_child_is_paused(void)
{
    struct client client = {};
    guint16 port = free_port();

    declare_server(port, "");
    fixture_wait_text(&f, "server", "Readiness", "ready");
    set_addresses(&client, port);
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "server");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&client.addresses[0], client.sizes[0]), ==, 0);
    g_autoptr(GVariant) resumed = fixture_verb_waiting(&f, "Resume", "server");

    char text[8] = "";
    g_assert_cmpint(read(fd, text, sizeof(text) - 1), ==, 1);
    g_assert_cmpstr(text, ==, "1");
    close(fd);
}

static void the_sockets_go_with_the_child(void)
{
    struct client client = {};
    guint16 port = free_port();

    declare_server(port, "");
    fixture_wait_text(&f, "server", "Readiness", "ready");
    set_addresses(&client, port);
    g_autoptr(GVariant) removed = fixture_verb_waiting(&f, "Remove", "server");
    fixture_wait_removed(&f, "server");

    for (int i = 0; i < 3; i++)
        g_assert_cmpint(ask(&client, i), ==, -1);
    fixture_wait_no_file(&f, "socket"); /* its path is removed beside the loop */
}

static void a_taken_address_is_told(void)
{
    guint16 port = free_port();
    struct client client = {};
    set_tcp(&client, 0, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&client.addresses[0], client.sizes[0]), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);

    declare_server(port, "");
    fixture_wait_event(&f, "child-spawn-failed", "server", 1);

    g_autofree char *reason = fixture_event_field(&f, "child-spawn-failed", "server", "reason");
    g_autofree char *expected =
        g_strdup_printf("sockets 127.0.0.1:%u: Address already in use", port);
    g_assert_nonnull(strstr(reason, expected));
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/sockets", nobody_is_refused_across_restarts);
    FIXTURE_TEST(&f, NULL, "/daemon/sockets", the_names_are_told);
    FIXTURE_TEST(&f, NULL, "/daemon/sockets", a_connection_waits_while_the_child_is_paused);
    FIXTURE_TEST(&f, NULL, "/daemon/sockets", the_sockets_go_with_the_child);
    FIXTURE_TEST(&f, NULL, "/daemon/sockets", a_taken_address_is_told);
    return g_test_run();
}
