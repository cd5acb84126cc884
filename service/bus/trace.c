/*
 * GetTrace and ReadTrace: a snapshot of the journal, made in a thread, read in
 * pieces. Each is a sealed file in memory, which is kept for a minute since it
 * was last read.
 */
#include "bus/trace.h"

#include "system/beside.h"
#include "bus/private.h"
#include "bus/authorisation.h"
#include "bus/caller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct trace {
    uint64_t id; /* 0: the place is free */
    uid_t uid;
    int fd;
    uint64_t size;
    uint64_t read_usec; /* when it was made, or read last */
};

/* One that is being made, and the call that waits for it. */
struct order {
    struct beside_work work;
    struct order *next;
    struct service *service; /* NULL: no caller waits for it any more */
    sd_bus_message *call;
    uid_t uid;
    struct journal_trace *trace;
    int (*make)(struct journal_trace *trace);
    void (*free_trace)(struct journal_trace *trace);
    int fd; /* or a negative errno */
    uint64_t took_usec;
};

struct traces {
    struct trace list[TRACES_MAX];
    struct order *orders;
    struct beside_queue *queue;
    uint64_t last;
    sd_event *event;
    sd_event_source *timer;
};

static void let_go(struct trace *trace)
{
    if (trace->id == 0)
        return;
    close(trace->fd); /* memory of our own: no client can hold this up */
    *trace = (struct trace){.fd = -1};
}

static uint64_t now_usec(const struct traces *traces)
{
    uint64_t now = 0;

    sd_event_now(traces->event, CLOCK_MONOTONIC, &now);
    return now;
}

/* The timer is armed for the trace that has not been read for the longest. */
static void arm(struct traces *traces)
{
    uint64_t oldest = UINT64_MAX;

    for (size_t i = 0; i < TRACES_MAX; i++)
        if (traces->list[i].id > 0 && traces->list[i].read_usec < oldest)
            oldest = traces->list[i].read_usec;
    if (oldest == UINT64_MAX) {
        sd_event_source_set_enabled(traces->timer, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time(traces->timer, oldest + TRACE_LIFE_USEC);
    sd_event_source_set_enabled(traces->timer, SD_EVENT_ONESHOT);
}

/* Those that nobody has read for a minute. */
static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct traces *traces = userdata;
    uint64_t now = now_usec(traces);

    (void)source;
    (void)usec;
    for (size_t i = 0; i < TRACES_MAX; i++)
        if (traces->list[i].id > 0 && now - traces->list[i].read_usec >= TRACE_LIFE_USEC)
            let_go(&traces->list[i]);
    arm(traces);
    return 0;
}

/* One queue: traces are made one after the other, as each takes much memory. */
int traces_new(sd_event *event, struct traces **traces)
{
    struct traces *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->event = event;
    fresh->queue = beside_queue_new();
    if (!fresh->queue) {
        free(fresh);
        return -ENOMEM;
    }
    int r = sd_event_add_time(event, &fresh->timer, CLOCK_MONOTONIC, 0, 0, too_late, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r < 0) {
        traces_free(fresh);
        return r;
    }
    *traces = fresh;
    return 0;
}

static void forget(struct traces *traces, struct order *order)
{
    struct order **link = &traces->orders;

    while (*link != order)
        link = &(*link)->next;
    *link = order->next;
    order->call = sd_bus_message_unref(order->call);
    order->service = NULL;
}

/* Also those that are being made. */
void traces_free(struct traces *traces)
{
    if (!traces)
        return;
    for (size_t i = 0; i < TRACES_MAX; i++)
        let_go(&traces->list[i]);
    while (traces->orders)
        forget(traces, traces->orders);
    beside_cancel(traces->queue);
    sd_event_source_disable_unref(traces->timer);
    free(traces);
}

/* A free place; for a uid that has its share, or where there is none, the place of the trace that
 * has not been read for the longest. */
static struct trace *place_for(struct traces *traces, uid_t uid)
{
    struct trace *free_place = NULL, *own = NULL, *oldest = NULL;
    size_t count = 0;

    for (size_t i = 0; i < TRACES_MAX; i++) {
        struct trace *trace = &traces->list[i];
        if (trace->id == 0) {
            free_place = trace;
            continue;
        }
        if (!oldest || trace->read_usec < oldest->read_usec)
            oldest = trace;
        if (trace->uid != uid)
            continue;
        count++;
        if (!own || trace->read_usec < own->read_usec)
            own = trace;
    }
    if (count >= TRACES_PER_UID)
        return own;
    return free_place ? free_place : oldest;
}

/* A user's fifth trace replaces the oldest. */
static int keep(const struct service *service, int fd, uid_t uid, struct trace **trace)
{
    struct traces *traces = service->traces;
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    *trace = place_for(traces, uid);
    let_go(*trace);
    **trace = (struct trace){.id = ++traces->last,
                             .uid = uid,
                             .fd = fd,
                             .size = (uint64_t)status.st_size,
                             .read_usec = now_usec(traces)};
    arm(traces);
    return 0;
}

/* A trace holds the reasons and commands of everybody. */
static int check_caller(struct service *service, sd_bus_message *m, const char *method,
                        const struct caller **caller, sd_bus_error *error)
{
    int r = caller_of(service, m, caller, error);
    return r < 0 ? r : caller_must_be_trusted(*caller, method, error);
}

/* In the thread. */
static void make(void *data)
{
    struct order *order = data;
    struct timespec began, ended;

    clock_gettime(CLOCK_MONOTONIC, &began);
    order->fd = order->make(order->trace);
    order->free_trace(order->trace); /* megabytes, here and not in the loop */
    order->trace = NULL;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    order->took_usec = (uint64_t)(ended.tv_sec - began.tv_sec) * 1000000 +
                       (uint64_t)(ended.tv_nsec / 1000) - (uint64_t)(began.tv_nsec / 1000);
}

static int answer(struct order *order)
{
    struct trace *trace = NULL;
    int r = order->fd < 0 ? order->fd : keep(order->service, order->fd, order->uid, &trace);

    if (r < 0)
        return r;
    order->fd = -1; /* it is kept */
    return sd_bus_reply_method_return(order->call, "tt", trace->id, trace->size);
}

/* The time that it took is charged to the caller. */
static void made(void *data)
{
    struct order *order = data;
    struct service *service = order->service;

    if (!service)
        return;
    pace_charge(service->pace, order->uid, order->took_usec);
    int r = answer(order);
    if (r < 0)
        refuse_late_errno(order->call, r, "the journal cannot be read: %s", strerror(-r));
    forget(service->traces, order);
}

static void release(void *data)
{
    struct order *order = data;

    if (order->service)
        forget(order->service->traces, order);
    if (order->fd >= 0)
        close(order->fd);
    order->free_trace(order->trace);
    free(order);
}

static size_t count_orders(const struct traces *traces, uid_t uid, size_t *own)
{
    size_t all = 0;

    *own = 0;
    for (const struct order *order = traces->orders; order; order = order->next) {
        all++;
        *own += order->uid == uid;
    }
    return all;
}

/* The checkpoint is taken in the loop; the rest is done outside. */
static int order_trace(struct service *service, sd_bus_message *m, uid_t uid)
{
    struct order *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct order){.next = service->traces->orders,
                            .service = service,
                            .uid = uid,
                            .make = service->hooks.trace_make,
                            .free_trace = service->hooks.trace_free,
                            .fd = -1,
                            .work = {.what = "make a trace",
                                     .work = make,
                                     .done = made,
                                     .release = release,
                                     .data = fresh,
                                     .may_be_left = true}};
    int r = service->hooks.trace(service->hooks.userdata, &fresh->trace);
    if (r < 0) {
        free(fresh);
        return r;
    }
    fresh->call = sd_bus_message_ref(m);
    service->traces->orders = fresh;
    beside_do(service->traces->queue, &fresh->work);
    return 0;
}

