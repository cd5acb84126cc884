/*
 * A start that waits for a resource of proctord's own (descriptors, memory,
 * processes). That is not the child's fault, so its clocks stand still: neither
 * the start timeout nor a heartbeat can end an attempt that has not been able
 * to begin.
 */
#include "core/rules/delay.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/rules/liveness.h"
#include "core/vocabulary/event.h"

/* Reported once per attempt, however often the start is retried. */
void delay_begin(struct core *core, struct child *child, const char *reason)
{
    if (child->attempt.delayed)
        return;
    child->attempt.delayed = true;
    child_disarm(core, child, TIMER_START_TIMEOUT);
    child_disarm(core, child, TIMER_HEARTBEAT);
    EMIT(core, EVENT_CHILD_START_DELAYED, child, child->start_cause,
         FIELD_TEXT_OF("reason", reason));
    core_changed(core, child);
}

/* The whole timeout begins now. An attempt that was asked to stop meanwhile
 * keeps the deadline of that stop. */
void delay_end(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    if (!child->attempt.delayed)
        return;
    child->attempt.delayed = false;
    core_changed(core, child);
    if (child->attempt.cancel_delivered || child->attempt.abort_requested)
        return;
    child_arm_timeout(core, child, TIMER_START_TIMEOUT, declaration->start_timeout_usec);
    liveness_expect_first(core, child);
}
