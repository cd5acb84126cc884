/*
 * Where lines go, without ever waiting: what cannot be written at once is kept,
 * up to a limit, and then counted as lost. A file that cannot be made
 * non-blocking is written by a thread.
 */
#include "log/sink.h"

#include "system/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define SLICE_MSEC 10
#define AGAIN_USEC 1000000 /* when journald is not there */

enum way {
    WAY_WRITE,    /* does not block */
    WAY_SEND,     /* a stream socket: MSG_DONTWAIT */
    WAY_DATAGRAM, /* to journald */
    WAY_BESIDE,   /* in a thread */
};

struct line {
    struct line *next;
    size_t size, written;
    char data[];
};

struct sink {
    enum way way;
    int fd;           /* -1: it could not be opened, yet */
    const char *path; /* of journald's socket */
    struct line *first, **end;
    size_t kept; /* bytes of them */
    uint64_t lost, reported;
    void (*notice)(struct sink *sink, uint64_t lost);
    bool reporting;
    sd_event *event;
    sd_event_source *room, *again;
    struct beside_queue *queue;
    bool may_be_left; /* a thread that hangs in it can be ended */
    bool beside;      /* one is in a thread now */
};

/* ---- one line -------------------------------------------------------------------------------- */

/* journald may be restarted at any time. */
static void connect_to_journal(struct sink *sink)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strncpy(address.sun_path, sink->path, sizeof(address.sun_path) - 1);
    if (sink->fd < 0)
        sink->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sink->fd >= 0 && connect(sink->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        sink->room = sd_event_source_disable_unref(sink->room);
        close(sink->fd);
        sink->fd = -1;
    }
}

