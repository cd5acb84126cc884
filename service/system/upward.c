/*
 * A message goes to the service manager at once if its socket has room. If not,
 * a thread beside the loop waits for room, and later messages wait behind it,
 * since their order has a meaning: STOPPING=1 must not overtake READY=1.
 */
#include "system/upward.h"

#include "system/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define TEXT_MAX 1024

struct word {
    struct beside_work work;
    int fd; /* -1: none */
    char text[];
};

static struct beside_queue *queue;
static unsigned waiting;

/* ---- at once --------------------------------------------------------------------------------- */

static socklen_t address_of(const char *path, struct sockaddr_un *address)
{
    size_t length = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((path[0] != '/' && path[0] != '@') || length < 2 || length >= sizeof(address->sun_path))
        return 0;
    memcpy(address->sun_path, path, length);
    if (path[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
}

static int send_now(const struct sockaddr_un *address, socklen_t size, const char *text, int fd)
{
    struct iovec data = {(void *)(uintptr_t)text, strlen(text)};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {};
    struct msghdr header = {.msg_name = (void *)(uintptr_t)address,
                            .msg_namelen = size,
                            .msg_iov = &data,
                            .msg_iovlen = 1};

    if (fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control.bytes);
        *CMSG_FIRSTHDR(&header) = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), &fd, sizeof(fd));
    }
    int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (to < 0)
        return -errno;
    int r = sendmsg(to, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
    close(to);
    return r;
}

/* ---- beside the loop ------------------------------------------------------------------------- */

static void say(void *data)
{
    const struct word *word = data;

    sd_pid_notify_with_fds(0, 0, word->text, &word->fd, word->fd >= 0);
}

static void release(void *data)
{
    struct word *word = data;

    waiting--;
    if (word->fd >= 0)
        close(word->fd);
    free(word);
}

static void say_beside(const char *text, int fd)
{
    struct word *word =
        waiting < UPWARD_WAITING_MAX ? malloc(sizeof(*word) + strlen(text) + 1) : NULL;

    if (!queue)
        queue = beside_queue_new();
    if (!word || !queue) {
        free(word);
        return;
    }
    *word = (struct word){.work = {.what = "talk to the service manager",
                                   .work = say,
                                   .release = release,
                                   .data = word},
                          .fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    strcpy(word->text, text);
    waiting++;
    beside_do(queue, &word->work);
}

/* ---- either ---------------------------------------------------------------------------------- */

void upward_say(const char *text, int fd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;

    if (!path)
        return;
    socklen_t size = address_of(path, &address);
    if (waiting > 0 || size == 0 || send_now(&address, size, text, fd) == -EAGAIN)
        say_beside(text, fd);
}

void upward_sayf(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    upward_say(text, -1);
}

/* ---- the watchdog ---------------------------------------------------------------------------- */

static int beat(sd_event_source *source, uint64_t usec, void *userdata)
{
    uint64_t interval;

    (void)usec;
    (void)userdata;
    if (sd_watchdog_enabled(0, &interval) <= 0)
        return 0;
    upward_say("WATCHDOG=1", -1);
    sd_event_source_set_time_relative(source, interval / 2);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int upward_watchdog(sd_event *event, sd_event_source **source)
{
    uint64_t interval;

    if (sd_watchdog_enabled(0, &interval) <= 0)
        return 0;
    return sd_event_add_time_relative(event, source, CLOCK_MONOTONIC, 0, 0, beat, NULL);
}
