/*
 * Notify words: what the lines of an sd_notify(3) datagram mean.
 *
 * Keys that are not known are for others, and passed over. A known key with a value that it cannot
 * have is a mistake of the program that says it: the line changes nothing, and the caller learns
 * which it was, to report it. Of READY=, RELOADING=1 and STOPPING=1 the last counts.
 */
#pragma once

#include "core/core.h"

/* One for each known key, so that a caller knows what it has reported. */
enum notify_key {
    NOTIFY_KEY_READY,
    NOTIFY_KEY_WATCHDOG,
    NOTIFY_KEY_STOPPING,
    NOTIFY_KEY_RELOADING,
    NOTIFY_KEY_STATUS,
    NOTIFY_KEY_ERRNO,
    NOTIFY_KEY_EXTEND_TIMEOUT,
    NOTIFY_KEY_MONOTONIC,
    NOTIFY_KEY_MAIN_PID,
    NOTIFY_KEY_WATCHDOG_USEC,
    NOTIFY_KEY_FDSTORE,
    NOTIFY_KEY_FDSTOREREMOVE,
    NOTIFY_KEY_FDNAME,
    NOTIFY_KEYS,
};

/* What is not for the core. All texts point into the one that was read. */
struct notify_asides {
    const char *mistakes[NOTIFY_KEYS]; /* values that are none; NULL: it is right, or not there */
    bool stores, removes;              /* FDSTORE=1, FDSTOREREMOVE=1 */
    const char *fd_name;               /* NULL: none */
};

/* Reads a datagram in place: it is cut into lines. */
void notify_parse(char *text, struct notify_message *message, struct notify_asides *asides);

/* With its "=", and what its value has to be, for people. */
const char *notify_key_name(enum notify_key key);
const char *notify_key_expected(enum notify_key key);
