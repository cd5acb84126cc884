/*
 * Description: what a descriptor refers to, whatever its kind: an open file, one end of a pipe, a
 * socket, an epoll, a timer. Shared by all descriptors that were made of it by dup(2), fork(2) or
 * SCM_RIGHTS.
 *
 * A call that would wait gives -EAGAIN, whether the description blocks or not: that is for the
 * caller to know (runner.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct description;
struct runner;

struct description_kind {
    const char *name;
    /* All but release may be NULL: -EINVAL, never ready. */
    ssize_t (*read)(struct description *description, struct runner *reader, void *bytes,
                    size_t size);
    ssize_t (*write)(struct description *description, struct runner *writer, const void *bytes,
                     size_t size);
    unsigned (*poll)(struct description *description, struct runner *asking); /* EPOLLIN ... */
    void (*release)(struct description *description);
};

struct description {
    const struct description_kind *kind;
    unsigned references;
    int flags;       /* O_ACCMODE, O_NONBLOCK, O_APPEND, O_PATH */
    uint64_t number; /* no two have the same */
    uint64_t moves;  /* grows when something comes that an edge-triggered epoll tells */
    void *object;    /* of the kind */
};

/* NULL: there is no memory. The object is its own from here on. */
struct description *description_new(const struct description_kind *kind, void *object, int flags);
/* One reference more; returns the same. */
struct description *description_hold(struct description *description);
void description_release(struct description *description); /* NULL is allowed */

/* Told of each before it goes: for those that know it without holding it (epoll). */
void description_on_end(void (*tell)(const struct description *description));

/* How many there are: none at the end of a run. */
size_t description_count(void);
/* Numbers of a new machine begin with 1, so that its log is the same as before.
 */
void description_restart_numbers(void);
