/*
 * Pace: whoever calls much more than others is answered slowly, as long as there are others. Each
 * connection has a debt, the time that its calls have cost, and pays it back: half of the time is
 * for all of them, in equal parts. Those that owe too much all the same share one tenth of the time
 * until they have paid; while they do, and somebody else calls too, their calls wait here, and come
 * in again as they are paid for. Whoever is alone is never held up. It is the token bucket of
 * network queues, with time as its tokens.
 */
#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHARE         2                  /* half of the time is for everybody, in equal parts; */
#define DEBTORS_SHARE 10                 /* for all that have taken more than that, a tenth */
#define CREDIT_USEC   UINT64_C(10000)    /* so much debt is nothing */
#define CALL_USEC     UINT64_C(60)       /* what a call costs at least, with the bus's part */
#define COMPANY_USEC  UINT64_C(1000000)  /* who has called so lately is there */
#define GONE_USEC     UINT64_C(10000000) /* who has not called for so long is forgotten */
#define TICK_USEC     UINT64_C(1000)     /* how often those that wait are looked at */
#define TALKERS_MAX   512
#define WAITING_MAX   64 /* calls of one connection */
#define RELEASED_MAX  64 /* calls on their way back */

struct waiting {
    struct waiting *next;
    sd_bus_message *call;
};

struct talker {
    char name[64];
    uint64_t debt_usec, paid_usec; /* paid: when it was last paid back of */
    uint64_t seen_usec;
    bool debtor; /* has owed too much, and has not paid all back since */
    struct waiting *first, **last;
    size_t count;
};

struct pace {
    struct service *service;
    struct talker talkers[TALKERS_MAX];
    size_t count;
    size_t waiting;
    struct talker *charged; /* whose call is being handled, */
    uint64_t since_usec;    /* since then, */
    uint64_t charge_usec;   /* and what it has been charged for it */
    sd_bus_message *released[RELEASED_MAX];
    size_t n_released, turn;
    sd_event_source *timer;
    bool open; /* nobody waits any more */
};

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* How many share with it, itself included. */
static size_t count_sharers(const struct pace *pace, const struct talker *talker, uint64_t now)
{
    size_t count = 0;

    for (size_t i = 0; i < pace->count; i++) {
        const struct talker *other = &pace->talkers[i];
        count += other == talker || (other->debtor == talker->debtor &&
                                     (other->debtor || now - other->seen_usec < COMPANY_USEC));
    }
    return count;
}

static void pay_back(struct pace *pace, struct talker *talker, uint64_t now)
{
    uint64_t share = talker->debtor ? DEBTORS_SHARE : SHARE;
    uint64_t paid = (now - talker->paid_usec) / share / count_sharers(pace, talker, now);

    if (paid == 0)
        return;
    talker->debt_usec -= paid < talker->debt_usec ? paid : talker->debt_usec;
    talker->paid_usec = now;
    if (talker->debt_usec == 0 && !talker->first)
        talker->debtor = false;
}

