/*
 * All that takes part in the bus of one whole run: the broker, the clients with
 * their habits, and the authority. It lets each take its turn until nobody has
 * anything left to do, and collects what went wrong.
 */
#include "bus/bus_side.h"

#include <inttypes.h>
#include <stdio.h>

#define COMING_NSEC UINT64_C(30000000000)

void bus_side_init(struct bus_side *side, enum authority_manner manner, uint64_t delay_nsec)
{
    *side = (struct bus_side){0};
    authority_init(&side->authority, manner, delay_nsec);
}

void bus_side_free(struct bus_side *side)
{
    bus_side_die(side);
    while (side->clients) {
        struct client *client = side->clients;
        side->clients = client->next;
        client_free(client);
    }
}

void bus_side_add(struct bus_side *side, const struct client_plan *plan)
{
    struct client **end = &side->clients;

    while (*end)
        end = &(*end)->next;
    *end = client_new(plan);
    if (side->broker)
        client_join(*end, side->broker);
}

/* Each broker has an id of its own, as each dbus-daemon has. */
void bus_side_start(struct bus_side *side)
{
    char id[33];

    bus_side_die(side);
    snprintf(id, sizeof(id), "%032" PRIx32, ++side->n_starts);
    side->broker = broker_new(id);
    authority_join(&side->authority, side->broker);
    for (struct client *client = side->clients; client; client = client->next)
        client_join(client, side->broker);
}

void bus_side_die(struct bus_side *side)
{
    if (!side->broker)
        return;
    authority_join(&side->authority, NULL);
    for (struct client *client = side->clients; client; client = client->next)
        client_join(client, NULL);
    broker_free(side->broker);
    side->broker = NULL;
}

bool bus_side_run(struct bus_side *side, uint64_t now_nsec)
{
    bool any = false;

    if (!side->broker)
        return false;
    any |= authority_run(&side->authority, now_nsec);
    for (struct client *client = side->clients; client; client = client->next)
        any |= client_run(client, now_nsec);
    return any;
}

uint64_t bus_side_next_nsec(const struct bus_side *side)
{
    uint64_t next = authority_next_nsec(&side->authority);

    for (const struct client *client = side->clients; client; client = client->next) {
        uint64_t due = client_next_nsec(client);
        next = due < next ? due : next;
    }
    return side->broker ? next : UINT64_MAX;
}

bool bus_side_is_at_rest(const struct bus_side *side)
{
    for (const struct client *client = side->clients; client; client = client->next)
        if (client_next_nsec(client) != UINT64_MAX || !client_is_at_rest(client))
            return false;
    return true;
}

void bus_side_check_answers(struct bus_side *side, uint64_t since_nsec, uint64_t now_nsec)
{
    if (!side->broker)
        return;
    for (struct client *client = side->clients; client; client = client->next)
        if (side->authority.manner != AUTHORITY_IS_SILENT || client->plan.uid == 0)
            client_check_answers(client, now_nsec);
    if (now_nsec - since_nsec > COMING_NSEC && !name_owner_of(&side->broker->names, PROCTOR))
        side->is_deserted = true;
}

void bus_side_begin_check(struct bus_side *side)
{
    for (struct client *client = side->clients; client; client = client->next)
        client_begin_check(client);
}

/* Clients that stray answer what nobody has asked; real programs do not. */
static bool is_own(const struct bus_side *side, const struct link *link)
{
    for (const struct client *client = side->clients; client; client = client->next)
        if (client->peer.link == link)
            return true;
    return side->authority.peer.link == link;
}

/* A message that is invalid, or an answer too many, is a fault of the program
 * under test; the clients of the model send such things on purpose and are left
 * out. */
static const char *fault_of_programs(const struct bus_side *side)
{
    for (const struct link *link = side->broker ? side->broker->links : NULL; link;
         link = link->next) {
        if (is_own(side, link))
            continue;
        if (link->is_invalid)
            return "a message that is not valid was sent to the bus";
        if (link->n_unwanted > 0)
            return "a call was answered twice, or an answer was sent to no call";
    }
    return NULL;
}

const char *bus_side_fault(const struct bus_side *side)
{
    for (const struct client *client = side->clients; client; client = client->next)
        if (client->peer.fault[0])
            return client->peer.fault;
    if (side->is_deserted)
        return "proctord does not come to a bus that has been there for long";
    return side->authority.peer.fault[0] ? side->authority.peer.fault : fault_of_programs(side);
}
