/*
 * Which sidecars belong to a child: a list in the primary, the last of the tree first. It is kept
 * when declarations change; the rules only walk it.
 */
#include "core/model/sidecar.h"

#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/stop_order.h"
#include "core/private.h"

/* The primary may be waiting for this sidecar, so it is looked at again. */
void sidecar_unbind(struct core *core, struct child *child)
{
    struct child **link;

    if (!child->primary)
        return;
    stop_order_bind(core, child, false);
    core_changed(core, child->primary); /* it may wait for it */
    for (link = &child->primary->first_sidecar; *link != child;)
        link = &(*link)->next_sidecar;
    *link = child->next_sidecar;
    child->primary = child->next_sidecar = NULL;
    child->goes_around = false;
}

/* Also for a child that has stopped being a sidecar, or has changed its
 * primary: it is taken out and put in again. */
void sidecar_bind(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    struct child *primary = declaration->role == ROLE_SIDECAR ? child->config->targets[0] : NULL;
    bool around = declaration_is_around(declaration);

    if (child->primary == primary && (!primary || child->goes_around == around))
        return;
    sidecar_unbind(core, child);
    child->primary = primary;
    if (!primary)
        return;
    struct child **link = &primary->first_sidecar;
    while (*link && child_is_before(child, *link))
        link = &(*link)->next_sidecar;
    child->next_sidecar = *link;
    *link = child;
    child->goes_around = around;
    core_changed(core, primary);
    stop_order_bind(core, child, true);
}
