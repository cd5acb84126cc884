/*
 * Lines of output to journald or to standard error, in the process that writes
 * them. A line that is not complete is kept until it is, or until the attempt
 * ends. Nobody is waited for longer than two seconds; after that what comes is
 * counted and dropped.
 */
#include "host/log_lines.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NSEC 20000000 /* between two looks for a journald that is not there */

struct log_lines {
    char *name;
    int journald;     /* a socket; -1: not connected */
    char *part;       /* of a line whose end has not come yet; NULL: there was never one */
    size_t n_part;    /* at most LOG_LINE_MAX */
    uint64_t missing; /* bytes that no line tells of yet */
    const char *why;
    uint64_t lost; /* bytes that the owner has not asked for yet */
};

/* What one call has: where it writes, until when, and what it has gathered. */
struct sending {
    struct log_lines *lines;
    int stream;
    uint64_t deadline_nsec;
    char gathered[PIPE_BUF]; /* whole lines: other writers cannot come between */
    size_t n_gathered;
};

static uint64_t now_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* journald is connected with the first line. */
struct log_lines *log_lines_new(const char *name)
{
    struct log_lines *lines = calloc(1, sizeof(*lines));

    if (!lines)
        return NULL;
    *lines = (struct log_lines){.name = strdup(name), .journald = -1};
    if (lines->name)
        return lines;
    free(lines);
    return NULL;
}

static void leave_journald(struct log_lines *lines)
{
    if (lines->journald >= 0)
        close(lines->journald);
    lines->journald = -1;
}

void log_lines_free(struct log_lines *lines)
{
    leave_journald(lines);
    free(lines->part);
    free(lines->name);
    free(lines);
}

static void lose(struct log_lines *lines, uint64_t bytes, const char *why)
{
    lines->missing += bytes;
    lines->lost += bytes;
    if (bytes > 0)
        lines->why = why;
}

/* ---- waiting for the reader ------------------------------------------------------------------ */

/* Returns whether it takes some more in time. */
static bool may_wait(const struct sending *sending, int fd)
{
    uint64_t now = now_nsec();

    if (now >= sending->deadline_nsec)
        return false;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int n = poll(&ready, 1, (int)((sending->deadline_nsec - now) / 1000000 + 1));
    return n > 0 || (n < 0 && errno == EINTR);
}

static bool may_look_again(const struct sending *sending)
{
    const struct timespec moment = {.tv_nsec = LOOK_NSEC};

    return now_nsec() < sending->deadline_nsec && nanosleep(&moment, NULL) == 0;
}

/* ---- journald -------------------------------------------------------------------------------- */

