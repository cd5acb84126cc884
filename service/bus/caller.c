/*
 * Caller: who asks, by what the bus says of the connection. The credentials of a unique name never
 * change while the bus lives, and the name is never given to another: they are asked for once.
 */
#include "private.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static void describe(struct caller *caller, const char *command)
{
    struct passwd entry, *user = NULL;
    char buffer[4096];

    getpwuid_r(caller->uid, &entry, buffer, sizeof(buffer), &user);
    if (user)
        snprintf(caller->text, sizeof(caller->text), "%.64s (uid %u)", user->pw_name, caller->uid);
    else
        snprintf(caller->text, sizeof(caller->text), "uid %u", caller->uid);
    snprintf(caller->origin, sizeof(caller->origin), "pid %d, %.32s, %.40s", (int)caller->pid,
             command, caller->unique_name);
}

/* sd-bus would look it up itself, but not on a connection that was handed over: it does not know
 * that the other end is on this machine. */
static void describe_process(struct caller *caller)
{
    __attribute__((cleanup(sd_bus_creds_unrefp))) sd_bus_creds *creds = NULL;
    const char *command = NULL;

    if (caller->pid > 0 && sd_bus_creds_new_from_pid(&creds, caller->pid, SD_BUS_CREDS_COMM) >= 0)
        sd_bus_creds_get_comm(creds, &command);
    describe(caller, command ? command : "?");
}

static int ask_bus(sd_bus_message *message, struct caller *caller)
{
    __attribute__((cleanup(sd_bus_creds_unrefp))) sd_bus_creds *creds = NULL;

    int r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID, &creds);
    if (r < 0) /* a caller in another PID namespace has no PID here: the uid is what counts */
        r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &creds);
    if (r < 0)
        return r;
    r = sd_bus_creds_get_euid(creds, &caller->uid);
    if (r < 0)
        return r;
    if (sd_bus_creds_get_pid(creds, &caller->pid) < 0)
        caller->pid = 0;
    describe_process(caller);
    return 0;
}

int caller_of(struct service *service, sd_bus_message *message, const struct caller **caller,
              sd_bus_error *error)
{
    const char *name = sd_bus_message_get_sender(message);
    struct caller *oldest = &service->callers[0];

    if (!name || strlen(name) >= sizeof(oldest->unique_name))
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "the caller has no name");
    for (size_t i = 0; i < CALLERS_MAX; i++) {
        struct caller *known = &service->callers[i];
        if (strcmp(known->unique_name, name) == 0) {
            known->used = ++service->caller_clock;
            *caller = known;
            return 0;
        }
        if (known->used < oldest->used)
            oldest = known;
    }

    struct caller fresh = {.used = ++service->caller_clock};
    strcpy(fresh.unique_name, name);
    if (ask_bus(message, &fresh) < 0)
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                "the bus does not say who is calling");
    *oldest = fresh;
    *caller = oldest;
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
