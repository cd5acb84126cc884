/*
 * Fairness between callers. Each user has a share of the loop's time; a call
 * costs what it took, and one whose user is in debt waits, while others call.
 * Without others nothing waits: an idle machine serves one client at full
 * speed. Debts are paid back by time.
 */
#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/wait.h"
#include "bus/pace.h"

#include "core/vocabulary/invariant.h"
#include "bus/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHARE         2                  /* half of the time is for everybody, in equal parts; */
#define DEBTORS_SHARE 10                 /* for all that have taken more than that, a tenth */
#define BULK_SHARE    32                 /* and this for answers about many objects */
#define CREDIT_USEC   UINT64_C(10000)    /* so much debt is nothing */
#define CALL_USEC     UINT64_C(60)       /* what a call costs at least, with the bus's part */
#define COMPANY_USEC  UINT64_C(1000000)  /* a client that has called so lately is there */
#define GONE_USEC     UINT64_C(10000000) /* one that has not called for so long is forgotten */
#define TICK_USEC     UINT64_C(1000)     /* how often those that wait are looked at */
#define RELEASED_MAX  64                 /* calls on their way back */

struct debt {
    uint64_t usec, paid_usec; /* paid: when it was last paid back of */
    bool debtor;              /* has owed too much, and has not paid all back since */
};

struct waiting {
    struct waiting *next;
    sd_bus_message *call;
};

/* A connection, or all of an account that have no place of their own. */
struct talker {
    char name[CALLER_NAME_MAX];
    struct account *account; /* NULL: the place is free */
    struct debt debt;
    uint64_t seen_usec;
    struct waiting *first, **last;
    size_t count;
    size_t index; /* in pace->used */
};

/* A uid, or all that have no place of their own. */
struct account {
    bool used, trusted;
    uid_t uid;
    struct debt calls, bulk;
    uint64_t seen_usec;
    struct talker rest;
    size_t talkers;
};

struct pace {
    struct service *service;
    struct account accounts[1 + ACCOUNTS_MAX]; /* the first: all others together */
    size_t n_accounts;                         /* none behind these is used */
    struct talker talkers[TALKERS_MAX];
    struct talker *used[TALKERS_MAX + 1 + ACCOUNTS_MAX]; /* those, and the accounts' */
    size_t n_used;
    size_t waiting;
    struct talker *charged; /* whose call is being handled, */
    uint64_t since_usec;    /* since then, */
    uint64_t charge_usec;   /* what it has been charged for it, */
    uint64_t before_usec;   /* and when it had called before */
    sd_bus_message *released[RELEASED_MAX];
    size_t n_released, turn;
    sd_event_source *timer;
    bool open; /* no call waits any more */
};

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- places ---------------------------------------------------------------------------------- */

static bool is_live(uint64_t seen_usec, uint64_t now)
{
    return seen_usec > 0 && now - seen_usec < COMPANY_USEC;
}

/* The connection of the caller is gone. */
static void drop_calls(struct pace *pace, struct talker *talker)
{
    while (talker->first) {
        struct waiting *waiting = talker->first;
        talker->first = waiting->next;
        sd_bus_message_unref(waiting->call);
        free(waiting);
        pace->waiting--;
    }
    talker->last = &talker->first;
    talker->count = 0;
}

static void talker_init(struct pace *pace, struct talker *talker, struct account *account,
                        const char *name, uint64_t now)
{
    *talker = (struct talker){.account = account, .debt.paid_usec = now};
    talker->last = &talker->first;
    snprintf(talker->name, sizeof(talker->name), "%s", name);
    INVARIANT(pace->n_used < TALKERS_MAX + 1 + ACCOUNTS_MAX);
    talker->index = pace->n_used;
    pace->used[pace->n_used++] = talker;
}

/* The last one takes its place in the list. */
static void talker_end(struct pace *pace, struct talker *talker)
{
    INVARIANT(pace->used[talker->index] == talker);
    drop_calls(pace, talker);
    if (pace->charged == talker)
        pace->charged = NULL;
    pace->used[talker->index] = pace->used[--pace->n_used];
    pace->used[talker->index]->index = talker->index;
    talker->account = NULL;
}

static void forget(struct pace *pace, struct talker *talker)
{
    INVARIANT(talker != &talker->account->rest && talker->account->talkers > 0);
    talker->account->talkers--;
    talker_end(pace, talker);
}

/* An account per user; names beyond the bound share one. */
static void account_init(struct pace *pace, struct account *account, uid_t uid, uint64_t now)
{
    if (account->used)
        talker_end(pace, &account->rest);
    *account = (struct account){.used = true,
                                .uid = uid,
                                .trusted = uid_is_trusted(uid),
                                .calls.paid_usec = now,
                                .bulk.paid_usec = now};
    talker_init(pace, &account->rest, account, "", now);
    if (account >= pace->accounts + pace->n_accounts)
        pace->n_accounts = (size_t)(account - pace->accounts) + 1;
}

static bool owes_nothing(const struct account *account)
{
    return account->talkers == 0 && !account->rest.first && !account->rest.debt.debtor &&
           !account->calls.debtor && !account->bulk.debtor;
}