/* Tried twice, as the socket may be that of an earlier journald. */
static ssize_t send_datagram(struct sink *sink, const struct line *line)
{
    ssize_t n = -1;

    for (int i = 0; n < 0 && i < 2; i++) { /* another journald may have come */
        if (sink->fd < 0 || i > 0)
            connect_to_journal(sink);
        if (sink->fd < 0)
            return -ECONNREFUSED;
        n = send(sink->fd, line->data, line->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
    }
    return n < 0 ? -errno : n;
}

/* By the kind of descriptor. */
static ssize_t write_some(struct sink *sink, const struct line *line)
{
    const char *data = line->data + line->written;
    size_t size = line->size - line->written;
    ssize_t n = 0;

    switch (sink->way) {
    case WAY_DATAGRAM:
        return send_datagram(sink, line);
    case WAY_SEND:
        n = send(sink->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case WAY_WRITE:
        n = write(sink->fd, data, size);
        break;
    case WAY_BESIDE:
        return -EAGAIN;
    }
    return n < 0 ? -errno : n;
}

/* Whether it may go the next time: the reader is slow, or is not there just now. */
static bool may_go_later(const struct sink *sink, ssize_t error)
{
    return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM ||
           (sink->way == WAY_DATAGRAM && (error == -ECONNREFUSED || error == -ENOENT ||
                                          error == -ENOTCONN || error == -ECONNRESET));
}

static struct line *take_line(struct sink *sink)
{
    struct line *line = sink->first;

    sink->first = line->next;
    if (!sink->first)
        sink->end = &sink->first;
    sink->kept -= line->size;
    return line;
}

/* As much as goes. */
static void drain(struct sink *sink)
{
    while (sink->first && sink->way != WAY_BESIDE) {
        ssize_t n = write_some(sink, sink->first);
        if (n == -EINTR)
            continue;
        if (n < 0 && may_go_later(sink, n))
            return;
        if (n < 0)
            sink->lost++; /* no reader will ever come */
        else if ((sink->first->written += (size_t)n) < sink->first->size)
            continue;
        free(take_line(sink));
    }
}

/* ---- in a thread ----------------------------------------------------------------------------- */

struct writing {
    struct beside_work work;
    struct sink *sink; /* the loop's */
    int fd;
    bool is_sinks; /* there was no descriptor for one of its own */
    struct line *lines;
    bool failed;
};

/* In the thread. */
static void write_lines(void *data)
{
    struct writing *writing = data;

    for (struct line *line = writing->lines; line; line = line->next)
        while (line->written < line->size) {
            ssize_t n = write(writing->fd, line->data + line->written, line->size - line->written);
            if (n < 0 && errno != EINTR && errno != EAGAIN)
                return;
            if (n < 0 && errno == EAGAIN) { /* another program that shares it wants it so */
                struct pollfd room = {.fd = writing->fd, .events = POLLOUT};
                poll(&room, 1, -1);
            }
            line->written += n > 0 ? (size_t)n : 0;
        }
}

static void go_on(struct sink *sink);

/* Back in the loop. */
static void lines_are_written(void *data)
{
    const struct writing *writing = data;
    struct sink *sink = writing->sink;

    for (const struct line *line = writing->lines; line; line = line->next) {
        sink->kept -= line->size;
        sink->lost += line->written < line->size;
    }
    sink->beside = false;
    go_on(sink);
}

/* Also if the sink has gone. */
static void release_lines(void *data)
{
    struct writing *writing = data;

    for (struct line *line = writing->lines, *next; line; line = next) {
        next = line->next;
        free(line);
    }
    if (!writing->is_sinks)
        close(writing->fd);
    free(writing);
}

/* All that has come meanwhile, as one work. */
static void hand_over(struct sink *sink)
{
    if (sink->way != WAY_BESIDE || sink->beside || !sink->first || !sink->queue)
        return;
    struct writing *writing = calloc(1, sizeof(*writing));
    if (!writing)
        return;
    int fd = fcntl(sink->fd, F_DUPFD_CLOEXEC, 3);
    *writing = (struct writing){
        .sink = sink, .fd = fd < 0 ? sink->fd : fd, .is_sinks = fd < 0, .lines = sink->first};
    writing->work = (struct beside_work){.what = "write to the log",
                                         .work = write_lines,
                                         .done = lines_are_written,
                                         .release = release_lines,
                                         .data = writing,
                                         .may_be_left = sink->may_be_left};
    sink->first = NULL;
    sink->end = &sink->first;
    sink->beside = true;
    beside_do(sink->queue, &writing->work);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static void report_loss(struct sink *sink)
{
    uint64_t lost = sink->lost - sink->reported;

    if (lost == 0 || sink->reporting || !sink->notice || sink->kept > SINK_MAX / 2)
        return;
    sink->reporting = true;
    sink->reported = sink->lost;
    sink->notice(sink, lost);
    sink->reporting = false;
}

static int there_is_room(sd_event_source *source, int fd, uint32_t events, void *userdata);
static int try_again(sd_event_source *source, uint64_t usec, void *userdata);

/* Where something is left it is gone on with when there is room, or journald is there again. */
static void arm(struct sink *sink)
{
    bool waits = sink->first && sink->way != WAY_BESIDE;

    if (!sink->event)
        return;
    if (waits && sink->fd >= 0 && !sink->room)
        sd_event_add_io(sink->event, &sink->room, sink->fd, EPOLLOUT, there_is_room, sink);
    if (!waits)
        sink->room = sd_event_source_disable_unref(sink->room);
    if (waits && sink->fd < 0 && !sink->again)
        sd_event_add_time_relative(sink->event, &sink->again, CLOCK_MONOTONIC, AGAIN_USEC, 0,
                                   try_again, sink);
}

static void go_on(struct sink *sink)
{
    drain(sink);
    hand_over(sink);
    report_loss(sink);
    arm(sink);
}

static int there_is_room(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    go_on(userdata);
    return 0;
}

static int try_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    struct sink *sink = userdata;
    sink->again = sd_event_source_disable_unref(sink->again);
    go_on(sink);
    return 0;
}

/* Bounded. */
static void keep(struct sink *sink, const void *data, size_t size)
{
    struct line *line = sink->kept + size <= SINK_MAX ? malloc(sizeof(*line) + size) : NULL;

    if (!line) {
        sink->lost++;
        return;
    }
    line->next = NULL;
    line->size = size;
    line->written = 0;
    memcpy(line->data, data, size);
    *sink->end = line;
    sink->end = &line->next;
    sink->kept += size;
}

void sink_put(struct sink *sink, const void *data, size_t size)
{
    drain(sink);
    report_loss(sink);
    keep(sink, data, size);
    drain(sink);
    hand_over(sink);
    arm(sink);
}

void sink_on_loss(struct sink *sink, void (*notice)(struct sink *sink, uint64_t lost))
{
    sink->notice = notice;
}

void sink_settle(struct sink *sink, unsigned limit_msec)
{
    go_on(sink);
    for (unsigned msec = 0; sink->beside && msec < limit_msec; msec += SLICE_MSEC)
        beside_run(SLICE_MSEC * 1000);
    if (sink->first && sink->way != WAY_BESIDE && sink->fd >= 0) {
        struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
        poll(&room, 1, (int)limit_msec);
        go_on(sink);
    }
}

uint64_t sink_lost(const struct sink *sink)
{
    return sink->lost;
}

/* ---- its life -------------------------------------------------------------------------------- */

static struct sink *new_sink(void)
{
    struct sink *sink = calloc(1, sizeof(*sink));

    if (!sink)
        return NULL;
    sink->fd = -1;
    sink->end = &sink->first;
    return sink;
}

static int open_again(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool is_null_device(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* A file is never opened again: it would be written from its beginning. */
static bool may_be_opened_again(const struct stat *status)
{
    return S_ISFIFO(status->st_mode) || (S_ISCHR(status->st_mode) && !is_null_device(status));
}

int sink_open_another(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!may_be_opened_again(&status))
        return -ENOTSUP;
    int another = open_again(fd);
    return another < 0 ? -errno : another;
}

/* A descriptor that others share must not be made non-blocking, so it is opened
 * again where that is possible. */
static void choose_way(struct sink *sink, int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return;
    sink->way = S_ISSOCK(status.st_mode) ? WAY_SEND : WAY_WRITE;
    if (may_be_opened_again(&status))
        sink->fd = open_again(fd);
    if (sink->fd < 0) {
        sink->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (sink->way == WAY_WRITE && !is_null_device(&status))
            sink->way = WAY_BESIDE;
    }
    sink->may_be_left = !S_ISREG(status.st_mode);
}

struct sink *sink_open(int fd)
{
    struct sink *sink = new_sink();

    if (!sink)
        return NULL;
    choose_way(sink, fd);
    if (sink->way == WAY_BESIDE)
        sink->queue = beside_queue_new();
    return sink;
}

struct sink *sink_open_journal(const char *path)
{
    struct sink *sink = new_sink();

    if (!sink)
        return NULL;
    sink->way = WAY_DATAGRAM;
    sink->path = path;
    return sink;
}

void sink_attach(struct sink *sink, sd_event *event)
{
    sink->room = sd_event_source_disable_unref(sink->room);
    sink->again = sd_event_source_disable_unref(sink->again);
    sink->event = event;
    arm(sink);
}

/* A thread may still have the descriptor. */
void sink_close(struct sink *sink)
{
    if (!sink)
        return;
    sink_attach(sink, NULL);
    beside_leave(sink->queue);
    while (sink->first)
        free(take_line(sink));
    if (sink->fd >= 0 && !sink->beside) /* a thread may have it */
        close(sink->fd);
    free(sink);
}
