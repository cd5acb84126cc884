/*
 * The broker: what dbus-daemon does, as one function of the bytes that arrive.
 * It shakes hands, checks each message, gives it the sender's unique name, and
 * routes it to one peer, to itself, or to all peers with a matching rule.
 *
 * The texts of its errors are those of dbus-daemon, word for word, because
 * proctorctl shows them and because tests/bus/ compares the broker with a real
 * dbus-daemon. It has no clock and no chance of its own: when bytes are
 * delivered is the schedule's decision.
 */
#include "bus/broker.h"

#include "bus/bus_methods.h"
#include "core/vocabulary/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTORS_MAX 16 /* of one message: the default of dbus-daemon */

static const struct broker_limits default_limits = {
    .message_size = UINT64_C(32) << 20,
    .queued_bytes = UINT64_C(127) << 20,
    .connections = 2048,
    .connections_per_uid = 256,
    .names = 512,
    .rules = 512,
    .replies = 128,
};

static void release_nothing(void *userdata, int descriptor)
{
    (void)userdata;
    (void)descriptor;
}

/* `id` is the 32 hexadecimal digits that the handshake tells each client. The
 * limits are those of the configuration of the system bus. */
struct broker *broker_new(const char *id)
{
    struct broker *broker = calloc(1, sizeof(*broker));

    INVARIANT(broker && strlen(id) == 32);
    snprintf(broker->id, sizeof(broker->id), "%s", id);
    broker->limits = default_limits;
    broker->names.changed = deliver_name_change;
    broker->names.userdata = broker;
    broker->release = release_nothing;
    return broker;
}

void broker_free(struct broker *broker)
{
    name_table_clear(&broker->names);
    while (broker->links) {
        struct link *link = broker->links;
        broker->links = link->next;
        link_free(link, broker->release, broker->userdata);
    }
    free(broker);
}

/* ---- connections ----------------------------------------------------------------------------- */

static bool is_full(const struct broker *broker, uint32_t uid)
{
    uint32_t all = 0, own = 0;

    for (const struct link *link = broker->links; link; link = link->next) {
        all++;
        own += link->credentials.uid == uid;
    }
    return all >= broker->limits.connections || own >= broker->limits.connections_per_uid;
}

struct link *broker_connect(struct broker *broker, const struct link_credentials *credentials)
{
    struct link **end = &broker->links;

    if (is_full(broker, credentials->uid))
        return NULL;
    while (*end)
        end = &(*end)->next;
    *end = link_new(credentials);
    return *end;
}

/* ---- who owes an answer ---------------------------------------------------------------------- */

static struct awaited_reply **find_awaited(struct link *caller, const struct link *callee,
                                           uint32_t serial)
{
    struct awaited_reply **at = &caller->awaited;

    while (*at && ((*at)->callee != callee || (*at)->serial != serial))
        at = &(*at)->next;
    return at;
}

static void forget_awaited(struct link *caller, struct awaited_reply **at)
{
    struct awaited_reply *awaited = *at;

    *at = awaited->next;
    caller->n_awaited--;
    free(awaited);
}

/* Notes that `callee` owes an answer. Without such a note an answer is
 * refused, as by the real broker: nobody may send answers to calls that were
 * not made. */
static void await_reply(struct link *caller, struct link *callee, uint32_t serial)
{
    struct awaited_reply **end = &caller->awaited;
    struct awaited_reply *awaited = calloc(1, sizeof(*awaited));

    INVARIANT(awaited);
    while (*end)
        end = &(*end)->next;
    *awaited = (struct awaited_reply){.callee = callee, .serial = serial};
    *end = awaited;
    caller->n_awaited++;
}

/* A callee that has gone answers no more: the broker does it. */
static void answer_for(struct broker *broker, struct link *caller, const struct link *callee)
{
    struct awaited_reply **at = &caller->awaited;

    while (*at) {
        struct bus_message call = {.type = MESSAGE_CALL, .serial = (*at)->serial};
        if ((*at)->callee != callee) {
            at = &(*at)->next;
            continue;
        }
        forget_awaited(caller, at);
        deliver_error(broker, caller, &call, BUS_ERROR("NoReply"),
                      "Message recipient disconnected from message bus without replying");
    }
}

