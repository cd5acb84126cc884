/*
 * A very small HTTP server: GET and HEAD of /metrics. All clients that ask
 * while a page is being made share it. A client that is slow, or says nothing,
 * is dropped after a few seconds, and cannot keep others out.
 */
#include "bus/metrics_socket.h"

#include "system/discard.h"
#include "bus/metrics.h"
#include "bus/metrics_address.h"
#include "bus/private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* since Linux 6.16 */
#endif

#define REQUEST_MAX   8192
#define PATIENCE_USEC 5000000
#define SLICE_USEC    500
#define UNREAD_MAX    (64u << 20) /* bytes of answers that wait for their readers */
#define MEDIA_TYPE    "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* One text, for all connections that waited for it. */
struct page {
    size_t users;
    char *text;
    size_t size;
};

struct connection {
    struct metrics_socket *socket;
    int fd;
    struct metrics_peer peer;
    uint64_t came; /* in which order */
    sd_event_source *source, *deadline;
    char request[REQUEST_MAX];
    size_t used;
    enum { ASKS, WAITS, READS } state; /* WAITS: for the next page */
    bool next;                         /* not for the one that is being made */
    char *head;
    size_t head_size;
    struct page *page; /* NULL: the head is all */
    size_t sent;
};

struct metrics_socket {
    sd_event *event;
    const struct service *service;
    char *path;
    bool children;
    int fd;
    sd_event_source *source;
    struct connection *connections[METRICS_CONNECTIONS_MAX];
    uint64_t came;
    struct metrics *metrics; /* the page that is being made */
    sd_event_source *making;
};

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void page_unref(struct page *page)
{
    if (!page || --page->users > 0)
        return;
    free(page->text);
    free(page);
}

/* What has not been read may have descriptors with it, whose end can take its time. */
static void connection_free(struct connection *connection)
{
    struct metrics_socket *socket = connection->socket;

    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        if (socket->connections[i] == connection)
            socket->connections[i] = NULL;
    sd_event_source_disable_unref(connection->source);
    sd_event_source_disable_unref(connection->deadline);
    discard_close(connection->fd);
    page_unref(connection->page);
    free(connection->head);
    free(connection);
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    connection_free(userdata);
    return 0;
}

/* HTTP/1.1, one reply per connection. */
static int make_head(struct connection *connection, const char *status, const char *type,
                     size_t size, const char *body)
{
    int n = asprintf(&connection->head,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, type, size, body);
    if (n < 0) {
        connection->head = NULL;
        return -ENOMEM;
    }
    connection->head_size = (size_t)n;
    connection->state = READS;
    return 0;
}

static int make_error(struct connection *connection, const char *status, const char *why, bool head)
{
    return make_head(connection, status, "text/plain", strlen(why), head ? "" : why);
}

static bool is_head(const struct connection *connection)
{
    return strncmp(connection->request, "HEAD ", 5) == 0;
}

/* Returns 0 when nothing can be sent for the moment, 1 at the end. */
static int send_some(struct connection *connection)
{
    size_t size = connection->head_size + (connection->page ? connection->page->size : 0);

    while (connection->sent < size) {
        bool head = connection->sent < connection->head_size;
        const char *data = head ? connection->head + connection->sent
                                : connection->page->text + connection->sent - connection->head_size;
        size_t left = (head ? connection->head_size : size) - connection->sent;
        ssize_t n = send(connection->fd, data, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        connection->sent += (size_t)n;
    }
    return 1;
}

static void go_on(struct connection *connection)
{
    if (send_some(connection) == 0)
        sd_event_source_set_io_events(connection->source, EPOLLOUT);
    else
        connection_free(connection);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* The slowest reader loses what it has not read, if all together are too much. */
static void bound_unread(struct metrics_socket *socket)
{
    for (;;) {
        struct connection *oldest = NULL;
        size_t unread = 0;
        for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
            struct connection *c = socket->connections[i];
            if (!c || !c->page)
                continue;
            unread += c->page->size / c->page->users;
            if (!oldest || c->came < oldest->came)
                oldest = c;
        }
        if (unread <= UNREAD_MAX || !oldest)
            return;
        connection_free(oldest);
    }
}

/* To all that waited when the page was begun; those that came later get the
 * next one. */
static int hand_out(struct metrics_socket *socket, struct page *page)
{
    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
        struct connection *c = socket->connections[i];
        if (!c || c->state != WAITS)
            continue;
        if (c->next) { /* it came when this one had been begun */
            c->next = false;
            continue;
        }
        if (make_head(c, "200 OK", MEDIA_TYPE, page->size, "") < 0) {
            connection_free(c);
            continue;
        }
        if (!is_head(c)) {
            c->page = page;
            page->users++;
        }
        go_on(c);
    }
    bound_unread(socket);
    return 0;
}

