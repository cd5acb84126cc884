/*
 * The notify socket. Every message comes with the sender's PID and user from
 * the kernel. A message is never waited for, and none may hold up the loop: one
 * that carries descriptors whose closing may hang is received outside of it.
 */
#include "host/notify.h"

#include "system/beside.h"
#include "system/clock.h"
#include "system/discard.h"
#include "log/log.h"
#include "host/process.h"
#include "host/share.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

#define PRIORITY        (SD_EVENT_PRIORITY_NORMAL - 20)
#define DRAIN_MAX       1024 /* datagrams in one go, */
#define TURN_USEC       500  /* and so long */
#define PAUSE_USEC      1000 /* between two turns, while a process sends too much */
#define LAST_WORDS_USEC 5000 /* before the end of a process is looked at */

#define PROCESS_INTERVAL_USEC  1000 /* each process: 1,000 messages a second, */
#define PROCESS_BURST          500  /* and so many at once */
#define STRANGER_INTERVAL_USEC 100000
#define STRANGER_BURST         50
#define CLOSED_USEC            UINT64_C(1500000) /* more than a process's burst: nothing for a second */

#define DESCRIPTORS_MAX 253 /* of one message, by the kernel */

#define DOOR_USEC UINT64_C(60000000)
#define SLOW_USEC UINT64_C(50000)
#define TELL_USEC UINT64_C(10000000)

struct notify_socket {
    struct notify_handler handler;
    int fd;
    char *path;
    sd_event_source *source;
    sd_event_source *pause;
    uint64_t now_usec;  /* at the last message */
    bool crowded;       /* something was dropped in this turn */
    bool passes_pidfd;  /* handles come along: they cost something */
    uint64_t told_usec; /* when the last line about that was written, */
    uint64_t untold;    /* and what has been dropped since */
    struct beside_queue *queue;
    bool discarding;    /* the next datagram is taken beside the loop */
    uint64_t door_usec; /* no descriptors come in before then; 0: they do */
    struct senders processes, users;
};

/* What came beside a datagram. */
struct parcel {
    struct notify_sender sender;
    int fds[DESCRIPTORS_MAX]; /* -1: taken over */
    size_t n_fds;
};

/* Counted up to the most that a message may have; the rest is closed by the
 * kernel. */
static void take_descriptors(const struct cmsghdr *c, struct parcel *parcel)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < n; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
        if (parcel->n_fds < DESCRIPTORS_MAX)
            parcel->fds[parcel->n_fds++] = fd;
    }
}

/* A pidfd with the message (Linux 6.5) names the sender even if it has
 * ended. */
static void take_control(struct msghdr *header, struct parcel *parcel)
{
    struct notify_sender *sender = &parcel->sender;

    *sender = (struct notify_sender){.pidfd = -1};
    parcel->n_fds = 0;
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
            take_descriptors(c, parcel);
        }
    }
}

/* What was not taken may linger in its close. */
static void let_go(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->n_fds; i++)
        if (parcel->fds[i] >= 0)
            discard_close(parcel->fds[i]);
    if (parcel->sender.pidfd >= 0)
        close(parcel->sender.pidfd);
}

/* ---- shares ---------------------------------------------------------------------------------- */

/* At most one line in ten seconds: it must not be a second way to flood us. */
static void tell_dropped(struct notify_socket *socket, const struct notify_sender *sender)
{
    socket->untold++;
    if (socket->told_usec > 0 && socket->now_usec - socket->told_usec < TELL_USEC)
        return;
    log_print(LOG_WARNING,
              "notify: more messages than its share: %" PRIu64
              " dropped since the last such line, most recently from process %d of user %u",
              socket->untold, (int)sender->pid, sender->uid);
    socket->told_usec = socket->now_usec;
    socket->untold = 0;
}

static void drop(struct notify_socket *socket, const struct notify_sender *sender)
{
    socket->crowded = true;
    socket->handler.dropped(socket->handler.userdata);
    tell_dropped(socket, sender);
}

