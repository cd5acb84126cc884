#include "core/model/scope.h"

#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/supervisor.h"
#include "core/private.h"

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
