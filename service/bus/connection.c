/*
 * The connection to the bus, as a state machine: waiting, asking for the name,
 * up, or the name is taken. proctord supervises without a bus, so nothing here
 * ever blocks, every question has a time limit, and a bus that falls silent is
 * treated like one that is gone.
 */
#include "bus/inherit.h"
#include "bus/wait.h"
#include "bus/connection.h"

#include "core/vocabulary/invariant.h"
#include "log/log.h"
#include "bus/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define PAUSE_MIN_USEC    UINT64_C(20000) /* then twice as long each time, up to */
#define PAUSE_MAX_USEC    UINT64_C(1000000)
#define PATIENCE_MIN_USEC UINT64_C(10000000) /* with a bus that is silent; twice as long, up to */
#define PATIENCE_MAX_USEC UINT64_C(60000000)
#define SENDING_USEC      UINT64_C(5000000)  /* messages may wait to be sent, until it is asked, */
#define ANSWER_USEC       UINT64_C(30000000) /* and has so long to answer */
#define WATCH_USEC        UINT64_C(30000000) /* how often one that is watched is asked */

/* One that waits until the bus has handled what was sent to it. */
struct settling {
    struct settling *next;
    struct connection *connection;
    sd_bus_slot *question;
    void (*done)(void *userdata, int r);
    void *userdata;
};

struct connection {
    struct service *service;
    const struct connection_hooks *hooks;
    enum connection_state state;
    sd_bus *bus;            /* from the first step on */
    sd_bus_slot *request;   /* of the name, and its owner */
    sd_event_source *timer; /* of the pause, or of the patience */
    uint64_t pause_usec, patience_usec;
    uint64_t up_usec;      /* since when it has been up */
    uint64_t sending_usec; /* since when messages have waited to be sent; 0: none does */
    bool asked;            /* whether it still takes messages */
    bool was_up;
    struct settling *settling;
    char *address; /* that was tried last; NULL: a connection that was handed over */
    char trouble[256];
};

/* ---- states ---------------------------------------------------------------------------------- */

/* It may be made to ask at once in any of them. */
static bool may_follow(enum connection_state from, enum connection_state to)
{
    static const bool table[CONNECTION_UP + 1][CONNECTION_UP + 1] = {
        [CONNECTION_UNASKED] =
            {[CONNECTION_WAITS] = true, [CONNECTION_ASKS] = true, [CONNECTION_UP] = true},
        [CONNECTION_WAITS] = {[CONNECTION_WAITS] = true, [CONNECTION_ASKS] = true},
        [CONNECTION_ASKS] = {[CONNECTION_WAITS] = true,
                             [CONNECTION_ASKS] = true,
                             [CONNECTION_TAKEN] = true,
                             [CONNECTION_UP] = true},
        [CONNECTION_TAKEN] = {[CONNECTION_WAITS] = true, [CONNECTION_ASKS] = true},
        [CONNECTION_UP] = {[CONNECTION_WAITS] = true, [CONNECTION_ASKS] = true},
    };
    return table[from][to];
}

