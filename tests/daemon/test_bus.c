/*
 * The bus: what comes over it can hold up nothing. What is wrong with the bus itself is tried in
 * ctl/silent_bus.sh and ctl/private_bus.sh.
 */
#include "fixture.h"

#include <gio/gunixfdlist.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct fixture f;

#define LINGER_SECONDS 8
#define PATIENCE_USEC  (4 * G_USEC_PER_SEC)

/* A connection whose peer never reads, with all that fits into it on its way: to close it takes as
 * long as it lingers. *peer stays the caller's, as long as that is to be so. */
static int lingering_socket(int *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
    socklen_t size = sizeof(address);
    static const char bytes[65536];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &size), ==, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, size), ==, 0);
    *peer = accept(listener, NULL, NULL);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), ==, 0);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    close(listener);
    return fd;
}

/* Sends it as an argument, and keeps no copy. */
static void send_descriptor(const char *path, const char *interface, const char *method)
{
    g_autoptr(GDBusConnection) bus =
        g_dbus_connection_new_for_address_sync(f.address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, NULL);
    g_autoptr(GDBusMessage) m =
        g_dbus_message_new_method_call("org.proctor1", path, interface, method);
    GUnixFDList *list;
    int peer, fd = lingering_socket(&peer);

    list = g_unix_fd_list_new_from_array(&fd, 1);
    g_dbus_message_set_body(m, g_variant_new("(h)", 0));
    g_dbus_message_set_unix_fd_list(m, list);
    g_object_unref(list);
    g_autoptr(GDBusMessage) reply = g_dbus_connection_send_message_with_reply_sync(
        bus, m, G_DBUS_SEND_MESSAGE_FLAGS_NONE, 60000, NULL, NULL, NULL);
    g_assert_nonnull(reply);
    g_assert_cmpstr(g_dbus_message_get_error_name(reply), ==,
                    "org.freedesktop.DBus.Error.NotSupported");
    close(peer);
}

static void is_answered_at_once(void)
{
    gint64 begin = g_get_monotonic_time();
    g_autoptr(GVariant) list = fixture_manager(&f, "ListChildren", NULL, NULL);

    g_assert_cmpint(g_get_monotonic_time() - begin, <, PATIENCE_USEC);
}

static void it_brings_no_descriptor(void)
{
    send_descriptor("/org/proctor1", "org.proctor1.Manager", "ListChildren");
    is_answered_at_once();
    send_descriptor("/org/proctor1", "org.freedesktop.DBus.Peer", "Ping");
    is_answered_at_once();
}

/* The connection is the same, and what it can carry was not negotiated again. */
static void nor_to_the_next_program(void)
{
    fixture_upgrade(&f);
    send_descriptor("/org/proctor1", "org.proctor1.Manager", "ListChildren");
    is_answered_at_once();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/bus", it_brings_no_descriptor);
    FIXTURE_TEST(&f, NULL, "/bus", nor_to_the_next_program);
    return g_test_run();
}
