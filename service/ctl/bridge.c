/*
 * stdio-bridge: copies bytes between standard input and output and the bus, so
 * that proctorctl on another machine can reach this bus through ssh. Nothing is
 * interpreted on the way. Neither direction waits for the other; a single
 * thread with poll(2) moves whatever can be moved.
 */
#include "ctl/bridge.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PIECE 65536

/* ---- the socket of the bus ------------------------------------------------------------------- */

static int hex(char digit)
{
    const char *digits = "0123456789abcdef", *at = digit ? strchr(digits, digit | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* A value of an address: bytes other than letters may be written as %xx. Returns its length, or
 * SIZE_MAX if it does not fit. */
static size_t read_value(const char *from, char *to, size_t size)
{
    size_t length = 0;

    for (; *from && *from != ',' && *from != ';'; from++) {
        if (length + 1 >= size)
            return SIZE_MAX;
        if (*from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
            to[length++] = (char)(hex(from[1]) * 16 + hex(from[2]));
            from += 2;
        } else {
            to[length++] = *from;
        }
    }
    to[length] = '\0';
    return length;
}

/* Reads one address of a list, "unix:path=..." or "unix:abstract=...". Returns the length of the
 * name of the socket, or 0. */
static socklen_t read_address(const char *address, struct sockaddr_un *name)
{
    static const char path[] = "unix:path=", abstract[] = "unix:abstract=";
    bool hidden = strncmp(address, abstract, strlen(abstract)) == 0;
    size_t length;

    if (!hidden && strncmp(address, path, strlen(path)) != 0)
        return 0;
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    length = read_value(address + (hidden ? strlen(abstract) : strlen(path)),
                        name->sun_path + hidden, sizeof(name->sun_path) - hidden);
    if (length == 0 || length == SIZE_MAX)
        return 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

/* The first one of a list that can be connected to. Returns the socket or a negative errno. */
static int connect_socket(const char *list)
{
    int r = -EPROTONOSUPPORT;

    for (const char *address = list; address; address = strchr(address, ';')) {
        struct sockaddr_un name;
        address += *address == ';';
        socklen_t length = read_address(address, &name);
        if (length == 0)
            continue;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        if (connect(fd, (const struct sockaddr *)&name, length) == 0)
            return fd;
        r = -errno;
        close(fd);
    }
    return r;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* One direction. Nothing is read while something is still to be written. */
struct flow {
    int from, to;
    size_t done, length;
    char piece[PIECE];
};

/* Which of both it waits for. */
static struct pollfd flow_waits(const struct flow *flow)
{
    if (flow->length > 0)
        return (struct pollfd){.fd = flow->to, .events = POLLOUT};
    return (struct pollfd){.fd = flow->from, .events = POLLIN};
}

static bool may_retry(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Returns false when one of its ends has ended. */
static bool flow_move(struct flow *flow)
{
    if (flow->length == 0) {
        ssize_t n = read(flow->from, flow->piece, sizeof(flow->piece));
        if (n <= 0)
            return n < 0 && may_retry();
        flow->done = 0;
        flow->length = (size_t)n;
    }
    ssize_t n = write(flow->to, flow->piece + flow->done, flow->length);
    if (n < 0)
        return may_retry();
    flow->done += (size_t)n;
    flow->length -= (size_t)n;
    return true;
}

/* Ends when either side is closed, since half a connection is of no use to
 * D-Bus. */
static void copy(int bus)
{
    static struct flow in, out;

    in = (struct flow){.from = STDIN_FILENO, .to = bus};
    out = (struct flow){.from = bus, .to = STDOUT_FILENO};
    for (bool open = true; open;) {
        struct pollfd waits[] = {flow_waits(&in), flow_waits(&out)};
        if (poll(waits, 2, -1) < 0) {
            open = errno == EINTR;
            continue;
        }
        open = (!waits[0].revents || flow_move(&in)) && (!waits[1].revents || flow_move(&out));
    }
}

static bool unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* The address is taken from a connection that has worked, and a second
 * connection is opened for the bytes: sd-bus would consume the messages that
 * the other side is waiting for. */
int command_stdio_bridge(struct client *client)
{
    assert(client && client->bus);
    const char *list;
    int r = sd_bus_get_address(client->bus, &list);
    int bus = r < 0 ? r : connect_socket(list);

    if (bus < 0) {
        client_note("the bus cannot be reached: %s", strerror(-bus));
        return CTL_ERROR;
    }
    client->bus = sd_bus_flush_close_unref(client->bus); /* it has told the address */
    if (unblock(bus) && unblock(STDIN_FILENO) && unblock(STDOUT_FILENO))
        copy(bus);
    close(bus);
    return CTL_DONE;
}
