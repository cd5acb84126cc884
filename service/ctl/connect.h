/*
 * Connect: which bus proctorctl talks to.
 *
 * The one that was named; else that of PROCTOR_BUS_ADDRESS; else the system bus. Where org.proctor1
 * is not on that but on the session bus, it is the session bus: a person with a proctord of his own
 * need not say so.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/hosts.h"

struct place_of_bus {
    struct hosts hosts; /* none: this machine (else remote.h) */
    const char *address;
    bool user;
    bool system;
};

/* Sets client->bus, which is ready. Returns 0 or a negative errno, within ten seconds for each
 * bus that is tried. */
int connect_to(struct client *client, const struct place_of_bus *place);

/* A bus may accept and be silent: waits until it lets us in. Returns 0 or a negative errno,
 * -ETIMEDOUT after the time. */
int connect_wait(sd_bus *bus, uint64_t most_usec);
