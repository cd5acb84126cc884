/*
 * Which bus: the one that is named, or the one that has a proctord. Connecting
 * is limited in time, as a bus may accept a connection and then say nothing.
 */
#include "ctl/connect.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUS_USEC UINT64_C(10000000) /* a bus has to let us in, and to answer */

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Until the bus has answered the greeting. */
int connect_wait(sd_bus *bus, uint64_t most_usec)
{
    uint64_t now = now_usec(), end = now + most_usec;
    int r;

    while ((r = sd_bus_is_ready(bus)) == 0) {
        r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, end - now);
        if (r < 0)
            return r;
        now = now_usec();
        if (now >= end)
            return -ETIMEDOUT;
    }
    return r < 0 ? r : 0;
}

static int open_address(const char *address, sd_bus **bus)
{
    int r = sd_bus_new(bus);

    if (r >= 0)
        r = sd_bus_set_address(*bus, address);
    if (r >= 0)
        r = sd_bus_set_bus_client(*bus, true);
    return r < 0 ? r : sd_bus_start(*bus);
}

/* Opens a bus and waits until it lets us in; *bus is NULL on error. */
static int open_ready(int (*begin)(sd_bus **bus), sd_bus **bus)
{
    int r = begin(bus);

    if (r >= 0)
        r = connect_wait(*bus, BUS_USEC);
    if (r < 0)
        *bus = sd_bus_unref(*bus);
    return r < 0 ? r : 0;
}

/* Whether proctord is there. */
static bool has_proctord(sd_bus *bus)
{
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int owned = 0;
    int r =
        sd_bus_message_new_method_call(bus, &call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "NameHasOwner");

    if (r >= 0)
        r = sd_bus_message_append(call, "s", NAME);
    if (r >= 0)
        r = sd_bus_call(bus, call, BUS_USEC, NULL, &reply);
    if (r >= 0)
        r = sd_bus_message_read(reply, "b", &owned);
    return r >= 0 && owned;
}

/* The system bus, or the session bus if only that has a proctord. The error is the system bus's. */
static int connect_anywhere(struct client *client)
{
    sd_bus *session = NULL;
    int r = open_ready(sd_bus_open_system, &client->bus);

    if (r == 0 && has_proctord(client->bus))
        return 0;
    if (open_ready(sd_bus_open_user, &session) < 0)
        return r;
    if (r == 0 && !has_proctord(session)) {
        sd_bus_flush_close_unref(session);
        return 0;
    }
    sd_bus_flush_close_unref(client->bus);
    client->bus = session;
    return 0;
}

/* An option is stronger than the environment, which is stronger than
 * guessing. */
int connect_to(struct client *client, const struct place_of_bus *place)
{
    assert(client && place);
    const char *address = place->address ? place->address : getenv("PROCTOR_BUS_ADDRESS");
    int r;

    if (place->user && !place->address)
        return open_ready(sd_bus_open_user, &client->bus);
    if (place->system && !place->address)
        return open_ready(sd_bus_open_system, &client->bus);
    if (!address)
        return connect_anywhere(client);
    r = open_address(address, &client->bus);
    if (r >= 0)
        r = connect_wait(client->bus, BUS_USEC);
    if (r < 0)
        client->bus = sd_bus_unref(client->bus);
    return r < 0 ? r : 0;
}
