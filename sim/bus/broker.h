/*
 * Broker: a message bus for the simulator. It speaks the wire protocol to real clients: bytes,
 * descriptors and credentials of a connection come in, bytes and descriptors go out. It makes no
 * system call, has no clock and no randomness, and starts no services. tests/bus/test_broker.c
 * asks it and dbus-daemon the same things, and compares the answers.
 */
#pragma once

#include "bus/delivery.h"

/* id: 32 hexadecimal digits. A broker that died and has come back has another one. */
struct broker *broker_new(const char *id);
void broker_free(struct broker *broker);

/* NULL: there are too many clients, the connection is to be closed. */
struct link *broker_connect(struct broker *broker, const struct link_credentials *credentials);
/* The peer has gone, or is to go. Frees the link. */
void broker_disconnect(struct broker *broker, struct link *link);

/* Bytes that a client has sent. Descriptors become the broker's. Any link may have output then. */
void broker_receive(struct broker *broker, struct link *link, const void *data, size_t size,
                    const int *descriptors, size_t count);
