/*
 * Options: the a{sv} that ends each mutating method. What is not known is refused: an option that
 * is misspelt must not be a command without it.
 */
#pragma once

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct caller;

/* The options that every mutating method takes. */
struct options {
    const char *requested_by;
    const char *key;
    uint64_t call; /* what the key belongs to; key_claim() fills it in */
    bool wait;
    uint64_t wait_usec; /* the longest; 0: the caller sets no limit */
    bool dry_run;
    bool restart;          /* only of what declares */
    uint64_t timeout_usec; /* only of a shutdown of the tree: for the whole; 0: none */
    char requester[REQUESTER_MAX + 1];
};

int options_read(sd_bus_message *message, const struct caller *caller, const char *its_own,
                 struct options *options, sd_bus_error *error);
int reason_check(const char *reason, sd_bus_error *error);
/* The next argument, a text: what sd-bus does not take for one is refused, with its name. */
int argument_read(sd_bus_message *m, const char *name, const char **text, sd_bus_error *error);
