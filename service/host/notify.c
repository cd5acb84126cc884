#include "notify.h"

#include "number.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

#define DATAGRAM_MAX    4096
#define DRAIN_MAX       256 /* datagrams in one go: a flood must not keep us from everything else */
#define DESCRIPTORS_MAX 253

struct notify_socket {
    struct notify_handler handler;
    int fd;
    char *path;
    sd_event_source *source;
};

static bool value_of(const char *line, const char *key, const char **value)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0)
        return false;
    *value = line + length;
    return true;
}

static bool number_of(const char *line, const char *key, uint64_t *number)
{
    const char *value;

    return value_of(line, key, &value) && number_read(value, UINT64_MAX, number) == 0;
}

static void parse_line(const char *line, struct notify_message *message)
{
    const char *value;
    uint64_t number;

    if (strcmp(line, "READY=1") == 0)
        message->flags |= NOTIFY_READY;
    else if (strcmp(line, "READY=0") == 0)
        message->flags |= NOTIFY_NOT_READY;
    else if (strcmp(line, "WATCHDOG=1") == 0)
        message->flags |= NOTIFY_HEARTBEAT;
    else if (strcmp(line, "WATCHDOG=trigger") == 0)
        message->flags |= NOTIFY_TRIGGER;
    else if (strcmp(line, "STOPPING=1") == 0)
        message->flags |= NOTIFY_STOPPING;
    else if (strcmp(line, "RELOADING=1") == 0)
        message->flags |= NOTIFY_RELOADING;
    else if (value_of(line, "STATUS=", &value)) {
        message->flags |= NOTIFY_STATUS;
        message->status = value;
    } else if (number_of(line, "ERRNO=", &number) && number < 4096) {
        message->flags |= NOTIFY_ERRNO;
        message->error = (int)number;
    } else if (number_of(line, "EXTEND_TIMEOUT_USEC=", &number)) {
        message->flags |= NOTIFY_EXTEND_TIMEOUT;
        message->extend_usec = number;
    } else if (number_of(line, "MAINPID=", &number) && number > 1 && number <= INT32_MAX) {
        message->flags |= NOTIFY_MAIN_PID;
        message->main_pid = (uint32_t)number;
    }
}

void notify_parse(char *text, struct notify_message *message)
{
    char *rest = text;

    *message = (struct notify_message){};
    for (char *line; (line = strsep(&rest, "\n"));) {
        text_make_line(line); /* STATUS= goes out over D-Bus, and comes to terminals */
        parse_line(line, message);
    }
}

static void take_control(struct msghdr *header, struct notify_sender *sender)
{
    *sender = (struct notify_sender){.pidfd = -1};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
            sender->pid = credentials.pid;
            sender->uid = credentials.uid;
        } else if (c->cmsg_type == SCM_PIDFD) {
            memcpy(&sender->pidfd, CMSG_DATA(c), sizeof(int));
        } else if (c->cmsg_type == SCM_RIGHTS) {
            /* FDSTORE=1 and the like: nobody keeps them, so nobody may pile them up. */
            size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                close(fd);
            }
        }
    }
}

static void handle(struct notify_socket *socket, char *text, const struct notify_sender *sender)
{
    const struct notify_handler *handler = &socket->handler;
    struct notify_message message;
    struct owner owner;

    notify_parse(text, &message);
    int r = sender->pid > 0 ? handler->owner_of(handler->userdata, sender, &owner) : -EPERM;
    if (r < 0)
        handler->refused(handler->userdata, sender->pid, sender->uid, &message);
    else
        handler->message(handler->userdata, &owner, &message);
}

static bool receive(struct notify_socket *socket)
{
    char text[DATAGRAM_MAX + 1];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) +
                   CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = DATAGRAM_MAX};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    struct notify_sender sender;

    ssize_t n = recvmsg(socket->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EINTR;
    take_control(&header, &sender);
    text[n] = '\0';
    if (!(header.msg_flags & MSG_TRUNC) && memchr(text, '\0', (size_t)n) == NULL)
        handle(socket, text, &sender);
    if (sender.pidfd >= 0)
        close(sender.pidfd);
    return true;
}

void notify_socket_drain(struct notify_socket *socket)
{
    for (int i = 0; i < DRAIN_MAX && receive(socket); i++)
        ;
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    notify_socket_drain(userdata);
    return 0;
}

/* Whether it is bound there, and the path still leads to it. */
static bool is_bound(int fd, const char *path)
{
    struct sockaddr_un address = {};
    socklen_t size = sizeof(address);
    struct stat status;

    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           address.sun_family == AF_UNIX && strcmp(address.sun_path, path) == 0 &&
           stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int bind_socket(struct notify_socket *notify, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int on = 1, size = 8 << 20;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd < 0)
        return -errno;
    unlink(path);
    mode_t mask = umask(0111);
    int r = bind(notify->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(mask);
    if (r < 0)
        return r;
    if (setsockopt(notify->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        return -errno;
    setsockopt(notify->fd, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)); /* Linux 6.5 */
    if (setsockopt(notify->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(notify->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return 0;
}

int notify_socket_open(sd_event *event, const char *path, int kept,
                       const struct notify_handler *handler, struct notify_socket **socket)
{
    struct notify_socket *fresh = calloc(1, sizeof(*fresh));
    if (kept >= 0 && (!fresh || !is_bound(kept, path))) {
        close(kept);
        kept = -1;
    }
    if (!fresh)
        return -ENOMEM;

    fresh->handler = *handler;
    fresh->fd = kept;
    fresh->path = strdup(path);
    int r = !fresh->path ? -ENOMEM : kept >= 0 ? 0 : bind_socket(fresh, path);
    if (r >= 0)
        r = sd_event_add_io(event, &fresh->source, fresh->fd, EPOLLIN, readable, fresh);
    if (r >= 0)
        r = sd_event_source_set_priority(fresh->source, SD_EVENT_PRIORITY_NORMAL - 20);
    if (r < 0) {
        notify_socket_close(fresh);
        return r;
    }
    *socket = fresh;
    return 0;
}

int notify_socket_descriptor(const struct notify_socket *socket)
{
    return socket->fd;
}

void notify_socket_close(struct notify_socket *socket)
{
    if (!socket)
        return;
    sd_event_source_disable_unref(socket->source);
    if (socket->fd >= 0)
        close(socket->fd);
    if (socket->path)
        unlink(socket->path);
    free(socket->path);
    free(socket);
}
