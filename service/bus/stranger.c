/*
 * A caller that is not known yet. The bus is asked for its user and process
 * without waiting; its calls are kept, in order, until the answer is there.
 */
#include "bus/stranger.h"

#include "core/vocabulary/invariant.h"
#include "bus/connection.h"
#include "bus/private.h"
#include "bus/caller.h"
#include "bus/message.h"
#include "bus/user_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct waiting_call {
    struct waiting_call *next;
    sd_bus_message *call;
};

struct stranger {
    struct stranger *next;
    struct strangers *all;
    char name[CALLER_NAME_MAX];
    sd_bus_slot *question;                 /* to the bus: its user, and then */
    struct user_name_question *name_asked; /* what that user is called */
    uid_t uid;
    pid_t pid;
    struct waiting_call *first, **last;
    size_t count;
};

struct strangers {
    struct service *service;
    struct stranger *list;
    size_t count, calls;
};

/* The oldest call. */
static struct waiting_call *take_first(struct stranger *stranger)
{
    struct waiting_call *first = stranger->first;

    if (!first)
        return NULL;
    stranger->first = first->next;
    if (!stranger->first)
        stranger->last = &stranger->first;
    stranger->count--;
    stranger->all->calls--;
    return first;
}

static void drop_call(struct waiting_call *waiting)
{
    sd_bus_message_unref(waiting->call);
    free(waiting);
}

