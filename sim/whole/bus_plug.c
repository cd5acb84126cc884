/*
 * Connects the broker of the model with the sockets of the machine: proctord
 * sees a bus like any other.
 */
#include "whole/bus_plug.h"

#include "core/vocabulary/invariant.h"
#include "kernel/path.h"
#include "machine/runner.h"
#include "machine/unix_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SOCKET_PATH "/run/dbus/system_bus_socket"
#define BACKLOG     128
#define PIECE       65536

/* One connection: a socket of the machine at one end, a link of the broker at the other. */
struct plugged {
    struct plugged *next;
    struct unix_socket *socket;
    struct link *link;
};

struct bus_plug {
    struct machine *machine;
    struct schedule *schedule;
    const struct bus_story *story;
    const struct client_observer *observer;
    struct bus_side side;
    struct unix_socket *listener; /* NULL: the broker is not there */
    struct plugged *plugged;
    bool mute;
    uint64_t up_nsec; /* since when the broker is there */
};

static const struct socket_credentials own = {.pid = 1};

static uint32_t choose(void *userdata, uint32_t count)
{
    return schedule_choose(userdata, count);
}

/* Ids that clients name: those of drawn stories, and one that there never is. */
static const char *const children[] = {"c0", "c1", "c2", "c3", "nobody"};

/* Clients have process numbers that nobody else has. */
static void add_client(struct bus_plug *plug, const struct bus_client_story *client,
                       uint32_t number)
{
    const struct client_plan plan = {.habit = client->habit,
                                     .pid = 30000 + number, /* nobody's */
                                     .uid = client->uid,
                                     .begin_nsec = plug->machine->now_nsec + client->begin_nsec,
                                     .pause_nsec = client->pause_nsec,
                                     .turns = client->turns,
                                     .is_allowed = client->uid == 0 ||
                                                   plug->story->authority == AUTHORITY_SAYS_YES,
                                     .children = children,
                                     .n_children = sizeof(children) / sizeof(*children),
                                     .choose = choose,
                                     .observer = plug->observer,
                                     .userdata = plug->schedule};

    bus_side_add(&plug->side, &plan);
}