/* Again after each failure: journald may be restarted at any time. */
static bool connect_journald(struct log_lines *lines)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = LOG_LINES_JOURNALD};

    if (lines->journald >= 0)
        return true;
    lines->journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (lines->journald >= 0 &&
        connect(lines->journald, (struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    leave_journald(lines);
    return false;
}

/* Each try may find another journald, or none. */
static bool send_entry(const struct sending *sending, const struct msghdr *entry)
{
    struct log_lines *lines = sending->lines;

    for (;;) {
        if (!connect_journald(lines)) {
            if (!may_look_again(sending))
                return false;
            continue;
        }
        if (sendmsg(lines->journald, entry, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) {
            if (!may_wait(sending, lines->journald))
                return false;
            continue;
        }
        leave_journald(lines);
        if (!may_look_again(sending))
            return false;
    }
}

/* "<4>text" is text of priority 4, as in sd-daemon(3). */
static int take_priority(const char **line, size_t *length)
{
    const char *text = *line;

    if (*length < 3 || text[0] != '<' || text[1] < '0' || text[1] > '7' || text[2] != '>')
        return LOG_INFO;
    *line += 3;
    *length -= 3;
    return text[1] - '0';
}

/* In the native protocol. The priority is the one that the line begins with, as
 * in sd-daemon(3). */
static bool write_entry(const struct sending *sending, const char *line, size_t length)
{
    int priority = take_priority(&line, &length);
    char head[512];
    int n = snprintf(head, sizeof(head),
                     "PRIORITY=%d\nSYSLOG_FACILITY=3\nPROCTOR_OUTPUT=stdout\n"
                     "SYSLOG_IDENTIFIER=%.400s\nMESSAGE=",
                     priority, sending->lines->name);
    struct iovec parts[] = {{.iov_base = head, .iov_len = (size_t)n},
                            {.iov_base = (void *)(uintptr_t)line, .iov_len = length},
                            {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1}};
    struct msghdr entry = {.msg_iov = parts, .msg_iovlen = 3};

    return send_entry(sending, &entry);
}

/* ---- a stream -------------------------------------------------------------------------------- */

/* A pipe takes up to PIPE_BUF in one piece, so that lines of several children
 * do not mix. */
static bool write_all(const struct sending *sending, const char *data, size_t length)
{
    while (length > 0) {
        if (!may_wait(sending, sending->stream))
            return false;
        ssize_t n = write(sending->stream, data, length < PIPE_BUF ? length : PIPE_BUF);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

/* Lines that came together are written together: one call for many. */
static bool write_gathered(struct sending *sending)
{
    size_t length = sending->n_gathered;

    sending->n_gathered = 0;
    if (write_all(sending, sending->gathered, length))
        return true;
    lose(sending->lines, length, "standard error is not read");
    return false;
}

/* A long one goes out on its own, and by parts. */
static bool write_named(struct sending *sending, const char *line, size_t length)
{
    const char *name = sending->lines->name;
    size_t head = strlen(name) + 2, whole = head + length + 1;

    if (sending->n_gathered + whole > sizeof(sending->gathered) && !write_gathered(sending))
        return false;
    if (whole > sizeof(sending->gathered))
        return write_all(sending, name, head - 2) && write_all(sending, ": ", 2) &&
               write_all(sending, line, length) && write_all(sending, "\n", 1);
    char *to = sending->gathered + sending->n_gathered;
    memcpy(to, name, head - 2);
    memcpy(to + head - 2, ": ", 2);
    memcpy(to + head, line, length);
    to[whole - 1] = '\n';
    sending->n_gathered += whole;
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool put(struct sending *sending, const char *line, size_t length)
{
    return sending->stream < 0 ? write_entry(sending, line, length)
                               : write_named(sending, line, length);
}

/* Returns whether the reader is there. */
static bool tell_missing(struct sending *sending)
{
    struct log_lines *lines = sending->lines;
    char line[256];

    if (lines->missing == 0)
        return true;
    int n = snprintf(line, sizeof(line), "<4>proctord: %ju bytes are missing here: %s",
                     (uintmax_t)lines->missing, lines->why ? lines->why : "they were not read");
    size_t skip = sending->stream < 0 ? 0 : 3;
    if (!put(sending, line + skip, (size_t)n - skip))
        return false;
    lines->missing = 0;
    return true;
}

static const char *reason(const struct sending *sending)
{
    return sending->stream < 0 ? "journald does not respond" : "standard error is not read";
}

static void put_line(struct sending *sending, const char *line, size_t length)
{
    if (!tell_missing(sending) || !put(sending, line, length))
        lose(sending->lines, length + 1, reason(sending));
}

/* Returns false without memory: it goes out as a line then. */
static bool keep_part(struct log_lines *lines, const char *data, size_t length)
{
    if (!lines->part)
        lines->part = malloc(LOG_LINE_MAX);
    if (!lines->part)
        return false;
    memcpy(lines->part + lines->n_part, data, length);
    lines->n_part += length;
    return true;
}

/* The rest of a line, as it is: its end will not come. */
static void put_part(struct sending *sending)
{
    struct log_lines *lines = sending->lines;
    size_t length = lines->n_part;

    lines->n_part = 0;
    put_line(sending, lines->part, length);
    free(lines->part);
    lines->part = NULL;
}

/* Takes at most as much as a line may have. Returns how much it has taken. */
static size_t take_line(struct sending *sending, const char *data, size_t length)
{
    struct log_lines *lines = sending->lines;
    size_t room = LOG_LINE_MAX - lines->n_part, most = length < room ? length : room;
    const char *end = memchr(data, '\n', most);
    size_t size = end ? (size_t)(end - data) : most;
    bool whole = end || size == room;

    if (whole && lines->n_part == 0)
        put_line(sending, data, size);
    else if (!keep_part(lines, data, size))
        put_line(sending, data, size);
    else if (whole)
        put_part(sending);
    return size + (end ? 1 : 0);
}

/* What was lost before is told first, in its place. */
void log_lines_write(struct log_lines *lines, const struct log_lines_order *order, const char *data,
                     size_t length)
{
    struct sending sending = {.lines = lines,
                              .stream = order->stream,
                              .deadline_nsec =
                                  now_nsec() + UINT64_C(1000) * LOG_LINES_PATIENCE_USEC};

    INVARIANT(lines && order && (length == 0 || data));
    lose(lines, order->missing, order->why);
    while (length > 0) {
        size_t taken = take_line(&sending, data, length);
        data += taken;
        length -= taken;
    }
    if (order->end && lines->n_part > 0)
        put_part(&sending);
    if (order->end)
        tell_missing(&sending);
    if (sending.n_gathered > 0)
        write_gathered(&sending);
}

uint64_t log_lines_lost(struct log_lines *lines, const char **why)
{
    uint64_t lost = lines->lost;

    lines->lost = 0;
    *why = lost > 0 ? lines->why : NULL;
    return lost;
}
