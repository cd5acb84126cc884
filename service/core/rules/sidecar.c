/*
 * Sidecars: a helper that is bound to one child, its primary, which is the first that it requires.
 * One that goes around its primary (`order: around`) is started before it, so that the primary
 * finds it ready, and is asked to go when the primary is gone, so that the primary can drain
 * through it. One that goes with it (`order: with`) is started when the primary is ready and asked
 * to go at the same moment. Either waits behind its own fence until the primary comes again: so a
 * restart of the primary restarts it, and a hold of the primary stops it. What becomes of a sidecar
 * is nothing to its primary. The idea: native sidecars of Kubernetes.
 */
#include "core/private.h"
#include "core/rules/stop_order.h"

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

/* Its dependencies have been found anew. The last one declared is the first to be stopped. */
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
    while (*link && (*link)->serial > child->serial)
        link = &(*link)->next_sidecar;
    child->next_sidecar = *link;
    *link = child;
    child->goes_around = around;
    core_changed(core, primary);
    stop_order_bind(core, child, true);
}

static bool goes_along(const struct child *sidecar)
{
    return sidecar->attempt.active && !sidecar->attempt.cancel_delivered &&
           !sidecar->attempt.abort_requested && !sidecar->stop_waits;
}

/* The primary has been asked to go, or has gone. */
void sidecars_follow(struct core *core, struct child *primary, uint64_t cause)
{
    if (core->muted || core->shutdown_phase != SHUTDOWN_IDLE)
        return; /* in a shutdown each is asked for itself */
    for (struct child *child = primary->first_sidecar; child; child = child->next_sidecar)
        if (goes_along(child) && !(child->goes_around && primary->attempt.active)) {
            /* A target that is on its way is the old one now. */
            fence_withdraw(core, child, cause, "primary");
            fence_enter(core, child, cause, false, "primary");
        }
}
