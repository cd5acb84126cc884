/*
 * Link: the broker's end of one client's connection: what has come and is no message yet, what is
 * to be sent, and what the client has asked for. It routes nothing.
 */
#pragma once

#include "bus/bus_message.h"
#include "bus/handshake.h"

struct link_credentials {
    uint32_t pid, uid, gid;
};

/* One call for which the callee still owes an answer. */
struct awaited_reply {
    struct awaited_reply *next;
    struct link *callee;
    uint32_t serial;
};

/* A message on its way to a client. */
struct parcel {
    struct parcel *next;
    struct bytes bytes;
    int *descriptors;
    size_t n_descriptors;
};

struct subscription_rule {
    struct subscription_rule *next;
    struct match_rule *rule;
};

struct link {
    struct link *next;
    struct link_credentials credentials;
    struct handshake handshake;
    char unique_name[16]; /* empty before Hello */
    bool is_invalid;      /* it has sent what is no message */
    bool closing;         /* the broker hangs up when the output is empty */
    struct bytes in;
    int *descriptors; /* that came with bytes which are no message yet */
    size_t n_descriptors;
    struct parcel *out, **out_end;
    size_t sent;           /* of the first parcel */
    uint64_t queued_bytes; /* of all */
    struct subscription_rule *rules;
    uint32_t n_rules, n_names;
    struct awaited_reply *awaited; /* by this client */
    uint32_t n_awaited;
    uint64_t n_messages; /* that came from it */
    uint64_t n_unwanted; /* replies that nobody waits for: a second one, or to no call */
};

/* The identity is that of the other end, as the kernel would report it. */
struct link *link_new(const struct link_credentials *credentials);
/* Hands what it has of descriptors to release. */
void link_free(struct link *link, void (*release)(void *userdata, int descriptor), void *userdata);

bool link_is_active(const struct link *link);
/* Queues bytes; descriptors become the link's. */
void link_send(struct link *link, const struct bytes *bytes, const int *descriptors, size_t count);
/* The broker reads nothing more from it; broker_disconnect() frees it. */
void link_close(struct link *link);

/* ---- for the peer's end of the socket -------------------------------------------------------- */

/* What may be sent next: never bytes of two messages at once. Returns how many. */
size_t link_output(const struct link *link, const uint8_t **bytes);
/* The descriptors that go with the first of these bytes; they are the caller's after link_sent().
 */
size_t link_output_descriptors(const struct link *link, const int **descriptors);
/* count: bytes of the first parcel that have gone. */
void link_sent(struct link *link, size_t count);
/* Nothing more will come: the socket is to be closed. */
bool link_is_closed(const struct link *link);
