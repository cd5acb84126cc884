/*
 * The sockets of a child. They are opened with its first start and live until
 * it is removed, so that connections queue while the child is stopped. What is
 * unlinked and closed may wait for a disk, and is done outside the loop.
 */
#include "host/listener.h"

#include "core/vocabulary/invariant.h"
#include "system/again.h"

#include "system/beside.h"
#include "system/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Where the child side puts descriptors: ours must not be there. */
#define FIRST_FREE (3 + SOCKETS_MAX + 1)

/* ---- its path, which may lead to a mount that does not answer -------------------------------- */

struct removal {
    struct beside_work work;
    struct removed {
        dev_t device;
        ino_t inode; /* 0: any socket there */
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    } removed;
};

/* What another program has put in its place meanwhile is not ours to remove. */
static void unlink_socket(const struct outside_parcel *request, struct outside_parcel *answer)
{
    const struct removed *removed = request->data;
    struct stat status;

    (void)answer;
    if (request->size == sizeof(*removed) && lstat(removed->path, &status) == 0 &&
        S_ISSOCK(status.st_mode) &&
        (removed->inode == 0 ||
         (removed->inode == status.st_ino && removed->device == status.st_dev)))
        unlink(removed->path);
}

const struct outside_job listener_unlink_job = {OUTSIDE_UNLINK, unlink_socket};

static void remove_work(void *data)
{
    struct removal *removal = data;
    struct outside_parcel request = {.data = &removal->removed, .size = sizeof(removal->removed)},
                          answer = {};

    outside_make(&listener_unlink_job, &request, &answer);
}

/* Only if it is still the socket that was made here, by device and inode. */
static void remove_path(const struct listener *listener)
{
    struct removal *removal = calloc(1, sizeof(*removal));

    if (!removal)
        return; /* it is left over, and in no one's way */
    removal->removed.device = listener->device;
    removal->removed.inode = listener->inode;
    snprintf(removal->removed.path, sizeof(removal->removed.path), "%s", listener->path);
    removal->work = (struct beside_work){.what = "remove the path of a socket",
                                         .work = remove_work,
                                         .release = free,
                                         .data = removal,
                                         .may_be_left = true};
    beside_do(NULL, &removal->work);
}

static bool is_local(int fd)
{
    int domain = 0;
    socklen_t size = sizeof(domain);

    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           domain == AF_UNIX;
}

/* A Unix socket may hold descriptors in its queue, whose closing can hang. */
static void close_listener(struct listener *listener, bool unlink_path)
{
    /* A client that has connected to a Unix socket and was never accepted may have sent
     * descriptors. Another address is to be free at once. */
    if (is_local(listener->fd))
        discard_close(listener->fd);
    else if (listener->fd >= 0)
        close(listener->fd);
    if (listener->path && unlink_path)
        remove_path(listener);
    free(listener->name);
    free(listener->listen);
    free(listener->path);
    *listener = (struct listener){.fd = -1};
}

void listeners_free(struct listeners *listeners)
{
    if (!listeners)
        return;
    for (size_t i = 0; i < listeners->count; i++)
        close_listener(&listeners->list[i], true);
    free(listeners);
}

/* A path without a listener is left over, and in the way. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat status;

    if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

/* The mode of a path is set by the umask, so that it is never more open than it
 * should be. A stale socket is only removed if nothing listens on it. */
