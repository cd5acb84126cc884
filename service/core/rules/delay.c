/*
 * Delay: what proctord lacks itself for a start (descriptors, memory, processes) is not the child's
 * failure. The start waits as long as it takes, which is told once, and none of the deadlines that
 * bound it runs; when it goes on, or is heard of, it has all of its time again.
 */
#include "core/private.h"

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
