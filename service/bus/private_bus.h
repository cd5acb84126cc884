/*
 * Private bus: a dbus-daemon of proctord's own, for containers and tests: no system bus is needed.
 */
#pragma once

#include <sys/types.h>

struct archive;
struct error;

struct private_bus {
    pid_t pid;
    char *address;
};

/* Starts one with its socket and configuration in directory. Returns 0 or a negative errno with
 * the error filled in. */
int private_bus_start(struct private_bus *bus, const char *directory, struct error *error);

/* To the program that takes this one's place, or from the one before: pid 0 where there is none. */
void private_bus_archive(struct private_bus *bus, struct archive *archive);

/* Ends it and removes what it made. */
void private_bus_stop(struct private_bus *bus, const char *directory);
