/*
 * Everything that writes the state of a child goes through these functions:
 * each transition has one setter, which checks it against a table, changes what
 * is derived from it, and emits its event. Nothing else in the core assigns
 * these fields.
 */
#include "core/model/child_change.h"

#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/seldom.h"
#include "core/model/tally.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

struct child *child_of_timer(struct timer *timer)
{
    struct timer *first = timer - timer->kind;
    return (struct child *)(void *)((char *)first - offsetof(struct child, timers));
}

/* The table of the status. Starting to stopped is a start that failed. */
static bool status_may_follow(enum child_status from, enum child_status to)
{
    switch (from) {
    case CHILD_STATUS_NONE:
    case CHILD_STOPPED:
        return to == CHILD_STARTING;
    case CHILD_STARTING:
        return to == CHILD_RUNNING || to == CHILD_CANCELLING || to == CHILD_STOPPED;
    case CHILD_RUNNING:
        return to == CHILD_READY || to == CHILD_CANCELLING || to == CHILD_STOPPED;
    case CHILD_READY:
        return to == CHILD_RUNNING || to == CHILD_CANCELLING || to == CHILD_STOPPED;
    case CHILD_CANCELLING:
        return to == CHILD_STOPPED;
    }
    __builtin_unreachable();
}

void child_set_status(struct core *core, struct child *child, enum child_status status)
{
    if (child->attempt.status == status)
        return;
    INVARIANT(status_may_follow(child->attempt.status, status));
    child->attempt.status = status;
    core_changed(core, child);
}

void child_deadline_moves(struct core *core, struct child *child, enum child_timer timer,
                          uint64_t deadline)
{
    if ((timer == TIMER_START || timer == TIMER_STOP) &&
        child->timers[timer].deadline_usec != deadline)
        core_changed(core, child);
}

void child_arm(struct core *core, struct child *child, enum child_timer timer, uint64_t deadline)
{
    if (core->muted)
        return;
    child_deadline_moves(core, child, timer, deadline);
    child->timers[timer].kind = (uint8_t)timer;
    timer_set(&core->timers, &child->timers[timer], deadline);
}

void child_arm_timeout(struct core *core, struct child *child, enum child_timer timer,
                       uint64_t timeout_usec)
{
    if (timeout_usec > 0)
        child_arm(core, child, timer, core_after(core, timeout_usec));
    else
        child_disarm(core, child, timer);
}

void child_disarm(struct core *core, struct child *child, enum child_timer timer)
{
    if (core->muted)
        return;
    child_deadline_moves(core, child, timer, 0);
    timer_clear(&core->timers, &child->timers[timer]);
}

void child_begin_anew(struct child *child)
{
    child->gave_up = false;
    child->on_trial = false;
    child->backoff_n = 0;
    child->backoff_previous_usec = 0;
}

void child_forget_failure(struct child *child)
{
    seldom_put(child->failure, &(struct failure){}, sizeof(*child->failure));
}

void child_fail(struct core *core, struct child *child, enum failure_phase phase, bool recoverable,
                const char *reason)
{
    child->failure->phase = phase;
    child->failure->recoverable = recoverable;
    text_copy(child->failure->reason, sizeof(child->failure->reason), reason);
    core_changed(core, child);
}

/* Who, when, why and by which command, in one place, so that no hold exists
 * without them. */
void child_set_operation(struct core *core, struct child *child, enum child_operation operation,
                         uint64_t cause, const char *by, const char *reason, const char *command)
{
    if (child->operation == operation)
        return;

    enum child_operation before = child->operation;
    child_put_operation(core, child, operation);
    child->operation_usec = core_realtime(core);
    child->operation_cause = cause;
    text_copy(child->words->by, sizeof(child->words->by), by);
    text_copy(child->words->reason, sizeof(child->words->reason), reason);
    EMIT(core, EVENT_CHILD_OPERATION_CHANGED, child, cause,
         FIELD_TEXT_OF("from", child_operation_to_string(before)),
         FIELD_TEXT_OF("to", child_operation_to_string(operation)),
         FIELD_TEXT_OF("command", command), FIELD_TEXT_OF("by", by),
         FIELD_TEXT_OF("reason", reason));
    core_changed(core, child);
}

/* Of the signal that was sent last. */
uint64_t child_stop_time(const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    uint32_t step = child->attempt.stop_step;

    /* A declaration that came in the middle of a stop may have fewer. */
    if (step > declaration->n_further_stops)
        step = declaration->n_further_stops;
    return step > 0 ? declaration->further_stops[step - 1].usec : declaration->stop_timeout_usec;
}

/* The table of the fence. A shutdown closes it from every phase; only a tree
 * that is started again opens it. */
static bool phase_may_follow(enum fence_phase from, enum fence_phase to)
{
    switch (from) {
    case FENCE_OPEN:
        return to == FENCE_WAITING_FOR_OLD_STOP || to == FENCE_READY_TO_START || to == FENCE_CLOSED;
    case FENCE_WAITING_FOR_OLD_STOP:
        return to == FENCE_ABORTING_OLD || to == FENCE_READY_TO_START || to == FENCE_OPEN ||
               to == FENCE_CLOSED;
    case FENCE_ABORTING_OLD:
        return to == FENCE_READY_TO_START || to == FENCE_OPEN || to == FENCE_CLOSED;
    case FENCE_READY_TO_START:
        return to == FENCE_OPEN || to == FENCE_CLOSED;
    case FENCE_CLOSED:
        return to == FENCE_OPEN; /* the tree is begun again */
    }
    __builtin_unreachable();
}

void fence_set_phase(struct child *child, enum fence_phase phase)
{
    if (child->fence_phase == phase)
        return;
    INVARIANT(phase_may_follow(child->fence_phase, phase));
    child->fence_phase = phase;
}
