/*
 * Strategy: who is restarted with a child that failed (Erlang/OTP's supervisor). One-for-one:
 * nobody; one-for-all: all of its supervisor's children; rest-for-one: those declared after it.
 *
 * Siblings go through the same fence as by hand, so that a restart by hand and one by policy never
 * start a child twice. Cancels go out in reverse order of declaration; when the last attempt of the
 * scope is gone and the failed child's backoff is over, all are started in order of declaration.
 * Who is held, or has been given up, is only waited for; a temporary child is stopped and stays so.
 */
#include "private.h"

static bool in_scope(const struct supervisor *supervisor, const struct child *child,
                     const struct child *failed)
{
    if (supervisor->strategy == STRATEGY_ONE_FOR_ALL)
        return true;
    for (; failed; failed = failed->next)
        if (failed == child)
            return true;
    return false;
}

static void meet_pending(struct core *core, struct child *child)
{
    child->pending.duplicates++;
    child->pending.by_resume = false;
    child_insist(core, child);
    EMIT(core, EVENT_CHILD_RESTART_CONFLICT, child, child->pending.cause,
         FIELD_TEXT_OF("decision", fence_decision_to_string(FENCE_ALREADY_PENDING)),
         FIELD_TEXT_OF("command", "policy"),
         FIELD_NUMBER_OF("target_generation", child->pending.target_generation));
}

static bool waits_to_start(const struct child *child)
{
    return child->waiting || (child->timers[TIMER_START].deadline_usec > 0 && !child->gave_up);
}

/* A sibling that is between two attempts starts with the others, not before. */
static void hold_back(struct core *core, struct child *child)
{
    child_disarm(core, child, TIMER_START);
    dependency_withdraw(core, child);
    if (!child->pending.active)
        fence_ready(core, child, 0, "policy");
}

static void bring_in(struct core *core, struct child *child)
{
    bool stays =
        child->operation != CHILD_ACTIVE || child->config->declaration.restart == RESTART_TEMPORARY;

    if (!child->attempt.active && (stays || !waits_to_start(child)))
        return;
    child->group = child->supervisor;
    core_changed(core, child);
    /* A target that is on its way already: it is the old one now. */
    if (child->attempt.active && child->fence_phase == FENCE_READY_TO_START)
        fence_withdraw(core, child, 0, "policy");
    if (stays)
        child_cancel(core, child, 0, "policy");
    else if (child->pending.active)
        meet_pending(core, child);
    else if (child->attempt.active)
        fence_enter(core, child, 0, false, "policy");
    if (!child->attempt.active)
        hold_back(core, child);
}

/* The failed child's next start has been scheduled. Returns true where it waits for others now. */
bool strategy_restart(struct core *core, struct child *failed)
{
    struct supervisor *supervisor = failed->supervisor;
    bool others = false;

    if (supervisor->strategy == STRATEGY_ONE_FOR_ONE)
        return false;
    for (struct child *child = supervisor->last; child; child = child->previous) {
        if (child == failed || !in_scope(supervisor, child, failed))
            continue;
        bring_in(core, child);
        others = others || child->group;
    }
    if (!others)
        return false;
    supervisor->restarting = true;
    failed->group = supervisor;
    fence_ready(core, failed, 0, "policy");
    return true;
}

static bool all_are_down(const struct supervisor *supervisor)
{
    for (const struct child *child = supervisor->first; child; child = child->next)
        if (child->group == supervisor &&
            (child->attempt.active || child->timers[TIMER_START].deadline_usec > 0))
            return false;
    return true;
}

/* The end of each input: where the last of a scope is gone, its members are started. */
void strategy_look(struct core *core)
{
    struct supervisor *supervisor = &core->root;

    if (!supervisor->restarting || !all_are_down(supervisor))
        return;
    supervisor->restarting = false;
    for (struct child *child = supervisor->first; child; child = child->next) {
        if (child->group != supervisor)
            continue;
        child->group = NULL;
        if (child->pending.active)
            dependency_request_start(core, child, child->pending.cause, child->pending.cause == 0);
    }
}

/* A shutdown voids it. */
void strategy_forget(struct core *core)
{
    core->root.restarting = false;
    for (struct child *child = core->root.first; child; child = child->next)
        child->group = NULL;
}

void core_set_strategy(struct core *core, enum strategy strategy)
{
    core->root.strategy = strategy;
}

enum strategy core_strategy(const struct core *core)
{
    return core->root.strategy;
}
