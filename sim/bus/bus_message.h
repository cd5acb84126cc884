/*
 * A message of the bus: its header as fields, its body as bytes in the byte order of its sender.
 */
#pragma once

#include "bus/wire.h"

enum message_type {
    MESSAGE_CALL = 1,
    MESSAGE_RETURN = 2,
    MESSAGE_ERROR = 3,
    MESSAGE_SIGNAL = 4,
};

enum {
    MESSAGE_NO_REPLY = 1,
    MESSAGE_NO_AUTO_START = 2,
    MESSAGE_INTERACTIVE = 4,
};

#define MESSAGE_PROLOGUE 16 /* bytes from which the size of a message is known */

struct bus_message {
    uint8_t type, flags;
    bool big;
    uint32_t serial, reply_serial, descriptors;
    /* NULL: not there; else within the bytes that were parsed. */
    const char *path, *interface, *member, *error, *destination, *sender, *signature;
    const uint8_t *body;
    size_t body_size;
};

/* How large the message is that begins here; 0: not yet known; SIZE_MAX: it is none. */
size_t bus_message_size(const uint8_t *data, size_t size);
/* data: aligned as malloc() does, and no longer than the message. -EBADMSG: it is not valid. */
int bus_message_parse(struct bus_message *message, const uint8_t *data, size_t size);
/* Appends the message. */
void bus_message_write(const struct bus_message *message, struct bytes *to);
/* A reader of the body, in the byte order of the message. */
struct wire_reader bus_message_read(const struct bus_message *message);
