/*
 * Pipes and FIFOs: a ring of bytes between two ends. Small writes arrive whole
 * or not at all.
 */
#include "machine/pipe.h"

#include "kernel/inode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct pipe {
    unsigned readers, writers;
    size_t first, used; /* a ring */
    uint64_t version;
    struct inode *fifo;
    uint64_t number;             /* of its inode: that of the first end */
    struct description *ends[2]; /* the last that were opened, to tell of what comes; not held */
    char bytes[PIPE_BYTES];
};

static bool reads(const struct description *end)
{
    return (end->flags & O_ACCMODE) != O_WRONLY;
}

static bool writes(const struct description *end)
{
    return (end->flags & O_ACCMODE) != O_RDONLY;
}

static void tell(struct pipe *pipe)
{
    for (int i = 0; i < 2; i++)
        if (pipe->ends[i])
            pipe->ends[i]->moves++;
}

/* 0 is the end: all writers have gone. */
ssize_t pipe_read(struct description *end, void *bytes, size_t size)
{
    struct pipe *pipe = end->object;

    if (!reads(end))
        return -EBADF;
    if (pipe->used == 0)
        return pipe->writers > 0 ? -EAGAIN : 0;
    size = size < pipe->used ? size : pipe->used;
    for (size_t i = 0; i < size; i++)
        ((char *)bytes)[i] = pipe->bytes[(pipe->first + i) % PIPE_BYTES];
    pipe->first = (pipe->first + size) % PIPE_BYTES;
    pipe->used -= size;
    tell(pipe);
    return (ssize_t)size;
}

/* -EPIPE if no reader is left; raising SIGPIPE is the caller's business. */
ssize_t pipe_write(struct description *end, const void *bytes, size_t size)
{
    struct pipe *pipe = end->object;
    size_t room = PIPE_BYTES - pipe->used;

    if (!writes(end))
        return -EBADF;
    if (pipe->readers == 0)
        return -EPIPE;
    if (size == 0)
        return 0;
    if (room == 0 || (size <= PIPE_WHOLE && size > room))
        return -EAGAIN;
    size = size < room ? size : room;
    for (size_t i = 0; i < size; i++)
        pipe->bytes[(pipe->first + pipe->used + i) % PIPE_BYTES] = ((const char *)bytes)[i];
    pipe->used += size;
    tell(pipe);
    return (ssize_t)size;
}

static ssize_t read_end(struct description *end, struct runner *reader, void *bytes, size_t size)
{
    (void)reader;
    return pipe_read(end, bytes, size);
}

static ssize_t write_end(struct description *end, struct runner *writer, const void *bytes,
                         size_t size)
{
    (void)writer;
    return pipe_write(end, bytes, size);
}

/* A writing end is ready only if a small write would fit. */
static unsigned poll_end(struct description *end, struct runner *asking)
{
    const struct pipe *pipe = end->object;
    unsigned events = 0;

    (void)asking;
    if (reads(end))
        events |= (pipe->used > 0 ? EPOLLIN : 0u) | (pipe->writers == 0 ? EPOLLHUP : 0u);
    if (writes(end))
        events |= (PIPE_BYTES - pipe->used >= PIPE_WHOLE ? EPOLLOUT : 0u) |
                  (pipe->readers == 0 ? EPOLLERR : 0u);
    return events;
}

static void forget_fifo(struct inode *fifo)
{
    fifo->attached = NULL;
}

/* The pipe ends with its last end. */
static void release_end(struct description *end)
{
    struct pipe *pipe = end->object;

    pipe->readers -= reads(end);
    pipe->writers -= writes(end);
    for (int i = 0; i < 2; i++)
        if (pipe->ends[i] == end)
            pipe->ends[i] = NULL;
    tell(pipe);
    if (pipe->readers + pipe->writers > 0)
        return;
    if (pipe->fifo) {
        pipe->fifo->attached = NULL;
        inode_release(pipe->fifo);
    }
    free(pipe);
}

static const struct description_kind pipe_kind = {"pipe", read_end, write_end, poll_end,
                                                  release_end};

/* The pipe has an end more. */
static struct description *add_end(struct pipe *pipe, int flags)
{
    struct description *end = description_new(&pipe_kind, pipe, flags);

    if (!end)
        return NULL;
    if (pipe->number == 0)
        pipe->number = end->number;
    pipe->readers += reads(end);
    pipe->writers += writes(end);
    pipe->ends[writes(end)] = end;
    tell(pipe);
    return end;
}

int pipe_new(int flags, struct description *ends[2])
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));

    ends[0] = pipe ? add_end(pipe, flags | O_RDONLY) : NULL;
    ends[1] = ends[0] ? add_end(pipe, flags | O_WRONLY) : NULL;
    return ends[1] ? 0 : -ENOMEM;
}

/* Waits for the other end unless O_NONBLOCK is given; a writer does not wait
 * then but gets -ENXIO. */
int pipe_open_fifo(struct inode *fifo, int flags, struct description **end)
{
    struct pipe *pipe = fifo->attached;
    int mode = flags & O_ACCMODE;

    if (mode == O_WRONLY && (!pipe || pipe->readers == 0))
        return flags & O_NONBLOCK ? -ENXIO : -EAGAIN;
    if (mode == O_RDONLY && !(flags & O_NONBLOCK) && (!pipe || pipe->writers == 0))
        return -EAGAIN;
    if (!pipe) {
        pipe = calloc(1, sizeof(*pipe));
        if (!pipe)
            return -ENOMEM;
        pipe->fifo = inode_hold(fifo);
        fifo->attached = pipe;
        fifo->detach = forget_fifo;
    }
    *end = add_end(pipe, flags);
    return *end ? 0 : -ENOMEM;
}

int pipe_open_again(const struct description *of, int flags, struct description **end)
{
    *end = add_end(of->object, flags);
    return *end ? 0 : -ENOMEM;
}

uint64_t pipe_number(const struct description *end)
{
    return ((const struct pipe *)end->object)->number;
}

bool pipe_is_end(const struct description *description)
{
    return description && description->kind == &pipe_kind;
}

size_t pipe_available(const struct description *description)
{
    return ((const struct pipe *)description->object)->used;
}
