/*
 * Work beside the loop: a pool of threads for calls that may block. Threads are
 * added if those that run seem stuck, up to a limit; queues keep the order of
 * what belongs together.
 */
#include "system/beside.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WAKE_TRIES   4
#define CALM_THREADS 4     /* started without looking whether anything moves */
#define STUCK_USEC   20000 /* nothing has been taken for so long: another thread */
#define IDLE_SEC     10    /* then a thread that has nothing to do ends */
#define END_USEC     100000
#define STACK_BYTES  (256u << 10) /* name service modules are not small */

struct list {
    struct beside_work *first, **end;
};

struct beside_queue {
    struct list waiting; /* behind the one that is busy */
    bool busy;           /* one of it is runnable or running */
    bool reserved;
    bool given_up; /* no answer is wanted */
    unsigned works;
};

/* Everything below `lock` belongs to its holder. */
static struct {
    sd_event_source *source, *timer; /* the loop's alone */
    pthread_mutex_t lock;
    pthread_cond_t come;  /* a work, or the end */
    pthread_cond_t ended; /* a thread */
    struct list runnable, finished;
    unsigned n_runnable;
    struct beside_work *running; /* in no order */
    unsigned general;            /* of them, those that are not reserved */
    int event_fd;
    bool ending;
    unsigned threads;
    unsigned idle; /* of them, those that are about to begin included */
    unsigned reserved;
    uint64_t moved_usec; /* when a thread took a work last */
    struct beside_counters counters;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .come = PTHREAD_COND_INITIALIZER,
          .ended = PTHREAD_COND_INITIALIZER,
          .event_fd = -1};

static uint64_t now_usec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void lock(void)
{
    pthread_mutex_lock(&pool.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&pool.lock);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void put_last(struct list *list, struct beside_work *work)
{
    work->next = NULL;
    if (!list->first)
        list->end = &list->first;
    *list->end = work;
    list->end = &work->next;
}

static void put_first(struct list *list, struct beside_work *work)
{
    if (!list->first)
        list->end = &work->next;
    work->next = list->first;
    list->first = work;
}

/* NULL where it is empty; put_last() needs no end then. */
static struct beside_work *take_first(struct list *list)
{
    struct beside_work *work = list->first;

    if (work)
        list->first = work->next;
    return work;
}

/* ---- in the threads, and with the lock held -------------------------------------------------- */

static bool is_reserved(const struct beside_work *work)
{
    return work->queue && work->queue->reserved;
}

/* What is not reserved leaves a thread to each queue that is. */
static bool may_take(void)
{
    return pool.runnable.first &&
           (is_reserved(pool.runnable.first) || pool.general < BESIDE_THREADS);
}

static void make_runnable(struct beside_work *work)
{
    pool.n_runnable++;
    if (is_reserved(work))
        put_first(&pool.runnable, work);
    else
        put_last(&pool.runnable, work);
}

static void wake_loop(void)
{
    uint64_t one = 1;

    /* EAGAIN: it is awake already. Transient errors are retried. */
    for (int i = 0; i < WAKE_TRIES && pool.event_fd >= 0; i++)
        if (write(pool.event_fd, &one, sizeof(one)) >= 0 || errno == EAGAIN)
            return;
}

/* The next of its queue becomes runnable. */
static void finish(struct beside_work *work)
{
    struct beside_queue *queue = work->queue;

    put_last(&pool.finished, work);
    if (queue) {
        struct beside_work *next = take_first(&queue->waiting);
        queue->busy = next != NULL;
        if (next)
            make_runnable(next);
    }
    wake_loop();
}

static void forget_running(const struct beside_work *work)
{
    struct beside_work **at = &pool.running;

    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
}

/* Without the lock. */
static void make(struct beside_work *work)
{
    pool.counters.waiting--;
    pool.counters.running++;
    pool.general += !is_reserved(work);
    work->since_usec = pool.moved_usec = now_usec();
    work->next = pool.running;
    pool.running = work;
    unlock();
    work->work(work->data);
    lock();
    forget_running(work);
    pool.counters.running--;
    pool.general -= !is_reserved(work);
    pool.counters.done++;
    finish(work);
}

/* Returns false when nothing has come for long enough. */
static bool wait_for_work(void)
{
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SEC;
    while (!may_take() && !pool.ending && r == 0)
        r = pthread_cond_clockwait(&pool.come, &pool.lock, CLOCK_MONOTONIC, &until);
    return may_take() && !pool.ending;
}

/* Until the pool ends. */
static void *run_thread(void *unused)
{
    (void)unused;
    lock();
    while (wait_for_work()) {
        struct beside_work *work = take_first(&pool.runnable);
        pool.n_runnable--;
        pool.idle--;
        make(work);
        pool.idle++;
    }
    pool.idle--;
    pool.threads--;
    pthread_cond_signal(&pool.ended);
    unlock();
    return NULL;
}

/* ---- starting threads ------------------------------------------------------------------------ */

/* In it nothing is delivered: signals are for the loop. */
static int start_thread(void)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES + PTHREAD_STACK_MIN);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread, &attributes, run_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -r;
}

