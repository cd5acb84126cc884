/*
 * Descriptors of processes and sockets that are waited for once. They stand in
 * an epoll of their own, since a thousand event sources cost memory and time
 * each, while this is one source for all.
 */
#include "host/ends.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY_MAX 1024
#define LATER_MAX 8

struct ends {
    int epoll;
    uint32_t events;
    sd_event_source *source;
    void (*ended)(void *data);
    bool handling;
    struct later {
        int fd;
        bool watched;
    } later[LATER_MAX]; /* to be closed when the end has been handled */
    size_t n_later;
};

static void close_now(const struct ends *ends, const struct later *one)
{
    if (one->watched)
        ends_forget(ends, one->fd);
    close(one->fd);
}

static void close_later_ones(struct ends *ends)
{
    while (ends->n_later > 0)
        close_now(ends, &ends->later[--ends->n_later]);
}

static void handle_one(struct ends *ends, void *data)
{
    ends->handling = true;
    ends->ended(data);
    ends->handling = false;
    close_later_ones(ends);
}

/* One at a time, so that the loop keeps its order of priorities. */
static int some_have_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct ends *ends = userdata;
    struct epoll_event event;

    (void)source;
    (void)events;
    if (epoll_wait(fd, &event, 1, 0) == 1)
        handle_one(ends, event.data.ptr);
    return 0;
}

/* The caller is told by its data pointer. */
int ends_new(sd_event *event, int64_t priority, uint32_t events, void (*ended)(void *data),
             struct ends **ends)
{
    struct ends *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->ended = ended;
    fresh->events = events;
    fresh->epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = fresh->epoll < 0 ? -errno : 0;
    if (r == 0)
        r = sd_event_add_io(event, &fresh->source, fresh->epoll, EPOLLIN, some_have_ended, fresh);
    if (r >= 0)
        r = sd_event_source_set_priority(fresh->source, priority);
    if (r < 0) {
        ends_free(fresh);
        return r;
    }
    *ends = fresh;
    return 0;
}

void ends_free(struct ends *ends)
{
    if (!ends)
        return;
    sd_event_source_disable_unref(ends->source);
    if (ends->epoll >= 0)
        close(ends->epoll);
    free(ends);
}

int ends_watch(struct ends *ends, int fd, void *data)
{
    struct epoll_event event = {.events = ends->events, .data.ptr = data};

    return epoll_ctl(ends->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void ends_forget(const struct ends *ends, int fd)
{
    epoll_ctl(ends->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void ends_close(struct ends *ends, int fd, bool watched)
{
    struct later one = {fd, watched};

    INVARIANT(fd >= 0 && ends->n_later <= LATER_MAX);
    if (ends->handling && ends->n_later < LATER_MAX)
        ends->later[ends->n_later++] = one;
    else
        close_now(ends, &one);
}

void ends_for_ready(struct ends *ends, void (*ready)(void *data, void *userdata), void *userdata)
{
    struct epoll_event events[READY_MAX];

    close_later_ones(ends);
    int n = epoll_wait(ends->epoll, events, READY_MAX, 0);

    for (int i = 0; i < n; i++)
        ready(events[i].data.ptr, userdata);
}
