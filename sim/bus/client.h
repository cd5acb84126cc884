/*
 * Client: one of proctord's clients, with its habit: it listens and remembers, gives orders, leaves
 * before it is answered, repeats a call with one key, never reads, floods, or asks for what it may
 * not have. Each habit says when it is next due; what must hold for it is checked on the way.
 */
#pragma once

#include "bus/cache.h"
#include "bus/verb_call.h"

enum client_habit {
    CLIENT_LISTENS,     /* caches, as GDBus does */
    CLIENT_OPERATES,    /* verbs on children */
    CLIENT_LEAVES,      /* restarts with `wait`, and goes before the answer */
    CLIENT_REPEATS,     /* a verb three times with one key: one command, one outcome */
    CLIENT_NEVER_READS, /* asks for much, and takes nothing */
    CLIENT_FLOODS,      /* hundreds of calls at once, each to be answered */
    CLIENT_STRAYS,      /* calls that are wrong in each way, replies to nothing, strange signals */
    CLIENT_IS_ASKED,    /* calls when it is told to (client_order()) */
    CLIENT_HABITS
};

const char *client_habit_to_string(enum client_habit habit);

/* Who looks over the shoulder of clients: at each command that one gives, and at its answer. */
struct client_observer {
    void *userdata;
    void (*commanded)(void *userdata, const char *member, const char *child);
    void (*answered)(void *userdata, const struct peer_call *call,
                     const struct bus_message *answer);
};

struct client_plan {
    enum client_habit habit;
    uint32_t pid, uid;
    uint64_t begin_nsec, pause_nsec; /* between its turns */
    uint32_t turns;
    bool is_allowed;             /* by its uid or by polkit, to give orders */
    const char *const *children; /* ids that it may name; the caller's */
    uint32_t n_children;
    uint32_t (*choose)(void *userdata, uint32_t count); /* a draw below count */
    void *userdata;
    const struct client_observer *observer; /* NULL: nobody */
};

struct client {
    struct client *next;
    struct peer peer;
    struct client_plan plan;
    uint64_t now_nsec, due_nsec;
    uint32_t turn;
    struct cache listened, fresh;
    bool is_loaded;
    uint64_t n_signals;
    uint32_t checks_left; /* until it is quiet */
    uint64_t check_nsec, signals_then;
    char mismatch[240];             /* of the last check */
    uint32_t n_loading, n_checking; /* answers that are on their way */
    char key[24], first_outcome[80];
    uint32_t n_errors; /* calls that were refused */
    char last_error[200];
};

/* The plan is copied. The client connects when its time has come. */
struct client *client_new(const struct client_plan *plan);
void client_free(struct client *client);
/* The bus is there, or NULL: it has gone. */
void client_join(struct client *client, struct broker *broker);
/* Takes what has come, and does what is due. Returns whether it has done anything. */
bool client_run(struct client *client, uint64_t now_nsec);
/* UINT64_MAX: it waits for nothing but answers. */
uint64_t client_next_nsec(const struct client *client);

/* about: given to the observer with the answer. False: it is not connected. */
bool client_order(struct client *client, const char *member, const char *child, const char *reason,
                  const struct verb_options *options, const void *about);

/* A call is without its answer for too long: the fault says which. */
void client_check_answers(struct client *client, uint64_t now_nsec);

/* A client that listens reads everything again, and compares. What differs is wrong if it still
 * differs a while later, with no signal in between. */
void client_begin_check(struct client *client);
/* All of its calls are answered. */
bool client_is_at_rest(const struct client *client);
