/*
 * Peer: a client of the broker that lives in the simulator itself: it shakes hands, says Hello,
 * calls, and takes what comes. It checks what any client may rely on: each message is valid, and
 * each call has exactly one answer. What it does besides, its hooks do.
 */
#pragma once

#include "bus/broker.h"

struct peer;

struct peer_call {
    struct peer_call *next;
    uint32_t serial;
    uint64_t asked_nsec;
    bool waits;       /* it asks for an answer that comes late */
    bool is_question; /* a dry run */
    char member[48];
    char child[48];    /* that it is about; "": none */
    const void *about; /* the caller's */
};

struct peer_hooks {
    void (*named)(struct peer *peer); /* it has its number: it can call now */
    void (*answered)(struct peer *peer, const struct peer_call *call,
                     const struct bus_message *answer);
    void (*called)(struct peer *peer, const struct bus_message *call);
    void (*signalled)(struct peer *peer, const struct bus_message *signal);
};

struct peer {
    const struct peer_hooks *hooks;
    void *userdata;
    struct link_credentials credentials;
    struct broker *broker; /* NULL: not connected */
    struct link *link;
    bool is_named, is_deaf; /* deaf: it takes nothing */
    uint64_t now_nsec;      /* its owner's clock */
    uint32_t serial;
    struct peer_call *calls; /* that are not answered */
    uint32_t n_calls;
    uint64_t n_answers;
    char fault[256]; /* what the other side has done wrong, first */
};

/* Connects, shakes hands and says Hello. -EMFILE: the broker takes no more. */
int peer_connect(struct peer *peer, struct broker *broker);
/* Leaves; calls that are not answered are forgotten. */
void peer_leave(struct peer *peer);
/* The broker has died: as peer_leave(), but there is nobody to leave. */
void peer_lose(struct peer *peer);
/* Takes what has come. Returns whether there was anything. */
bool peer_take(struct peer *peer);

/* body may be NULL, its signature too. about: given back with the answer. Returns the serial. */
uint32_t peer_call(struct peer *peer, const char *destination, const char *path,
                   const char *interface, const char *member, const char *signature,
                   const struct bytes *body, const void *about);
/* The same with one text, or none. */
uint32_t peer_call_text(struct peer *peer, const char *destination, const char *path,
                        const char *interface, const char *member, const char *text,
                        const void *about);
/* The last call may wait for its answer. */
void peer_let_wait(struct peer *peer);
/* The last call is for this child, or only a question about it. */
void peer_name_child(struct peer *peer, const char *child, bool is_question);
/* A call to proctord that should have been answered by now, or NULL. */
const struct peer_call *peer_overdue(const struct peer *peer, uint64_t patience_nsec);
void peer_reply(struct peer *peer, const struct bus_message *call, const char *signature,
                const struct bytes *body);
void peer_reply_error(struct peer *peer, const struct bus_message *call, const char *name,
                      const char *text);
