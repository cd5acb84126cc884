/*
 * Sidecars: a helper that is bound to one child, its primary, which is the first that it requires.
 * It starts when its primary is ready. When its primary is asked to go, or has gone, it is asked to
 * go, too (before it, where one input asks both), and waits behind its own fence until the primary
 * is ready again: so a restart of the primary restarts it, and a hold of the primary stops it. What
 * becomes of a sidecar is nothing to its primary. The idea: native sidecars of Kubernetes.
 */
#include "private.h"

void sidecar_unbind(struct child *child)
{
    struct child **link;

    if (!child->primary)
        return;
    for (link = &child->primary->first_sidecar; *link != child;)
        link = &(*link)->next_sidecar;
    *link = child->next_sidecar;
    child->primary = child->next_sidecar = NULL;
}

/* Its dependencies have been found anew. The last one bound is the first to be stopped. */
void sidecar_bind(struct child *child)
{
    bool is_one = child->config->declaration.role == ROLE_SIDECAR;
    struct child *primary = is_one ? child->config->targets[0] : NULL;

    if (child->primary == primary)
        return;
    sidecar_unbind(child);
    child->primary = primary;
    if (!primary)
        return;
    child->next_sidecar = primary->first_sidecar;
    primary->first_sidecar = child;
}

static bool goes_along(const struct child *sidecar)
{
    return sidecar->attempt.active && !sidecar->attempt.cancel_delivered &&
           !sidecar->attempt.abort_requested;
}

/* The primary has been asked to go, or has gone. */
void sidecars_follow(struct core *core, struct child *primary, uint64_t cause)
{
    if (core->muted || core->shutdown_phase != SHUTDOWN_IDLE)
        return; /* in a shutdown they go first, and the primary waits for them */
    for (struct child *child = primary->first_sidecar; child; child = child->next_sidecar)
        if (goes_along(child)) {
            /* A target that is on its way is the old one now. */
            fence_withdraw(core, child, cause, "primary");
            fence_enter(core, child, cause, false, "primary");
        }
}