static void charge(struct talker *talker, uint64_t usec)
{
    talker->debt_usec += usec;
    if (talker->debt_usec >= CREDIT_USEC)
        talker->debtor = true;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void drop_calls(struct pace *pace, struct talker *talker)
{
    while (talker->first) {
        struct waiting *waiting = talker->first;
        talker->first = waiting->next;
        sd_bus_message_unref(waiting->call);
        free(waiting);
        pace->waiting--;
    }
}

/* The last one takes its place. */
static void forget(struct pace *pace, struct talker *talker)
{
    struct talker *last = &pace->talkers[--pace->count];

    drop_calls(pace, talker);
    if (talker == last)
        return;
    *talker = *last;
    if (!talker->first)
        talker->last = &talker->first;
}

static void forget_silent(struct pace *pace, uint64_t now)
{
    for (size_t i = 0; i < pace->count;)
        if (!pace->talkers[i].first && now - pace->talkers[i].seen_usec > GONE_USEC)
            forget(pace, &pace->talkers[i]);
        else
            i++;
}

static struct talker *find(struct pace *pace, const char *name, uint64_t now)
{
    for (size_t i = 0; i < pace->count; i++)
        if (strcmp(pace->talkers[i].name, name) == 0)
            return &pace->talkers[i];
    if (pace->count == TALKERS_MAX)
        forget_silent(pace, now);
    if (pace->count == TALKERS_MAX)
        return NULL;
    struct talker *talker = &pace->talkers[pace->count++];
    *talker = (struct talker){.paid_usec = now, .seen_usec = now};
    talker->last = &talker->first;
    strncpy(talker->name, name, sizeof(talker->name) - 1);
    return talker;
}

/* Whether somebody is there who does not call too much. */
static bool has_company(const struct pace *pace, const struct talker *talker, uint64_t now)
{
    for (size_t i = 0; i < pace->count; i++) {
        const struct talker *other = &pace->talkers[i];
        if (other != talker && !other->debtor && now - other->seen_usec < COMPANY_USEC)
            return true;
    }
    return false;
}

/* The call that was let in last is over: its time is known. */
static void settle(struct pace *pace, uint64_t now)
{
    if (pace->charged && now - pace->since_usec > pace->charge_usec)
        charge(pace->charged, now - pace->since_usec - pace->charge_usec);
    pace->charged = NULL;
}

void pace_turn(struct pace *pace)
{
    if (pace->charged)
        settle(pace, now_usec());
}

/* least: what it costs at least, where that has not been charged yet. */
static int let_in(struct pace *pace, struct talker *talker, uint64_t now, uint64_t least)
{
    charge(talker, least);
    pace->charged = talker;
    pace->since_usec = now;
    pace->charge_usec = CALL_USEC;
    return 0;
}

/* ---- those that wait ------------------------------------------------------------------------- */

static bool was_released(struct pace *pace, const sd_bus_message *m)
{
    for (size_t i = 0; i < pace->n_released; i++)
        if (pace->released[i] == m) {
            sd_bus_message_unref(pace->released[i]);
            pace->released[i] = pace->released[--pace->n_released];
            return true;
        }
    return false;
}

static void arm(struct pace *pace, uint64_t at)
{
    sd_event_source_set_time(pace->timer, at);
    sd_event_source_set_enabled(pace->timer, SD_EVENT_ONESHOT);
}

static int hold(struct pace *pace, struct talker *talker, sd_bus_message *m)
{
    struct waiting *waiting = talker->count < WAITING_MAX ? malloc(sizeof(*waiting)) : NULL;

    if (!waiting) {
        refuse_late(m, PROCTOR_ERROR "LimitExceeded",
                    "%zu calls of yours wait already: wait for their answers", talker->count);
        return 1;
    }
    *waiting = (struct waiting){.call = sd_bus_message_ref(m)};
    *talker->last = waiting;
    talker->last = &waiting->next;
    talker->count++;
    if (pace->waiting++ == 0)
        arm(pace, now_usec());
    return 1;
}

static void release(struct pace *pace, struct talker *talker)
{
    struct waiting *waiting = talker->first;

    talker->first = waiting->next;
    talker->count--;
    pace->waiting--;
    charge(talker, CALL_USEC);
    if (!talker->first)
        talker->last = &talker->first;
    if (sd_bus_enqueue_for_read(pace->service->bus, waiting->call) >= 0)
        pace->released[pace->n_released++] = waiting->call;
    else
        sd_bus_message_unref(waiting->call);
    free(waiting);
}

/* The connections in turn; freely: also of those that owe. */
static void release_some(struct pace *pace, bool freely, uint64_t now)
{
    for (size_t i = 0; i < pace->count && pace->n_released < RELEASED_MAX; i++) {
        struct talker *talker = &pace->talkers[pace->turn++ % pace->count];
        if (!talker->first)
            continue;
        pay_back(pace, talker, now);
        if (freely || talker->debt_usec < CREDIT_USEC)
            release(pace, talker);
    }
}

static int tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct pace *pace = userdata;
    uint64_t now = now_usec();
    bool alone = !has_company(pace, NULL, now);

    (void)source;
    (void)usec;
    settle(pace, now);
    release_some(pace, alone || pace->open, now);
    if (pace->waiting > 0)
        arm(pace, now + TICK_USEC);
    return 0;
}

/* ---- the door -------------------------------------------------------------------------------- */

static int call_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct pace *pace = userdata;
    const char *name = sd_bus_message_get_sender(m);
    uint8_t type;

    (void)error;
    if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL || !name)
        return 0;
    uint64_t now = now_usec();
    settle(pace, now);
    struct talker *talker = find(pace, name, now);
    if (!talker)
        return 0;
    if (was_released(pace, m))
        return let_in(pace, talker, now, 0);
    talker->seen_usec = now;
    pay_back(pace, talker, now);
    bool free =
        !talker->first && (talker->debt_usec < CREDIT_USEC || !has_company(pace, talker, now));
    if (pace->open || free)
        return let_in(pace, talker, now, CALL_USEC);
    return hold(pace, talker, m);
}

int pace_new(struct service *service, struct pace **pace)
{
    struct pace *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->service = service;
    int r = sd_event_add_time(service->event, &fresh->timer, CLOCK_MONOTONIC, 0, 1, tick, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r < 0) {
        pace_free(fresh);
        return r;
    }
    *pace = fresh;
    return 0;
}

int pace_watch(struct pace *pace, sd_bus *bus)
{
    return sd_bus_add_filter(bus, NULL, call_came, pace);
}

bool pace_open(struct pace *pace)
{
    pace->open = true;
    release_some(pace, true, now_usec());
    return pace->waiting > 0;
}

void pace_close(struct pace *pace)
{
    pace->open = false;
}

void pace_reset(struct pace *pace)
{
    while (pace->count > 0)
        forget(pace, &pace->talkers[pace->count - 1]);
    while (pace->n_released > 0)
        sd_bus_message_unref(pace->released[--pace->n_released]);
    pace->charged = NULL;
    pace->open = false;
}

void pace_free(struct pace *pace)
{
    if (!pace)
        return;
    pace_reset(pace);
    sd_event_source_disable_unref(pace->timer);
    free(pace);
}