/* Removes a link, with its names. Calls that other links made to it are
 * answered with NoReply, so that no caller waits for a peer that has gone. */
void broker_disconnect(struct broker *broker, struct link *link)
{
    struct link **at = &broker->links;

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    link->next = NULL;
    link->closing = true;
    name_release_all(&broker->names, link);
    for (struct link *other = broker->links; other; other = other->next)
        answer_for(broker, other, link);
    link_free(link, broker->release, broker->userdata);
}

/* ---- routing --------------------------------------------------------------------------------- */

/* A message that has come, with what belongs to it. */
struct arrival {
    struct broker *broker;
    struct link *from;
    struct bus_message message;
    const int *descriptors;
    size_t n_descriptors;
};

#define REFUSE(arrival, name, ...)                                                                 \
    deliver_error((arrival)->broker, (arrival)->from, &(arrival)->message, BUS_ERROR(name),        \
                  __VA_ARGS__)

static bool is_reply(const struct bus_message *message)
{
    return message->type == MESSAGE_RETURN || message->type == MESSAGE_ERROR;
}

/* Whether a call may be sent: its answer is awaited then. */
static bool may_call(struct arrival *arrival, struct link *to)
{
    struct link *from = arrival->from;
    uint32_t serial = arrival->message.serial;

    if (arrival->message.type != MESSAGE_CALL || (arrival->message.flags & MESSAGE_NO_REPLY))
        return true;
    if (*find_awaited(from, to, serial))
        REFUSE(arrival, "AccessDenied",
               "Message has the same reply serial as a currently-outstanding existing method call");
    else if (from->n_awaited >= arrival->broker->limits.replies)
        REFUSE(arrival, "LimitsExceeded",
               "The maximum number of pending replies per connection has been reached");
    else
        return true;
    return false;
}

/* Answers that nobody has asked for are refused. */
static bool may_reply(struct arrival *arrival, struct link *to)
{
    if (!is_reply(&arrival->message))
        return true;
    struct awaited_reply **at = find_awaited(to, arrival->from, arrival->message.reply_serial);
    if (*at) {
        forget_awaited(to, at);
        return true;
    }
    arrival->from->n_unwanted++;
    REFUSE(arrival, "AccessDenied", "Rejected send message: nobody waits for this reply");
    return false;
}

/* Delivers to one peer, or says why not. The order of the checks is that of
 * dbus-daemon and decides which of two errors a caller sees. */
static void route_to(struct arrival *arrival, struct link *to)
{
    if (to->queued_bytes > arrival->broker->limits.queued_bytes) {
        REFUSE(arrival, "LimitsExceeded", "Rejected: destination has a full message queue");
        return;
    }
    if (!may_reply(arrival, to) || !may_call(arrival, to))
        return;
    if (arrival->n_descriptors > 0 && !to->handshake.descriptors) {
        REFUSE(arrival, "NotSupported",
               "Tried to send message with Unix file descriptorsto a client that doesn't support "
               "that.");
        return;
    }
    if (arrival->message.type == MESSAGE_CALL && !(arrival->message.flags & MESSAGE_NO_REPLY))
        await_reply(arrival->from, to, arrival->message.serial);
    if (deliver(arrival->broker, to, &arrival->message, arrival->descriptors,
                arrival->n_descriptors))
        arrival->n_descriptors = 0;
}

/* A name without an owner is an error of two kinds: the message says whether a
 * service might have been started for it, which this broker never does. */
static void route_by_name(struct arrival *arrival)
{
    const char *name = arrival->message.destination;
    struct link *to = name_owner_of(&arrival->broker->names, name);

    if (to)
        route_to(arrival, to);
    else if (arrival->message.flags & MESSAGE_NO_AUTO_START)
        REFUSE(arrival, "NameHasNoOwner", "Name \"%s\" does not exist", name);
    else
        REFUSE(arrival, "ServiceUnknown", "The name %s was not provided by any .service files",
               name);
}

