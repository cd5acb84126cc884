/*
 * Which children would start if a set of declarations were made: found by
 * asking for each child again and again, until no more are found.
 */
#include "reference/plan.h"

#include "core/vocabulary/invariant.h"
#include "reference/dependency.h"
#include "reference/tree.h"

#include <string.h>

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

/* ---- declarations that are only tried ---------------------------------------------------------
 */

/* What would be planned, by the ids. */
struct tried {
    const struct child_declaration *set;
    size_t n;
    const char **ids;
    size_t planned;
};

static bool is_planned(const struct tried *tried, const char *id)
{
    for (size_t i = 0; i < tried->planned; i++)
        if (strcmp(tried->ids[i], id) == 0)
            return true;
    return false;
}

static const struct child_declaration *newest(const struct tried *tried, const struct ref_child *c)
{
    for (size_t i = 0; i < tried->n; i++)
        if (strcmp(tried->set[i].id, c->id) == 0)
            return &tried->set[i];
    return c->declaration;
}

/* *by_plan: something that it requires is planned. */
static bool would_have_all(struct ref *r, const struct tried *tried,
                           const struct child_declaration *d, bool *by_plan)
{
    *by_plan = false;
    for (size_t i = 0; i < d->n_requires; i++) {
        const struct ref_child *target = reference_find(r, d->requires[i]);
        if (is_planned(tried, d->requires[i]))
            *by_plan = true;
        else if (!target || !(ref_is_met(r, d, target) || is_on_its_way(target)))
            return false;
    }
    return true;
}

static bool waits_already(const struct ref_child *c)
{
    return c->here && c->operation == CHILD_ACTIVE && (c->waits > 0 || c->pending);
}

static bool plan_new(struct ref *r, struct tried *tried, const struct child_declaration *d)
{
    bool by_plan;
    if (!d->autostart || !d->has_process || is_planned(tried, d->id) ||
        !would_have_all(r, tried, d, &by_plan))
        return false;
    tried->ids[tried->planned++] = d->id;
    return true;
}

/* One that waits, for something that is planned. freed: it lacked something, and does not any more.
 */
static bool plan_waiting(struct ref *r, struct tried *tried, const struct ref_child *c, bool freed)
{
    bool by_plan;
    if (!waits_already(c) || is_planned(tried, c->id) ||
        !would_have_all(r, tried, newest(tried, c), &by_plan) || !(by_plan || freed))
        return false;
    tried->ids[tried->planned++] = c->id;
    return true;
}

/* `ids` has room for all children. */
size_t reference_plan_declared(struct ref *r, const struct child_declaration *set, size_t n,
                               const char **ids)
{
    struct tried tried = {.set = set, .n = n, .ids = ids};
    INVARIANT(n > 0 && set[0].id);
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < n; i++)
            again = plan_new(r, &tried, &set[i]) || again;
        for (uint32_t i = 0; i < r->count; i++)
            again = plan_waiting(r, &tried, r->order[i], false) || again;
    }
    return tried.planned;
}

/* Whether it waits for something that is not even on its way, by the declaration that it has. */
static bool lacks_now(struct ref *r, const struct ref_child *c)
{
    struct tried nothing = {};
    bool by_plan;
    return c->waits > 0 && !would_have_all(r, &nothing, c->declaration, &by_plan);
}

/* Counts only those that wait now for what the new declarations no longer
 * demand. */
size_t reference_plan_redeclared(struct ref *r, const struct child_declaration *set, size_t n,
                                 const char **ids)
{
    struct tried tried = {.set = set, .n = n, .ids = ids};
    INVARIANT(n > 0 && set[0].id);
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < r->count; i++) {
            const struct ref_child *c = r->order[i];
            bool freed = newest(&tried, c) != c->declaration && lacks_now(r, c);
            again = plan_waiting(r, &tried, c, freed) || again;
        }
    }
    return tried.planned;
}

bool reference_plan_job(struct ref *r, const struct child_declaration *d)
{
    struct tried nothing = {};
    bool by_plan;
    INVARIANT(d->n_requires == 0 || d->requires);
    return would_have_all(r, &nothing, d, &by_plan);
}