static void set_state(struct connection *connection, enum connection_state state)
{
    INVARIANT(may_follow(connection->state, state));
    connection->state = state;
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t now_usec(const struct connection *connection)
{
    uint64_t now = 0;

    sd_event_now(connection->service->event, CLOCK_MONOTONIC, &now);
    return now;
}

static void arm(struct connection *connection, uint64_t after_usec)
{
    sd_event_source_set_time(connection->timer, now_usec(connection) + after_usec);
    sd_event_source_set_enabled(connection->timer, SD_EVENT_ONESHOT);
}

/* ---- trouble --------------------------------------------------------------------------------- */

/* Logged once per kind of trouble, not once per attempt. */
static void tell_trouble(struct connection *connection, const char *trouble)
{
    if (strcmp(connection->trouble, trouble) == 0)
        return;
    snprintf(connection->trouble, sizeof(connection->trouble), "%s", trouble);
    if (connection->state == CONNECTION_UP)
        log_print(LOG_WARNING, "lost the bus, supervision continues: %s", trouble);
    else
        log_print(LOG_WARNING, "waiting for the bus at %.200s, supervision continues: %s",
                  connection->address ? connection->address : "?", trouble);
    connection->hooks->troubled(connection->service);
}

static void tell_that_it_is_up(struct connection *connection)
{
    if (connection->was_up)
        log_print(LOG_NOTICE, "connected to the bus again");
    else if (connection->trouble[0])
        log_print(LOG_NOTICE, "connected to the bus");
    connection->trouble[0] = '\0';
    connection->was_up = true;
}

/* A bus that goes as soon as it has come is waited for longer each time, too. */
static uint64_t next_pause(struct connection *connection)
{
    uint64_t pause = connection->pause_usec * 2;
    bool lasted = connection->state == CONNECTION_UP &&
                  now_usec(connection) - connection->up_usec > 2 * PAUSE_MAX_USEC;

    if (pause < PAUSE_MIN_USEC || lasted)
        pause = PAUSE_MIN_USEC;
    connection->pause_usec = pause < PAUSE_MAX_USEC ? pause : PAUSE_MAX_USEC;
    return connection->pause_usec;
}

/* The connection is closed when the pause is over: this may be a callback of its own. */
static void fail(struct connection *connection, enum connection_state state, const char *trouble)
{
    tell_trouble(connection, trouble);
    arm(connection, next_pause(connection));
    set_state(connection, state);
}

/* Whatever was asked is answered by sd-bus, with an error, before bus_gone() is called. */
static bool is_cut_off(const struct connection *connection)
{
    return sd_bus_is_open(connection->bus) <= 0;
}

/* The bus, or the kernel, has closed the connection. */
static int bus_gone(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct connection *connection = userdata;

    (void)m;
    (void)error;
    if (connection->state == CONNECTION_UP)
        fail(connection, CONNECTION_WAITS, "the connection was closed");
    else if (connection->state == CONNECTION_ASKS)
        fail(connection, CONNECTION_WAITS, "it closed the connection");
    return 0;
}

/* ---- what was sent --------------------------------------------------------------------------- */

static void settled(struct settling *settling, int r)
{
    struct settling **link = &settling->connection->settling;

    while (*link != settling)
        link = &(*link)->next;
    *link = settling->next;
    sd_bus_slot_unref(settling->question);
    settling->done(settling->userdata, r);
    free(settling);
}

static int bus_answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct settling *settling = userdata;

    (void)error;
    settled(settling,
            is_cut_off(settling->connection) ? -ENOTCONN : -sd_bus_message_get_errno(reply));
    return 0;
}

/* A question that any bus answers at once: used to see whether it still
 * does. */
static int ask_for_id(struct connection *connection, sd_bus_slot **slot, uint64_t limit_usec,
                      sd_bus_message_handler_t answered, void *userdata)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *question = NULL;
    int r =
        sd_bus_message_new_method_call(connection->bus, &question, "org.freedesktop.DBus",
                                       "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId");

    return r < 0
               ? r
               : sd_bus_call_async(connection->bus, slot, question, answered, userdata, limit_usec);
}

/* Everything that was sent before has been delivered when this question is
 * answered. */
int connection_settle(struct connection *connection, uint64_t limit_usec,
                      void (*done)(void *userdata, int r), void *userdata)
{
    if (connection->state != CONNECTION_UP) {
        done(userdata, -ENOTCONN);
        return 0;
    }
    struct settling *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    *fresh = (struct settling){.connection = connection, .done = done, .userdata = userdata};
    int r = ask_for_id(connection, &fresh->question, limit_usec, bus_answered, fresh);
    if (r < 0) {
        free(fresh);
        return r;
    }
    fresh->next = connection->settling;
    connection->settling = fresh;
    return 0;
}

/* ---- whether it still takes messages --------------------------------------------------------- */

/* No answer in time counts as a bus that is gone. */
static int still_there(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct connection *connection = userdata;

    (void)error;
    connection->asked = false;
    connection->sending_usec = 0;
    if (connection->state == CONNECTION_UP && !is_cut_off(connection) &&
        sd_bus_message_get_errno(reply) == ETIMEDOUT) {
        fail(connection, CONNECTION_WAITS, "it no longer answers");
        connection->hooks->silent(connection->service);
    }
    return 0;
}

void connection_suspect(struct connection *connection)
{
    if (connection->state == CONNECTION_UP && !connection->asked)
        connection->asked = ask_for_id(connection, NULL, ANSWER_USEC, still_there, connection) >= 0;
}

/* A queue that does not get shorter for a while is a reason to ask. */
void connection_look(struct connection *connection)
{
    uint64_t waiting = 0;

    if (connection->state != CONNECTION_UP || connection->asked)
        return;
    sd_bus_get_n_queued_write(connection->bus, &waiting);
    if (waiting == 0)
        connection->sending_usec = 0;
    else if (connection->sending_usec == 0)
        connection->sending_usec = now_usec(connection);
    else if (now_usec(connection) - connection->sending_usec > SENDING_USEC)
        connection_suspect(connection);
}

/* ---- the name -------------------------------------------------------------------------------- */

