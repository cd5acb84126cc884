#include "reference/plan.h"

#include "reference/dependency.h"
#include "reference/tree.h"

/* It will be ready, as far as anyone can say. */
static bool is_on_its_way(const struct ref_child *c)
{
    if (c->queued > 0 || (c->pending && c->waits == 0))
        return true;
    return c->attempt.active && !c->attempt.cancelled && c->readiness == READINESS_UNREPORTED;
}

/* Whether the command itself asks for its start. */
static bool is_asked_for(struct ref *r, const struct ref_child *c, enum command_verb verb)
{
    if (r->phase != SHUTDOWN_IDLE || c->is_job || !c->process->has_process || !c->here)
        return false;
    if (c->attempt.active && ref_lacks(r, c))
        return false;
    if (verb == COMMAND_RESUME)
        return c->wanted && (c->operation == CHILD_PAUSED || c->operation == CHILD_QUARANTINED);
    return verb == COMMAND_RESTART && c->operation == CHILD_ACTIVE && !c->attempt.active &&
           !c->pending && !ref_lacks(r, c) && ref_starts_at_once(r, c);
}

/* Whether all that it requires would be there; *by: the one among these that is planned, the last
 * of them. */
static bool would_be_met(struct ref *r, const struct ref_child *c, struct ref_child **by)
{
    const struct child_declaration *d = c->declaration;
    *by = NULL;
    for (size_t i = 0; i < d->n_requires; i++) {
        struct ref_child *target = reference_find(r, d->requires[i]);
        if (target && target->planned_by)
            *by = target->planned_by;
        else if (!target || !(ref_is_met(r, d, target) || is_on_its_way(target)))
            return false;
    }
    return true;
}

static bool take_in(struct ref *r, struct ref_child *c)
{
    bool waits = c->operation == CHILD_ACTIVE && (c->waits > 0 || c->pending);
    struct ref_child *by;
    if (!c->here || c->planned_by || !(c->made_wanted || waits) || !would_be_met(r, c, &by) ||
        !(c->made_wanted || by))
        return false;
    c->planned_by = c->made_wanted ? c : by;
    return true;
}

static void make(struct ref *r)
{
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < r->count; i++)
            again = take_in(r, r->order[i]) || again;
        for (uint32_t i = r->count; again && i-- > 0;)
            take_in(r, r->order[i]);
    }
}

static void begin(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        r->children[i].planned_by = NULL;
        r->children[i].made_wanted = false;
    }
}

void ref_plan(struct ref *r, struct ref_child *c, enum command_verb verb)
{
    begin(r);
    c->made_wanted = is_asked_for(r, c, verb);
    make(r);
}

void ref_plan_scope(struct ref *r, uint32_t s, enum command_verb verb)
{
    begin(r);
    for (uint32_t i = 0; i < r->count; i++)
        if (ref_is_under(r, r->order[i], s))
            r->order[i]->made_wanted = is_asked_for(r, r->order[i], verb);
    make(r);
}

unsigned ref_plan_of(struct ref *r, const struct ref_child *c)
{
    unsigned plan = c->planned_by == c && !c->attempt.active ? PLAN_START : 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (&r->children[i] != c && r->children[i].planned_by == c)
            plan |= PLAN_BRING;
    return plan;
}