static bool is_awaited(const struct metrics_socket *socket)
{
    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        if (socket->connections[i] && socket->connections[i]->state == WAITS)
            return true;
    return false;
}

static void drop_waiting(struct metrics_socket *socket)
{
    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        if (socket->connections[i] && socket->connections[i]->state == WAITS)
            connection_free(socket->connections[i]);
}

/* At most one page is made at a time. */
static void begin_page(struct metrics_socket *socket)
{
    if (socket->metrics || !is_awaited(socket))
        return;
    if (metrics_begin(socket->service, socket->children, &socket->metrics) < 0) {
        socket->metrics = NULL;
        drop_waiting(socket);
        return;
    }
    sd_event_source_set_time(socket->making, 0);
    sd_event_source_set_enabled(socket->making, SD_EVENT_ONESHOT);
}

/* The page lives as long as a client reads it. */
static void end_page(struct metrics_socket *socket, int r)
{
    struct page *page = r < 0 ? NULL : calloc(1, sizeof(*page));

    if (page) {
        page->users = 1;
        page->text = metrics_take(socket->metrics, &page->size);
    }
    metrics_free(socket->metrics);
    socket->metrics = NULL;
    if (page)
        hand_out(socket, page);
    else
        drop_waiting(socket);
    page_unref(page);
    begin_page(socket);
}

/* A slice of the page: the loop continues between them. */
static int make_some(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct metrics_socket *socket = userdata;
    uint64_t until = now_usec() + SLICE_USEC;
    int r = 1;

    (void)usec;
    while (r > 0 && now_usec() < until)
        r = metrics_step(socket->service, socket->metrics);
    if (r <= 0) {
        end_page(socket, r);
        return 0;
    }
    sd_event_source_set_time(source, until);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The request line is all that counts. */
static int answer(struct connection *connection)
{
    const char *request = connection->request;
    bool head = is_head(connection);

    if (strncmp(request, "GET ", 4) != 0 && !head)
        return make_error(connection, "405 Method Not Allowed", "GET or HEAD\n", false);
    const char *path = strchr(request, ' ') + 1;
    size_t length = strcspn(path, " ?\r\n");
    if (!(length == 1 && path[0] == '/') && !(length == 8 && strncmp(path, "/metrics", 8) == 0))
        return make_error(connection, "404 Not Found", "the metrics are at /metrics\n", head);
    connection->state = WAITS;
    connection->next = connection->socket->metrics != NULL;
    sd_event_source_set_io_events(connection->source, 0);
    begin_page(connection->socket);
    return 0;
}

/* Whether descriptors come with what is next; they are not received. */
static bool has_descriptors(int fd)
{
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    return recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) > 0 && message.msg_flags & MSG_CTRUNC;
}

/* Returns 1 when the request is there, up to its blank line. */
static int receive_some(struct connection *connection)
{
    if (has_descriptors(connection->fd))
        return -EPROTO;
    ssize_t n = recv(connection->fd, connection->request + connection->used,
                     REQUEST_MAX - 1 - connection->used, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -ECONNRESET;
    connection->used += (size_t)n;
    connection->request[connection->used] = '\0';
    if (strstr(connection->request, "\r\n\r\n") || strstr(connection->request, "\n\n"))
        return 1;
    return connection->used == REQUEST_MAX - 1 ? -EMSGSIZE : 0;
}

/* Reads the request, or sends the next part. */
static int talk(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct connection *connection = userdata;
    int r = 0;

    (void)source;
    (void)fd;
    if (connection->state == ASKS) {
        r = receive_some(connection);
        if (r > 0)
            r = answer(connection);
    } else if (connection->state == WAITS && events & (EPOLLHUP | EPOLLERR)) {
        r = -ECONNRESET;
    }
    if (r < 0)
        connection_free(connection);
    else if (connection->state == READS)
        go_on(connection);
    return 0;
}

/* ---- shares ---------------------------------------------------------------------------------- */

/* Silent ones first, then the oldest. */
static bool goes_before(const struct connection *a, const struct connection *b)
{
    if ((a->state == ASKS) != (b->state == ASKS))
        return a->state == ASKS;
    return a->came < b->came;
}

/* How many connections an address has, and which of them would go first. */
static size_t count_of(const struct metrics_socket *socket, const struct metrics_peer *peer,
                       struct connection **first)
{
    size_t count = 0;

    *first = NULL;
    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
        struct connection *c = socket->connections[i];
        if (!c || !metrics_peer_is_same(&c->peer, peer))
            continue;
        count++;
        if (!*first || goes_before(c, *first))
            *first = c;
    }
    return count;
}

