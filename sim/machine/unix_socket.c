/*
 * Unix sockets: datagrams, streams and sequences of packets, with descriptors
 * and credentials beside the bytes.
 */
#include "machine/unix_socket.h"

#include "kernel/inode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static struct unix_socket *all;

static void moved(struct unix_socket *socket)
{
    if (socket && socket->description)
        socket->description->moves++;
}

/* ---- from its making to its end -------------------------------------------------------------- */

/* All sockets are in one list, so that names can be found. */
struct unix_socket *unix_socket_new(int type, const struct socket_credentials *own)
{
    struct unix_socket *socket = calloc(1, sizeof(*socket));

    if (!socket)
        return NULL;
    socket->type = type;
    socket->own = *own;
    socket->end = &socket->first;
    socket->next = all;
    all = socket;
    return socket;
}

static void free_packet(struct packet *packet)
{
    for (size_t i = 0; i < packet->n_passed; i++)
        description_release(packet->passed[i]);
    free(packet);
}

static void drop_packets(struct unix_socket *socket)
{
    while (socket->first) {
        struct packet *packet = socket->first;
        socket->first = packet->next;
        free_packet(packet);
    }
    socket->end = &socket->first;
    socket->bytes = socket->packets = 0;
}

/* A stream ends for the other side, with an error if there were bytes that
 * nobody has read. */
static void leave_peers(struct unix_socket *gone)
{
    for (struct unix_socket *socket = all; socket; socket = socket->next) {
        if (socket->peer != gone)
            continue;
        socket->peer = NULL;
        if (socket->type == SOCK_DGRAM)
            continue;
        socket->hung_up = true;
        if (gone->bytes > 0)
            socket->error = ECONNRESET;
        moved(socket);
    }
}

/* Connections that nobody accepted end with it. */
void unix_socket_free(struct unix_socket *socket)
{
    struct unix_socket **at = &all;

    leave_peers(socket);
    while (socket->pending) {
        struct unix_socket *waiting = socket->pending;
        socket->pending = waiting->next_pending;
        unix_socket_free(waiting);
    }
    drop_packets(socket);
    if (socket->bound) {
        socket->bound->attached = NULL;
        inode_release(socket->bound);
    }
    while (*at != socket)
        at = &(*at)->next;
    *at = socket->next;
    free(socket);
}

static void release_socket(struct description *description)
{
    unix_socket_free(description->object);
}

static unsigned poll_socket(struct description *description, struct runner *asking)
{
    (void)asking;
    return unix_socket_poll(description->object);
}

static ssize_t read_socket(struct description *description, struct runner *reader, void *bytes,
                           size_t size)
{
    struct received received = {};
    ssize_t n = unix_socket_take(description->object, bytes, size, false, &received);

    (void)reader;
    for (size_t i = 0; i < received.n_passed; i++)
        description_release(received.passed[i]);
    return n;
}

static ssize_t write_socket(struct description *description, struct runner *writer,
                            const void *bytes, size_t size)
{
    struct unix_socket *socket = description->object;

    (void)writer;
    return unix_socket_send(socket, NULL, bytes, size, NULL, 0, &socket->own);
}

static const struct description_kind socket_kind = {"socket", read_socket, write_socket,
                                                    poll_socket, release_socket};

struct description *unix_socket_describe(struct unix_socket *socket, int flags)
{
    socket->description = description_new(&socket_kind, socket, O_RDWR | flags);
    return socket->description;
}

struct unix_socket *unix_socket_of(const struct description *description)
{
    return description && description->kind == &socket_kind ? description->object : NULL;
}

/* ---- names and connections ------------------------------------------------------------------- */

void unix_socket_pair(struct unix_socket *a, struct unix_socket *b)
{
    a->peer = b;
    b->peer = a;
    a->connected = b->connected = true;
    a->peers = b->own;
    b->peers = a->own;
}

/* One name for each socket. */
int unix_socket_bind(struct unix_socket *socket, const char *name, socklen_t size,
                     struct inode *inode)
{
    if (socket->name_size > 0)
        return -EINVAL;
    if (!inode && unix_socket_named(name, size))
        return -EADDRINUSE;
    if (size > sizeof(socket->name))
        return -EINVAL;
    memcpy(socket->name, name, size);
    socket->name_size = size;
    if (inode) {
        socket->bound = inode_hold(inode);
        inode->attached = socket;
    }
    return 0;
}

