/*
 * Delivery: the broker's state, and how a message comes to one client, to those that match it, or
 * back to its sender as an error. What a client has not yet taken is bounded.
 */
#pragma once

#include "bus/name_table.h"

#define BUS_NAME        "org.freedesktop.DBus"
#define BUS_PATH        "/org/freedesktop/DBus"
#define BUS_ERROR(name) "org.freedesktop.DBus.Error." name

/* The defaults are those of dbus-daemon for a session bus. */
struct broker_limits {
    uint64_t message_size, queued_bytes; /* queued: for each client */
    uint32_t connections, connections_per_uid, names, rules, replies;
};

struct broker {
    char id[33]; /* 32 hexadecimal digits */
    struct broker_limits limits;
    struct link *links;
    struct name_table names;
    uint32_t next_unique, next_serial;
    uint64_t n_dropped; /* broadcasts to clients that do not take them */
    void (*release)(void *userdata, int descriptor);
    void *userdata;
};

/* Sends a message of another client, or of the bus itself. False: the queue is full, and the
 * descriptors are still the caller's. */
bool deliver(struct broker *broker, struct link *to, const struct bus_message *message,
             const int *descriptors, size_t count);
/* To each that has a rule for it. from: NULL for the bus. */
void deliver_broadcast(struct broker *broker, struct link *from, const struct bus_message *message);

/* Messages of the bus. body: of the given signature, may be NULL. */
void deliver_reply(struct broker *broker, struct link *to, const struct bus_message *call,
                   const char *signature, const struct bytes *body);
void deliver_error(struct broker *broker, struct link *to, const struct bus_message *call,
                   const char *name, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Says that a name went from one client to another; as name_table wants it. */
void deliver_name_change(void *broker, const char *name, struct link *from, struct link *to);
