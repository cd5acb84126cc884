/*
 * Taking over the connection of the program before, in an upgrade in place.
 * sd-bus can only use a connection that it has opened itself, so it opens one
 * to a small server in this process, and then the real descriptor is put in its
 * place. The unique name stays, and clients notice nothing.
 */
#include "bus/inherit.h"

#include "bus/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS 64 /* of a handshake in one process; it takes a dozen */

static int greet(sd_bus_message *hello, void *userdata, sd_bus_error *error)
{
    (void)error;
    if (!sd_bus_message_is_method_call(hello, "org.freedesktop.DBus", "Hello"))
        return 0;
    return sd_bus_reply_method_return(hello, "s", (const char *)userdata);
}

/* The other end of a socket pair, which greets like a bus. */
static int start_server(int fd, const char *unique_name, sd_bus **bus)
{
    sd_id128_t id;
    int r = sd_id128_randomize(&id);

    if (r >= 0)
        r = sd_bus_new(bus);
    if (r >= 0)
        r = sd_bus_set_fd(*bus, fd, fd);
    if (r >= 0)
        r = sd_bus_set_server(*bus, true, id);
    if (r >= 0)
        r = sd_bus_negotiate_fds(*bus, false);
    if (r >= 0)
        r = sd_bus_add_filter(*bus, NULL, greet, (void *)(uintptr_t)unique_name);
    return r < 0 ? r : sd_bus_start(*bus);
}

/* An ordinary client. */
static int start_client(int fd, sd_bus **bus)
{
    int r = sd_bus_new(bus);

    if (r >= 0)
        r = sd_bus_set_fd(*bus, fd, fd);
    if (r >= 0)
        r = sd_bus_set_bus_client(*bus, true);
    if (r >= 0)
        r = sd_bus_negotiate_fds(*bus, false);
    return r < 0 ? r : sd_bus_start(*bus);
}

/* Both ends are driven in turn until the client is ready; the number of steps
 * is bounded. */
static int shake_hands(sd_bus *client, sd_bus *server)
{
    for (int i = 0; i < STEPS; i++) {
        int r = sd_bus_process(server, NULL);
        if (r >= 0)
            r = sd_bus_process(client, NULL);
        if (r < 0)
            return r;
        if (sd_bus_is_ready(client) > 0)
            return 0;
    }
    return -ETIMEDOUT;
}

/* dup3(2) replaces the client's socket by the real one. */
int bus_inherit(int fd, const char *unique_name, sd_bus **bus)
{
    sd_bus *client = NULL, *server = NULL;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    int r = start_server(pair[0], unique_name, &server);
    if (r >= 0)
        r = start_client(pair[1], &client);
    if (r >= 0)
        r = shake_hands(client, server);
    if (r >= 0 && dup3(fd, pair[1], O_CLOEXEC) < 0)
        r = -errno;
    sd_bus_close_unref(server); /* with its end */
    if (r < 0) {
        sd_bus_close_unref(client);
        return r;
    }
    close(fd);
    *bus = client;
    return 0;
}