static struct share *share_of(struct notify_socket *socket, const struct notify_sender *sender)
{
    return senders_find(&socket->processes, (uint64_t)sender->pid << 32 | sender->uid,
                        socket->now_usec);
}

/* Before anything is looked up: only by its sender. */
static struct share *admit(struct notify_socket *socket, const struct notify_sender *sender,
                           bool *admitted)
{
    struct share *share = share_of(socket, sender);

    *admitted = !share || share_take(share, socket->now_usec, PROCESS_INTERVAL_USEC, PROCESS_BURST);
    return share;
}

/* Strangers have little to say here, all those of a user together. */
static bool admit_stranger(struct notify_socket *socket, const struct notify_sender *sender)
{
    struct share *share = senders_find(&socket->users, (uint64_t)sender->uid + 1, socket->now_usec);

    return share && share_take(share, socket->now_usec, STRANGER_INTERVAL_USEC, STRANGER_BURST);
}

/* Returns whether it was a child's. */
static bool handle(struct notify_socket *socket, char *text, struct parcel *parcel)
{
    const struct notify_sender *sender = &parcel->sender;
    const struct notify_handler *handler = &socket->handler;
    struct notify_message message;
    struct notify_asides asides;
    struct owner owner;
    bool admitted;
    struct share *share = admit(socket, sender, &admitted);

    if (!admitted) {
        drop(socket, sender);
        return true;
    }
    notify_parse(text, &message, &asides);
    int r = sender->pid > 0 ? handler->owner_of(handler->userdata, sender, &owner) : -EPERM;
    if (r >= 0 &&
        handler->message(handler->userdata, &owner, socket->now_usec, &message, &asides)) {
        if (parcel->n_fds > 0)
            handler->descriptors(handler->userdata, &owner, &asides, parcel->fds, parcel->n_fds);
        return true;
    }
    if (r < 0 && admit_stranger(socket, sender)) {
        handler->refused(handler->userdata, sender->pid, sender->uid, &message);
        return false;
    }
    drop(socket, sender);
    if (share) /* what comes next of it costs no look */
        share_close(share, socket->now_usec + CLOSED_USEC);
    return r >= 0;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void set_option(const struct notify_socket *socket, int option, int value)
{
    setsockopt(socket->fd, SOL_SOCKET, option, &value, sizeof(value)); /* where there is such */
}

/* Linux 6.5. */
static void pass_pidfd(struct notify_socket *socket, bool passes)
{
    if (socket->passes_pidfd != passes)
        set_option(socket, SO_PASSPIDFD, passes);
    socket->passes_pidfd = passes;
}

/*
 * Descriptors are for sd_notify_barrier(3), which waits until they are closed, and for the store of
 * a child. Misuse of that closes the door for a while (Linux 6.16), unless a child has a store:
 * the kernel refuses them then as they are sent. What has been queued before is still looked at.
 */
static void close_door(struct notify_socket *socket, const struct discarded *discarded)
{
    if (socket->handler.stores(socket->handler.userdata, NULL))
        return; /* the kernel would refuse those of a store, too */
    if (socket->door_usec == 0)
        log_print(
            LOG_WARNING,
            "notify: unwanted descriptors from process %d of user %u: accepting none for a minute",
            (int)discarded->pid, discarded->uid);
    discard_refuse(socket->fd, true);
    socket->door_usec = socket->now_usec + DOOR_USEC;
}

static void open_door(struct notify_socket *socket)
{
    discard_refuse(socket->fd, false);
    socket->door_usec = 0;
}

/* The message that was received outside is handled here. If receiving it was
 * slow, descriptors are not let in for a while. */
static void discard_done(void *userdata, struct discarded *discarded)
{
    struct notify_socket *socket = userdata;
    struct parcel parcel = {.sender = {.pid = discarded->pid, .uid = discarded->uid, .pidfd = -1}};

    socket->discarding = false;
    socket->now_usec = clock_now_usec();
    pass_pidfd(socket, true);
    sd_event_source_set_enabled(socket->source, SD_EVENT_ON);
    bool wanted = discarded->size >= 0 && handle(socket, discarded->text, &parcel);
    if (!wanted || discarded->took_usec > SLOW_USEC)
        close_door(socket, discarded);
}

/* Whether the next datagram carries descriptors (they do not fit beside the credentials), and whose
 * it is. Takes nothing. Returns a negative errno where there is none, or it could not be seen. */
static int has_descriptors(struct notify_socket *socket, struct parcel *parcel)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};

    pass_pidfd(socket, false);
    ssize_t n = recvmsg(socket->fd, &header, MSG_DONTWAIT | MSG_PEEK);
    if (n < 0)
        return -errno;
    take_control(&header, parcel);
    return (header.msg_flags & MSG_CTRUNC) != 0;
}

