/*
 * A waiter: a call that is answered later. Between wait.c, which answers, and wait_handover.c,
 * which takes the calls along to the next program.
 */
#pragma once

#include "bus/private.h"

enum waiter_kind {
    WAIT_STOP = 0,
    WAIT_START = 1,
    WAIT_RELOAD = 2,
    WAIT_ADDED = 3,
    /* Not about one child: */
    WAIT_SCOPE = 4,
    WAIT_JOB = 5,
    WAIT_SHUTDOWN = 6,
    WAIT_REEXECUTION = 7,
    /* About one child again: */
    WAIT_GONE = 8
};

/* One of those that a WAIT_SCOPE waits for. */
struct awaited {
    struct attempt_id child;
    struct outcome outcome;
    bool over;
};

struct waiter {
    struct waiter *next;
    enum waiter_kind kind;
    sd_bus_message *call;
    uid_t uid;               /* of the caller */
    uint64_t deadline_usec;  /* monotonic */
    struct attempt_id child; /* slot and serial */
    struct outcome outcome;
    uint64_t job; /* WAIT_JOB */
    struct awaited *scope;
    size_t n_scope;
    enum waiter_kind scope_kind;
    sd_bus_message_handler_t again; /* WAIT_GONE: handles the call when the child has gone */
};

void waiter_free(struct waiter *waiter);
bool waiter_is_about_one(const struct waiter *waiter);
/* The child that it is about; NULL where it is about more than one, or has gone. */
struct child *waiter_child(const struct service *service, const struct waiter *waiter);
/* The loop turns again when the first deadline passes. */
void waiters_arm(struct service *service);
