/*
 * Calls with `wait`. A waiter knows its call, its child and what would end it;
 * all are looked at when something has changed, and at their deadline. Each is
 * answered once: when its effect is complete, when it can no longer come, or
 * when its time is up.
 */
#include "bus/wait.h"

#include "core/vocabulary/invariant.h"
#include "bus/job_encode.h"
#include "bus/private.h"
#include "bus/caller.h"
#include "bus/encode.h"
#include "bus/explanation.h"
#include "bus/history.h"
#include "bus/path.h"
#include "bus/waiter.h"
#include "core/model/start_wait.h"
#include "core/rules/dependency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void waiter_free(struct waiter *waiter)
{
    sd_bus_message_unref(waiter->call);
    free(waiter->scope);
    free(waiter);
}

static size_t waiters_of(const struct service *service, uid_t uid)
{
    size_t count = 0;

    for (const struct waiter *waiter = service->waiters; waiter; waiter = waiter->next)
        count += waiter->uid == uid;
    return count;
}

static uint64_t now_usec(const struct service *service)
{
    uint64_t now = 0;

    sd_event_now(service->event, CLOCK_MONOTONIC, &now);
    return now;
}

/* 0: the caller sets no limit of its own. */
static uint64_t deadline_of(const struct service *service, uint64_t wait_usec)
{
    if (wait_usec == 0)
        wait_usec = WAIT_DEFAULT_USEC;
    return now_usec(service) + (wait_usec < WAIT_MOST_USEC ? wait_usec : WAIT_MOST_USEC);
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    (void)userdata; /* that the loop turns is enough: waiters_look() comes after everything else */
    return 0;
}

/* The loop turns again when the first deadline passes. */
void waiters_arm(struct service *service)
{
    uint64_t first = UINT64_MAX;

    for (const struct waiter *waiter = service->waiters; waiter; waiter = waiter->next)
        if (waiter->deadline_usec < first)
            first = waiter->deadline_usec;
    if (first == UINT64_MAX)
        return;
    if (!service->wait_ends)
        sd_event_add_time(service->event, &service->wait_ends, CLOCK_MONOTONIC, first, 1,
                          time_is_up, service);
    else
        sd_event_source_set_time(service->wait_ends, first);
    sd_event_source_set_enabled(service->wait_ends, SD_EVENT_ONESHOT);
}

/* Bounded per user and in total. -EXFULL: the command has been carried out, but
 * cannot be waited for. */
static int add(struct service *service, sd_bus_message *m, enum waiter_kind kind,
               const struct child *child, const struct outcome *outcome, uint64_t wait_usec)
{
    const struct caller *caller = caller_known(service, m);

    if (!caller || service->n_waiters >= WAITERS_MAX ||
        caller_has_its_share(caller, waiters_of(service, caller->uid), WAITERS_PER_UID))
        return -EXFULL;
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return -ENOMEM;

    waiter->kind = kind;
    waiter->call = sd_bus_message_ref(m);
    waiter->uid = caller->uid;
    waiter->deadline_usec = deadline_of(service, wait_usec);
    if (child)
        waiter->child = (struct attempt_id){.slot = child->slot, .serial = child->serial};
    if (outcome)
        waiter->outcome = *outcome;
    waiter->next = service->waiters;
    service->waiters = waiter;
    service->n_waiters++;
    waiters_arm(service);
    return 0;
}

/* What each verb waits for. */
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
                   struct child *child, const struct outcome *outcome, uint64_t wait_usec)
{
    INVARIANT(strcmp(outcome->child_id, child->id) == 0);
    return add(service, m, kind_of(verb), child, outcome, wait_usec);
}

int wait_for_start(struct service *service, sd_bus_message *m, struct child *child,
                   uint64_t wait_usec)
{
    INVARIANT(child_is_sound(child));
    return add(service, m, WAIT_ADDED, child, NULL, wait_usec);
}

/* Nothing was begun that could come to an end. */
static bool is_refused(const struct outcome *outcome)
{
    return outcome->has_fence && (outcome->fence.decision == FENCE_REJECTED ||
                                  outcome->fence.decision == FENCE_BLOCKED_BY_SHUTDOWN);
}

