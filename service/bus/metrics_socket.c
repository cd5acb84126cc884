#include "metrics_socket.h"

#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16
#define REQUEST_MAX     8192
#define PATIENCE_USEC   5000000
#define MEDIA_TYPE      "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct connection {
    struct metrics_socket *socket;
    int fd;
    sd_event_source *source, *deadline;
    char request[REQUEST_MAX];
    size_t used;
    char *answer;
    size_t size, sent;
};

struct metrics_socket {
    sd_event *event;
    const struct service *service;
    char *path;
    bool children;
    int fd;
    sd_event_source *source;
    struct connection *connections[CONNECTIONS_MAX];
};

/* ---- connections ----------------------------------------------------------------------------- */

static void connection_free(struct connection *connection)
{
    struct metrics_socket *socket = connection->socket;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (socket->connections[i] == connection)
            socket->connections[i] = NULL;
    sd_event_source_disable_unref(connection->source);
    sd_event_source_disable_unref(connection->deadline);
    close(connection->fd);
    free(connection->answer);
    free(connection);
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    connection_free(userdata);
    return 0;
}

static int make_answer(struct connection *connection, const char *status, const char *type,
                       const char *body, bool with_body)
{
    int n = asprintf(&connection->answer,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, type, strlen(body), with_body ? body : "");
    if (n < 0) {
        connection->answer = NULL;
        return -ENOMEM;
    }
    connection->size = (size_t)n;
    return 0;
}

/* The request line is all that counts. */
static int answer(struct connection *connection)
{
    const char *request = connection->request;
    bool head = strncmp(request, "HEAD ", 5) == 0;
    char *text;

    if (strncmp(request, "GET ", 4) != 0 && !head)
        return make_answer(connection, "405 Method Not Allowed", "text/plain", "GET or HEAD\n",
                           true);
    const char *path = strchr(request, ' ') + 1;
    size_t length = strcspn(path, " ?\r\n");
    if (!(length == 1 && path[0] == '/') && !(length == 8 && strncmp(path, "/metrics", 8) == 0))
        return make_answer(connection, "404 Not Found", "text/plain", "it is at /metrics\n", !head);
    int r = metrics_text(connection->socket->service, connection->socket->children, &text);
    if (r < 0)
        return r;
    r = make_answer(connection, "200 OK", MEDIA_TYPE, text, !head);
    free(text);
    return r;
}

/* Returns 0 when nothing can be sent for the moment, 1 at the end. */
static int send_some(struct connection *connection)
{
    while (connection->sent < connection->size) {
        ssize_t n = send(connection->fd, connection->answer + connection->sent,
                         connection->size - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        connection->sent += (size_t)n;
    }
    return 1;
}

/* Returns 1 when the request is there, up to its blank line. */
static int receive_some(struct connection *connection)
{
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

static int talk(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct connection *connection = userdata;
    int r = 0;

    (void)fd;
    (void)events;
    if (!connection->answer) {
        r = receive_some(connection);
        if (r > 0)
            r = answer(connection);
        else if (r == 0)
            return 0;
    }
    if (r >= 0)
        r = send_some(connection);
    if (r == 0)
        sd_event_source_set_io_events(source, EPOLLOUT);
    else
        connection_free(connection);
    return 0;
}

static int come(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct metrics_socket *socket = userdata;
    struct connection **place = socket->connections;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)source;
    (void)events;
    if (peer < 0)
        return 0;
    while (place < socket->connections + CONNECTIONS_MAX && *place)
        place++;
    struct connection *fresh =
        place < socket->connections + CONNECTIONS_MAX ? calloc(1, sizeof(*fresh)) : NULL;
    if (!fresh) {
        close(peer);
        return 0;
    }
    fresh->socket = socket;
    fresh->fd = peer;
    *place = fresh;
    if (sd_event_add_io(socket->event, &fresh->source, peer, EPOLLIN, talk, fresh) < 0 ||
        sd_event_add_time_relative(socket->event, &fresh->deadline, CLOCK_MONOTONIC, PATIENCE_USEC,
                                   0, too_late, fresh) < 0)
        connection_free(fresh);
    return 0;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* What a proctord that died has left is in nobody's use. */
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
        listen(fd, CONNECTIONS_MAX) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

int metrics_socket_open(sd_event *event, const struct service *service, const char *path, int kept,
                        bool children, struct metrics_socket **socket)
{
    struct metrics_socket *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->event = event;
    fresh->service = service;
    fresh->children = children;
    fresh->path = strdup(path);
    int r = fresh->fd = !fresh->path ? -ENOMEM : kept >= 0 ? kept : listen_at(path);
    if (r >= 0)
        r = sd_event_add_io(event, &fresh->source, fresh->fd, EPOLLIN, come, fresh);
    if (r < 0) {
        if (fresh->fd >= 0)
            close(fresh->fd);
        free(fresh->path);
        free(fresh);
        return r;
    }
    *socket = fresh;
    return 0;
}

int metrics_socket_descriptor(const struct metrics_socket *socket)
{
    return socket ? socket->fd : -1;
}

void metrics_socket_close(struct metrics_socket *socket)
{
    if (!socket)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (socket->connections[i])
            connection_free(socket->connections[i]);
    sd_event_source_disable_unref(socket->source);
    close(socket->fd);
    unlink(socket->path);
    free(socket->path);
    free(socket);
}