/* ---- debts ----------------------------------------------------------------------------------- */

static void charge(struct debt *debt, uint64_t usec)
{
    debt->usec += usec;
    if (debt->usec >= CREDIT_USEC)
        debt->debtor = true;
}

static void pay_back(struct debt *debt, uint64_t share, size_t sharers, uint64_t now)
{
    uint64_t paid = (now - debt->paid_usec) / share / (sharers > 0 ? sharers : 1);

    if (paid == 0)
        return;
    debt->usec -= paid < debt->usec ? paid : debt->usec;
    debt->paid_usec = now;
    if (debt->usec == 0)
        debt->debtor = false;
}

/* A uid shares with all uids that owe as it does. */
static void account_pay(struct pace *pace, struct account *account, uint64_t now)
{
    bool debtor = account->calls.debtor;
    size_t callers = 0, bulk = 0;

    for (size_t i = 0; i < pace->n_accounts; i++) {
        const struct account *other = &pace->accounts[i];
        callers += other->used && other->calls.debtor == debtor &&
                   (debtor || is_live(other->seen_usec, now));
        bulk += other->used && other->bulk.debtor;
    }
    pay_back(&account->calls, debtor ? DEBTORS_SHARE : SHARE, callers, now);
    pay_back(&account->bulk, BULK_SHARE, bulk, now);
}

/* Whether two connections are measured against each other. */
static bool are_together(const struct talker *a, const struct talker *b)
{
    return a->account == b->account || a->account->trusted;
}

/* A connection shares with the other connections of its user. */
static void talker_pay(struct pace *pace, struct talker *talker, uint64_t now)
{
    bool debtor = talker->debt.debtor;
    size_t sharers = 0;

    for (size_t i = 0; i < pace->n_used; i++) {
        const struct talker *other = pace->used[i];
        sharers += other->debt.debtor == debtor && are_together(talker, other) &&
                   (debtor || is_live(other->seen_usec, now));
    }
    pay_back(&talker->debt, debtor ? DEBTORS_SHARE : SHARE, sharers, now);
}

/* Whether a client is there that does not call too much: of another uid; or beside this talker. */
static bool has_company(struct pace *pace, const struct account *account,
                        const struct talker *talker, uint64_t now)
{
    for (size_t i = 0; i < pace->n_used; i++) {
        const struct talker *other = pace->used[i];
        if (other == talker || other->debt.debtor || !is_live(other->seen_usec, now) ||
            (other->account != account && other->account->calls.debtor))
            continue;
        if (talker ? are_together(talker, other) : other->account != account)
            return true;
    }
    return false;
}

/* Waits only if it is in debt and others are there. */
static bool may_go(struct pace *pace, struct talker *talker, uint64_t now)
{
    struct account *account = talker->account;

    account_pay(pace, account, now);
    talker_pay(pace, talker, now);
    if (pace->open)
        return true;
    if (!account->trusted && account->calls.usec >= CREDIT_USEC &&
        has_company(pace, account, NULL, now))
        return false;
    return talker->debt.usec < CREDIT_USEC || !has_company(pace, account, talker, now);
}

/* ---- the users ------------------------------------------------------------------------------ */

/* A free place, or that of a uid that is silent and owes nothing. */
static struct account *place_for_uid(struct pace *pace, uint64_t now)
{
    for (size_t i = 1; i <= ACCOUNTS_MAX; i++) {
        struct account *account = &pace->accounts[i];
        if (!account->used)
            return account;
        if (is_live(account->seen_usec, now))
            continue;
        account_pay(pace, account, now);
        if (owes_nothing(account))
            return account;
    }
    return NULL;
}

static struct account *account_of(struct pace *pace, uid_t uid, uint64_t now)
{
    for (size_t i = 1; i < pace->n_accounts; i++)
        if (pace->accounts[i].uid == uid)
            return &pace->accounts[i];
    struct account *place = place_for_uid(pace, now);
    if (!place)
        return &pace->accounts[0];
    account_init(pace, place, uid, now);
    return place;
}

/* A free place, or that of a connection that has been silent for long. */
static struct talker *place_for(struct pace *pace, uint64_t now)
{
    struct talker *silent = NULL;

    for (size_t i = 0; i < TALKERS_MAX; i++) {
        struct talker *talker = &pace->talkers[i];
        if (!talker->account)
            return talker;
        if (!talker->first && now - talker->seen_usec > GONE_USEC &&
            (!silent || talker->seen_usec < silent->seen_usec))
            silent = talker;
    }
    if (silent)
        forget(pace, silent);
    return silent;
}