/* One waiter for all children of the scope. */
int wait_for_scope(struct service *service, sd_bus_message *m, enum command_verb verb,
                   const struct outcome *outcomes, size_t count, uint64_t wait_usec)
{
    struct awaited *scope = calloc(count, sizeof(*scope));
    int r = scope ? add(service, m, WAIT_SCOPE, NULL, NULL, wait_usec) : -ENOMEM;

    INVARIANT(count == 0 || outcomes);
    if (r < 0) {
        free(scope);
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        const struct child *child = core_find(service->core, outcomes[i].child_id);
        scope[i] =
            (struct awaited){.outcome = outcomes[i], .over = !child || is_refused(&outcomes[i])};
        if (child)
            scope[i].child = (struct attempt_id){.slot = child->slot, .serial = child->serial};
    }
    service->waiters->scope = scope;
    service->waiters->n_scope = count;
    service->waiters->scope_kind = kind_of(verb);
    return 0;
}

int wait_for_job(struct service *service, sd_bus_message *m, const struct job *job)
{
    INVARIANT(job->state != JOB_FINISHED);
    int r = add(service, m, WAIT_JOB, NULL, NULL, 0);

    if (r >= 0)
        service->waiters->job = job->id;
    return r;
}

int wait_for_shutdown(struct service *service, sd_bus_message *m, bool idempotent,
                      uint64_t wait_usec)
{
    struct outcome outcome = {.idempotent = idempotent};

    return add(service, m, WAIT_SHUTDOWN, NULL, &outcome, wait_usec);
}

int wait_for_reexecution(struct service *service, sd_bus_message *m)
{
    return add(service, m, WAIT_REEXECUTION, NULL, NULL, 0);
}

/* Nothing more will come of a start: it is up, it failed, was withdrawn, or is in vain. */
static bool start_is_over(const struct core *core, const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    if (child->pending.active)
        return false;
    switch (child_waits_for(child)) {
    case START_FENCED:
    case START_SCOPE:
    case START_QUEUED:
        return false;
    case START_DEPENDENCY:
        return dependency_is_in_vain(core, child);
    case START_HELD:
    case START_BACKOFF: /* it has failed, and it is the policy's now */
        return true;
    case START_WAITS_FOR_NOTHING:
        break;
    }
    return !attempt->active || attempt->cancel_delivered ||
           (attempt->spawned && child->readiness != READINESS_UNREPORTED);
}

/* A start that is over, and the child is not up. Why a spawn failed is in the outcome anyway, and
 * a resume starts only what is meant to run. */
static bool came_to_nothing(const struct core *core, enum waiter_kind kind,
                            const struct outcome *outcome, const struct child *child)
{
    if (kind != WAIT_START || is_refused(outcome) || child->attempt.active ||
        child->failure->phase == FAILURE_SPAWN || !start_is_over(core, child))
        return false;
    if (child_waits_for(child) != START_WAITS_FOR_NOTHING)
        return true;
    return outcome->has_fence && child->last_exit->kind != EXIT_SUCCEEDED;
}

/* Whether the effect is complete, or cannot come any more. */
static bool is_over(const struct core *core, enum waiter_kind kind, const struct child *child)
{
    switch (kind) {
    case WAIT_STOP:
        return !child->attempt.active;
    case WAIT_START:
    case WAIT_ADDED:
        return start_is_over(core, child);
    case WAIT_RELOAD:
        return child->reload_result != RELOAD_PENDING;
    case WAIT_SCOPE:
    case WAIT_JOB:
    case WAIT_SHUTDOWN:
    case WAIT_REEXECUTION:
    case WAIT_GONE:
        break;
    }
    return true;
}

/* Each member is shown as it is when its own part is complete. */
static bool scope_is_over(const struct service *service, struct waiter *waiter)
{
    bool all = true;

    for (size_t i = 0; i < waiter->n_scope; i++) {
        struct awaited *awaited = &waiter->scope[i];
        struct child *child = awaited->over ? NULL : core_child_of(service->core, awaited->child);
        if (child && is_over(service->core, waiter->scope_kind, child)) {
            core_describe(service->core, child, &awaited->outcome);
            awaited->over = true;
        }
        all = all && awaited->over;
    }
    return all;
}

/* What an answer says that comes because the time is up. */
static const char *what_is_awaited(enum waiter_kind kind, const struct child *child)
{
    switch (kind) {
    case WAIT_STOP:
        return "stop";
    case WAIT_START:
    case WAIT_ADDED:
        return child_waits_for(child) == START_WAITS_FOR_NOTHING
                   ? "readiness"
                   : start_wait_to_string(child_waits_for(child));
    case WAIT_RELOAD:
        return "reload";
    case WAIT_SCOPE:
    case WAIT_JOB:
    case WAIT_SHUTDOWN:
    case WAIT_REEXECUTION:
    case WAIT_GONE:
        break;
    }
    return "";
}

