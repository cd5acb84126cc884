/*
 * What proctord has promised by an answer must hold, even if it dies right
 * afterwards: a hold that was acknowledged, numbers that only rise.
 */
#include "whole/promise.h"

#include "machine/runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_NSEC UINT64_C(120000000000) /* longer than any stop of a story takes */

/* NULL: there are more children than promises. */
static struct promise *promise_of(struct promises *promises, const char *child)
{
    for (size_t i = 0; i < PROMISES; i++) {
        struct promise *promise = &promises->list[i];
        if (!promise->child[0])
            snprintf(promise->child, sizeof(promise->child), "%s", child);
        if (strcmp(promise->child, child) == 0)
            return promise;
    }
    return NULL;
}

static bool lifts(const char *member)
{
    return strcmp(member, "ResumeChild") == 0 || strcmp(member, "RemoveChild") == 0;
}

static bool holds(const char *member)
{
    return strcmp(member, "PauseChild") == 0 || strcmp(member, "QuarantineChild") == 0;
}

void promises_commanded(void *userdata, const char *member, const char *child)
{
    struct promises *promises = userdata;
    struct promise *promise = promise_of(promises, child);

    if (!promise || !lifts(member))
        return;
    promise->lifts++;
    promise->lifted_nsec = promises->machine->now_nsec;
    promise->held_nsec = 0;
}

/* A hold is promised from its answer on, unless it was lifted meanwhile. */
void promises_answered(void *userdata, const struct peer_call *call,
                       const struct bus_message *answer)
{
    struct promises *promises = userdata;
    struct promise *promise = promise_of(promises, call->child);
    uint64_t now = promises->machine->now_nsec;

    if (!promise)
        return;
    if (lifts(call->member)) {
        promise->lifts--;
        promise->lift_answered_nsec = now;
    }
    if (!holds(call->member) || answer->type != MESSAGE_RETURN || call->is_question ||
        promise->lifts > 0 || promise->lifted_nsec >= call->asked_nsec ||
        promise->lift_answered_nsec >= call->asked_nsec)
        return;
    promises->made++;
    promise->held_nsec = promise->held_nsec > 0 ? promise->held_nsec : now;
}

/* ---- what must be so ------------------------------------------------------------------------- */

static uint64_t number_of(const struct task *task, const char *name)
{
    const char *text = habit_variable(task, name);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* Read from the environment of the process: that is what the program itself
 * could rely on. */
static void check_numbers(struct promises *promises, struct promise *promise,
                          const struct task *task)
{
    uint64_t generation = number_of(task, "PROCTOR_GENERATION");
    uint64_t attempt = number_of(task, "PROCTOR_ATTEMPT");
    uint64_t fence = number_of(task, "PROCTOR_FENCE");

    if (!promises->disk_failed &&
        (generation < promise->generation ||
         (generation == promise->generation && attempt <= promise->attempt)))
        machine_fail(promises->machine,
                     "%s starts with generation %" PRIu64 ", attempt %" PRIu64
                     " after generation %" PRIu64 ", attempt %" PRIu64,
                     promise->child, generation, attempt, promise->generation, promise->attempt);
    else if (fence <= promise->fence && !(promises->clock_went_back && promises->power_was_lost))
        machine_fail(promises->machine, "%s gets the fencing token %" PRIu64 " after %" PRIu64,
                     promise->child, fence, promise->fence);
    promise->generation = generation;
    promise->attempt = attempt;
    promise->fence = fence;
}

/* A process of a child begins. */
void promises_start(struct promises *promises, const struct task *task, const char *child)
{
    struct promise *promise = promise_of(promises, child);

    if (!promise)
        return;
    if (promise->held_nsec > 0)
        machine_fail(promises->machine,
                     "%s starts under a hold that was acknowledged %" PRIu64 " ms before", child,
                     (promises->machine->now_nsec - promise->held_nsec) / 1000000);
    check_numbers(promises, promise, task);
}

/* At rest, nothing that is held may still run. */
void promises_check_rest(const struct promises *promises)
{
    uint64_t now = promises->machine->now_nsec;

    for (const struct habit *habit = promises->habits->list; habit; habit = habit->next)
        for (size_t i = 0; i < PROMISES; i++) {
            const struct promise *promise = &promises->list[i];
            if (!habit->is_over && habit->is_main && promise->held_nsec > 0 &&
                now - promise->held_nsec > STOP_NSEC &&
                strcmp(promise->child, habit->actor->child) == 0)
                machine_fail(promises->machine, "%s runs on under a hold", promise->child);
        }
}

/* Starts are acknowledged to nobody: their numbers may come again. Fencing tokens do not, unless
 * both are lost that they are made of: the last one, and the time. */
void promises_lose_power(struct promises *promises)
{
    promises->power_was_lost = true;
    for (size_t i = 0; i < PROMISES; i++) {
        promises->list[i].generation = promises->list[i].attempt = 0;
        if (!promises->lasting)
            promises->list[i].held_nsec = 0;
    }
}
