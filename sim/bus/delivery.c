/*
 * Sending: to one peer, as a reply, as an error, as a signal to all peers that match.
 * A peer that does not read fills its own queue; when the queue is full,
 * messages to it are dropped, and it alone suffers.
 */
#include "bus/delivery.h"

#include "bus/match_rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Returns whether the descriptors now belong to the peer's queue; if not, the
 * caller still has them. A link that is closing takes nothing more, without an
 * error. */
bool deliver(struct broker *broker, struct link *to, const struct bus_message *message,
             const int *descriptors, size_t count)
{
    struct bytes bytes = {0};

    if (to->queued_bytes > broker->limits.queued_bytes)
        return false;
    if (to->closing)
        return count == 0;
    bus_message_write(message, &bytes);
    link_send(to, &bytes, descriptors, count);
    bytes_free(&bytes);
    return true;
}

/* ---- broadcasts ------------------------------------------------------------------------------ */

static bool comes_from(const struct broker *broker, const struct link *from, const char *sender)
{
    if (!from)
        return strcmp(sender, BUS_NAME) == 0;
    return name_owner_of(&broker->names, sender) == from;
}

static bool wants(const struct broker *broker, const struct link *link, const struct link *from,
                  const struct bus_message *message)
{
    for (const struct subscription_rule *rule = link->rules; rule; rule = rule->next)
        if (!rule->rule->destination && match_rule_fits(rule->rule, message) &&
            (!rule->rule->sender || comes_from(broker, from, rule->rule->sender)))
            return true;
    return false;
}

void deliver_broadcast(struct broker *broker, struct link *from, const struct bus_message *message)
{
    for (struct link *link = broker->links; link; link = link->next)
        if (wants(broker, link, from, message)) /* descriptors are not multiplied */
            broker->n_dropped += !deliver(broker, link, message, NULL, 0);
}

/* ---- messages of the bus --------------------------------------------------------------------- */

static void set_body(struct bus_message *message, const char *signature, const struct bytes *body)
{
    message->signature = signature;
    message->body = body->data;
    message->body_size = body->size;
}

static struct bus_message own_message(struct broker *broker, uint8_t type, const struct link *to)
{
    return (struct bus_message){.type = type,
                                .flags = MESSAGE_NO_REPLY,
                                .serial = ++broker->next_serial,
                                .sender = BUS_NAME,
                                .destination = to && link_is_active(to) ? to->unique_name : NULL};
}

/* Sends no reply if the caller asked for none. */
void deliver_reply(struct broker *broker, struct link *to, const struct bus_message *call,
                   const char *signature, const struct bytes *body)
{
    struct bus_message reply = own_message(broker, MESSAGE_RETURN, to);

    if (call->flags & MESSAGE_NO_REPLY)
        return;
    reply.reply_serial = call->serial;
    if (body)
        set_body(&reply, signature, body);
    deliver(broker, to, &reply, NULL, 0);
}

/* `name` is the whole name of the error; the text is its only argument. */
void deliver_error(struct broker *broker, struct link *to, const struct bus_message *call,
                   const char *name, const char *format, ...)
{
    char text[2048];
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};
    struct bus_message reply = own_message(broker, MESSAGE_ERROR, to);
    va_list arguments;

    if (call->type == MESSAGE_CALL && (call->flags & MESSAGE_NO_REPLY))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    wire_write_string(&writer, text);
    set_body(&reply, "s", &body);
    reply.error = name;
    reply.reply_serial = call->serial;
    deliver(broker, to, &reply, NULL, 0);
    bytes_free(&body);
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *number_of(const struct link *link)
{
    return link ? link->unique_name : "";
}

/* NameAcquired and NameLost are sent to the peer that they concern, without a
 * rule. */
static void send_name_signal(struct broker *broker, struct link *to, const char *member,
                             const char *name)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};
    struct bus_message signal = own_message(broker, MESSAGE_SIGNAL, to);

    wire_write_string(&writer, name);
    signal.path = BUS_PATH;
    signal.interface = BUS_NAME;
    signal.member = member;
    set_body(&signal, "s", &body);
    deliver(broker, to, &signal, NULL, 0);
    bytes_free(&body);
}

/* NameOwnerChanged: by it everyone learns that a peer came or went. An empty
 * text stands for no owner. */
static void tell_all(struct broker *broker, const char *name, struct link *from, struct link *to)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};
    struct bus_message signal = own_message(broker, MESSAGE_SIGNAL, NULL);

    wire_write_string(&writer, name);
    wire_write_string(&writer, number_of(from));
    wire_write_string(&writer, number_of(to));
    signal.path = BUS_PATH;
    signal.interface = BUS_NAME;
    signal.member = "NameOwnerChanged";
    set_body(&signal, "sss", &body);
    deliver_broadcast(broker, NULL, &signal);
    bytes_free(&body);
}

void deliver_name_change(void *userdata, const char *name, struct link *from, struct link *to)
{
    struct broker *broker = userdata;

    if (from)
        send_name_signal(broker, from, "NameLost", name);
    tell_all(broker, name, from, to);
    if (to)
        send_name_signal(broker, to, "NameAcquired", name);
}