/* Connections by name. When a user has too many, the rest share a place. */
static struct talker *find(struct pace *pace, const char *name, uid_t uid, uint64_t now)
{
    for (size_t i = 0; i < pace->n_used; i++)
        if (strcmp(pace->used[i]->name, name) == 0)
            return pace->used[i];
    struct account *account = account_of(pace, uid, now);
    bool full = !account->trusted && account->talkers >= TALKERS_PER_UID;
    struct talker *place = account == pace->accounts || full ? NULL : place_for(pace, now);
    if (!place)
        return &account->rest;
    talker_init(pace, place, account, name, now);
    account->talkers++;
    return place;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* The call that was let in last is over: its time is known. */
static void settle(struct pace *pace, uint64_t now)
{
    struct talker *talker = pace->charged;

    pace->charged = NULL;
    if (!talker || now - pace->since_usec <= pace->charge_usec)
        return;
    charge(&talker->debt, now - pace->since_usec - pace->charge_usec);
    charge(&talker->account->calls, now - pace->since_usec - pace->charge_usec);
}

void pace_turn(struct pace *pace)
{
    if (pace->charged)
        settle(pace, now_usec());
}

/* least: what it costs at least, where that has not been charged yet. */
static int let_in(struct pace *pace, struct talker *talker, uint64_t now, uint64_t least)
{
    charge(&talker->debt, least);
    charge(&talker->account->calls, least);
    pace->charged = talker;
    pace->since_usec = now;
    pace->charge_usec = CALL_USEC;
    return 0;
}

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

/* The queue of a connection is bounded; beyond that a call fails. */
static int hold(struct pace *pace, struct talker *talker, sd_bus_message *m)
{
    struct waiting *waiting = talker->count < WAITING_MAX ? malloc(sizeof(*waiting)) : NULL;

    if (!waiting) {
        refuse_late(
            m, PROCTOR_ERROR "LimitExceeded",
            "%zu of your calls are already waiting, the limit is %d: wait for their replies",
            talker->count, WAITING_MAX);
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

/* Back into the queue of sd-bus, marked as let in. */
static void release(struct pace *pace, struct talker *talker)
{
    struct waiting *waiting = talker->first;

    talker->first = waiting->next;
    talker->count--;
    pace->waiting--;
    charge(&talker->debt, CALL_USEC);
    charge(&talker->account->calls, CALL_USEC);
    if (!talker->first)
        talker->last = &talker->first;
    if (sd_bus_enqueue_for_read(pace->service->bus, waiting->call) >= 0)
        pace->released[pace->n_released++] = waiting->call;
    else
        sd_bus_message_unref(waiting->call);
    free(waiting);
}

/* The connections in turn. */
static void release_some(struct pace *pace, uint64_t now)
{
    for (size_t i = 0; i < pace->n_used && pace->n_released < RELEASED_MAX; i++) {
        struct talker *talker = pace->used[pace->turn++ % pace->n_used];
        if (talker->first && may_go(pace, talker, now))
            release(pace, talker);
    }
}

/* Debts are paid, and calls let in. */
static int tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct pace *pace = userdata;
    uint64_t now = now_usec();

    (void)source;
    (void)usec;
    settle(pace, now);
    release_some(pace, now);
    if (pace->waiting > 0)
        arm(pace, now + TICK_USEC);
    return 0;
}

/* A filter in front of every call. */
static int call_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct pace *pace = userdata;
    const struct caller *caller;
    uint8_t type;

    (void)error;
    if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
        return 0;
    uint64_t now = now_usec();
    settle(pace, now);
    caller = caller_known(pace->service, m);
    if (!caller)
        return 0;
    struct talker *talker = find(pace, caller->unique_name, caller->uid, now);
    if (was_released(pace, m))
        return let_in(pace, talker, now, 0);
    pace->before_usec = talker->seen_usec;
    talker->seen_usec = talker->account->seen_usec = now;
    if (!talker->first && may_go(pace, talker, now))
        return let_in(pace, talker, now, CALL_USEC);
    return hold(pace, talker, m);
}

/* ---- answers about many objects -------------------------------------------------------------- */

bool pace_may_begin(struct pace *pace, uid_t uid)
{
    uint64_t now = now_usec();
    struct account *account = account_of(pace, uid, now);

    account_pay(pace, account, now);
    return pace->open || account->bulk.usec < CREDIT_USEC || !has_company(pace, NULL, NULL, now);
}

void pace_charge(struct pace *pace, uid_t uid, uint64_t usec)
{
    charge(&account_of(pace, uid, now_usec())->bulk, usec);
}

void pace_add(struct pace *pace, uint64_t usec)
{
    if (!pace->charged)
        return;
    charge(&pace->charged->debt, usec);
    charge(&pace->charged->account->calls, usec);
}

void pace_is_bulk(struct pace *pace)
{
    if (pace->charged)
        pace->charged->seen_usec = pace->before_usec;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Place 0 is for those that have no account. */
int pace_new(struct service *service, struct pace **pace)
{
    struct pace *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->service = service;
    account_init(fresh, &fresh->accounts[0], (uid_t)-1, now_usec());
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
    release_some(pace, now_usec());
    return pace->waiting > 0;
}

void pace_close(struct pace *pace)
{
    pace->open = false;
}

/* The connections are those of another bus; what the uids owe stays. */
void pace_reset(struct pace *pace)
{
    for (size_t i = 0; i < TALKERS_MAX; i++)
        if (pace->talkers[i].account)
            forget(pace, &pace->talkers[i]);
    for (size_t i = 0; i < pace->n_used; i++)
        drop_calls(pace, pace->used[i]);
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
