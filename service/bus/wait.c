/*
 * Waiters: calls with `wait`, answered when the effect of their command is complete. They are
 * looked at after each loop turn, and hold up nobody.
 *
 * Each has a deadline: that of its caller (`wait-usec`), else WAIT_DEFAULT_USEC. When it passes the
 * call is answered all the same, with the outcome as it is at that moment, `TimedOut`, and the name
 * of what it still waits for (`WaitsFor`). What was begun goes on.
 */
#include "core/vocabulary/invariant.h"
#include "core/model/input_archive.h"
#include "job_encode.h"
#include "private.h"
#include "core/model/start_wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum waiter_kind {
    WAIT_STOP = 0,
    WAIT_START = 1,
    WAIT_RELOAD = 2,
    WAIT_ADDED = 3,
    /* Not about one child: */
    WAIT_SCOPE = 4,
    WAIT_JOB = 5,
    WAIT_SHUTDOWN = 6,
    WAIT_REEXECUTION = 7
};

/* Those who wait, and what they are to be told, are handed over to the next program. */
_Static_assert(WAIT_REEXECUTION == 7 && FENCE_REJECTED == 4 && RELOAD_INTERRUPTED == 5,
               "the numbers stand in handovers: count HANDOVER_VERSION on");

/* One of those that a WAIT_SCOPE waits for. */
struct awaited {
    struct attempt_id child;
    struct outcome outcome;
    bool over;
};

struct waiter {
    struct waiter *next;
    enum waiter_kind kind;
    sd_bus_message *call;
    uid_t uid;               /* of who called */
    uint64_t deadline_usec;  /* monotonic */
    struct attempt_id child; /* slot and serial */
    struct outcome outcome;
    uint64_t job; /* WAIT_JOB */
    struct awaited *scope;
    size_t n_scope;
    enum waiter_kind scope_kind;
};

static void waiter_free(struct waiter *waiter)
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
static void arm(struct service *service)
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
    arm(service);
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
                   struct child *child, const struct outcome *outcome, uint64_t wait_usec)
{
    INVARIANT(strcmp(outcome->child_id, child->id) == 0);
    return add(service, m, kind_of(verb), child, outcome, wait_usec);
}

int wait_for_start(struct service *service, sd_bus_message *m, struct child *child,
                   uint64_t wait_usec)
{
    return add(service, m, WAIT_ADDED, child, NULL, wait_usec);
}

/* Nothing was begun that could come to an end. */
static bool is_refused(const struct outcome *outcome)
{
    return outcome->has_fence && (outcome->fence.decision == FENCE_REJECTED ||
                                  outcome->fence.decision == FENCE_BLOCKED_BY_SHUTDOWN);
}