/* The bus is not there until it is started. */
struct bus_plug *bus_plug_new(struct machine *machine, struct schedule *schedule,
                              const struct bus_story *story, const struct client_observer *observer)
{
    struct bus_plug *plug = calloc(1, sizeof(*plug));

    INVARIANT(plug);
    plug->machine = machine;
    plug->schedule = schedule;
    plug->story = story;
    plug->observer = observer;
    bus_side_init(&plug->side, story->authority, story->authority_delay_nsec);
    for (uint32_t i = 0; i < story->n_clients; i++)
        add_client(plug, &story->clients[i], i);
    return plug;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* A dbus-daemon unlinks what its predecessor has left. */
static void listen_again(struct bus_plug *plug)
{
    struct inode *inode;

    path_make_folder(plug->machine->init, NULL, "/run/dbus", 0755);
    path_unlink(plug->machine->init, NULL, SOCKET_PATH);
    int r = path_make_node(plug->machine->init, NULL, SOCKET_PATH, S_IFSOCK | 0666, 0, &inode);
    if (r < 0) {
        machine_fail(plug->machine, "the bus has no place for its socket: %s", strerror(-r));
        return;
    }
    plug->listener = unix_socket_new(SOCK_STREAM, &own);
    INVARIANT(plug->listener);
    unix_socket_bind(plug->listener, SOCKET_PATH, sizeof(SOCKET_PATH), inode);
    unix_socket_listen(plug->listener, BACKLOG);
    inode_release(inode);
}

static void unplug(struct bus_plug *plug, struct plugged **at)
{
    struct plugged *plugged = *at;

    *at = plugged->next;
    unix_socket_free(plugged->socket);
    if (plugged->link)
        broker_disconnect(plug->side.broker, plugged->link);
    free(plugged);
}

void bus_plug_start(struct bus_plug *plug)
{
    if (plug->listener || plug->story->absent)
        return;
    bus_side_start(&plug->side);
    listen_again(plug);
    plug->up_nsec = plug->machine->now_nsec;
    plug->machine->changes++;
}

void bus_plug_die(struct bus_plug *plug)
{
    while (plug->plugged)
        unplug(plug, &plug->plugged);
    if (plug->listener)
        unix_socket_free(plug->listener);
    plug->listener = NULL;
    bus_side_die(&plug->side);
    plug->machine->changes++;
}

bool bus_plug_is_there(const struct bus_plug *plug)
{
    return plug->listener != NULL;
}

void bus_plug_free(struct bus_plug *plug)
{
    if (!plug)
        return;
    bus_plug_die(plug);
    bus_side_free(&plug->side);
    free(plug);
}

/* ---- carrying -------------------------------------------------------------------------------- */

/* New connections, with the identity that the socket knows. */
static bool accept_all(struct bus_plug *plug)
{
    struct unix_socket *socket;
    bool any = false;

    while (plug->listener && (socket = unix_socket_accept(plug->listener))) {
        struct link_credentials credentials = {
            .pid = (uint32_t)socket->peers.pid, .uid = socket->peers.uid, .gid = socket->peers.gid};
        struct plugged *plugged = calloc(1, sizeof(*plugged)), **end = &plug->plugged;
        INVARIANT(plugged);
        while (*end)
            end = &(*end)->next;
        plugged->socket = socket;
        plugged->link = broker_connect(plug->side.broker, &credentials);
        *end = plugged;
        any = true;
        if (!plugged->link)
            unplug(plug, end);
    }
    return any;
}

/* Programs of proctor's pass no descriptors over the bus. */
static void drop_passed(struct bus_plug *plug, struct received *received)
{
    for (size_t i = 0; i < received->n_passed; i++)
        description_release(received->passed[i]);
    if (received->n_passed > 0)
        machine_fail(plug->machine, "the model's bus passes no descriptors");
}

/* False: the peer has gone. */
static bool receive(struct bus_plug *plug, struct plugged *plugged, bool *any)
{
    static char bytes[PIECE];
    struct received received;
    ssize_t size;

    for (;;) {
        received.n_passed = 0;
        size = unix_socket_take(plugged->socket, bytes, sizeof(bytes), false, &received);
        if (size <= 0)
            return size == -EAGAIN;
        drop_passed(plug, &received);
        broker_receive(plug->side.broker, plugged->link, bytes, (size_t)size, NULL, 0);
        *any = true;
    }
}

/* As much as the socket takes. */
static bool send_output(struct plugged *plugged)
{
    const uint8_t *bytes;
    bool any = false;
    size_t size;

    while ((size = link_output(plugged->link, &bytes)) > 0) {
        ssize_t sent = unix_socket_send(plugged->socket, NULL, bytes, size, NULL, 0, &own);
        if (sent <= 0)
            break;
        link_sent(plugged->link, (size_t)sent);
        any = true;
    }
    return any;
}

/* One round: what has arrived, and what is to be sent. */
static bool carry(struct bus_plug *plug)
{
    bool any = accept_all(plug);

    if (plug->mute)
        return any;
    for (struct plugged **at = &plug->plugged; *at;) {
        bool stays = receive(plug, *at, &any);
        any |= stays && send_output(*at);
        if (stays && !link_is_closed((*at)->link)) {
            at = &(*at)->next;
            continue;
        }
        unplug(plug, at);
        any = true;
    }
    return any;
}

/* Until nobody has anything more to say. */
bool bus_plug_pump(struct bus_plug *plug)
{
    bool any = false, moved;

    do {
        moved = carry(plug);
        moved |= bus_side_run(&plug->side, plug->machine->now_nsec);
        any |= moved;
    } while (moved);
    const char *fault = any ? bus_side_fault(&plug->side) : NULL;
    if (fault)
        machine_fail(plug->machine, "%s", fault);
    return any;
}

void bus_plug_set_mute(struct bus_plug *plug, bool mute)
{
    plug->mute = mute;
    plug->machine->changes++;
}

bool bus_plug_is_mute(const struct bus_plug *plug)
{
    return plug->mute;
}

bool bus_plug_has_proctord(const struct bus_plug *plug)
{
    return plug->side.broker && name_owner_of(&plug->side.broker->names, PROCTOR);
}

static struct client *client_with(const struct bus_plug *plug, enum client_habit habit)
{
    struct client *client = plug->side.clients;

    while (client && client->plan.habit != habit)
        client = client->next;
    return client;
}

bool bus_plug_order(struct bus_plug *plug, const char *member, const char *child,
                    const char *reason, const struct verb_options *options, const void *about)
{
    struct client *client = client_with(plug, CLIENT_IS_ASKED);

    return client && client_order(client, member, child, reason, options, about);
}

void bus_plug_property(const struct bus_plug *plug, const char *child, const char *name,
                       char *value, size_t size)
{
    const struct client *client = client_with(plug, CLIENT_LISTENS);

    if (!client || !client->is_loaded ||
        !cache_find(&client->listened, "org.proctor1.Child", child, name, value, size))
        snprintf(value, size, "not known");
}

uint64_t bus_plug_next(const struct bus_plug *plug)
{
    return bus_side_next_nsec(&plug->side);
}

void bus_plug_check_answers(struct bus_plug *plug, uint64_t since_nsec)
{
    uint64_t since = since_nsec > plug->up_nsec ? since_nsec : plug->up_nsec;

    bus_side_check_answers(&plug->side, since, plug->machine->now_nsec);
    const char *fault = bus_side_fault(&plug->side);
    if (fault)
        machine_fail(plug->machine, "%s", fault);
}

void bus_plug_begin_check(struct bus_plug *plug)
{
    bus_side_begin_check(&plug->side);
    plug->machine->changes++;
}
