/*
 * A scope is a set of members that are restarted together: stopped, waited for,
 * and started. Each belongs to a supervisor or a group and is listed while it
 * is active.
 */
#include "core/model/scope.h"

#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/supervisor.h"
#include "core/private.h"

/* At the end of the list: scopes are looked at in the order in which they
 * began. */
void scope_begin(struct core *core, struct scope *scope)
{
    struct scope **last = &core->restarting;

    if (scope->restarting)
        return;
    scope->restarting = true;
    scope->next = NULL;
    while (*last)
        last = &(*last)->next;
    *last = scope;
    core_changed_supervisor(core, scope->supervisor);
}

/* Ended when its members start, when it is voided by a shutdown, or when what
 * it belongs to goes. */
void scope_end(struct core *core, struct scope *scope)
{
    struct scope **link = &core->restarting;

    if (!scope->restarting)
        return;
    while (*link != scope)
        link = &(*link)->next;
    *link = scope->next;
    scope->restarting = false;
    core_changed_supervisor(core, scope->supervisor);
}

bool scope_is_wider(const struct scope *scope, const struct scope *other)
{
    return scope->supervisor != other->supervisor &&
           supervisor_is_above(scope->supervisor, other->supervisor);
}
