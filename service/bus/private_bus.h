/*
 * Private bus: a dbus-daemon that proctord runs for itself, in containers and in tests: no system
 * bus is needed. It is started, and started again when it ends, without the loop waiting for it:
 *
 *     LOCKS --(the one of an earlier proctord is gone)--> STARTS --(it tells its address)--> UP
 *       ^                                                   |                                |
 *       +------------------(pause)------ it ends, or says nothing for ten seconds -----------+
 *
 * Its address is known before it is there, and stays the same.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct archive;
struct private_bus;

struct private_bus_hooks {
    void *userdata;
    void (*spawned)(void *userdata, pid_t pid); /* private_bus_ended() is to be called for it */
    void (*up)(void *userdata);                 /* it can be used */
};

/* One with its socket and configuration in directory, an absolute path. Nothing is started yet.
 * Returns 0 or a negative errno. */
int private_bus_new(sd_event *event, const char *directory, const struct private_bus_hooks *hooks,
                    struct private_bus **bus);

/* To the program that takes this one's place, or from the one before, before private_bus_begin().
 */
void private_bus_archive(struct private_bus *bus, struct archive *archive);

/* Starts it, or continues with the one that was handed over. */
void private_bus_begin(struct private_bus *bus);

const char *private_bus_address(const struct private_bus *bus);
bool private_bus_is_up(const struct private_bus *bus);
/* Why there is none, or NULL. */
const char *private_bus_trouble(const struct private_bus *bus);

/* The process of it has ended; it has been reaped. */
void private_bus_ended(struct private_bus *bus);

/* It does not answer: it is killed, and another one is started. */
void private_bus_replace(struct private_bus *bus);

/* Ends it, which may take a few seconds, and removes what it made. */
void private_bus_free(struct private_bus *bus);