/* Only for root and proctord's own user: a journal names everything that
 * happened. */
int method_get_trace(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    size_t own;
    int r = check_caller(service, m, "GetTrace", &caller, error);

    if (r < 0)
        return r;
    if (count_orders(service->traces, caller->uid, &own) >= TRACES_MAX || own >= TRACES_PER_UID)
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                           "%zu of your traces are already being made, the limit is %d", own,
                           TRACES_PER_UID);
    r = order_trace(service, m, caller->uid);
    if (r < 0)
        return refuse_errno(error, r, "the journal cannot be read: %s", strerror(-r));
    return 1;
}

static struct trace *find(struct traces *traces, uint64_t id, uid_t uid)
{
    for (size_t i = 0; i < TRACES_MAX; i++)
        if (id > 0 && traces->list[i].id == id && traces->list[i].uid == uid)
            return &traces->list[i];
    return NULL;
}

/* Read straight into the message. */
static int answer_piece(sd_bus_message *m, const struct trace *trace, uint64_t offset, size_t size)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    void *space;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = sd_bus_message_append_array_space(reply, 'y', size, &space);
    if (r >= 0 && size > 0 && pread(trace->fd, space, size, (off_t)offset) != (ssize_t)size)
        r = -EIO;
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* The last piece ends the trace. */
int method_read_trace(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    uint64_t id, offset;
    uint32_t max;
    int r = sd_bus_message_read(m, "ttu", &id, &offset, &max);

    if (r >= 0)
        r = check_caller(service, m, "ReadTrace", &caller, error);
    if (r < 0)
        return r;
    struct trace *trace = find(service->traces, id, caller->uid);
    if (!trace)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "trace: there is no trace %" PRIu64 " of yours: it has been read to "
                           "its end, or has not been read for 60 s; call GetTrace again",
                           id);
    if (offset > trace->size)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "offset: the trace has %" PRIu64 " bytes", trace->size);
    if (max == 0 || max > TRACE_PIECE_MAX)
        max = TRACE_PIECE_MAX;
    uint64_t left = trace->size - offset;
    r = answer_piece(m, trace, offset, left < max ? (size_t)left : max);
    if (r >= 0 && left <= max)
        let_go(trace);
    else
        trace->read_usec = now_usec(service->traces);
    arm(service->traces);
    return r;
}
