/*
 * Beside: calls that may wait, made beside the event loop.
 *
 * The loop must not wait for a disk, a directory service, or a close(2) that lingers. Such a call
 * is a work: `work` runs in a thread of a small pool, `done` runs in the loop afterwards, `release`
 * runs in the loop last of all and frees what the work needed. Works of one queue run one after
 * the other, in the order in which they came; works of different queues, and those without a queue,
 * run beside each other. A `work` must only use what it was given, and is never interrupted.
 *
 * A call that hangs keeps its thread, and other threads do the rest: at most
 * BESIDE_THREADS works run at the same time, besides those of reserved queues. A few are started as
 * they are needed, further ones only when nothing has moved for a moment. All signals are blocked
 * in them.
 *
 * The owner of a queue may go while a call hangs: after beside_cancel() or beside_leave() no `done`
 * of that queue is called any more, `release` still is, when the call comes back. Thus a work must
 * not point at anything of its owner's.
 *
 * There is one loop in a process, and so there is one pool. Before beside_start() and after
 * beside_end() a work is made at once, in beside_do().
 *
 * All functions are to be called by the thread of the loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define BESIDE_THREADS 64

struct beside_queue;

/* Is in the memory that release() frees, so that a work can always be handed in. */
struct beside_work {
    const char *what; /* "sync the journal": says what hangs; a constant */
    void (*work)(void *data);
    void (*done)(void *data);    /* NULL: nothing follows from it */
    void (*release)(void *data); /* NULL: nothing is to be freed */
    void *data;
    bool may_be_left; /* a signal ends it, wherever it hangs: it is not waited for long */

    /* The rest is the pool's own. */
    struct beside_queue *queue;
    struct beside_work *next;
    uint64_t since_usec; /* when it was handed in, or has been begun */
    bool dropped;
};

struct beside_counters {
    unsigned threads;
    unsigned running;     /* works in a thread at this moment */
    unsigned waiting;     /* works that have not been begun */
    uint64_t oldest_usec; /* how long the oldest of the running ones has been there */
    uint64_t done;
};

/* Returns 0 or a negative errno. Threads are started when the first work comes. */
int beside_start(sd_event *event);

/* Ends what can be ended at once; a thread that hangs is left behind. Works that have not begun are
 * released without having been made. */
void beside_end(void);

/* NULL without memory. */
struct beside_queue *beside_queue_new(void);

/* Always finds a thread, however many of the others hang. For a few queues that matter most. */
void beside_reserve(struct beside_queue *queue);

/* queue: NULL where no order matters. */
void beside_do(struct beside_queue *queue, struct beside_work *work);

/* Both give the queue up; NULL is allowed. cancel: what has not begun is not made any more.
 * leave: it still is. */
void beside_cancel(struct beside_queue *queue);
void beside_leave(struct beside_queue *queue);

/*
 * Waits until all works are made and done, those of `done` callbacks too, at most for so long; for
 * those that may be left only until they have taken `left_usec`. Returns 0, or -EBUSY with the
 * `what` of the oldest that is not: then *what is set. To be called before the program is replaced:
 * execve(2) itself waits for threads that hang in the kernel.
 */
int beside_wait(uint64_t limit_usec, uint64_t left_usec, const char **what);

/* Whether only such are under way as may be left; otherwise *what is set. */
bool beside_may_be_left(const char **what);

/* Waits for something to come back, at most for so long, and calls what follows from it. */
void beside_run(uint64_t limit_usec);

struct beside_counters beside_counters(void);

/* Closes a descriptor whose close(2) may take its time: a socket that lingers, a file on a disk of
 * another's. A negative one is ignored. */
void beside_close(int fd);