static bool wants_thread(void)
{
    if (!may_take() || pool.n_runnable <= pool.idle)
        return false;
    if (pool.threads < CALM_THREADS)
        return true;
    if (pool.threads >= BESIDE_THREADS + pool.reserved)
        return false;
    return (is_reserved(pool.runnable.first) && pool.idle == 0) ||
           now_usec() - pool.moved_usec >= STUCK_USEC;
}

/* With the lock held. Where it cannot be started the timer tries again. */
static void start_thread_if_due(void)
{
    if (!wants_thread() || start_thread() < 0)
        return;
    pool.threads++;
    pool.idle++;
    pool.moved_usec = now_usec();
}

/* While works wait it is looked now and then whether those before them hang. */
static void arm_timer(void)
{
    int enabled = SD_EVENT_OFF;

    if (sd_event_source_get_enabled(pool.timer, &enabled) < 0 || enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time_relative(pool.timer, STUCK_USEC);
    sd_event_source_set_enabled(pool.timer, SD_EVENT_ONESHOT);
}

/* Work that has waited for too long gets another thread. */
static int look_after_threads(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    (void)userdata;
    lock();
    start_thread_if_due();
    bool waits = pool.n_runnable > pool.idle;
    unlock();
    if (waits)
        arm_timer();
    return 0;
}

/* ---- in the loop ----------------------------------------------------------------------------- */

static bool is_wanted(const struct beside_work *work)
{
    return !work->dropped && work->done && !(work->queue && work->queue->given_up);
}

/* The last work of a queue that was given up takes it along. */
static void leave_queue(struct beside_queue *queue)
{
    if (!queue)
        return;
    lock();
    bool last = --queue->works == 0 && queue->given_up;
    if (last && queue->reserved)
        pool.reserved--;
    unlock();
    if (last)
        free(queue);
}

static void tell(struct beside_work *work)
{
    struct beside_queue *queue = work->queue;

    if (is_wanted(work))
        work->done(work->data);
    if (work->release)
        work->release(work->data);
    leave_queue(queue);
}

/* Those that are finished by now, and no further ones: the loop has other things to do. */
static void tell_finished(void)
{
    lock();
    struct beside_work *work = pool.finished.first;
    pool.finished.first = NULL;
    unlock();
    for (struct beside_work *next; work; work = next) {
        next = work->next;
        tell(work);
    }
}

/* In the loop: results are handed over. */
static int some_are_finished(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    uint64_t count;

    (void)source;
    (void)events;
    (void)userdata;
    if (read(fd, &count, sizeof(count)) < 0)
        count = 0; /* the event comes again */
    tell_finished();
    return 0;
}

/* Before it, and after beside_end(), work is done at once. */
int beside_start(sd_event *event)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = fd < 0 ? -errno : 0;

    if (r == 0)
        r = sd_event_add_io(event, &pool.source, fd, POLLIN, some_are_finished, NULL);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &pool.timer, CLOCK_MONOTONIC, STUCK_USEC, 1,
                                       look_after_threads, NULL);
    if (r < 0) {
        pool.source = sd_event_source_disable_unref(pool.source);
        if (fd >= 0)
            close(fd);
        return r;
    }
    sd_event_source_set_enabled(pool.timer, SD_EVENT_OFF);
    lock();
    pool.event_fd = fd;
    pool.ending = false;
    unlock();
    return 0;
}

static void leave_runnable(const struct beside_work *work)
{
    pool.n_runnable--;
    if (work->queue)
        work->queue->busy = false;
}

/* With the lock held: what has not begun is not made. `of`: NULL for all. */
static void drop_list(struct list *list, const struct beside_queue *of)
{
    struct list kept = {};

    for (struct beside_work *work; (work = take_first(list));) {
        if (of && work->queue != of) {
            put_last(&kept, work);
            continue;
        }
        work->dropped = true;
        pool.counters.waiting--;
        if (list == &pool.runnable)
            leave_runnable(work);
        put_last(&pool.finished, work);
    }
    *list = kept;
}

/* Threads that hang are left behind. */
void beside_end(void)
{
    struct timespec until;
    int r = 0;

    if (!pool.source)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += END_USEC * 1000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    lock();
    pool.ending = true;
    for (struct beside_work *work = pool.runnable.first; work; work = work->next)
        if (work->queue)
            drop_list(&work->queue->waiting, NULL);
    for (struct beside_work *work = pool.running; work; work = work->next)
        if (work->queue)
            drop_list(&work->queue->waiting, NULL);
    drop_list(&pool.runnable, NULL);
    pthread_cond_broadcast(&pool.come);
    while (pool.threads > 0 && r == 0)
        r = pthread_cond_clockwait(&pool.ended, &pool.lock, CLOCK_MONOTONIC, &until);
    close(pool.event_fd);
    pool.event_fd = -1;
    unlock();
    pool.source = sd_event_source_disable_unref(pool.source);
    pool.timer = sd_event_source_disable_unref(pool.timer);
    tell_finished();
}

