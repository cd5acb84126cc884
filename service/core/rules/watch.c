/*
 * The end of watching an attempt: its heartbeat, its checks and its timeouts.
 * Both the rules of a stop and those of liveness need it, so it stands below
 * the two of them instead of in either.
 */
#include "core/rules/watch.h"

#include "core/model/child_change.h"
#include "core/private.h"
#include "core/rules/reload.h"

void health_ask_no_more(struct core *core, struct child *child)
{
    child->attempt.check_open = false;
    if (!core->muted && core->ports.check_end)
        core->ports.check_end(core->ports.userdata, child, child_attempt_id(child));
}

void health_end(struct core *core, struct child *child)
{
    child_disarm(core, child, TIMER_HEALTH);
    if (child->attempt.check_open)
        health_ask_no_more(core, child);
}

void health_withdraw(struct core *core, struct child *child)
{
    if (child->attempt.check_open)
        health_ask_no_more(core, child);
}

void liveness_stop_watching(struct core *core, struct child *child)
{
    child_disarm(core, child, TIMER_START_TIMEOUT);
    child_disarm(core, child, TIMER_HEARTBEAT);
    child_disarm(core, child, TIMER_RUN);
    reload_interrupt(core, child);
    health_end(core, child);
}

void liveness_end(struct core *core, struct child *child)
{
    child->readiness = READINESS_UNREPORTED;
    child->heartbeat_stale = false;
    liveness_stop_watching(core, child);
}
