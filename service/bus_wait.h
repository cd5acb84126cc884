/*
 * Waiting for the bus: what a start does with the first word of its bus, and what is said of it.
 *
 * A fresh tree waits for it for two seconds at most: where another proctord has our name, or there
 * is no dbus-daemon for a private bus, the start is refused and nothing has been started. Where the
 * bus is only absent or silent the children are started without it. A tree that a proctord before
 * this one has left is taken over first, whatever the bus says. READY=1 comes after that: clients
 * that wait for it can call, if anybody can.
 */
#pragma once

#include <sys/types.h>

struct daemon;

/* Tells the bus, and what is said of it, to the service: to be called before it connects. */
void bus_wait_attach(struct daemon *daemon);

/* Hooks of the private bus; userdata is the daemon. */
void bus_wait_private_spawned(void *userdata, pid_t pid);
void bus_wait_private_up(void *userdata);

/* The loop turns until the bus has said something, or the two seconds are over. */
void bus_wait_listen(struct daemon *daemon);

/* The same for a fresh tree. Returns 0, or a negative errno where it must not be started, which has
 * been said on standard error then. */
int bus_wait_claim(struct daemon *daemon);

/* The tree is started: tells the service manager, and the program that waits for a private bus. */
void bus_wait_tell_ready(struct daemon *daemon);
