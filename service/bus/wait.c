/*
 * Waiters: calls with `wait`, answered when the effect of their command is complete. They are
 * looked at after each loop turn, and hold up nobody.
 */
#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum waiter_kind { WAIT_STOP, WAIT_START, WAIT_RELOAD, WAIT_ADDED, WAIT_SHUTDOWN };

struct waiter {
    struct waiter *next;
    enum waiter_kind kind;
    sd_bus_message *call;
    struct attempt_id child; /* slot and serial */
    struct outcome outcome;
};

static void waiter_free(struct waiter *waiter)
{
    sd_bus_message_unref(waiter->call);
    free(waiter);
}

static int add(struct service *service, sd_bus_message *m, enum waiter_kind kind,
               const struct child *child, const struct outcome *outcome)
{
    if (service->n_waiters >= WAITERS_MAX)
        return -EXFULL;
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return -ENOMEM;

    waiter->kind = kind;
    waiter->call = sd_bus_message_ref(m);
    if (child)
        waiter->child = (struct attempt_id){.slot = child->slot, .serial = child->serial};
    if (outcome)
        waiter->outcome = *outcome;
    waiter->next = service->waiters;
    service->waiters = waiter;
    service->n_waiters++;
    return 0;
}

static enum waiter_kind kind_of(enum command_verb verb)
{
    switch (verb) {
    case COMMAND_PAUSE:
    case COMMAND_QUARANTINE:
    case COMMAND_REMOVE:
        return WAIT_STOP;
    case COMMAND_RESUME:
    case COMMAND_RESTART:
        return WAIT_START;
    case COMMAND_RELOAD:
    case COMMAND_KILL:
        return WAIT_RELOAD;
    }
    return WAIT_STOP;
}

int wait_for_child(struct service *service, sd_bus_message *m, enum command_verb verb,
                   struct child *child, const struct outcome *outcome)
{
    return add(service, m, kind_of(verb), child, outcome);
}

int wait_for_start(struct service *service, sd_bus_message *m, struct child *child)
{
    return add(service, m, WAIT_ADDED, child, NULL);
}

int wait_for_shutdown(struct service *service, sd_bus_message *m)
{
    return add(service, m, WAIT_SHUTDOWN, NULL, NULL);
}

/* Nothing more will come of a start: it is up, it failed, or it was withdrawn. */
static bool start_is_over(const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    if (child->pending.active)
        return false;
    if (!attempt->active)
        return !child->waiting;
    if (child->operation != CHILD_ACTIVE || attempt->cancel_delivered)
        return true;
    return attempt->spawned && child->readiness != READINESS_UNREPORTED;
}

static bool is_over(const struct service *service, const struct waiter *waiter,
                    const struct child *child)
{
    switch (waiter->kind) {
    case WAIT_SHUTDOWN:
        return core_shutdown_phase(service->core) == SHUTDOWN_COMPLETED;
    case WAIT_STOP:
        return !child->attempt.active;
    case WAIT_START:
    case WAIT_ADDED:
        return start_is_over(child);
    case WAIT_RELOAD:
        return !child->attempt.active ||
               (!child->attempt.reload_pending && !child->attempt.reloading);
    }
    return true;
}

static int fill(struct service *service, struct waiter *waiter, struct child *child,
                sd_bus_message *reply)
{
    switch (waiter->kind) {
    case WAIT_SHUTDOWN:
        return append_shutdown(service, reply, false);
    case WAIT_ADDED: {
        char *path = path_of_child(child->id);
        int r = path ? sd_bus_message_append(reply, "o", path) : -ENOMEM;
        free(path);
        return r;
    }
    case WAIT_STOP:
    case WAIT_START:
    case WAIT_RELOAD:
        core_describe(service->core, child, &waiter->outcome);
        return append_outcome(service, reply, &waiter->outcome);
    }
    return -EINVAL;
}

static void answer(struct service *service, struct waiter *waiter, struct child *child)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;

    if (sd_bus_message_new_method_return(waiter->call, &reply) >= 0 &&
        fill(service, waiter, child, reply) >= 0)
        sd_bus_send(NULL, reply, NULL);
}

static void take_out(struct service *service, struct waiter **link)
{
    struct waiter *waiter = *link;

    *link = waiter->next;
    service->n_waiters--;
    waiter_free(waiter);
}

void waiters_look(struct service *service)
{
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        struct child *child =
            waiter->kind == WAIT_SHUTDOWN ? NULL : core_child_of(service->core, waiter->child);
        if (!is_over(service, waiter, child)) {
            link = &waiter->next;
            continue;
        }
        answer(service, waiter, child);
        take_out(service, link);
    }
}

/* The last moment in which an outcome can still be told from the record. */
void waiters_child_gone(struct service *service, struct child *child)
{
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        if (waiter->kind == WAIT_SHUTDOWN || core_child_of(service->core, waiter->child) != child) {
            link = &waiter->next;
            continue;
        }
        answer(service, waiter, child);
        take_out(service, link);
    }
}

void waiters_free(struct service *service)
{
    while (service->waiters)
        take_out(service, &service->waiters);
}
