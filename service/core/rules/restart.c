/*
 * Automatic restarts: drawing the delay, arming it, giving up. Two delays exist
 * side by side, the child's backoff and the budget of its group; the longer one
 * applies, and both are in the event, so that an operator sees which of them it
 * is.
 */
#include "core/rules/restart.h"

#include "core/model/backoff.h"
#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/model/restart_limit.h"
#include "core/model/start_wait.h"
#include "core/private.h"
#include "core/rules/start.h"
#include "core/vocabulary/event.h"

uint64_t restart_draw_backoff(struct core *core, struct child *child)
{
    uint64_t delay = backoff_delay(&child->config->declaration.backoff, ++child->backoff_n,
                                   child->backoff_previous_usec, &core->random);
    child->backoff_previous_usec = delay;
    return delay;
}

void restart_tell_limit(struct core *core, struct child *child, const char *why)
{
    struct restart_limit_view view = restart_limit_view(&child->restart_limit);

    EMIT(core, EVENT_CHILD_RESTART_LIMIT_UPDATED, child, 0, FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("used", view.used), FIELD_NUMBER_OF("remaining", view.remaining),
         FIELD_NUMBER_OF("burst", view.burst), FIELD_FLAG_OF("exhausted", view.exhausted));
    core_changed(core, child);
}

static uint64_t longer(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The cause is none: a restart by policy is not a command's, even if a
 * command's effect has led to the exit. */
void restart_schedule(struct core *core, struct child *child, uint64_t delay_usec,
                      uint64_t wait_usec, const char *why)
{
    child->automatic_start = true;
    child->start_cause = 0;
    child->by_budget = wait_usec > delay_usec;
    start_schedule(core, child, core_after(core, longer(delay_usec, wait_usec)));
    if (wait_usec > 0)
        EMIT(core, EVENT_BUDGET_EXHAUSTED, child, 0,
             FIELD_TEXT_OF("group", child->group->declaration.name),
             FIELD_TEXT_OF("supervisor", child->member.supervisor->path),
             FIELD_NUMBER_OF("wait_usec", wait_usec));
    EMIT(core, EVENT_CHILD_BACKOFF_SCHEDULED, child, 0, FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("delay_usec", longer(delay_usec, wait_usec)),
         FIELD_NUMBER_OF("drawn_usec", delay_usec), FIELD_NUMBER_OF("n", child->backoff_n));
    core_changed(core, child);
}

void restart_quarantine(struct core *core, struct child *child, const char *why)
{
    child_set_operation(core, child, CHILD_QUARANTINED, 0, "policy", why, "policy");
    EMIT(core, EVENT_CHILD_QUARANTINED, child, 0, FIELD_TEXT_OF("why", why));
}

void restart_back_off(struct core *core, struct child *child)
{
    restart_schedule(core, child, restart_draw_backoff(core, child), 0, "backoff");
}

void restart_after_backoff(struct core *core, struct child *child, bool with_others)
{
    if (child->timers[TIMER_START].deadline_usec > core_now(core))
        return;
    start_withdraw(core, child);
    if (with_others)
        start_with_others(core, child);
    else
        start_request(core, child, 0, true);
}
