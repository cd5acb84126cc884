/*
 * Who calls: the user and the process behind a bus name, as the bus reports
 * them. Kept in a small cache, as a name never changes its owner.
 */
#include "bus/caller.h"

#include "bus/authorisation.h"
#include "bus/private.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COMMAND_SIZE 33 /* of what a process calls itself, with the terminator */

bool uid_is_trusted(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

bool caller_is_trusted(const struct caller *caller)
{
    return uid_is_trusted(caller->uid);
}

int caller_must_be_trusted(const struct caller *caller, const char *what, sd_bus_error *error)
{
    if (caller_is_trusted(caller))
        return 0;
    return refuse_call(
        error, SD_BUS_ERROR_ACCESS_DENIED,
        "%s: not allowed for %s: only root and the user that proctord runs as may do this", what,
        caller->text);
}

/* A process calls itself what it likes, "systemd, :1.1" for one: a comma would end the name. */
static void clean_command(char text[COMMAND_SIZE], const char *command)
{
    snprintf(text, COMMAND_SIZE, "%s", command);
    for (char *comma = text; (comma = strchr(comma, ','));)
        *comma = ' ';
}

/* What people read in the audit. The names come from outside, so they are made
 * single clean lines. */
static void describe(struct caller *caller, const char *user, const char *command)
{
    char name[COMMAND_SIZE];

    clean_command(name, command);
    if (user)
        snprintf(caller->text, sizeof(caller->text), "%.64s (uid %u)", user, caller->uid);
    else
        snprintf(caller->text, sizeof(caller->text), "uid %u", caller->uid);
    snprintf(caller->origin, sizeof(caller->origin), "pid %d, %s, %.40s", (int)caller->pid, name,
             caller->unique_name);
    text_make_line(caller->text);
    text_make_line(caller->origin);
}

/* sd-bus would look it up itself, but not on a connection that was handed over: it does not know
 * that the other end is on this machine. */
static void describe_process(struct caller *caller, const char *user)
{
    __attribute__((cleanup(sd_bus_creds_unrefp))) sd_bus_creds *creds = NULL;
    const char *command = NULL;

    if (caller->pid > 0 && sd_bus_creds_new_from_pid(&creds, caller->pid, SD_BUS_CREDS_COMM) >= 0)
        sd_bus_creds_get_comm(creds, &command);
    describe(caller, user, command ? command : "?");
}

/* The few places where a caller of that name can be. */
static struct caller *places_of(struct service *service, const char *name)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
    return service->callers[hash % CALLER_SETS];
}

static struct caller *find(struct service *service, const char *name)
{
    struct caller *places = places_of(service, name);

    for (size_t i = 0; i < CALLER_WAYS; i++)
        if (strcmp(places[i].unique_name, name) == 0)
            return &places[i];
    return NULL;
}

static struct caller *longest_unused(struct caller *places)
{
    struct caller *oldest = &places[0];

    for (size_t i = 1; i < CALLER_WAYS; i++)
        if (places[i].used < oldest->used)
            oldest = &places[i];
    return oldest;
}

bool caller_is_known(struct service *service, const char *name)
{
    return find(service, name);
}

void caller_learn(struct service *service, const char *name, uid_t uid, pid_t pid, const char *user)
{
    struct caller *caller = longest_unused(places_of(service, name));

    *caller = (struct caller){.used = ++service->caller_clock, .uid = uid, .pid = pid};
    snprintf(caller->unique_name, sizeof(caller->unique_name), "%s", name);
    describe_process(caller, user);
}

/* The caller has been identified before the call got here (stranger.c); one
 * without a name cannot be. */
int caller_of(struct service *service, sd_bus_message *message, const struct caller **caller,
              sd_bus_error *error)
{
    const char *name = sd_bus_message_get_sender(message);
    struct caller *known = name ? find(service, name) : NULL;

    if (!known)
        return refuse_call(error, SD_BUS_ERROR_ACCESS_DENIED, "the caller has no bus name");
    known->used = ++service->caller_clock;
    *caller = known;
    return 0;
}

const struct caller *caller_known(struct service *service, sd_bus_message *message)
{
    __attribute__((cleanup(sd_bus_error_free))) sd_bus_error ignored = SD_BUS_ERROR_NULL;
    const struct caller *caller;

    return caller_of(service, message, &caller, &ignored) < 0 ? NULL : caller;
}

bool caller_has_its_share(const struct caller *caller, size_t has, size_t most)
{
    return !caller || (!caller_is_trusted(caller) && has >= most);
}
