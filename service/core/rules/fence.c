/*
 * The fence: between the end of one attempt and the start of the next. While it
 * is not open, no path of the core can start the child, so that two processes
 * of one child never run side by side. The phases are moved by one setter that
 * knows which may follow which.
 */
#include "core/rules/fence.h"

#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/model/start_wait.h"
#include "core/private.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"

/* A restart whose old attempt is already gone: it waits only for the others
 * that are restarted with it. */
void fence_ready(struct core *core, struct child *child, uint64_t cause, const char *command)
{
    INVARIANT(!child->attempt.active && !child->pending.active);

    child->pending = (struct pending_restart){
        .active = true,
        .old_generation = child->generation,
        .old_attempt = child->attempt.number,
        .target_generation = child_next_generation(child),
        .cause = cause,
    };
    child->wanted = true;
    fence_set_phase(child, FENCE_READY_TO_START);
    start_with_others(core, child);
    core->plan |= PLAN_START;
    EMIT(core, EVENT_CHILD_RESTART_FENCE_ENTERED, child, cause, FIELD_TEXT_OF("command", command),
         FIELD_NUMBER_OF("target_generation", child->pending.target_generation));
    core_changed(core, child);
}

/* A hold, a removal or a shutdown voids the restart that was waiting. Its
 * callers learn it from the event, and from the outcome of their call. */
void fence_withdraw(struct core *core, struct child *child, uint64_t cause, const char *command)
{
    if (!child->pending.active)
        return;

    uint64_t target = child->pending.target_generation;
    child->pending = (struct pending_restart){};
    if (child->fence_phase != FENCE_CLOSED)
        fence_set_phase(child, FENCE_OPEN);
    EMIT(core, EVENT_CHILD_RESTART_CONFLICT, child, cause, FIELD_TEXT_OF("decision", "withdrawn"),
         FIELD_TEXT_OF("command", command), FIELD_NUMBER_OF("target_generation", target));
    core_changed(core, child);
}