int wait_for_scope(struct service *service, sd_bus_message *m, enum command_verb verb,
                   const struct outcome *outcomes, size_t count, uint64_t wait_usec)
{
    struct awaited *scope = calloc(count, sizeof(*scope));
    int r = scope ? add(service, m, WAIT_SCOPE, NULL, NULL, wait_usec) : -ENOMEM;

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

/* Nothing more will come of a start: it is up, it failed, or it was withdrawn. */
static bool start_is_over(const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    if (child->pending.active)
        return false;
    switch (child_waits_for(child)) {
    case START_FENCED:
    case START_SCOPE:
    case START_DEPENDENCY:
    case START_QUEUED:
        return false;
    case START_HELD:
    case START_BACKOFF: /* it has failed, and it is the policy's now */
        return true;
    case START_WAITS_FOR_NOTHING:
        break;
    }
    return !attempt->active || attempt->cancel_delivered ||
           (attempt->spawned && child->readiness != READINESS_UNREPORTED);
}

static bool is_over(enum waiter_kind kind, const struct child *child)
{
    switch (kind) {
    case WAIT_STOP:
        return !child->attempt.active;
    case WAIT_START:
    case WAIT_ADDED:
        return start_is_over(child);
    case WAIT_RELOAD:
        return child->reload_result != RELOAD_PENDING;
    case WAIT_SCOPE:
    case WAIT_JOB:
    case WAIT_SHUTDOWN:
    case WAIT_REEXECUTION:
        break;
    }
    return true;
}

/* Each member is told of as it is when its own part is complete. */
static bool scope_is_over(const struct service *service, struct waiter *waiter)
{
    bool all = true;

    for (size_t i = 0; i < waiter->n_scope; i++) {
        struct awaited *awaited = &waiter->scope[i];
        struct child *child = awaited->over ? NULL : core_child_of(service->core, awaited->child);
        if (child && is_over(waiter->scope_kind, child)) {
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
        break;
    }
    return "";
}

static int fill_scope(struct service *service, const struct waiter *waiter, sd_bus_message *reply)
{
    int r = append_open(reply, 'a', "a{sv}");

    for (size_t i = 0; r >= 0 && i < waiter->n_scope; i++) {
        struct awaited *awaited = &waiter->scope[i];
        struct child *child = awaited->over ? NULL : core_child_of(service->core, awaited->child);
        if (child)
            core_describe(service->core, child, &awaited->outcome);
        r = append_late_outcome(service, reply, &awaited->outcome, child,
                                child ? what_is_awaited(waiter->scope_kind, child) : NULL);
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

static int fill(struct service *service, struct waiter *waiter, struct child *child, bool late,
                sd_bus_message *reply)
{
    switch (waiter->kind) {
    case WAIT_SHUTDOWN:
        return append_shutdown(service, reply, false, waiter->outcome.idempotent, late);
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
        return append_late_outcome(service, reply, &waiter->outcome, child,
                                   late ? what_is_awaited(waiter->kind, child) : NULL);
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
    if (waiter->kind != WAIT_ADDED)
        return false;
    explain(service, child, why, sizeof(why));
    refuse_late(waiter->call, PROCTOR_ERROR "TimedOut",
                "the child was added; waits for: %s: %s: %s", what_is_awaited(waiter->kind, child),
                child->id, why);
    return true;
}

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

static bool waiter_is_over(struct service *service, struct waiter *waiter, struct child *child)
{
    if (waiter->kind == WAIT_SHUTDOWN)
        return core_shutdown_phase(service->core) == SHUTDOWN_COMPLETED;
    if (waiter->kind == WAIT_REEXECUTION)
        return service->took_over;
    if (waiter->kind == WAIT_SCOPE)
        return scope_is_over(service, waiter);
    if (waiter->kind == WAIT_JOB)
        return core_find_job(service->core, waiter->job)->state == JOB_FINISHED;
    return is_over(waiter->kind, child);
}

/* The child that a waiter is about; NULL where it is about more than one. */
static struct child *child_of(const struct service *service, const struct waiter *waiter)
{
    return waiter->kind >= WAIT_SCOPE ? NULL : core_child_of(service->core, waiter->child);
}

void waiters_look(struct service *service)
{
    uint64_t now = now_usec(service);
    bool overdue = false;

    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        struct child *child = child_of(service, waiter);
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
        arm(service);
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

/* The last moment in which an outcome can still be told from the record. */
void waiters_child_gone(struct service *service, struct child *child)
{
    for (struct waiter **link = &service->waiters; *link;) {
        struct waiter *waiter = *link;
        scope_child_gone(service, waiter, child);
        if (child_of(service, waiter) != child) {
            link = &waiter->next;
            continue;
        }
        answer(service, waiter, child, false);
        take_out(service, link);
    }
}

/* Somebody forgets a finished job whose end has not been told yet. */
void waiters_job_gone(struct service *service, const struct job *job)
{
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

/* ---- from one program to the next ------------------------------------------------------------ */

/* A call is what its answer is addressed to. */
static void archive_call(struct service *service, struct archive *archive, sd_bus_message **call)
{
    char sender[64] = "";
    uint64_t cookie = 0;

    if (!archive->reading) {
        const char *name = sd_bus_message_get_sender(*call);
        snprintf(sender, sizeof(sender), "%s", name ? name : "");
        sd_bus_message_get_cookie(*call, &cookie);
    }
    archive_text(archive, sender, sizeof(sender));
    archive_number(archive, &cookie);
    if (!archive->reading || archive->failed)
        return;
    int r = sd_bus_message_new_method_call(service->bus, call, NULL, PROCTOR_PATH,
                                           PROCTOR_INTERFACE "Manager", "Again");
    if (r >= 0)
        r = sd_bus_message_set_sender(*call, sender);
    if (r >= 0)
        r = sd_bus_message_seal(*call, cookie, 0);
    if (r < 0)
        archive->failed = true;
}

static void archive_conflict(struct archive *archive, char *buffer, size_t size)
{
    const char *text = buffer[0] ? buffer : NULL;

    archive_string(archive, &text);
    if (archive->reading)
        snprintf(buffer, size, "%s", text ? text : "");
}

static void archive_fence(struct archive *archive, struct fence_outcome *fence)
{
    ARCHIVE(archive, fence->decision);
    ARCHIVE(archive, fence->has_old);
    ARCHIVE(archive, fence->old_generation);
    ARCHIVE(archive, fence->old_attempt);
    ARCHIVE(archive, fence->has_target);
    ARCHIVE(archive, fence->target_generation);
    ARCHIVE(archive, fence->cancel_delivered);
    ARCHIVE(archive, fence->abort_requested);
    ARCHIVE(archive, fence->duplicate_request_count);
    archive_conflict(archive, fence->conflict, sizeof(fence->conflict));
    ARCHIVE(archive, fence->conflict_recoverable);
}

/* All of it: where the child is over, nobody tells it anew. */
static void archive_outcome(struct archive *archive, struct outcome *outcome)
{
    ARCHIVE(archive, outcome->command_id);
    archive_text(archive, outcome->child_id, sizeof(outcome->child_id));
    ARCHIVE(archive, outcome->attempt);
    ARCHIVE(archive, outcome->generation);
    ARCHIVE(archive, outcome->operation_before);
    ARCHIVE(archive, outcome->operation_after);
    ARCHIVE(archive, outcome->status);
    ARCHIVE(archive, outcome->cancel_delivered);
    ARCHIVE(archive, outcome->stop_state);
    ARCHIVE(archive, outcome->restart_limit.interval_usec);
    ARCHIVE(archive, outcome->restart_limit.burst);
    ARCHIVE(archive, outcome->restart_limit.used);
    ARCHIVE(archive, outcome->restart_limit.remaining);
    ARCHIVE(archive, outcome->restart_limit.exhausted);
    ARCHIVE(archive, outcome->restart_limit.updated_usec);
    ARCHIVE(archive, outcome->last_heartbeat_usec);
    ARCHIVE(archive, outcome->heartbeat_stale);
    ARCHIVE(archive, outcome->readiness);
    ARCHIVE(archive, outcome->idempotent);
    ARCHIVE(archive, outcome->failure.phase);
    archive_text(archive, outcome->failure.reason, sizeof(outcome->failure.reason));
    ARCHIVE(archive, outcome->failure.recoverable);
    ARCHIVE_WORD(archive, outcome->reload, RELOAD_INTERRUPTED);
    ARCHIVE(archive, outcome->has_fence);
    archive_fence(archive, &outcome->fence);
}

static void archive_waiter(struct service *service, struct archive *archive, struct waiter *waiter)
{
    archive_call(service, archive, &waiter->call);
    ARCHIVE(archive, waiter->uid);
    ARCHIVE(archive, waiter->deadline_usec);
    ARCHIVE_WORD(archive, waiter->kind, WAIT_REEXECUTION);
    attempt_id_archive(archive, &waiter->child);
    archive_outcome(archive, &waiter->outcome);
    ARCHIVE(archive, waiter->job);
    ARCHIVE_WORD(archive, waiter->scope_kind, WAIT_REEXECUTION);
    archive_count(archive, &waiter->n_scope, CORE_CHILDREN_MAX);
    if (archive->reading)
        waiter->scope =
            archive->failed ? NULL : calloc(waiter->n_scope + 1, sizeof(*waiter->scope));
    if (archive->reading && !waiter->scope)
        archive->failed = true;
    for (size_t i = 0; i < waiter->n_scope && !archive->failed; i++) {
        struct awaited *awaited = &waiter->scope[i];
        attempt_id_archive(archive, &awaited->child);
        archive_outcome(archive, &awaited->outcome);
        ARCHIVE(archive, awaited->over);
    }
}

/* The child that was to go has gone between the two programs: what there is to tell is known. */
static bool is_removal(const struct waiter *waiter)
{
    return waiter->kind == WAIT_STOP && waiter->outcome.operation_after == CHILD_REMOVED;
}

static void answer_removal(struct service *service, struct waiter *waiter)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;

    waiter->outcome.status = CHILD_STOPPED;
    waiter->outcome.stop_state = STOP_COMPLETED;
    if (sd_bus_message_new_method_return(waiter->call, &reply) >= 0 &&
        append_outcome(service, reply, &waiter->outcome) >= 0)
        service_acknowledge(service, reply);
}

/* What it waited for has gone between the two programs. */
static bool has_lost_its_subject(const struct service *service, const struct waiter *waiter)
{
    if (waiter->kind == WAIT_JOB)
        return !core_find_job(service->core, waiter->job);
    return waiter->kind < WAIT_SCOPE && !child_of(service, waiter);
}

void waiters_archive(struct service *service, struct archive *archive)
{
    struct waiter *waiter = service->waiters;
    size_t count = service->n_waiters;

    archive_count(archive, &count, WAITERS_MAX);
    for (size_t i = 0; i < count && !archive->failed; i++) {
        struct waiter *fresh = archive->reading ? calloc(1, sizeof(*fresh)) : waiter;
        if (!fresh)
            return;
        archive_waiter(service, archive, fresh);
        if (!archive->reading) {
            waiter = waiter->next;
        } else if (archive->failed || has_lost_its_subject(service, fresh)) {
            if (!archive->failed && is_removal(fresh))
                answer_removal(service, fresh);
            else if (fresh->call)
                refuse_late(fresh->call, PROCTOR_ERROR "NoSuchChild",
                            "the child was removed while proctord was being replaced");
            waiter_free(fresh);
        } else {
            fresh->next = service->waiters;
            service->waiters = fresh;
            service->n_waiters++;
        }
    }
    if (archive->reading)
        arm(service);
}

void waiters_free(struct service *service)
{
    while (service->waiters)
        take_out(service, &service->waiters);
}
