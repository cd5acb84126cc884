/*
 * Subscribers to events. A subscription ends with the connection: the bus
 * reports that the name has lost its owner.
 */
#include "bus/subscription.h"

#include "core/vocabulary/invariant.h"
#include "bus/private.h"
#include "bus/caller.h"
#include "bus/encode.h"
#include "bus/event_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subscriber {
    struct subscriber *next;
    struct service *service;
    char *name; /* unique name of the client */
    uid_t uid;
    struct event_filter *filter;
    sd_bus_slot *rule;   /* tells when it goes */
    sd_bus_slot *lookup; /* whether it has gone before the rule was there */
};

static void subscriber_free(struct subscriber *subscriber)
{
    sd_bus_slot_unref(subscriber->rule);
    sd_bus_slot_unref(subscriber->lookup);
    event_filter_free(subscriber->filter);
    free(subscriber->name);
    free(subscriber);
}

static struct subscriber **find(struct service *service, const char *name)
{
    struct subscriber **link = &service->subscribers;

    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

static void take_out(struct service *service, struct subscriber **link)
{
    struct subscriber *subscriber = *link;

    INVARIANT(service->n_subscribers > 0);
    *link = subscriber->next;
    service->n_subscribers--;
    subscriber_free(subscriber);
}

static void client_gone(struct subscriber *subscriber)
{
    take_out(subscriber->service, find(subscriber->service, subscriber->name));
}

static int owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)m;
    (void)error;
    client_gone(userdata);
    return 0;
}

static int rule_answered(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    if (sd_bus_message_is_method_error(m, NULL)) /* one that is not followed would never go away */
        client_gone(userdata);
    return 0;
}

static int lookup_answered(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct subscriber *subscriber = userdata;

    (void)error;
    subscriber->lookup = sd_bus_slot_unref(subscriber->lookup);
    if (sd_bus_message_is_method_error(m, NULL))
        client_gone(subscriber);
    return 0;
}

/* The match comes before the question: a name that goes in between is noticed
 * by one of the two. */
static int track(struct service *service, struct subscriber *subscriber)
{
    char rule[256];

    snprintf(rule, sizeof(rule),
             "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
             "member='NameOwnerChanged',arg0='%.64s',arg2=''",
             subscriber->name);
    int r = sd_bus_add_match_async(service->bus, &subscriber->rule, rule, owner_changed,
                                   rule_answered, subscriber);
    if (r >= 0)
        r = sd_bus_call_method_async(service->bus, &subscriber->lookup, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetNameOwner", lookup_answered, subscriber, "s",
                                     subscriber->name);
    return r;
}

/* Takes over the filter if it succeeds. */
static int add(struct service *service, const char *name, uid_t uid, struct event_filter *filter)
{
    struct subscriber *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;

    fresh->service = service;
    fresh->filter = filter;
    fresh->uid = uid;
    fresh->name = strdup(name);
    int r = fresh->name ? track(service, fresh) : -ENOMEM;
    if (r < 0) {
        fresh->filter = NULL;
        subscriber_free(fresh);
        return r;
    }
    fresh->next = service->subscribers;
    service->subscribers = fresh;
    service->n_subscribers++;
    return 0;
}

static size_t subscriptions_of(const struct service *service, uid_t uid)
{
    size_t count = 0;

    for (const struct subscriber *s = service->subscribers; s; s = s->next)
        count += s->uid == uid;
    return count;
}

static int add_first(struct service *service, sd_bus_message *m, struct event_filter *filter)
{
    const struct caller *caller = caller_known(service, m);

    if (!caller || service->n_subscribers >= SUBSCRIBERS_MAX ||
        caller_has_its_share(caller, subscriptions_of(service, caller->uid), SUBSCRIBERS_PER_UID))
        return -EXFULL;
    pace_add(service->pace, PACE_QUESTION_USEC);
    return add(service, caller->unique_name, caller->uid, filter);
}