/* What libdbus answers by itself in dbus-daemon. */
static void route_to_nobody(struct arrival *arrival)
{
    const struct bus_message *message = &arrival->message;

    if (message->type != MESSAGE_CALL)
        return;
    if (message->interface && strcmp(message->interface, BUS_NAME ".Peer") == 0)
        bus_methods_call(arrival->broker, arrival->from, message);
    else
        REFUSE(arrival, "UnknownMethod",
               "Method \"%s\" with signature \"%s\" on interface \"%s\" doesn't exist\n",
               message->member, message->signature ? message->signature : "",
               message->interface ? message->interface : "(null)");
}

static void route_to_bus(struct arrival *arrival)
{
    if (!link_is_active(arrival->from) && !bus_methods_is_hello(&arrival->message))
        REFUSE(arrival, "AccessDenied",
               "Client tried to send a message other than Hello without being registered");
    else if (arrival->message.type == MESSAGE_CALL)
        bus_methods_call(arrival->broker, arrival->from, &arrival->message);
}

/* Where a message goes. Before Hello only the bus itself may be called; a peer
 * that writes to another one is disconnected, as by dbus-daemon. */
static void route(struct arrival *arrival)
{
    const char *destination = arrival->message.destination;

    if (!destination && arrival->message.type != MESSAGE_SIGNAL) {
        route_to_nobody(arrival);
    } else if (destination && strcmp(destination, BUS_NAME) == 0) {
        route_to_bus(arrival);
    } else if (!link_is_active(arrival->from)) {
        link_close(arrival->from);
    } else if (destination) {
        route_by_name(arrival);
    } else {
        deliver_broadcast(arrival->broker, arrival->from, &arrival->message);
    }
}

/* ---- what comes ------------------------------------------------------------------------------ */

static void drop_descriptors(struct link *link, size_t count)
{
    if (count == 0)
        return;
    link->n_descriptors -= count;
    memmove(link->descriptors, link->descriptors + count,
            link->n_descriptors * sizeof(*link->descriptors));
}

/* One whole message, at the beginning of the input. */
static void handle(struct broker *broker, struct link *link, size_t size)
{
    struct arrival arrival = {.broker = broker, .from = link};

    if (bus_message_parse(&arrival.message, link->in.data, size) < 0 ||
        arrival.message.descriptors > link->n_descriptors ||
        arrival.message.descriptors > DESCRIPTORS_MAX) {
        link->is_invalid = true;
        link_close(link);
        return;
    }
    size_t count = arrival.message.descriptors;
    arrival.message.sender = link->unique_name;
    arrival.descriptors = link->descriptors;
    arrival.n_descriptors = count;
    link->n_messages++;
    route(&arrival);
    for (size_t i = 0; i < arrival.n_descriptors; i++)
        broker->release(broker->userdata, link->descriptors[i]);
    drop_descriptors(link, count);
    bytes_drop(&link->in, size);
}

static void shake_hands(struct broker *broker, struct link *link)
{
    struct bytes answer = {0};

    handshake_continue(&link->handshake, broker->id, &link->in, &answer);
    if (answer.size > 0)
        link_send(link, &answer, NULL, 0);
    bytes_free(&answer);
    if (link->handshake.state == HANDSHAKE_REFUSED)
        link_close(link);
}

static void keep_descriptors(struct link *link, const int *descriptors, size_t count)
{
    if (count == 0)
        return;
    link->descriptors =
        realloc(link->descriptors, (link->n_descriptors + count) * sizeof(*descriptors));
    INVARIANT(link->descriptors);
    memcpy(link->descriptors + link->n_descriptors, descriptors, count * sizeof(*descriptors));
    link->n_descriptors += count;
}

/* Takes bytes in pieces of any size: a message may arrive in several, and
 * several in one. A message that is too large ends the connection before it is
 * read, so that no peer can make the broker keep any amount. */
void broker_receive(struct broker *broker, struct link *link, const void *data, size_t size,
                    const int *descriptors, size_t count)
{
    bytes_add(&link->in, data, size);
    keep_descriptors(link, descriptors, count);
    if (link->handshake.state != HANDSHAKE_DONE)
        shake_hands(broker, link);
    while (link->handshake.state == HANDSHAKE_DONE && !link->closing) {
        size_t whole = bus_message_size(link->in.data, link->in.size);
        if (whole > broker->limits.message_size)
            link_close(link);
        else if (whole == 0 || whole > link->in.size)
            break;
        else
            handle(broker, link, whole);
    }
}
