/*
 * Waiters, from one program to the next.
 */
#include "core/model/input_archive.h"
#include "core/vocabulary/invariant.h"
#include "bus/private.h"
#include "bus/encode.h"
#include "bus/history.h"
#include "bus/wait.h"
#include "bus/waiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The waiting callers, and what they are to be answered, are handed over to the next program. */
_Static_assert(WAIT_GONE == 8 && WAIT_REEXECUTION == 7 && FENCE_REJECTED == 4 && RELOAD_FAILED == 6,
               "the numbers stand in handovers: count HANDOVER_VERSION on");

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

/* The fence of an outcome. */
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

/* All of it: if the child is over, it is not reported again. */
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
    ARCHIVE_WORD(archive, outcome->reload, RELOAD_FAILED);
    ARCHIVE(archive, outcome->has_fence);
    archive_fence(archive, &outcome->fence);
}

/* A waiter with its call. */
static void archive_waiter(struct service *service, struct archive *archive, struct waiter *waiter)
{
    archive_call(service, archive, &waiter->call);
    ARCHIVE(archive, waiter->uid);
    ARCHIVE(archive, waiter->deadline_usec);
    ARCHIVE_WORD(archive, waiter->kind, WAIT_GONE);
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
    return waiter_is_about_one(waiter) && !waiter_child(service, waiter);
}

/* What it asked for stood in its message, which stays with the old program. */
static void refuse_lost(struct waiter *waiter)
{
    if (waiter->kind == WAIT_GONE)
        refuse_late(waiter->call, PROCTOR_ERROR "ChildExists",
                    "the child of this name is being removed, and proctord was being replaced: "
                    "nothing was added, ask again");
    else
        refuse_late(waiter->call, PROCTOR_ERROR "NoSuchChild",
                    "the child was removed while proctord was being replaced");
}

/* One whose subject has gone while the program was replaced is answered now. */
void waiters_archive(struct service *service, struct archive *archive)
{
    struct waiter *waiter = service->waiters;
    size_t count = service->n_waiters;

    INVARIANT(archive_is_sound(archive));
    archive_count(archive, &count, WAITERS_MAX);
    for (size_t i = 0; i < count && !archive->failed; i++) {
        struct waiter *fresh = archive->reading ? calloc(1, sizeof(*fresh)) : waiter;
        if (!fresh)
            return;
        archive_waiter(service, archive, fresh);
        if (!archive->reading) {
            waiter = waiter->next;
        } else if (archive->failed || fresh->kind == WAIT_GONE ||
                   has_lost_its_subject(service, fresh)) {
            if (!archive->failed && is_removal(fresh))
                answer_removal(service, fresh);
            else if (fresh->call)
                refuse_lost(fresh);
            waiter_free(fresh);
        } else {
            fresh->next = service->waiters;
            service->waiters = fresh;
            service->n_waiters++;
        }
    }
    if (archive->reading)
        waiters_arm(service);
}
