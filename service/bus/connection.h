/*
 * Connection: from nothing to a bus on which proctord has its name, without waiting for it.
 *
 * A bus may be absent, refuse, accept and then be silent, or go at any moment; children are
 * supervised all the same. So each step is asynchronous and has a deadline, and what fails is tried
 * again, after a pause that doubles up to a second, for as long as proctord lives:
 *
 *     WAITS --(pause over)--> ASKS --(we have the name)--> UP
 *       ^                       |                           |
 *       +--(refused, silent, name taken)---(gone, stuck)----+
 *
 * Why there is no bus is logged when it begins, and again only where the reason changes.
 *
 * A bus that stops reading is found out by a question to it, which is asked when messages have
 * waited to be sent for some seconds, or when it has not answered another question in time; and now
 * and then where the bus is proctord's own, which can be started again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct service;
struct connection;

enum connection_state {
    CONNECTION_UNASKED, /* connection_begin() has not been called */
    CONNECTION_WAITS,   /* for the next try; connection_trouble() says why */
    CONNECTION_ASKS,
    CONNECTION_TAKEN, /* another one has the name; it is asked for again */
    CONNECTION_UP,
};

/* What the service is told and asked. */
struct connection_hooks {
    int (*serve)(struct service *service, sd_bus *bus); /* all objects, on a bus that begins */
    int (*watch)(struct service *service, sd_bus *bus); /* what looks at each call before them */
    void (*up)(struct service *service, sd_bus *bus);
    void (*down)(struct service *service);
    void (*silent)(struct service *service);
    void (*troubled)(struct service *service);
};

/* Returns 0 or a negative errno. */
int connection_new(struct service *service, const struct connection_hooks *hooks,
                   struct connection **connection);
/* Closes the connection. NULL is allowed. */
void connection_free(struct connection *connection);

/* Tries at once, whatever was tried before. fd: a connection that was handed over, with its unique
 * name; it is taken, and is up when this returns unless it is broken. -1: none. */
void connection_begin(struct connection *connection, int fd, const char *unique_name);

enum connection_state connection_state(const struct connection *connection);
const char *connection_trouble(const struct connection *connection); /* "" while there is none */

/* To be called after each turn of the loop: finds out whether the bus still takes messages. */
void connection_look(struct connection *connection);

/* The bus has not answered something in time. */
void connection_suspect(struct connection *connection);

/*
 * Calls `done` once the bus has handled everything that was sent to it up to now: with 0, or with a
 * negative errno where it goes away or does not answer within limit_usec. Where there is no bus it
 * is called at once, with -ENOTCONN. Returns 0 or a negative errno, and then it is never called.
 */
int connection_settle(struct connection *connection, uint64_t limit_usec,
                      void (*done)(void *userdata, int r), void *userdata);
