/*
 * In which order children stop: nothing stops before what depends on it has
 * stopped.
 */
#include "reference/stop_order.h"

#include "reference/dependency.h"

#include <string.h>

/* A sidecar holds up no primary, though it depends on it. */
static bool depends_on(const struct ref_child *c, const struct ref_child *target)
{
    bool is_one = c->declaration->role == ROLE_SIDECAR;
    if (ref_is_around(target->declaration) &&
        strcmp(target->declaration->requires[0], c -> id) == 0)
        return true;
    for (size_t i = is_one ? 1 : 0; /* a sidecar holds up no primary */ i < ref_dependencies(c);
         i++)
        if (strcmp(ref_dependency(c, i), target->id) == 0)
            return true;
    return false;
}

/* It is there still, and has been asked to stop; not without end: its own deadlines end it. */
static bool is_on_its_way_out(const struct ref_child *c)
{
    if (!c->here || !c->attempt.active)
        return false;
    if (c->named || c->waits_to_go)
        return true;
    return (c->attempt.cancelled || c->attempt.aborted) &&
           !(c->stop_state == STOP_FAILED && c->deadline[REF_STOP] == 0);
}

bool ref_is_held_up(struct ref *r, const struct ref_child *c)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_on_its_way_out(&r->children[i]) && depends_on(&r->children[i], c))
            return true;
    return false;
}

/* One of several that are asked to go together: all are named before the first is asked. */
void ref_name(struct ref_child *c)
{
    c->named = c->attempt.active && !c->attempt.cancelled && !c->attempt.aborted;
}

/* One that was named and not asked after all continues. */
void ref_spare_the_rest(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        r->children[i].named = false;
}
