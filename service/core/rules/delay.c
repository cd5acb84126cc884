#include "core/rules/delay.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/rules/liveness.h"
#include "core/vocabulary/event.h"

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