static void is_up(struct connection *connection)
{
    sd_event_source_set_enabled(connection->timer, SD_EVENT_OFF);
    if (connection->service->settings.watch_bus)
        arm(connection, WATCH_USEC);
    tell_that_it_is_up(connection);
    set_state(connection, CONNECTION_UP);
    connection->patience_usec = PATIENCE_MIN_USEC;
    connection->up_usec = now_usec(connection);
    connection->hooks->up(connection->service, connection->bus);
}

static void tell_who_has_it(struct connection *connection, uint32_t pid)
{
    char text[160];

    if (pid > 0)
        snprintf(text, sizeof(text),
                 PROCTOR_BUS_NAME " on it belongs to another process, PID %" PRIu32, pid);
    else
        snprintf(text, sizeof(text), PROCTOR_BUS_NAME " on it belongs to another process");
    fail(connection, CONNECTION_TAKEN, text);
}

/* The name belongs to another process; its PID helps to find out which. */
static int owner_answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct connection *connection = userdata;
    uint32_t pid = 0;

    (void)error;
    if (connection->state != CONNECTION_ASKS)
        return 0;
    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &pid) < 0)
        pid = 0;
    tell_who_has_it(connection, pid);
    return 0;
}

static void ask_who_has_it(struct connection *connection)
{
    sd_bus_slot_unref(connection->request);
    connection->request = NULL;
    if (sd_bus_call_method_async(connection->bus, &connection->request, "org.freedesktop.DBus",
                                 "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                 "GetConnectionUnixProcessID", owner_answered, connection, "s",
                                 PROCTOR_BUS_NAME) < 0)
        tell_who_has_it(connection, 0);
}

/* DBUS_REQUEST_NAME_REPLY_* */
enum { PRIMARY_OWNER = 1, NAME_EXISTS = 3, ALREADY_OWNER = 4 };

/* The answer to the request for the name, which may also arrive when it is no
 * longer wanted. */
static int name_answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct connection *connection = userdata;
    const sd_bus_error *refusal = sd_bus_message_get_error(reply);
    char text[200];
    uint32_t word = 0;

    (void)error;
    if (!refusal)
        sd_bus_message_read(reply, "u", &word);
    if (connection->state == CONNECTION_UP && (refusal || word != ALREADY_OWNER)) {
        fail(connection, CONNECTION_WAITS, "the connection has lost its name");
    } else if (connection->state != CONNECTION_ASKS || is_cut_off(connection)) {
        return 0; /* bus_gone() tells of the latter */
    } else if (word == PRIMARY_OWNER || word == ALREADY_OWNER) {
        is_up(connection);
    } else if (word == NAME_EXISTS) {
        ask_who_has_it(connection);
    } else {
        snprintf(text, sizeof(text), "it does not grant the name " PROCTOR_BUS_NAME ": %.100s",
                 refusal && refusal->message ? refusal->message : "an unexpected reply");
        fail(connection, CONNECTION_WAITS, text);
    }
    return 0;
}

/* Before proctord has its name it answers no call: a client that knows only its number would get
 * answers that are of no use without the name. */
static int call_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const struct connection *connection = userdata;
    uint8_t type;

    (void)error;
    if (connection->state == CONNECTION_UP || sd_bus_message_get_type(m, &type) < 0 ||
        type != SD_BUS_MESSAGE_METHOD_CALL)
        return 0;
    return refuse_late(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                       "proctord does not have the name " PROCTOR_BUS_NAME " yet");
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* As sd_bus_open_system(3) and sd_bus_open_user(3) have it. The caller frees it. */
static char *address_of(const struct service *service)
{
    const char *address = service->address, *folder = secure_getenv("XDG_RUNTIME_DIR");
    char *text = NULL;

    switch (service->settings.bus) {
    case SERVICE_SYSTEM_BUS:
        address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        return strdup(address ? address : "unix:path=/run/dbus/system_bus_socket");
    case SERVICE_USER_BUS:
        address = secure_getenv("DBUS_SESSION_BUS_ADDRESS");
        if (!address && asprintf(&text, "unix:path=%s/bus", folder ? folder : "") < 0)
            return NULL;
        return address ? strdup(address) : text;
    case SERVICE_BUS_ADDRESS:
        break;
    }
    return strdup(address);
}

/* Looking up a host, or starting a program that talks for it, would make the loop wait. */
static bool is_local(const char *address)
{
    for (; address; address = strchr(address, ';')) {
        address += *address == ';';
        if (*address && strncmp(address, "unix:", strlen("unix:")) != 0)
            return false;
    }
    return true;
}

/* Only local addresses: a host that does not respond would block. No
 * descriptors are accepted, since closing one may take as long as its other end
 * likes. */
