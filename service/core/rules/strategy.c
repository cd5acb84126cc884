/*
 * How it is done: the members from the first to the last that the strategy
 * names are brought into one scope, in the reverse order of the tree; each is
 * stopped through the fence and waits; when the last of them is down, all start
 * in the order of the tree. The scope is kept in the supervisor or the group
 * whose strategy it is, so it needs no memory of its own.
 */
#include "core/rules/strategy.h"

#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/scope.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/tally.h"
#include "core/private.h"
#include "core/rules/fence.h"
#include "core/rules/start.h"
#include "core/rules/stop.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/vocabulary.h"

/* ---- which children belong to it ------------------------------------------------------------- */

/* A failure: of this member, under this supervisor; in one of its groups where it is a child. */
struct failure_place {
    struct supervisor *at;
    struct member *failed;
    struct group *group;
};

static struct member *first_of(const struct failure_place *place, enum strategy strategy)
{
    return strategy == STRATEGY_ONE_FOR_ALL ? &place->at->member : place->failed;
}

static struct member *last_of(const struct failure_place *place, enum strategy strategy)
{
    struct supervisor *failed = member_supervisor(place->failed);

    if (strategy != STRATEGY_ONE_FOR_ONE)
        return place->at->tail;
    return failed ? failed->tail : place->failed;
}

static bool in_scope(const struct failure_place *place, const struct child *child)
{
    struct group *group = child->member.supervisor == place->at ? child->group : NULL;
    return group == place->group && !child->job; /* jobs have no siblings */
}

/* ---- bringing them in ------------------------------------------------------------------------ */

/* The member is already being restarted: that restart is used, and its deadline
 * now kills. */
static void meet_pending(struct core *core, struct child *child)
{
    child->pending.duplicates++;
    child->pending.by_resume = false;
    child_insist(core, child, 0, TIMEOUT_KILL);
    EMIT(core, EVENT_CHILD_RESTART_CONFLICT, child, 0,
         FIELD_TEXT_OF("decision", fence_decision_to_string(FENCE_ALREADY_PENDING)),
         FIELD_TEXT_OF("command", "policy"),
         FIELD_NUMBER_OF("target_generation", child->pending.target_generation));
}

static bool waits_to_start(const struct child *child)
{
    return child->start == START_BACKOFF ? !child->gave_up
                                         : child->start != START_WAITS_FOR_NOTHING;
}

void strategy_hold_back(struct core *core, struct child *child)
{
    start_withdraw(core, child);
    if (child->pending.active)
        start_with_others(core, child);
}

/* One member more. One that is down and is to stay down needs nothing; one that
 * is between two attempts waits with the others instead of starting in the
 * middle of it. */
static void bring_in(struct core *core, struct child *child, struct scope *scope)
{
    bool stays =
        child->operation != CHILD_ACTIVE || child->config->declaration.restart == RESTART_TEMPORARY;

    if (!child->attempt.active && (stays || child->scope == scope || !waits_to_start(child)))
        return;
    child_set_scope(core, child, scope);
    core_changed(core, child);
    /* A target that is on its way already: it is the old one now. */
    if (child->attempt.active && child->fence_phase == FENCE_READY_TO_START)
        fence_withdraw(core, child, 0, "policy");
    if (stays)
        stop_order_go(core, child, 0, "policy");
    else if (child->pending.active)
        meet_pending(core, child);
    else if (child->attempt.active)
        fence_enter(core, child, 0, false, "policy");
    if (child->attempt.active)
        return;
    strategy_hold_back(core, child);
    if (!child->pending.active)
        fence_ready(core, child, 0, "policy");
}

/* The scope that the restart belongs to: a wider one that is on its way takes it in. */
static struct scope *scope_of(const struct failure_place *place, struct member *first,
                              struct member *last)
{
    struct scope *scope = place->group ? &place->group->scope : &place->at->scope;

    for (struct member *member = first; member != last->next; member = member->next) {
        const struct child *child = member_child(member);
        if (child && child->scope && in_scope(place, child) && scope_is_wider(child->scope, scope))
            scope = child->scope;
    }
    return scope;
}

static void name_stops(struct core *core, const struct failure_place *place, struct member *first,
                       struct member *last)
{
    for (struct member *member = first; member != last->next; member = member->next) {
        struct child *child = member_child(member);
        if (child && in_scope(place, child))
            stop_order_name(core, child);
    }
}

/* Whether any other member is concerned decides whether the failed child waits
 * at all: alone, it is a restart like any other. */
static bool restart(struct core *core, const struct failure_place *place, enum strategy strategy,
                    struct child *failed)
{
    struct member *first = first_of(place, strategy), *last = last_of(place, strategy);
    struct scope *scope = scope_of(place, first, last);
    bool others = false;

    name_stops(core, place, first, last);
    for (struct member *member = last; member != first->previous; member = member->previous) {
        struct child *child = member_child(member);
        if (!child || child == failed || !in_scope(place, child))
            continue;
        bring_in(core, child, scope);
        others = others || child->scope;
    }
    stop_order_settle(core);
    if (!others)
        return false;
    scope_begin(core, scope);
    if (failed) {
        child_set_scope(core, failed, scope);
        fence_ready(core, failed, 0, "policy");
    }
    return true;
}

/* Of a group if the child is in one, else of its supervisor. */
bool strategy_restart(struct core *core, struct child *failed)
{
    struct group *group = failed->group;
    struct failure_place place = {
        .at = failed->member.supervisor, .failed = &failed->member, .group = group};
    enum strategy strategy = group ? group->declaration.strategy : supervisor_strategy(place.at);

    if (strategy == STRATEGY_ONE_FOR_ONE || failed->config->declaration.role == ROLE_SIDECAR)
        return false; /* a sidecar's failure concerns no other child */
    return restart(core, &place, strategy, failed);
}

bool strategy_restart_supervisor(struct core *core, struct supervisor *supervisor,
                                 struct child *failed)
{
    struct failure_place place = {.at = supervisor->member.supervisor,
                                  .failed = &supervisor->member};

    return restart(core, &place, supervisor_strategy(place.at), failed);
}

/* ---- starting them together ------------------------------------------------------------------ */

/* A start that is scheduled counts as not down: the backoff of the failed child
 * is part of the wait. */
static bool all_are_down(const struct scope *scope)
{
    const struct supervisor *supervisor = scope->supervisor;

    for (const struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child))
        if (child->scope == scope &&
            (child->attempt.active || child->timers[TIMER_START].deadline_usec > 0))
            return false;
    return true;
}

/* The scope is ended first: a start that fails at once may begin the next
 * one. */
static void start_together(struct core *core, struct scope *scope)
{
    struct supervisor *supervisor = scope->supervisor;

    scope_end(core, scope);
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child)) {
        if (child->scope != scope)
            continue;
        child_set_scope(core, child, NULL);
        if (child->pending.active)
            start_request(core, child, child->pending.cause, child->pending.cause == 0);
    }
}

void strategy_look(struct core *core)
{
    for (struct scope *scope = core->restarting, *next; scope; scope = next) {
        next = scope->next;
        if (all_are_down(scope))
            start_together(core, scope);
    }
}

void strategy_forget(struct core *core)
{
    while (core->restarting)
        scope_end(core, core->restarting);
    for (struct child *child = core_first(core); child; child = core_next(child))
        child_set_scope(core, child, NULL);
}
