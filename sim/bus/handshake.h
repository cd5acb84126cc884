/*
 * Handshake: the lines that a client and the bus exchange before the first message. Only EXTERNAL
 * is offered: a client is who the kernel says, and may at most confirm it.
 */
#pragma once

#include "bus/bytes.h"

#include <stdbool.h>

enum handshake_state {
    HANDSHAKE_NUL, /* the byte that may carry credentials */
    HANDSHAKE_AUTH,
    HANDSHAKE_DATA,
    HANDSHAKE_BEGIN,
    HANDSHAKE_DONE,
    HANDSHAKE_REFUSED, /* the connection is to be closed */
};

struct handshake {
    enum handshake_state state;
    uint32_t uid;
    uint32_t failures;
    bool descriptors; /* agreed upon */
};

/* Consumes whole lines of `in`, up to BEGIN, and answers into `out`. id: of the bus, 32 digits. */
void handshake_continue(struct handshake *handshake, const char *id, struct bytes *in,
                        struct bytes *out);