static int open_bus(sd_bus **bus, const char *address)
{
    int r = is_local(address) ? sd_bus_new(bus) : -EPROTONOSUPPORT;

    if (r >= 0)
        r = sd_bus_set_address(*bus, address);
    if (r >= 0)
        r = sd_bus_set_bus_client(*bus, true);
    if (r >= 0) /* closing a descriptor of a stranger's can take as long as its owner likes */
        r = sd_bus_negotiate_fds(*bus, false);
    if (r >= 0)
        r = sd_bus_set_method_call_timeout(*bus, PATIENCE_MAX_USEC);
    return r < 0 ? r : sd_bus_start(*bus);
}

/* The first filter that is asked is the one that is added last. */
static int prepare(struct connection *connection)
{
    sd_bus *bus = connection->bus;
    int r = connection->hooks->serve(connection->service, bus);

    if (r >= 0)
        r = connection->hooks->watch(connection->service, bus);
    if (r >= 0)
        r = sd_bus_add_filter(bus, NULL, call_came, connection);
    if (r >= 0)
        r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                "org.freedesktop.DBus.Local", "Disconnected", bus_gone, connection);
    if (r >= 0) /* it would wait until all is sent */
        r = sd_bus_set_close_on_exit(bus, false);
    if (r >= 0)
        r = sd_bus_attach_event(bus, connection->service->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_request_name_async(bus, &connection->request, PROCTOR_BUS_NAME, 0, name_answered,
                                      connection);
    return r;
}

/* Everything that waits for an answer gets an error. */
static void close_bus(struct connection *connection)
{
    if (!connection->bus)
        return;
    if (connection->service->bus == connection->bus)
        connection->hooks->down(connection->service);
    while (connection->settling)
        settled(connection->settling, -ENOTCONN);
    sd_bus_slot_unref(connection->request);
    connection->request = NULL;
    connection->asked = false;
    connection->sending_usec = 0;
    connection->bus = sd_bus_close_unref(connection->bus);
}

/* From the beginning, with the present address: a private bus may have a new
 * one. */
static void try_now(struct connection *connection)
{
    close_bus(connection);
    free(connection->address);
    connection->address = address_of(connection->service);
    int r = connection->address ? open_bus(&connection->bus, connection->address) : -ENOMEM;
    if (r >= 0)
        r = prepare(connection);
    if (r < 0) {
        fail(connection, CONNECTION_WAITS, strerror(-r));
        return;
    }
    set_state(connection, CONNECTION_ASKS);
    arm(connection, connection->patience_usec);
}

/* Each state has its own deadline: to try again, to give up a question, or to
 * check whether the bus responds. Patience doubles up to a limit. */
static int time_has_come(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct connection *connection = userdata;
    uint64_t patience = connection->patience_usec;

    (void)source;
    (void)usec;
    if (connection->state == CONNECTION_UP) {
        connection_suspect(connection);
        arm(connection, WATCH_USEC);
        return 0;
    }
    if (connection->state != CONNECTION_ASKS) {
        try_now(connection);
        return 0;
    }
    connection->patience_usec = 2 * patience < PATIENCE_MAX_USEC ? 2 * patience : PATIENCE_MAX_USEC;
    fail(connection, CONNECTION_WAITS, "it does not answer");
    connection->hooks->silent(connection->service);
    return 0;
}

/* It has its name already; that it still has it is asked for, and not waited for. */
static int inherit(struct connection *connection, int fd, const char *unique_name)
{
    int r = bus_inherit(fd, unique_name, &connection->bus);

    if (r < 0) { /* the bus tells the callers that the name has lost its owner */
        close(fd);
        return r;
    }
    r = prepare(connection);
    if (r < 0)
        close_bus(connection);
    else
        is_up(connection);
    return r;
}

void connection_begin(struct connection *connection, int fd, const char *unique_name)
{
    if (fd < 0 || inherit(connection, fd, unique_name) < 0)
        try_now(connection);
}

enum connection_state connection_state(const struct connection *connection)
{
    return connection->state;
}

const char *connection_trouble(const struct connection *connection)
{
    return connection->trouble;
}

/* The timer is allocated now: when it is needed there may be no memory. */
int connection_new(struct service *service, const struct connection_hooks *hooks,
                   struct connection **connection)
{
    struct connection *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->service = service;
    fresh->hooks = hooks;
    fresh->patience_usec = PATIENCE_MIN_USEC;
    /* Made before it is needed: then there may be no memory. */
    int r = sd_event_add_time(service->event, &fresh->timer, CLOCK_MONOTONIC, 0, 1000,
                              time_has_come, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r < 0) {
        connection_free(fresh);
        return r;
    }
    *connection = fresh;
    return 0;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    close_bus(connection);
    sd_event_source_disable_unref(connection->timer);
    free(connection->address);
    free(connection);
}