static void begin_discard(struct notify_socket *socket)
{
    pass_pidfd(socket, false);
    socket->discarding = discard_next(socket->queue, socket->fd, discard_done, socket) == 0;
    if (socket->discarding)
        sd_event_source_set_enabled(socket->source, SD_EVENT_OFF);
}

/* ---- reception ------------------------------------------------------------------------------- */

/* The next datagram, with room for all descriptors that can come along where they are wanted: none
 * is to be closed by the kernel meanwhile. Returns 1, 0 or a negative errno. */
static int take_datagram(struct notify_socket *socket, bool with_descriptors)
{
    char text[DATAGRAM_MAX + 1];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) +
                   CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    size_t room = CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int));
    struct iovec part = {.iov_base = text, .iov_len = DATAGRAM_MAX};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = with_descriptors ? sizeof(control) : room};
    struct parcel parcel;

    pass_pidfd(socket, true);
    ssize_t n = recvmsg(socket->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    take_control(&header, &parcel);
    text[n] = '\0';
    if (!(header.msg_flags & MSG_TRUNC) && memchr(text, '\0', (size_t)n) == NULL)
        handle(socket, text, &parcel);
    let_go(&parcel);
    return 1;
}

static bool is_too_much(struct notify_socket *socket, const struct notify_sender *sender)
{
    const struct share *share = share_of(socket, sender);

    return share && !share_admits(share, socket->now_usec, PROCESS_INTERVAL_USEC, PROCESS_BURST);
}

