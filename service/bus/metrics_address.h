/*
 * Metrics address: an address of IP at which the metrics are served, "127.0.0.1:9586" or
 * "[::1]:9586", and what counts as one peer there: an address of IPv4, a network of 64 bits of
 * IPv6, and on a Unix socket a uid.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct metrics_peer {
    sa_family_t family;
    uint8_t bytes[8]; /* filled up with zeros */
};

/* Whether the text is such an address. Names are not looked up. */
bool metrics_address_is(const char *text);

/* Whether only this machine can reach it. */
bool metrics_address_is_local(const char *text);

/* A socket that listens there, or a negative errno. */
int metrics_address_listen(const char *text);

/* Whether a descriptor is a socket of IP that listens: where text says, if it is not NULL. */
bool metrics_address_fits(int fd, const char *text);

/* Accepts a connection; returns its descriptor or a negative errno. */
int metrics_address_accept(int fd, struct metrics_peer *peer);

bool metrics_peer_is_same(const struct metrics_peer *a, const struct metrics_peer *b);
