/*
 * Reexecute: first the program on disk is run and asked for its version and
 * formats, in a thread; then the call waits, and the new program answers it.
 */
#include "bus/reexecute.h"

#include "bus/outgoing.h"
#include "bus/private.h"
#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/encode.h"
#include "bus/options.h"
#include "bus/verbs.h"
#include "bus/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A call that waits until the program on disk has been looked at. */
struct reexecution {
    struct reexecution *next;
    struct service *service;
    sd_bus_message *call; /* NULL: it waits elsewhere by now */
    bool dry_run;
    char requester[REQUESTER_MAX + 1];
    char reason[REASON_MAX + 1];
};

static void forget(struct reexecution *reexecution)
{
    struct reexecution **link = &reexecution->service->reexecutions;

    while (*link != reexecution)
        link = &(*link)->next;
    *link = reexecution->next;
    sd_bus_message_unref(reexecution->call);
    free(reexecution);
}

static int answer_version(const struct reexecution *reexecution, const char *version)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(reexecution->call, &reply);

    tell_dry_run(reexecution->service, "reexecute", reexecution->requester, reexecution->reason);
    if (r >= 0)
        r = append_reexecution(reply, version);
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* The tree may have begun to shut down meanwhile. */
static void go_on(struct reexecution *reexecution, const char *version)
{
    struct service *service = reexecution->service;
    struct error why = {};

    if (core_shutdown_phase(service->core) != SHUTDOWN_IDLE)
        refuse_late(reexecution->call, PROCTOR_ERROR "ShuttingDown", "the tree is shutting down");
    else if (reexecution->dry_run)
        answer_version(reexecution, version);
    else if (wait_for_reexecution(service, reexecution->call) < 0)
        refuse_late(reexecution->call, PROCTOR_ERROR "LimitExceeded", WAITERS_FULL);
    else if (service->hooks.reexecute(service->hooks.userdata, reexecution->requester,
                                      reexecution->reason, &why) < 0)
        waiters_refuse_reexecution(service, why.text);
}

/* The caller may be gone. */
static void looked(void *data, int r, const char *version, const char *why)
{
    struct reexecution *reexecution = data;
    sd_bus_message *call = reexecution->call;

    /* Without its connection there is no caller to answer. */
    if (call && sd_bus_message_get_bus(call) == reexecution->service->bus) {
        if (r < 0)
            refuse_late(call, PROCTOR_ERROR "CannotReexecute", "%s", why);
        else
            go_on(reexecution, version);
    }
    forget(reexecution);
}

/* The call is kept. */
static int begin(struct service *service, sd_bus_message *m, const struct options *options,
                 const char *reason)
{
    struct reexecution *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->service = service;
    fresh->call = sd_bus_message_ref(m);
    fresh->dry_run = options->dry_run;
    strcpy(fresh->requester, options->requester);
    strncpy(fresh->reason, reason, REASON_MAX);
    fresh->next = service->reexecutions;
    service->reexecutions = fresh;
    int r = service->hooks.check_program(service->hooks.userdata, looked, fresh);
    if (r < 0)
        forget(fresh);
    return r;
}

/* Refused early where it could not be answered later. */
int method_reexecute(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(service, m, &(struct permission){MAY_SHUT_DOWN, "reexecute", NULL},
                            reason, &caller, &options, error);
    if (r != 0)
        return r;
    if (core_shutdown_phase(service->core) != SHUTDOWN_IDLE)
        return refuse_call(error, PROCTOR_ERROR "ShuttingDown", "the tree is shutting down");
    if (service->n_waiters >= WAITERS_MAX)
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded", WAITERS_FULL);
    r = begin(service, m, &options, reason);
    if (r < 0)
        return refuse_call(error, PROCTOR_ERROR "CannotReexecute",
                           "the program on disk cannot be checked: %s", strerror(-r));
    return 1;
}

void reexecutions_join(struct service *service)
{
    for (struct reexecution *r = service->reexecutions; r; r = r->next) {
        if (!r->call)
            continue;
        if (r->dry_run || wait_for_reexecution(service, r->call) < 0)
            refuse_late(r->call, PROCTOR_ERROR "CannotReexecute",
                        "proctord is already being replaced");
        r->call = sd_bus_message_unref(r->call);
    }
}

void reexecutions_free(struct service *service)
{
    while (service->reexecutions)
        forget(service->reexecutions);
}