/* What comes with no descriptors and is not admitted is not even read. */
static int drop_next(struct notify_socket *socket, const struct notify_sender *sender)
{
    char byte;

    if (recv(socket->fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0)
        return errno == EINTR ? 0 : -errno;
    drop(socket, sender);
    return 1;
}

/* Returns 1; 0 where it is to be looked at again; or a negative errno. */
static int receive(struct notify_socket *socket)
{
    const struct notify_handler *handler = &socket->handler;
    struct parcel parcel;

    int r = has_descriptors(socket, &parcel);
    if (r < 0)
        return r == -EINTR ? 0 : r;
    if (r == 0 && is_too_much(socket, &parcel.sender))
        return drop_next(socket, &parcel.sender);
    if (r > 0 && !handler->stores(handler->userdata, &parcel.sender)) {
        begin_discard(socket);
        return -EBUSY;
    }
    return take_datagram(socket, r > 0);
}

/* Until the time is over, or all is read. Returns whether it is. */
static bool drain(struct notify_socket *socket, uint64_t limit_usec)
{
    uint64_t begin = clock_now_usec();
    int r = socket->discarding ? -EBUSY : 0;

    socket->now_usec = begin;
    if (socket->door_usec > 0 && begin >= socket->door_usec)
        open_door(socket);
    for (int i = 0; r >= 0 && i < DRAIN_MAX && socket->now_usec - begin < limit_usec; i++) {
        r = receive(socket);
        socket->now_usec = clock_now_usec();
    }
    if (!socket->discarding)
        pass_pidfd(socket, true);
    return r < 0;
}

/* Mostly there is nothing, and that takes one call: without room for control data the kernel makes
 * no pidfd for it. */
static bool is_empty(const struct notify_socket *socket)
{
    char byte;

    return recv(socket->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

void notify_socket_drain(struct notify_socket *socket)
{
    if (!is_empty(socket))
        drain(socket, LAST_WORDS_USEC);
}

/* The socket is read again. */
static int pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct notify_socket *socket = userdata;

    (void)source;
    (void)usec;
    if (!socket->discarding)
        sd_event_source_set_enabled(socket->source, SD_EVENT_ON);
    return 0;
}

/* Others have their turn between two of ours: where there is much to read they come as often as
 * we, and if one sends more than its share, we leave them a moment. */
static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct notify_socket *socket = userdata;

    (void)fd;
    (void)events;
    socket->crowded = false;
    bool all = drain(socket, TURN_USEC);
    sd_event_source_set_priority(source, all ? PRIORITY : SD_EVENT_PRIORITY_NORMAL);
    if (socket->crowded && sd_event_source_set_time_relative(socket->pause, PAUSE_USEC) >= 0 &&
        sd_event_source_set_enabled(socket->pause, SD_EVENT_ONESHOT) >= 0)
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

/* ---- the socket ------------------------------------------------------------------------------ */

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

/* Anyone may write to it: a child may run as any user. The receive buffer is
 * large, as the messages of a restart storm have to wait in it. */
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
    if (setsockopt(notify->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(notify->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return 0;
}

/* Messages come after ends, and before calls from the bus. */
static int add_sources(sd_event *event, struct notify_socket *socket)
{
    int r = sd_event_add_io(event, &socket->source, socket->fd, EPOLLIN, readable, socket);

    if (r >= 0)
        r = sd_event_source_set_priority(socket->source, PRIORITY);
    if (r >= 0)
        r = sd_event_add_time(event, &socket->pause, CLOCK_MONOTONIC, UINT64_MAX, 100, pause_over,
                              socket);
    if (r >= 0)
        r = sd_event_source_set_enabled(socket->pause, SD_EVENT_OFF);
    set_option(socket, SO_PASSPIDFD, 1);
    socket->passes_pidfd = true;
    open_door(socket); /* it may have been closed by an earlier program */
    socket->queue = beside_queue_new();
    if (!socket->queue)
        return r < 0 ? r : -ENOMEM;
    beside_reserve(socket->queue);
    return r;
}

/* The socket of an earlier program is used if it is still bound to this path:
 * children have the path in their environment. */
int notify_socket_open(sd_event *event, const char *path, int kept,
                       const struct notify_handler *handler, struct notify_socket **socket)
{
    struct notify_socket *fresh = calloc(1, sizeof(*fresh));
    if (kept >= 0 && (!fresh || !is_bound(kept, path))) {
        beside_close(kept);
        kept = -1;
    }
    if (!fresh)
        return -ENOMEM;

    fresh->handler = *handler;
    fresh->fd = kept;
    fresh->path = strdup(path);
    int r = !fresh->path ? -ENOMEM : kept >= 0 ? 0 : bind_socket(fresh, path);
    if (r >= 0)
        r = add_sources(event, fresh);
    if (r < 0) {
        notify_socket_close(fresh);
        return r;
    }
    *socket = fresh;
    return 0;
}

void notify_socket_let_in(struct notify_socket *socket)
{
    if (socket && socket->door_usec > 0)
        open_door(socket);
}

int notify_socket_descriptor(const struct notify_socket *socket)
{
    return socket->fd;
}

/* Not closed: closing what is queued may hang, and the process ends anyway. */
void notify_socket_close(struct notify_socket *socket)
{
    if (!socket)
        return;
    sd_event_source_disable_unref(socket->source);
    sd_event_source_disable_unref(socket->pause);
    beside_cancel(socket->queue);
    /* Not closed: what is queued may hold descriptors that linger, which nothing does in a process
     * that ends, as we do now. */
    if (socket->path)
        unlink(socket->path);
    free(socket->path);
    free(socket);
}