/* With everything that still waits. */
static void forget(struct stranger *stranger)
{
    struct strangers *all = stranger->all;
    struct stranger **link = &all->list;

    while (*link != stranger)
        link = &(*link)->next;
    *link = stranger->next;
    all->count--;
    for (struct waiting_call *waiting; (waiting = take_first(stranger));)
        drop_call(waiting);
    sd_bus_slot_unref(stranger->question);
    user_names_forget(stranger->name_asked);
    free(stranger);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static int read_number(sd_bus_message *m, uint32_t *value)
{
    return sd_bus_message_read(m, "v", "u", value);
}

/* A caller in another PID namespace has no PID here: the uid is what counts. */
static int read_credentials(sd_bus_message *reply, uid_t *uid, pid_t *pid)
{
    bool found = false;
    const char *key;
    uint32_t number;
    int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

    *pid = 0;
    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        r = sd_bus_message_read(reply, "s", &key);
        if (r >= 0 && strcmp(key, "UnixUserID") == 0) {
            r = read_number(reply, &number);
            *uid = (uid_t)number;
            found = r >= 0;
        } else if (r >= 0 && strcmp(key, "ProcessID") == 0) {
            r = read_number(reply, &number);
            *pid = (pid_t)number;
        } else if (r >= 0) {
            r = sd_bus_message_skip(reply, "v");
        }
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r < 0 ? r : found ? 0 : -ENODATA;
}

static void let_in(struct stranger *stranger)
{
    for (struct waiting_call *waiting; (waiting = take_first(stranger)); drop_call(waiting)) {
        int r = sd_bus_enqueue_for_read(sd_bus_message_get_bus(waiting->call), waiting->call);
        if (r < 0)
            refuse_late(waiting->call, SD_BUS_ERROR_FAILED, "the call cannot be continued: %s",
                        strerror(-r));
    }
}

static void turn_away(struct stranger *stranger)
{
    for (struct waiting_call *waiting; (waiting = take_first(stranger)); drop_call(waiting))
        refuse_late(waiting->call, SD_BUS_ERROR_ACCESS_DENIED,
                    "the bus does not identify the caller");
}

static void introduce(struct stranger *stranger, const char *user)
{
    caller_learn(stranger->all->service, stranger->name, stranger->uid, stranger->pid, user);
    let_in(stranger);
    forget(stranger);
}

static void name_is_known(void *userdata)
{
    struct stranger *stranger = userdata;
    const char *user = NULL;

    stranger->name_asked = NULL;
    user_names_find(stranger->all->service->user_names, stranger->uid, &user);
    introduce(stranger, user);
}

static void credentials_came(struct stranger *stranger)
{
    struct user_names *names = stranger->all->service->user_names;
    const char *user;

    if (user_names_find(names, stranger->uid, &user))
        introduce(stranger, user);
    else if (user_names_ask(names, stranger->uid, name_is_known, stranger, &stranger->name_asked) <
             0)
        introduce(stranger, NULL);
}

/* If the bus does not know the name, the caller has gone. */
static int answer_came(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct stranger *stranger = userdata;

    (void)error;
    stranger->question = sd_bus_slot_unref(stranger->question);
    if (!sd_bus_message_is_method_error(reply, NULL) &&
        read_credentials(reply, &stranger->uid, &stranger->pid) >= 0) {
        credentials_came(stranger);
        return 1;
    }
    turn_away(stranger);
    if (sd_bus_message_get_errno(reply) == ETIMEDOUT)
        connection_suspect(stranger->all->service->connection);
    forget(stranger);
    return 1;
}

/* ---- the door -------------------------------------------------------------------------------- */

static struct stranger *find(struct strangers *all, const char *name)
{
    struct stranger *stranger = all->list;

    while (stranger && strcmp(stranger->name, name) != 0)
        stranger = stranger->next;
    return stranger;
}

/* Bounded. */
static struct stranger *meet(struct strangers *all, sd_bus *bus, const char *name)
{
    struct stranger *fresh = all->count < STRANGERS_MAX ? calloc(1, sizeof(*fresh)) : NULL;
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *question = NULL;

    if (!fresh)
        return NULL;
    fresh->all = all;
    fresh->last = &fresh->first;
    strcpy(fresh->name, name);
    fresh->next = all->list;
    all->list = fresh;
    all->count++;
    int r = sd_bus_message_new_method_call(bus, &question, "org.freedesktop.DBus",
                                           "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetConnectionCredentials");
    if (r >= 0)
        r = append_values(question, "s", name);
    if (r >= 0)
        r = sd_bus_call_async(bus, &fresh->question, question, answer_came, fresh, STRANGER_USEC);
    if (r >= 0)
        return fresh;
    forget(fresh);
    return NULL;
}

/* Bounded per caller and in total. */
static int keep(struct stranger *stranger, sd_bus_message *m)
{
    struct waiting_call *waiting = NULL;

    if (stranger && stranger->count < STRANGER_CALLS_MAX &&
        stranger->all->calls < STRANGERS_CALLS_MAX)
        waiting = malloc(sizeof(*waiting));
    if (!waiting)
        return refuse_late(m, PROCTOR_ERROR "LimitExceeded",
                           "too many calls are waiting for the bus to identify their callers");
    *waiting = (struct waiting_call){.call = sd_bus_message_ref(m)};
    *stranger->last = waiting;
    stranger->last = &waiting->next;
    stranger->count++;
    stranger->all->calls++;
    return 1;
}

/* Calls of one connection stay in order: as long as one waits, all of it wait. */
static int call_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct strangers *all = userdata;
    const char *name = sd_bus_message_get_sender(m);
    uint8_t type;

    (void)error;
    if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL || !name ||
        strlen(name) >= CALLER_NAME_MAX)
        return 0;
    struct stranger *stranger = find(all, name);
    if (!stranger && caller_is_known(all->service, name))
        return 0;
    if (!stranger)
        stranger = meet(all, sd_bus_message_get_bus(m), name);
    return keep(stranger, m);
}

int strangers_new(struct service *service, struct strangers **strangers)
{
    struct strangers *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->service = service;
    *strangers = fresh;
    return 0;
}

int strangers_watch(struct strangers *strangers, sd_bus *bus)
{
    return sd_bus_add_filter(bus, NULL, call_came, strangers);
}

void strangers_reset(struct strangers *strangers)
{
    while (strangers->list)
        forget(strangers->list);
}

void strangers_free(struct strangers *strangers)
{
    if (!strangers)
        return;
    strangers_reset(strangers);
    free(strangers);
}

/* ---- from one program to the next ------------------------------------------------------------ */

static void write_calls(const struct strangers *strangers, struct archive *archive)
{
    for (const struct stranger *stranger = strangers->list; stranger; stranger = stranger->next)
        for (const struct waiting_call *w = stranger->first; w && !archive->failed; w = w->next)
            call_write(archive, w->call);
}

void strangers_archive(struct strangers *strangers, struct archive *archive)
{
    size_t count = strangers->calls;

    INVARIANT(archive_is_sound(archive));
    archive_count(archive, &count, STRANGERS_CALLS_MAX);
    if (!archive->reading)
        write_calls(strangers, archive);
    for (size_t i = 0; archive->reading && i < count && !archive->failed; i++)
        call_read(archive, strangers->service->bus);
}
