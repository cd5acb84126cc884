/*
 * The common half of all that speak on the bus of the model: sending calls,
 * remembering them until their answer comes, and handing messages to the hooks.
 * It finds two faults of the other side by itself: an answer to no call, and a
 * second answer.
 */
#include "bus/peer.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void blame(struct peer *peer, const char *what, const struct bus_message *message)
{
    if (peer->fault[0])
        return;
    snprintf(peer->fault, sizeof(peer->fault), "%s, from %.64s, in reply to %" PRIu32, what,
             message->sender ? message->sender : "?", message->reply_serial);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void send_message(struct peer *peer, struct bus_message *message)
{
    struct bytes bytes = {0};

    bus_message_write(message, &bytes);
    broker_receive(peer->broker, peer->link, bytes.data, bytes.size, NULL, 0);
    bytes_free(&bytes);
}

/* Keeps a call until it is answered, with the time, so that answers that never
 * come can be found. */
static void remember(struct peer *peer, const char *member, const void *about)
{
    struct peer_call **end = &peer->calls, *call = calloc(1, sizeof(*call));

    INVARIANT(call);
    while (*end)
        end = &(*end)->next;
    call->serial = peer->serial;
    call->about = about;
    call->asked_nsec = peer->now_nsec;
    snprintf(call->member, sizeof(call->member), "%s", member);
    *end = call;
    peer->n_calls++;
}

/* Returns the serial of the call, 0 if the peer is not connected: then nothing
 * is sent and no answer will come. */
uint32_t peer_call(struct peer *peer, const char *destination, const char *path,
                   const char *interface, const char *member, const char *signature,
                   const struct bytes *body, const void *about)
{
    struct bus_message message = {.type = MESSAGE_CALL,
                                  .serial = ++peer->serial,
                                  .destination = destination,
                                  .path = path,
                                  .interface = interface,
                                  .member = member,
                                  .signature = signature};

    if (!peer->link)
        return 0;
    if (body) {
        message.body = body->data;
        message.body_size = body->size;
    }
    remember(peer, member, about);
    send_message(peer, &message);
    return message.serial;
}

/* A call with one text, or none. */
uint32_t peer_call_text(struct peer *peer, const char *destination, const char *path,
                        const char *interface, const char *member, const char *text,
                        const void *about)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};

    if (text)
        wire_write_string(&writer, text);
    uint32_t serial =
        peer_call(peer, destination, path, interface, member, text ? "s" : NULL, &body, about);
    bytes_free(&body);
    return serial;
}

static struct peer_call *last_call(const struct peer *peer)
{
    struct peer_call *call = peer->calls;

    while (call && call->next)
        call = call->next;
    return call;
}

void peer_let_wait(struct peer *peer)
{
    struct peer_call *call = last_call(peer);

    if (call)
        call->waits = true;
}

void peer_name_child(struct peer *peer, const char *child, bool is_question)
{
    struct peer_call *call = last_call(peer);

    if (!call)
        return;
    snprintf(call->child, sizeof(call->child), "%s", child);
    call->is_question = is_question;
}

const struct peer_call *peer_overdue(const struct peer *peer, uint64_t patience_nsec)
{
    for (const struct peer_call *call = peer->calls; call; call = call->next)
        if (!call->waits && peer->now_nsec - call->asked_nsec > patience_nsec)
            return call;
    return NULL;
}

/* Answers a call with a value. Nothing is sent after the peer was
 * disconnected. */
void peer_reply(struct peer *peer, const struct bus_message *call, const char *signature,
                const struct bytes *body)
{
    struct bus_message message = {.type = MESSAGE_RETURN,
                                  .serial = ++peer->serial,
                                  .reply_serial = call->serial,
                                  .destination = call->sender,
                                  .signature = signature,
                                  .body = body ? body->data : NULL,
                                  .body_size = body ? body->size : 0};

    if (peer->link)
        send_message(peer, &message);
}