/* An outcome for each child, with what it still waits for. */
static int fill_scope(struct service *service, const struct waiter *waiter, sd_bus_message *reply)
{
    int r = append_open(reply, 'a', "a{sv}");

    for (size_t i = 0; r >= 0 && i < waiter->n_scope; i++) {
        struct awaited *awaited = &waiter->scope[i];
        struct child *child = core_child_of(service->core, awaited->child);
        bool late = child && !awaited->over;
        if (late)
            core_describe(service->core, child, &awaited->outcome);
        bool told = late || (child && came_to_nothing(service->core, waiter->scope_kind,
                                                      &awaited->outcome, child));
        r = append_awaited_outcome(service, reply, &awaited->outcome, told ? child : NULL,
                                   told ? what_is_awaited(waiter->scope_kind, child) : NULL, late);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int fill_added(const struct child *child, sd_bus_message *reply)
{
    char *path = path_of_child(child->id);
    int r = path ? append_values(reply, "o", path) : -ENOMEM;

    free(path);
    return r;
}

/* The reply, by kind. */
static int fill(struct service *service, struct waiter *waiter, struct child *child, bool late,
                sd_bus_message *reply)
{
    bool told;

    switch (waiter->kind) {
    case WAIT_SHUTDOWN:
        return append_shutdown(service, reply, false, waiter->outcome.idempotent, late);
    case WAIT_GONE:
        break; /* the call is answered when it is handled */
    case WAIT_REEXECUTION:
        return append_reexecution(reply, PROCTOR_VERSION);
    case WAIT_SCOPE:
        return fill_scope(service, waiter, reply);
    case WAIT_JOB:
        return append_job(service, reply, core_find_job(service->core, waiter->job), late);
    case WAIT_ADDED:
        return fill_added(child, reply);
    case WAIT_STOP:
    case WAIT_START:
    case WAIT_RELOAD:
        core_describe(service->core, child, &waiter->outcome);
        told = late || came_to_nothing(service->core, waiter->kind, &waiter->outcome, child);
        return append_awaited_outcome(service, reply, &waiter->outcome, child,
                                      told ? what_is_awaited(waiter->kind, child) : NULL, late);
    }
    return -EINVAL;
}

/* Where an answer has no room for it, that the time is up is an error. */
static bool refuse_overdue(struct service *service, struct waiter *waiter, struct child *child)
{
    char why[EXPLANATION_MAX];

    if (waiter->kind == WAIT_REEXECUTION) {
        refuse_late(waiter->call, PROCTOR_ERROR "TimedOut", "waits for: reexecution");
        return true;
    }
    if (waiter->kind != WAIT_ADDED && waiter->kind != WAIT_GONE)
        return false;
    explain(service, child, why, sizeof(why));
    if (waiter->kind == WAIT_GONE) {
        refuse_late(waiter->call, PROCTOR_ERROR "TimedOut",
                    "nothing was added; waits for: removal: %s: %s", child->id, why);
        return true;
    }
    refuse_late(waiter->call, PROCTOR_ERROR "TimedOut",
                "the child was added; waits for: %s: %s: %s", what_is_awaited(waiter->kind, child),
                child->id, why);
    return true;
}

/* Too large a reply becomes an error. */
static void answer(struct service *service, struct waiter *waiter, struct child *child, bool late)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;

    size_t bytes = 0;
    if (late && refuse_overdue(service, waiter, child))
        return;
    int r = sd_bus_message_new_method_return(waiter->call, &reply);

    outgoing_count(&bytes);
    if (r >= 0)
        r = fill(service, waiter, child, late, reply);
    outgoing_count(NULL);
    if (answer_is_sendable(waiter->call, r, bytes) == 0)
        service_acknowledge(service, reply);
}

static void take_out(struct service *service, struct waiter **link)
{
    struct waiter *waiter = *link;

    INVARIANT(service->n_waiters > 0);
    *link = waiter->next;
    service->n_waiters--;
    waiter_free(waiter);
}

/* Those without a child are asked elsewhere. */
static bool waiter_is_over(struct service *service, struct waiter *waiter, struct child *child)
{
    if (waiter->kind == WAIT_SHUTDOWN)
        return core_shutdown_phase(service->core) == SHUTDOWN_COMPLETED;
    if (waiter->kind == WAIT_REEXECUTION)
        return service->took_over;
    if (waiter->kind == WAIT_GONE)
        return false;
    if (waiter->kind == WAIT_SCOPE)
        return scope_is_over(service, waiter);
    if (waiter->kind == WAIT_JOB)
        return core_find_job(service->core, waiter->job)->state == JOB_FINISHED;
    return is_over(service->core, waiter->kind, child);
}

bool waiter_is_about_one(const struct waiter *waiter)
{
    return waiter->kind < WAIT_SCOPE || waiter->kind == WAIT_GONE;
}

/* The child that a waiter is about; NULL where it is about more than one. */
struct child *waiter_child(const struct service *service, const struct waiter *waiter)
{
    return waiter_is_about_one(waiter) ? core_child_of(service->core, waiter->child) : NULL;
}

/* ---- calls that wait for a child to be gone -------------------------------------------------- */

int wait_until_gone(struct service *service, sd_bus_message *m, const struct child *child,
                    sd_bus_message_handler_t again, uint64_t wait_usec)
{
    int r = add(service, m, WAIT_GONE, child, NULL, wait_usec);

    INVARIANT(child_is_sound(child));
    if (r >= 0)
        service->waiters->again = again;
    return r;
}

/* In a shutdown no record goes any more. */
static bool may_be_handled(const struct service *service, const struct waiter *waiter)
{
    return waiter->kind == WAIT_GONE &&
           (!waiter_child(service, waiter) || core_shutdown_phase(service->core) != SHUTDOWN_IDLE);
}

/* The newest stands first. */
static struct waiter **oldest_to_handle(struct service *service)
{
    struct waiter **oldest = NULL;

    for (struct waiter **link = &service->waiters; *link; link = &(*link)->next)
        if (may_be_handled(service, *link))
            oldest = link;
    return oldest;
}

/* As if they came now, in the order in which they came. */
static void handle_again(struct service *service)
{
    for (struct waiter **link; (link = oldest_to_handle(service));) {
        __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *call =
            sd_bus_message_ref((*link)->call);
        sd_bus_message_handler_t again = (*link)->again;

        take_out(service, link);
        sd_bus_message_rewind(call, true);
        int r = again(call, service, &error);
        if (sd_bus_error_is_set(&error))
            refuse_late(call, error.name, "%s", error.message ? error.message : "");
        else if (r < 0)
            refuse_late_errno(call, r, "the call cannot be handled: %s", strerror(-r));
    }
}

/* Answered ones are taken out. */
void waiters_look(struct service *service)
{
    uint64_t now = now_usec(service);
    bool overdue = false;

    handle_again(service);
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        struct child *child = waiter_child(service, waiter);
        bool over = waiter_is_over(service, waiter, child), late = now >= waiter->deadline_usec;
        if (!over && !late) {
            link = &waiter->next;
            continue;
        }
        answer(service, waiter, child, !over);
        take_out(service, link);
        overdue = overdue || late;
    }
    if (overdue)
        waiters_arm(service);
}

