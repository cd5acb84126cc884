/*
 * Replies about many objects. Building one for 100,000 children takes longer
 * than the loop may be blocked, so a reply is built in steps of a few
 * milliseconds, with everything else in between. What is shown may therefore
 * change while it is being built; each maker says how consistent its reply is.
 */
#include "bus/caller.h"
#include "bus/bulk.h"

#include "core/vocabulary/invariant.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FINISH_USEC    1000000 /* for what has not begun when the program is replaced */
#define WAIT_USEC      2000    /* how often it is asked whether the next one may begin */
#define BYTES_PER_USEC 256     /* what a bus takes in and hands out, about */

struct bulk {
    struct bulk *next;
    const struct bulk_maker *maker;
    void *data;
    sd_bus_message *call, *answer;
    uid_t uid;
    size_t bytes;        /* of the answer, so far */
    uint64_t later_usec; /* it is of no use before */
};

struct bulks {
    struct service *service;
    struct bulk *first; /* in the order in which they came */
    size_t count;
    sd_event_source *timer;
};

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void bulk_free(struct bulk *bulk)
{
    if (bulk->maker->release)
        bulk->maker->release(bulk->data);
    sd_bus_message_unref(bulk->answer);
    sd_bus_message_unref(bulk->call);
    free(bulk);
}

static void take_out(struct bulks *bulks, struct bulk *bulk)
{
    struct bulk **link = &bulks->first;

    while (*link != bulk)
        link = &(*link)->next;
    *link = bulk->next;
    bulks->count--;
}

/* ---- one answer ------------------------------------------------------------------------------ */

static int begin(struct service *service, struct bulk *bulk)
{
    int r = sd_bus_message_new_method_return(bulk->call, &bulk->answer);

    if (r < 0 || !bulk->maker->begin)
        return r;
    outgoing_count(&bulk->bytes);
    r = bulk->maker->begin(service, bulk->answer, bulk->data);
    outgoing_count(NULL);
    return r;
}

/* Appends one thing after the other until then. Returns 1 when it is not the end, 0 when it is. */
static int step(struct service *service, struct bulk *bulk, uint64_t until_usec)
{
    int r;

    outgoing_count(&bulk->bytes);
    do
        r = bulk->maker->step(service, bulk->answer, bulk->data);
    while (r == 1 && bulk->bytes <= BULK_BYTES_MAX && now_usec() < until_usec);
    INVARIANT(r <= 1 || r == BULK_LATER);
    if (r == 0 && bulk->maker->end)
        r = bulk->maker->end(service, bulk->answer, bulk->data);
    outgoing_count(NULL);
    return r >= 0 && bulk->bytes > BULK_BYTES_MAX ? -EMSGSIZE : r;
}

static void refuse(struct bulk *bulk, int r)
{
    if (r == -EMSGSIZE)
        refuse_late(bulk->call, PROCTOR_ERROR "LimitExceeded",
                    "the reply would be larger than %u bytes: request it in parts", BULK_BYTES_MAX);
    else
        refuse_late(bulk->call, SD_BUS_ERROR_FAILED, "the reply cannot be built: %s", strerror(-r));
}