/* Answers a call with an error. */
void peer_reply_error(struct peer *peer, const struct bus_message *call, const char *name,
                      const char *text)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};
    struct bus_message message = {.type = MESSAGE_ERROR,
                                  .serial = ++peer->serial,
                                  .reply_serial = call->serial,
                                  .destination = call->sender,
                                  .error = name,
                                  .signature = "s"};

    if (!peer->link)
        return;
    wire_write_string(&writer, text);
    message.body = body.data;
    message.body_size = body.size;
    send_message(peer, &message);
    bytes_free(&body);
}

/* ---- coming and going ------------------------------------------------------------------------ */

/* Connects and says Hello; the name arrives with the answer. -EMFILE if the
 * broker has no room for another link. */
int peer_connect(struct peer *peer, struct broker *broker)
{
    static const char begin[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

    INVARIANT(!peer->link);
    peer->link = broker_connect(broker, &peer->credentials);
    if (!peer->link)
        return -EMFILE;
    peer->broker = broker;
    broker_receive(broker, peer->link, begin, sizeof(begin) - 1, NULL, 0);
    peer_call(peer, BUS_NAME, BUS_PATH, BUS_NAME, "Hello", NULL, NULL, NULL);
    return 0;
}

/* The broker has gone, or has closed the link: calls that are open will never
 * be answered. */
void peer_lose(struct peer *peer)
{
    while (peer->calls) {
        struct peer_call *call = peer->calls;
        peer->calls = call->next;
        free(call);
    }
    peer->n_calls = 0;
    peer->is_named = false;
    peer->link = NULL;
    peer->broker = NULL;
}

void peer_leave(struct peer *peer)
{
    if (peer->link)
        broker_disconnect(peer->broker, peer->link);
    peer_lose(peer);
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* Finds the call by its serial. An answer without a call is a fault, except
 * from the bus itself, which answers even what was none. */
static void take_answer(struct peer *peer, const struct bus_message *message)
{
    struct peer_call **at = &peer->calls, *call;

    while (*at && (*at)->serial != message->reply_serial)
        at = &(*at)->next;
    call = *at;
    if (!call && message->sender && strcmp(message->sender, BUS_NAME) == 0)
        return; /* it refuses what was no call */
    if (!call) {
        blame(peer, "a second answer, or one to no call", message);
        return;
    }
    *at = call->next;
    peer->n_calls--;
    peer->n_answers++;
    if (strcmp(call->member, "Hello") == 0) {
        peer->is_named = true;
        peer->hooks->named(peer);
    } else if (peer->hooks->answered) {
        peer->hooks->answered(peer, call, message);
    }
    free(call);
}

/* Each type of message goes to its hook; a peer without that hook ignores
 * it. */
static void take_message(struct peer *peer, const struct bus_message *message)
{
    switch (message->type) {
    case MESSAGE_RETURN:
    case MESSAGE_ERROR:
        take_answer(peer, message);
        break;
    case MESSAGE_SIGNAL:
        if (peer->hooks->signalled)
            peer->hooks->signalled(peer, message);
        break;
    case MESSAGE_CALL:
        if (peer->hooks->called)
            peer->hooks->called(peer, message);
        break;
    default:
        blame(peer, "a message of an unknown type", message);
    }
}

/* The broker gives whole messages, and the lines of the handshake before them. */
static void take_parcel(struct peer *peer, const uint8_t *data, size_t size)
{
    struct bytes copy = {0};
    struct bus_message message;

    bytes_add(&copy, data, size);
    link_sent(peer->link, size);
    if (copy.data[0] == 'l' || copy.data[0] == 'B') {
        if (bus_message_parse(&message, copy.data, copy.size) == 0)
            take_message(peer, &message);
        else
            snprintf(peer->fault, sizeof(peer->fault), "a message that is not valid");
    }
    bytes_free(&copy);
}

/* Takes everything that waits. A deaf peer takes nothing, so that its queue
 * fills up. */
bool peer_take(struct peer *peer)
{
    const uint8_t *data;
    bool any = false;
    size_t size;

    while (peer->link && !peer->is_deaf && (size = link_output(peer->link, &data)) > 0) {
        take_parcel(peer, data, size);
        any = true;
    }
    return any;
}
