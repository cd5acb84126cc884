#include "core/rules/fence.h"

#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/model/start_wait.h"
#include "core/private.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"

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
