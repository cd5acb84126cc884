/*
 * Descriptors of processes and sockets that are waited for once. They stand in
 * an epoll of their own, since a thousand event sources cost memory and time
 * each, while this is one source for all.
 */
#include "host/ends.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY_MAX 1024

struct ends {
    int epoll;
    uint32_t events;
    sd_event_source *source;
    void (*ended)(void *data);
};

/* One at a time, so that the loop keeps its order of priorities. */
static int some_have_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    const struct ends *ends = userdata;
    struct epoll_event event;

    (void)source;
    (void)events;
    if (epoll_wait(fd, &event, 1, 0) == 1)
        ends->ended(event.data.ptr);
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

void ends_forget(struct ends *ends, int fd)
{
    epoll_ctl(ends->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void ends_for_ready(const struct ends *ends, void (*ready)(void *data, void *userdata),
                    void *userdata)
{
    struct epoll_event events[READY_MAX];
    int n = epoll_wait(ends->epoll, events, READY_MAX, 0);

    for (int i = 0; i < n; i++)
        ready(events[i].data.ptr, userdata);
}