/* A second call replaces the filter. */
int subscribe(struct service *service, sd_bus_message *m, sd_bus_error *error)
{
    const char *name = sd_bus_message_get_sender(m);
    struct event_filter *filter;
    int r = event_filter_read(m, &filter, error);

    if (r < 0)
        return r;
    struct subscriber **old = find(service, name);
    if (*old) {
        event_filter_free((*old)->filter);
        (*old)->filter = filter;
    } else {
        r = add_first(service, m, filter);
        if (r < 0)
            event_filter_free(filter);
        if (r == -EXFULL)
            return refuse_call(
                error, PROCTOR_ERROR "LimitExceeded",
                "there are already %zu subscribers; the limit is %d, and %d for one uid",
                service->n_subscribers, SUBSCRIBERS_MAX, SUBSCRIBERS_PER_UID);
        if (r < 0)
            return r;
    }
    return sd_bus_reply_method_return(m, "t", core_sequence(service->core) + 1);
}

int unsubscribe(struct service *service, sd_bus_message *m, sd_bus_error *error)
{
    struct subscriber **link = find(service, sd_bus_message_get_sender(m));

    (void)error;
    if (*link)
        take_out(service, link);
    return sd_bus_reply_method_return(m, NULL);
}

static void send_to(struct service *service, const struct subscriber *subscriber,
                    const struct event *event, const char *child)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *signal = NULL;

    if (sd_bus_message_new_signal(service->bus, &signal, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                                  "Event") >= 0 &&
        append_event(service, signal, event, child) >= 0)
        sd_bus_send_to(service->bus, signal, subscriber->name, NULL);
}

void subscribers_send(struct service *service, const struct event *event)
{
    const char *child = event->child ? event->child->id : "";
    struct command_id cause = {service->instance, event->cause};

    INVARIANT(event_is_sound(event));
    for (struct subscriber *s = service->subscribers; s; s = s->next)
        if (event_filter_matches(s->filter, event->kind, child, cause))
            send_to(service, s, event, child);
}

/* ---- from one program to the next ------------------------------------------------------------ */

/* Before the connection passes on: the rules that tell of these clients' ends are the bus's. */
void subscribers_let_go(struct service *service)
{
    for (struct subscriber *s = service->subscribers; s; s = s->next) {
        s->rule = sd_bus_slot_unref(s->rule);
        s->lookup = sd_bus_slot_unref(s->lookup);
    }
}

/* The connection stays after all. */
void subscribers_track(struct service *service)
{
    for (struct subscriber **link = &service->subscribers; *link;) {
        if (!(*link)->rule && track(service, *link) < 0)
            take_out(service, link);
        else
            link = &(*link)->next;
    }
}

struct catching_up {
    struct service *service;
    const struct subscriber *subscriber;
};

static void send_again(void *userdata, const struct event *event, const char *child)
{
    const struct catching_up *both = userdata;
    struct command_id cause = {both->service->instance, event->cause};

    if (event_filter_matches(both->subscriber->filter, event->kind, child, cause))
        send_to(both->service, both->subscriber, event, child);
}

/* What happened while the programs changed could not be sent. */
static void take_over(struct service *service, const char *name, uid_t uid,
                      struct event_filter *filter)
{
    struct catching_up both = {.service = service};

    if (add(service, name, uid, filter) < 0) { /* it has gone meanwhile */
        event_filter_free(filter);
        return;
    }
    both.subscriber = service->subscribers;
    event_log_visit(service, service->inherited_sequence, send_again, &both);
}

/* The new program watches the names again. */
void subscribers_archive(struct service *service, struct archive *archive)
{
    const struct subscriber *subscriber = service->subscribers;
    size_t count = service->n_subscribers;

    INVARIANT(archive_is_sound(archive));
    archive_count(archive, &count, SUBSCRIBERS_MAX);
    for (size_t i = 0; i < count && !archive->failed; i++) {
        struct event_filter *filter = archive->reading ? NULL : subscriber->filter;
        char name[64] = "";
        if (!archive->reading)
            snprintf(name, sizeof(name), "%s", subscriber->name);
        uid_t uid = archive->reading ? 0 : subscriber->uid;
        archive_text(archive, name, sizeof(name));
        ARCHIVE(archive, uid);
        event_filter_archive(&filter, archive);
        if (!archive->reading)
            subscriber = subscriber->next;
        else if (filter && !archive->failed)
            take_over(service, name, uid, filter);
        else
            event_filter_free(filter);
    }
}

void subscribers_free(struct service *service)
{
    while (service->subscribers)
        take_out(service, &service->subscribers);
}