int unix_socket_listen(struct unix_socket *socket, int backlog)
{
    if (socket->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (socket->name_size == 0)
        return -EINVAL;
    socket->listens = true;
    socket->backlog = backlog < 0 || backlog > 4096 ? 4096 : backlog;
    return 0;
}

struct unix_socket *unix_socket_at(const struct inode *inode)
{
    return S_ISSOCK(inode->mode) ? inode->attached : NULL;
}

struct unix_socket *unix_socket_named(const char *name, socklen_t size)
{
    for (struct unix_socket *socket = all; socket; socket = socket->next)
        if (!socket->bound && socket->name_size == size && memcmp(socket->name, name, size) == 0)
            return socket;
    return NULL;
}

/* The connection exists before it is accepted, and bytes can be sent
 * already. */
int unix_socket_connect(struct unix_socket *socket, struct unix_socket *to)
{
    if (socket->type != to->type)
        return -EPROTOTYPE;
    if (socket->type == SOCK_DGRAM) {
        socket->peer = to;
        socket->connected = true;
        return 0;
    }
    if (socket->connected)
        return -EISCONN;
    if (!to->listens)
        return -ECONNREFUSED;
    if (to->n_pending > to->backlog)
        return -EAGAIN;
    struct unix_socket *other = unix_socket_new(socket->type, &to->own);
    if (!other)
        return -ENOMEM;
    memcpy(other->name, to->name, sizeof(other->name));
    other->passes_credentials = to->passes_credentials;
    unix_socket_pair(socket, other);
    struct unix_socket **at = &to->pending;
    while (*at)
        at = &(*at)->next_pending;
    *at = other;
    to->n_pending++;
    moved(to);
    return 0;
}

struct unix_socket *unix_socket_accept(struct unix_socket *listening)
{
    struct unix_socket *socket = listening->pending;

    if (!socket)
        return NULL;
    listening->pending = socket->next_pending;
    listening->n_pending--;
    socket->next_pending = NULL;
    return socket;
}

void unix_socket_shut(struct unix_socket *socket, bool reading, bool writing)
{
    socket->reads_no_more |= reading;
    socket->writes_no_more |= writing;
    if (socket->peer && socket->type != SOCK_DGRAM) {
        socket->peer->reads_no_more |= writing;
        socket->peer->writes_no_more |= reading;
    }
    moved(socket);
    moved(socket->peer);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool is_full(const struct unix_socket *socket)
{
    return socket->bytes >= SOCKET_BYTES ||
           (socket->type != SOCK_STREAM && socket->packets >= SOCKET_PACKETS);
}

static int may_send(const struct unix_socket *socket, const struct unix_socket *to)
{
    if (socket->writes_no_more || socket->hung_up)
        return -EPIPE;
    if (!to)
        return socket->connected ? -ECONNREFUSED : -ENOTCONN;
    if (to->reads_no_more)
        return -EPIPE;
    return is_full(to) ? -EAGAIN : 0;
}

/* Packets are sent whole or not at all. The credentials are those of the sender
 * at this moment, which is what proctord trusts. */
ssize_t unix_socket_send(struct unix_socket *socket, struct unix_socket *to, const void *bytes,
                         size_t size, struct description **passed, size_t n_passed,
                         const struct socket_credentials *sender)
{
    to = to ? to : socket->peer;
    int r = n_passed > SOCKET_PASSED ? -EINVAL : may_send(socket, to);

    if (r == 0 && size > SOCKET_BYTES && socket->type != SOCK_STREAM)
        r = -EMSGSIZE;
    if (r < 0)
        return r;
    if (socket->type == SOCK_STREAM && size > SOCKET_BYTES - to->bytes)
        size = SOCKET_BYTES - to->bytes;
    if (socket->type == SOCK_STREAM && size == 0)
        return 0;
    struct packet *packet = calloc(1, sizeof(*packet) + size);
    if (!packet)
        return -ENOMEM;
    packet->size = size;
    packet->sender = *sender;
    packet->n_passed = n_passed;
    if (n_passed > 0)
        memcpy(packet->passed, passed, n_passed * sizeof(struct description *));
    memcpy(packet->bytes, bytes, size);
    *to->end = packet;
    to->end = &packet->next;
    to->bytes += size;
    to->packets++;
    moved(to);
    return (ssize_t)size;
}

static void take_packet(struct unix_socket *socket)
{
    struct packet *packet = socket->first;

    socket->first = packet->next;
    if (!socket->first)
        socket->end = &socket->first;
    socket->packets--;
    free_packet(packet);
    moved(socket->peer);
}

static void take_beside(struct packet *packet, bool peek, struct received *received)
{
    received->sender = packet->sender;
    received->n_passed = packet->n_passed;
    memcpy(received->passed, packet->passed, packet->n_passed * sizeof(struct description *));
    for (size_t i = 0; peek && i < packet->n_passed; i++)
        description_hold(packet->passed[i]);
    if (!peek)
        packet->n_passed = 0;
}

/* Bytes of one sender; what comes with descriptors starts again. */
static size_t take_stream(struct unix_socket *socket, char *bytes, size_t size, bool peek,
                          struct received *received)
{
    size_t n = 0, at = socket->first->at;

    take_beside(socket->first, peek, received);
    for (struct packet *packet = socket->first; packet && n < size;) {
        struct packet *next = packet->next;
        size_t part = packet->size - at < size - n ? packet->size - at : size - n;
        memcpy(bytes + n, packet->bytes + at, part);
        n += part;
        if (!peek) {
            packet->at += part;
            socket->bytes -= part;
        }
        if (at + part < packet->size)
            break;
        if (!peek)
            take_packet(socket);
        if (!next || next->n_passed > 0 ||
            (socket->passes_credentials && next->sender.pid != received->sender.pid))
            break;
        packet = next;
        at = packet->at;
    }
    return n;
}

/* What does not fit is lost, and `whole` says how much there was. */
static size_t take_whole(struct unix_socket *socket, void *bytes, size_t size, bool peek,
                         struct received *received)
{
    struct packet *packet = socket->first;
    size_t n = packet->size < size ? packet->size : size;

    take_beside(packet, peek, received);
    received->whole = packet->size;
    memcpy(bytes, packet->bytes, n);
    if (!peek) {
        socket->bytes -= packet->size;
        take_packet(socket);
    }
    return n;
}

/* -EAGAIN if there is nothing; 0 is the end. */
ssize_t unix_socket_take(struct unix_socket *socket, void *bytes, size_t size, bool peek,
                         struct received *received)
{
    if (socket->first && size == 0 && socket->type == SOCK_STREAM)
        return 0;
    if (socket->first)
        return (ssize_t)(socket->type == SOCK_STREAM
                             ? take_stream(socket, bytes, size, peek, received)
                             : take_whole(socket, bytes, size, peek, received));
    if (socket->error) {
        int r = -socket->error;
        socket->error = 0;
        return r;
    }
    if (socket->hung_up || socket->reads_no_more)
        return 0;
    if (socket->type != SOCK_DGRAM && !socket->connected)
        return socket->type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
    return -EAGAIN;
}

size_t unix_socket_available(const struct unix_socket *socket)
{
    return socket->first && socket->type != SOCK_STREAM ? socket->first->size : socket->bytes;
}

/* The same flags as Linux sets, since event loops depend on them. */
unsigned unix_socket_poll(const struct unix_socket *socket)
{
    unsigned events = 0;

    if (socket->listens)
        return socket->pending ? EPOLLIN : 0;
    if (socket->first || socket->hung_up || socket->reads_no_more)
        events |= EPOLLIN;
    if (socket->hung_up || (socket->type != SOCK_DGRAM && !socket->connected) ||
        (socket->reads_no_more && socket->writes_no_more))
        events |= EPOLLHUP;
    if (socket->hung_up || socket->reads_no_more)
        events |= EPOLLRDHUP;
    if (socket->error)
        events |= EPOLLERR;
    if (!socket->peer || !is_full(socket->peer))
        events |= EPOLLOUT;
    return events;
}