static void scope_child_gone(struct service *service, struct waiter *waiter, struct child *child)
{
    for (size_t i = 0; i < waiter->n_scope; i++) {
        struct awaited *awaited = &waiter->scope[i];
        if (awaited->over || core_child_of(service->core, awaited->child) != child)
            continue;
        core_describe(service->core, child, &awaited->outcome);
        awaited->over = true;
    }
}

/* The last moment at which an outcome can still be read from the record. */
void waiters_child_gone(struct service *service, struct child *child)
{
    INVARIANT(child_is_sound(child));
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        scope_child_gone(service, waiter, child);
        if (waiter->kind == WAIT_GONE || waiter_child(service, waiter) != child) {
            link = &waiter->next;
            continue;
        }
        answer(service, waiter, child, false);
        take_out(service, link);
    }
}

/* A finished job is forgotten whose end has not been reported yet. */
void waiters_job_gone(struct service *service, const struct job *job)
{
    INVARIANT(job_is_sound(job));
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        if (waiter->kind != WAIT_JOB || waiter->job != job->id) {
            link = &waiter->next;
            continue;
        }
        refuse_late(waiter->call, PROCTOR_ERROR "NoSuchChild", "the job has been forgotten");
        take_out(service, link);
    }
}

/* The new program could not be executed. */
void waiters_refuse_reexecution(struct service *service, const char *why)
{
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        if (waiter->kind != WAIT_REEXECUTION) {
            link = &waiter->next;
            continue;
        }
        refuse_late(waiter->call, PROCTOR_ERROR "CannotReexecute", "%s", why);
        take_out(service, link);
    }
}

void waiters_free(struct service *service)
{
    while (service->waiters)
        take_out(service, &service->waiters);
}
