/*
 * The order in which several children stop: one that others depend on keeps
 * running until those of them that are stopping are gone. Each child counts how
 * many hold it up; the counts are kept as children begin and end to stop, so no
 * walk over the tree is needed when one of them goes.
 */
#include "core/model/stop_order.h"

#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"

static size_t dependencies(const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    return declaration->n_requires + declaration->n_after;
}

/* A sidecar goes around its primary, or with it: it never holds it up. */
static size_t first_dependency(const struct child *child)
{
    return child->config->declaration.role == ROLE_SIDECAR ? 1 : 0;
}

/* ---- which child holds up which -------------------------------------------------------------- */

/* A stop whose deadline has passed, and that only reports, no longer holds
 * anything up: it may never end. */
static bool is_on_its_way_out(const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    if (!attempt->active)
        return false;
    if (child->stop_named || child->stop_waits)
        return true;
    if (!attempt->cancel_delivered && !attempt->abort_requested)
        return false;
    return child->stop_state != STOP_FAILED || child->timers[TIMER_STOP].deadline_usec > 0;
}

/* Those whose turn has come go in the reverse order of the tree. */
static void release(struct core *core, struct child *child)
{
    struct child **link = &core->released_stops;

    if (!child->stop_waits || child->stop_released)
        return;
    while (*link && child_is_before(child, *link))
        link = &(*link)->stop_next;
    child->stop_released = true;
    child->stop_next = *link;
    *link = child;
}

static void hold_up(struct core *core, struct child *target, bool holds)
{
    if (!target)
        return;
    INVARIANT(holds || target->held_up > 0);
    target->held_up += holds ? 1 : UINT32_MAX;
    if (target->held_up == 0)
        release(core, target);
}

/* Called after anything that may have changed the answer above; the counts of
 * those that it depends on follow. */
void stop_order_update(struct core *core, struct child *child)
{
    bool holds = is_on_its_way_out(child);

    if (core->muted || holds == child->holds_up)
        return;
    child->holds_up = holds;
    for (size_t i = dependencies(child); i-- > first_dependency(child);)
        hold_up(core, child->config->targets[i], holds);
    for (struct child *sidecar = child->first_sidecar; sidecar; sidecar = sidecar->next_sidecar)
        if (sidecar->goes_around)
            hold_up(core, sidecar, holds);
}

void stop_order_bind(struct core *core, struct child *sidecar, bool bound)
{
    if (sidecar->goes_around && sidecar->primary->holds_up)
        hold_up(core, sidecar, bound);
}

void stop_order_repoint(struct core *core, struct child *child, struct child *before,
                        struct child *after, size_t number)
{
    if (!child->holds_up || before == after || number < first_dependency(child))
        return;
    hold_up(core, before, false);
    hold_up(core, after, true);
}

void stop_order_restore(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child))
        stop_order_update(core, child);
    for (struct child *child = core_first(core); child; child = core_next(child))
        if (child->held_up == 0)
            release(core, child);
}

/* For the sentence that explains a child: one that it waits for, by name. */
struct child *stop_order_holder(const struct core *core, const struct child *child)
{
    if (child->goes_around && child->primary->holds_up)
        return child->primary;
    for (struct child *holder = core_first(core); holder; holder = core_next(holder))
        for (size_t i = first_dependency(holder); holder->holds_up && i < dependencies(holder); i++)
            if (holder->config->targets[i] == child)
                return holder;
    return NULL;
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

void stop_order_set_named(struct core *core, struct child *child, bool named)
{
    if (child->stop_named == named)
        return;
    child->stop_named = named;
    if (!core->muted)
        core->stops_named += named ? 1 : UINT32_MAX;
    stop_order_update(core, child);
}

void stop_order_set_waits(struct core *core, struct child *child, bool waits)
{
    if (child->stop_waits == waits)
        return;
    child->stop_waits = waits;
    stop_order_update(core, child);
    core_changed(core, child);
}

void stop_order_name(struct core *core, struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    if (attempt->active && !attempt->cancel_delivered && !attempt->abort_requested)
        stop_order_set_named(core, child, true);
}

void stop_order_withdraw(struct core *core, struct child *child)
{
    stop_order_set_named(core, child, false);
    stop_order_set_waits(core, child, false);
}

void stop_order_for_hold(struct child *child)
{
    static const enum stop_by by[] = {[CHILD_PAUSED] = STOP_BY_PAUSE,
                                      [CHILD_QUARANTINED] = STOP_BY_QUARANTINE,
                                      [CHILD_REMOVED] = STOP_BY_REMOVE};

    INVARIANT(child->operation != CHILD_ACTIVE);
    if (!child->stop_waits || child->stop_by != STOP_BY_SHUTDOWN)
        return;
    child->stop_by = by[child->operation];
    child->stop_cause = child->operation_cause;
}

void stop_order_settle(struct core *core)
{
    for (struct child *child = core->stops_named > 0 ? core_first(core) : NULL; child;
         child = core_next(child))
        stop_order_set_named(core, child, false);
}
