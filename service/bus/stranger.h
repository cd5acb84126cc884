/*
 * Strangers: connections that call for the first time. The bus is asked for their users, and their
 * calls are kept, in order, until it has answered, and the user database has said what that user is
 * called (user_name.h); then they come in again through the front door, and everything behind it
 * finds a caller that is known. Nothing waits for either meanwhile.
 *
 * The credentials of a unique name never change while the bus lives, and the name is never given to
 * another connection: they are asked for once (caller.c remembers them).
 */
#pragma once

#include <systemd/sd-bus.h>

#define STRANGERS_MAX       1024
#define STRANGER_CALLS_MAX  64 /* of one connection, and */
#define STRANGERS_CALLS_MAX 4096
#define STRANGER_USEC       (UINT64_C(25) * 1000000) /* the bus has for its answer */

struct archive;
struct service;
struct strangers;

/* Returns 0 or -ENOMEM. */
int strangers_new(struct service *service, struct strangers **strangers);
void strangers_free(struct strangers *strangers);

/* To be called after all other filters have been added: the last one is asked first. */
int strangers_watch(struct strangers *strangers, sd_bus *bus);

/* The connection is another one: no client is known on it. */
void strangers_reset(struct strangers *strangers);

/* Calls that wait pass to the program that takes this one's place, and come in again there. */
void strangers_archive(struct strangers *strangers, struct archive *archive);