/* A peer that has its share makes room itself; where all places are taken, the one with most. */
static void make_place(struct metrics_socket *socket, const struct metrics_peer *peer)
{
    struct connection *first, *victim = NULL;
    size_t most = 0, used = 0;

    if (count_of(socket, peer, &first) >= METRICS_PER_PEER) {
        connection_free(first);
        return;
    }
    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
        if (!socket->connections[i])
            continue;
        used++;
        size_t count = count_of(socket, &socket->connections[i]->peer, &first);
        if (count > most) {
            most = count;
            victim = first;
        }
    }
    if (used == METRICS_CONNECTIONS_MAX)
        connection_free(victim);
}

/* A new connection may take the place of the oldest of its address. */
static int come(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct metrics_socket *socket = userdata;
    struct connection **place = socket->connections;
    struct metrics_peer peer;
    int accepted = metrics_address_accept(fd, &peer);

    (void)source;
    (void)events;
    struct connection *fresh = accepted < 0 ? NULL : calloc(1, sizeof(*fresh));
    if (!fresh) {
        discard_close(accepted);
        return 0;
    }
    make_place(socket, &peer);
    while (*place)
        place++;
    fresh->socket = socket;
    fresh->fd = accepted;
    fresh->peer = peer;
    fresh->came = ++socket->came;
    *place = fresh;
    setsockopt(accepted, SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int)); /* where there is it */
    if (sd_event_add_io(socket->event, &fresh->source, accepted, EPOLLIN, talk, fresh) < 0 ||
        sd_event_add_time_relative(socket->event, &fresh->deadline, CLOCK_MONOTONIC, PATIENCE_USEC,
                                   0, too_late, fresh) < 0)
        connection_free(fresh);
    return 0;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* A socket that a dead proctord has left has no listener. */
static int make_room(const struct sockaddr_un *address)
{
    struct stat status;

    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    int probe = S_ISSOCK(status.st_mode) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    bool dead = probe >= 0 &&
                connect(probe, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    if (!dead)
        return -EADDRINUSE;
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* Everyone may read metrics. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int r = make_room(&address);
    int fd = r < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return r < 0 ? r : -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && chmod(path, 0666) == 0 &&
        listen(fd, METRICS_CONNECTIONS_MAX) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

/* Not listening yet. */
static struct metrics_socket *make_socket(sd_event *event, const struct service *service, int fd,
                                          bool children)
{
    struct metrics_socket *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return NULL;
    fresh->event = event;
    fresh->service = service;
    fresh->children = children;
    fresh->fd = fd;
    return fresh;
}

static int watch(struct metrics_socket *socket)
{
    int r = sd_event_add_io(socket->event, &socket->source, socket->fd, EPOLLIN, come, socket);

    if (r >= 0)
        r = sd_event_add_time(socket->event, &socket->making, CLOCK_MONOTONIC, 0, 1, make_some,
                              socket);
    return r < 0 ? r : sd_event_source_set_enabled(socket->making, SD_EVENT_OFF);
}

static void free_socket(struct metrics_socket *socket)
{
    sd_event_source_disable_unref(socket->source);
    sd_event_source_disable_unref(socket->making);
    close(socket->fd);
    free(socket->path);
    free(socket);
}

/* Takes over the descriptor, also on an error. */
int metrics_socket_serve(sd_event *event, const struct service *service, int fd, bool children,
                         struct metrics_socket **socket)
{
    assert(event && service && socket && fd >= 0);
    struct metrics_socket *fresh = make_socket(event, service, fd, children);

    if (!fresh) {
        close(fd);
        return -ENOMEM;
    }
    int r = watch(fresh);
    if (r < 0)
        free_socket(fresh);
    else
        *socket = fresh;
    return r;
}

/* A socket of the program before is used as it is. */
int metrics_socket_open(sd_event *event, const struct service *service, const char *path, int kept,
                        bool children, struct metrics_socket **socket)
{
    assert(path);
    int fd = kept >= 0 ? kept : listen_at(path);

    if (fd < 0)
        return fd;
    discard_refuse(fd, true);
    setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int)); /* clients inherit it */
    int r = metrics_socket_serve(event, service, fd, children, socket);
    if (r < 0)
        return r;
    (*socket)->path = strdup(path);
    return 0;
}

int metrics_socket_descriptor(const struct metrics_socket *socket)
{
    return socket ? socket->fd : -1;
}

/* The path is removed; connections are dropped. */
void metrics_socket_close(struct metrics_socket *socket)
{
    if (!socket)
        return;
    for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++)
        if (socket->connections[i])
            connection_free(socket->connections[i]);
    if (socket->metrics)
        metrics_free(socket->metrics);
    if (socket->path)
        unlink(socket->path);
    free_socket(socket);
}