/* ---- for those that have something to do ----------------------------------------------------- */

struct beside_queue *beside_queue_new(void)
{
    return calloc(1, sizeof(struct beside_queue));
}

void beside_reserve(struct beside_queue *queue)
{
    lock();
    if (!queue->reserved)
        pool.reserved++;
    queue->reserved = true;
    unlock();
}

static void make_at_once(struct beside_work *work)
{
    work->work(work->data);
    tell(work);
}

/* `done` is called in the loop. */
void beside_do(struct beside_queue *queue, struct beside_work *work)
{
    work->queue = queue;
    work->dropped = false;
    lock();
    if (queue)
        queue->works++;
    if (!pool.source) {
        unlock();
        make_at_once(work);
        return;
    }
    work->since_usec = now_usec();
    pool.counters.waiting++;
    if (queue && queue->busy) {
        put_last(&queue->waiting, work);
        unlock();
        return;
    }
    if (queue)
        queue->busy = true;
    make_runnable(work);
    start_thread_if_due();
    pthread_cond_signal(&pool.come);
    bool waits = pool.n_runnable > pool.idle;
    unlock();
    if (waits)
        arm_timer();
}

/* With the lock held. Whether nothing of it is left. */
static bool give_up(struct beside_queue *queue)
{
    queue->given_up = true;
    if (queue->works == 0 && queue->reserved)
        pool.reserved--;
    return queue->works == 0;
}

/* What has not begun is dropped; what runs is not waited for. */
void beside_cancel(struct beside_queue *queue)
{
    if (!queue)
        return;
    lock();
    unsigned waiting = pool.counters.waiting;
    drop_list(&queue->waiting, NULL);
    drop_list(&pool.runnable, queue);
    if (pool.counters.waiting < waiting)
        wake_loop();
    bool last = give_up(queue);
    unlock();
    if (last)
        free(queue);
}

void beside_leave(struct beside_queue *queue)
{
    if (!queue)
        return;
    lock();
    bool last = give_up(queue);
    unlock();
    if (last)
        free(queue);
}

/* ---- waiting for all of it ------------------------------------------------------------------- */

/* One that may be left is waited for where it has come since then. */
static const struct beside_work *older(const struct beside_work *one,
                                       const struct beside_work *list, uint64_t since_usec)
{
    for (; list; list = list->next)
        if ((!list->may_be_left || list->since_usec > since_usec) &&
            (!one || list->since_usec < one->since_usec))
            one = list;
    return one;
}

/* NULL: nothing is left that is waited for. Works that wait stand behind one that runs. */
static const struct beside_work *oldest(uint64_t since_usec, const char **what)
{
    lock();
    const struct beside_work *found = older(NULL, pool.running, since_usec);
    if (!found)
        found = older(NULL, pool.runnable.first, since_usec);
    if (!found)
        found = older(NULL, pool.finished.first, since_usec);
    *what = found ? found->what : NULL;
    unlock();
    return found;
}

bool beside_may_be_left(const char **what)
{
    return !oldest(UINT64_MAX, what);
}

void beside_run(uint64_t limit_usec)
{
    if (!pool.source)
        return;
    lock();
    start_thread_if_due();
    unlock();
    struct pollfd poll_fd = {.fd = pool.event_fd, .events = POLLIN};
    poll(&poll_fd, 1, (int)(limit_usec / 1000));
    some_are_finished(pool.source, pool.event_fd, POLLIN, NULL);
}

/* For the end of everything that runs, with a limit. */
int beside_wait(uint64_t limit_usec, uint64_t left_usec, const char **what)
{
    uint64_t end_usec = now_usec() + limit_usec;

    while (pool.source) {
        uint64_t now = now_usec();
        if (!oldest(now - left_usec, what))
            break;
        if (now >= end_usec)
            return -EBUSY;
        beside_run(end_usec - now < STUCK_USEC ? end_usec - now + 1000 : STUCK_USEC);
    }
    return 0;
}

/* For the metrics. */
struct beside_counters beside_counters(void)
{
    lock();
    struct beside_counters counters = pool.counters;
    uint64_t now = now_usec();
    counters.threads = pool.threads;
    counters.oldest_usec = 0;
    for (const struct beside_work *work = pool.running; work; work = work->next)
        if (now - work->since_usec > counters.oldest_usec)
            counters.oldest_usec = now - work->since_usec;
    unlock();
    return counters;
}

/* ---- close(2) -------------------------------------------------------------------------------- */

struct closing {
    struct beside_work work;
    int fd;
};

static void close_it(void *data)
{
    const struct closing *closing = data;
    close(closing->fd);
}

/* Closing may block, too. */
void beside_close(int fd)
{
    if (fd < 0)
        return;
    struct closing *closing = calloc(1, sizeof(*closing));
    if (!closing) { /* better late than never */
        close(fd);
        return;
    }
    closing->fd = fd;
    closing->work = (struct beside_work){
        .what = "close a descriptor", .work = close_it, .release = free, .data = closing};
    beside_do(NULL, &closing->work);
}