/* A slice of it. Returns whether there is more to do. */
static bool advance(struct bulks *bulks, struct bulk *bulk, uint64_t until_usec)
{
    struct service *service = bulks->service;
    int r = bulk->answer ? 0 : begin(service, bulk);

    if (r >= 0)
        r = step(service, bulk, until_usec);
    if (r > 0) {
        bulk->later_usec = r == BULK_LATER ? now_usec() + WAIT_USEC : 0;
        return true;
    }
    if (r == 0)
        r = sd_bus_send(NULL, bulk->answer, NULL);
    if (r < 0)
        refuse(bulk, r);
    else if (bulk->maker->sent)
        bulk->maker->sent(service, bulk->call, bulk->data);
    return false;
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

/* Whether another one of the same uid is in the making, or came earlier; and how many are. */
static bool is_behind(const struct bulks *bulks, const struct bulk *bulk, size_t *making)
{
    bool behind = false, earlier = true;

    *making = 0;
    for (const struct bulk *other = bulks->first; other; other = other->next) {
        earlier = earlier && other != bulk;
        *making += other->answer != NULL;
        behind = behind || (other != bulk && other->uid == bulk->uid && (earlier || other->answer));
    }
    return behind;
}

static bool may_advance(struct bulks *bulks, const struct bulk *bulk)
{
    size_t making;

    if (bulk->answer)
        return bulk->later_usec <= now_usec();
    if (is_behind(bulks, bulk, &making) || making >= BULK_AT_ONCE)
        return false;
    return pace_may_begin(bulks->service->pace, bulk->uid);
}

static struct bulk *choose(struct bulks *bulks)
{
    for (struct bulk *bulk = bulks->first; bulk; bulk = bulk->next)
        if (may_advance(bulks, bulk))
            return bulk;
    return NULL;
}

/* In the making, the one that has had its slice goes behind the others. */
static void put_behind(struct bulks *bulks, struct bulk *bulk)
{
    struct bulk **link = &bulks->first;

    take_out(bulks, bulk);
    bulks->count++;
    while (*link)
        link = &(*link)->next;
    bulk->next = NULL;
    *link = bulk;
}

static void arm(struct bulks *bulks, uint64_t at_usec)
{
    if (!bulks->first) {
        sd_event_source_set_enabled(bulks->timer, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time(bulks->timer, at_usec);
    sd_event_source_set_enabled(bulks->timer, SD_EVENT_ONESHOT);
}

/* Between two slices, what has come meanwhile is handled. */
static int turn(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct bulks *bulks = userdata;
    struct bulk *bulk = choose(bulks);
    uint64_t began = now_usec();

    (void)source;
    (void)usec;
    if (!bulk) {
        arm(bulks, began + WAIT_USEC);
        return 0;
    }
    size_t before = bulk->bytes;
    bool more = advance(bulks, bulk, began + BULK_SLICE_USEC);
    uint64_t now = now_usec();
    pace_charge(bulks->service->pace, bulk->uid,
                now - began + (bulk->bytes - before) / BYTES_PER_USEC);
    if (more) {
        put_behind(bulks, bulk);
    } else {
        take_out(bulks, bulk);
        bulk_free(bulk);
    }
    arm(bulks, now);
    return 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool has_its_share(const struct bulks *bulks, const struct caller *caller)
{
    size_t own = 0;

    for (const struct bulk *bulk = bulks->first; bulk; bulk = bulk->next)
        own += bulk->uid == caller->uid;
    return bulks->count >= BULK_CALLS_MAX || caller_has_its_share(caller, own, BULK_PER_UID);
}

static void put_in(struct bulks *bulks, struct bulk *bulk)
{
    bulk->next = bulks->first;
    bulks->first = bulk;
    bulks->count++;
    put_behind(bulks, bulk);
}

/* Small replies are finished within the call. Takes over `data` in every case,
 * also on an error. */
int bulk_answer(struct service *service, sd_bus_message *call, const struct bulk_maker *maker,
                void *data, sd_bus_error *error)
{
    struct bulks *bulks = service->bulks;
    const struct caller *caller;
    struct bulk *bulk = calloc(1, sizeof(*bulk));
    int r = bulk ? caller_of(service, call, &caller, error) : -ENOMEM;

    if (r >= 0 && has_its_share(bulks, caller))
        r = refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                        "replies about many objects: %d calls of %s are already waiting",
                        BULK_PER_UID, caller->text);
    if (r < 0) {
        if (maker->release)
            maker->release(data);
        free(bulk);
        return r;
    }
    INVARIANT(maker->step && bulks->count < BULK_CALLS_MAX);
    *bulk = (struct bulk){
        .maker = maker, .data = data, .call = sd_bus_message_ref(call), .uid = caller->uid};
    put_in(bulks, bulk);
    if (may_advance(bulks, bulk) && !advance(bulks, bulk, now_usec() + BULK_FIRST_USEC)) {
        take_out(bulks, bulk);
        bulk_free(bulk);
        return 1;
    }
    pace_is_bulk(service->pace);
    arm(bulks, now_usec());
    return 1;
}

/* Before an upgrade: what can be finished quickly is, and the other callers are
 * asked to call again. */
void bulks_finish(struct bulks *bulks)
{
    uint64_t until = now_usec() + FINISH_USEC;

    while (bulks->first) {
        struct bulk *bulk = bulks->first;
        bool more = true;
        if (bulk->answer || now_usec() < until)
            while ((more = advance(bulks, bulk, UINT64_MAX)) && !bulk->later_usec)
                continue;
        if (more)
            refuse_late(bulk->call, PROCTOR_ERROR "LimitExceeded",
                        "proctord is being replaced: call again");
        take_out(bulks, bulk);
        bulk_free(bulk);
    }
}

void bulks_visit(struct bulks *bulks, const struct bulk_maker *maker,
                 void (*visit)(void *userdata, void *data), void *userdata)
{
    for (struct bulk *bulk = bulks ? bulks->first : NULL; bulk; bulk = bulk->next)
        if (bulk->maker == maker && bulk->answer)
            visit(userdata, bulk->data);
}

/* One timer drives all of them in turn. */
int bulks_new(struct service *service, struct bulks **bulks)
{
    struct bulks *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->service = service;
    int r = sd_event_add_time(service->event, &fresh->timer, CLOCK_MONOTONIC, 0, 1, turn, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r < 0) {
        bulks_free(fresh);
        return r;
    }
    *bulks = fresh;
    return 0;
}

void bulks_reset(struct bulks *bulks)
{
    while (bulks->first) {
        struct bulk *bulk = bulks->first;
        take_out(bulks, bulk);
        bulk_free(bulk);
    }
}

void bulks_free(struct bulks *bulks)
{
    if (!bulks)
        return;
    bulks_reset(bulks);
    sd_event_source_disable_unref(bulks->timer);
    free(bulks);
}