static int bind_and_listen(int fd, const struct socket_spec *spec, const struct sockaddr *address)
{
    int on = 1;
    bool path = address->sa_family == AF_UNIX && spec->listen[0] == '/';

    if (address->sa_family != AF_UNIX &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    if (path)
        remove_stale((const struct sockaddr_un *)(const void *)address);
    mode_t mask = umask(0777 & ~spec->mode);
    int r = bind(fd, address, spec->address_size) < 0 ? -errno : 0;
    umask(mask);
    if (r == 0 && !spec->datagram && listen(fd, SOMAXCONN) < 0)
        r = -errno;
    return r;
}

/* Moved to a high number, away from those that children get. */
static int open_socket(const struct socket_spec *spec)
{
    struct sockaddr_storage storage = {};
    const struct sockaddr *address = (const struct sockaddr *)&storage;

    memcpy(&storage, spec->address, spec->address_size);
    int low =
        socket(address->sa_family, (spec->datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (low < 0)
        return -errno;
    int fd = again_copy(low, FIRST_FREE);
    int r = fd < 0 ? fd : 0;
    close(low);
    if (r == 0)
        r = bind_and_listen(fd, spec, address);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* The inode is kept, to recognize our own path later. */
static int open_listener(const struct socket_spec *spec, struct listener *listener)
{
    *listener = (struct listener){.fd = -1, .datagram = spec->datagram};
    listener->name = strdup(spec->name);
    listener->listen = strdup(spec->listen);
    if (spec->listen[0] == '/')
        listener->path = strdup(spec->listen);
    if (!listener->name || !listener->listen || (spec->listen[0] == '/' && !listener->path))
        return -ENOMEM;
    int fd = open_socket(spec);
    if (fd < 0) {
        free(listener->path); /* it is another program's */
        listener->path = NULL;
        return fd;
    }
    listener->fd = fd;
    struct stat status;
    if (listener->path && lstat(listener->path, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    return 0;
}

/* By address and type: a socket whose name alone has changed is kept. */
static struct listener *find(struct listeners *listeners, const struct socket_spec *spec)
{
    for (size_t i = 0; listeners && i < listeners->count; i++) {
        struct listener *listener = &listeners->list[i];
        if (listener->fd >= 0 && strcmp(listener->listen, spec->listen) == 0 &&
            listener->datagram == spec->datagram)
            return listener;
    }
    return NULL;
}

bool listeners_have(struct listeners *listeners, const struct socket_spec *spec)
{
    INVARIANT(spec);
    return find(listeners, spec) != NULL;
}

/* Takes over from the old ones those that continue to listen; its name may be another. */
static void take_over(struct listeners *old, const struct process_spec *spec,
                      struct listeners *fresh, const bool *kept)
{
    for (size_t i = 0; i < spec->n_sockets; i++) {
        struct listener *before = kept[i] ? find(old, &spec->sockets[i]) : NULL;
        if (!before)
            continue;
        fresh->list[i] = *before;
        *before = (struct listener){.fd = -1};
        char *name = strdup(spec->sockets[i].name);
        if (name) {
            free(fresh->list[i].name);
            fresh->list[i].name = name;
        }
    }
}

/* All or none: if one cannot be opened, the present ones stay as they were. */
int listeners_open(const struct process_spec *spec, struct listeners **listeners,
                   struct error *error)
{
    struct listeners *fresh = calloc(1, sizeof(*fresh));
    bool kept[SOCKETS_MAX] = {};
    int r = fresh ? 0 : -ENOMEM;

    INVARIANT(spec->n_sockets <= SOCKETS_MAX);
    for (size_t i = 0; r == 0 && i < spec->n_sockets; i++) {
        kept[i] = find(*listeners, &spec->sockets[i]) != NULL;
        fresh->count = i + 1;
        fresh->list[i].fd = -1;
        if (!kept[i])
            r = open_listener(&spec->sockets[i], &fresh->list[i]);
        if (r < 0)
            snprintf(error->text, sizeof(error->text), "%s", spec->sockets[i].listen);
    }
    if (r < 0) {
        listeners_free(fresh);
        return r;
    }
    take_over(*listeners, spec, fresh, kept);
    listeners_free(*listeners);
    *listeners = fresh;
    return 0;
}

/* An adopted descriptor is believed only if it is bound where the manifest
 * says. */
static bool listens_there(int fd, const struct socket_spec *spec)
{
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address), wanted = spec->address_size;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return false;
    size = size < wanted ? size : wanted;
    return size > sizeof(sa_family_t) && memcmp(&address, spec->address, size) == 0;
}

/* One that does not fit is closed and opened at the next start. */
void listeners_adopt(const struct process_spec *spec, const int *fds, struct listeners **listeners)
{
    struct listeners *fresh = spec->n_sockets > 0 ? calloc(1, sizeof(*fresh)) : NULL;

    INVARIANT(spec->n_sockets == 0 || fds);
    for (size_t i = 0; i < spec->n_sockets; i++) {
        int fd = fds[i] >= 0 ? fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FREE) : -1;
        if (fds[i] >= 0)
            close(fds[i]);
        if (!fresh) {
            if (fd >= 0)
                close(fd);
            continue;
        }
        struct listener *listener = &fresh->list[fresh->count++];
        *listener = (struct listener){.fd = fd, .datagram = spec->sockets[i].datagram};
        listener->name = strdup(spec->sockets[i].name);
        listener->listen = strdup(spec->sockets[i].listen);
        if (fd < 0 || !listener->name || !listener->listen || !listens_there(fd, &spec->sockets[i]))
            close_listener(listener, false);
        else if (spec->sockets[i].listen[0] == '/')
            listener->path = strdup(spec->sockets[i].listen);
    }
    *listeners = fresh;
}
