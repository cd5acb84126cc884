/*
 * What a child needs before it starts, and what it starts after.
 */
#include "reference/dependency.h"

#include "core/vocabulary/invariant.h"
#include "reference/attempt.h"
#include "reference/tree.h"

#include <string.h>

bool ref_is_around(const struct child_declaration *d)
{
    INVARIANT(d->id && d->id[0]);
    return d->role == ROLE_SIDECAR && d->sidecar_order == SIDECAR_AROUND;
}

bool ref_goes_around(const struct ref_child *c)
{
    return ref_is_around(c->declaration);
}

static bool comes_up(struct ref *r, struct ref_child *c);
static bool is_ready(struct ref *r, const struct child_declaration *d,
                     const struct ref_child *target);

static bool is_sidecar_around(const struct ref_child *c, const struct child_declaration *primary)
{
    return c && ref_is_around(c->declaration) &&
           strcmp(c->declaration->requires[0], primary -> id) == 0;
}

/* Whether a start under this declaration would have to wait for another than those that go around
 * it. */
static bool lacks_another(struct ref *r, const struct child_declaration *d)
{
    bool lacks = false;
    for (size_t i = 0; !lacks && i < d->n_requires + d->n_after; i++) {
        bool required = i < d->n_requires;
        const char *id = required ? d->requires[i] : d->after[i - d->n_requires];
        struct ref_child *target = reference_find(r, id);
        if (!is_sidecar_around(target, d))
            lacks = required ? !is_ready(r, d, target) : comes_up(r, target);
    }
    return lacks;
}

/* One that goes around this one is to be there while it is, and before: it runs, or would start
 * now. */
static bool is_about_to_run(struct ref *r, const struct ref_child *primary)
{
    if (primary->attempt.active)
        return primary->attempt.status != CHILD_CANCELLING;
    return primary->waits > 0 && !lacks_another(r, primary->declaration);
}

/* Whether c may start for the sake of one that it requires. One that is ready by its end has ended;
 * only its sidecars are there while it runs. */
static bool is_ready(struct ref *r, const struct child_declaration *d,
                     const struct ref_child *target)
{
    if (!target || target->waits_to_go) /* it is about to go */
        return false;
    if (ref_is_around(d) && strcmp(d->requires[0], target -> id) == 0)
        return is_about_to_run(r, target);
    if (!ref_ends_ready(target))
        return target->attempt.active && target->attempt.status == CHILD_READY;
    if (d->role == ROLE_SIDECAR && strcmp(d->requires[0], target -> id) == 0)
        return target->attempt.active && target->attempt.status == CHILD_RUNNING;
    return !target->attempt.active && target->readiness == READINESS_READY;
}

bool ref_is_met(struct ref *r, const struct child_declaration *d, const struct ref_child *target)
{
    INVARIANT(d->id && d->id[0]);
    return is_ready(r, d, target);
}

size_t ref_dependencies(const struct ref_child *c)
{
    return c->declaration->n_requires + c->declaration->n_after;
}

const char *ref_dependency(const struct ref_child *c, size_t i)
{
    size_t n = c->declaration->n_requires;
    return i < n ? c->declaration->requires[i] : c->declaration->after[i - n];
}

/* The first that a start under this declaration needs and does not find. One that comes back, by a
 * restart that is pending or by the same command, will be waited for. */
static const char *missing(struct ref *r, const struct child_declaration *d, bool or_comes_back)
{
    for (size_t i = 0; i < d->n_requires; i++) {
        struct ref_child *target = reference_find(r, d->requires[i]);
        bool comes_back =
            target && ((target->pending && comes_up(r, target)) || target->comes_back);
        if (!is_ready(r, d, target) && !(or_comes_back && comes_back))
        return d->requires[i];
    }
    return NULL;
}

/* It is coming up, and nothing says that it is about to go. */
static bool is_coming_up(const struct ref_child *c)
{
    return c->attempt.active && c->attempt.status != CHILD_CANCELLING && !c->waits_to_go &&
           c->readiness == READINESS_UNREPORTED;
}

/* An old attempt is there, and no deadline will end it any more. */
static bool is_stuck_behind_its_old_one(const struct ref_child *c)
{
    return c->attempt.active && c->stop_state == STOP_FAILED && c->deadline[REF_STOP] == 0;
}

/* Whether it gets there by itself: also by a restart that is pending, or by the input that starts
 * several. A start that waits for a child that is not on its way up is not on its way either. */
static bool comes_up(struct ref *r, struct ref_child *c)
{
    bool all = true;
    if (!c || c->looked_at)
        return false;
    if (c->named_to_start || is_coming_up(c))
        return true;
    if ((c->waits == 0 && c->queued == 0 && !c->pending) || is_stuck_behind_its_old_one(c))
        return false;
    c->looked_at = true;
    for (size_t i = 0; all && i < c->declaration->n_requires; i++) {
        struct ref_child *target = reference_find(r, c->declaration->requires[i]);
        all = is_ready(r, c->declaration, target) || comes_up(r, target);
    }
    c->looked_at = false;
    return all;
}

static const char *obstacle_of_its_own(struct ref *r, const struct child_declaration *d,
                                       bool *required)
{
    const char *obstacle = missing(r, d, false);
    *required = obstacle != NULL;
    for (size_t i = 0; !obstacle && i < d->n_after; i++)
        if (!is_sidecar_around(reference_find(r, d->after[i]), d) &&
            comes_up(r, reference_find(r, d->after[i])))
            obstacle = d->after[i];
    return obstacle;
}

/* Whether nothing but the primary keeps a sidecar from starting. */
static bool only_waits_for_its_primary(struct ref *r, const struct ref_child *c)
{
    struct child_declaration without = *c->declaration;
    bool required;
    without.role = ROLE_WORKER; /* its primary is left out, and so what it is to it */
    without.requires ++;
    without.n_requires--;
    return !obstacle_of_its_own(r, &without, &required);
}

/* A primary waits for those that go around it and come up, or will when their old attempt is gone;
 * not without end: an attempt that has no time to become ready is not waited for, nor one that
 * cannot be ended. */
static bool comes_first(struct ref *r, const struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    if (!c->here || c->operation != CHILD_ACTIVE)
        return false;
    if (c->attempt.active && c->attempt.status == CHILD_CANCELLING)
        return c->pending && (c->stop_state != STOP_FAILED || c->deadline[REF_STOP] > 0);
    if (c->attempt.active)
        return c->readiness == READINESS_UNREPORTED &&
               !(c->attempt.spawned && (d->start_timeout_usec == 0 || ref_ends_ready(c)));
    return c->queued > 0 ||
           ((c->named_to_start || c->waits > 0 || c->pending) && only_waits_for_its_primary(r, c));
}

const char *ref_obstacle(struct ref *r, const struct ref_child *c, bool *required)
{
    const char *obstacle = obstacle_of_its_own(r, c->declaration, required);
    for (uint32_t i = c->process->has_process ? r->count : 0; !obstacle && i-- > 0;) {
        const struct child_declaration *d = r->order[i]->declaration;
        if (ref_is_around(d) && strcmp(d->requires[0], c -> id) == 0 && comes_first(r, r->order[i]))
            obstacle = d->id;
    }
    return obstacle;
}

bool ref_may_start(struct ref *r, const struct ref_child *c)
{
    bool required;
    return !ref_obstacle(r, c, &required);
}

/* Apart from those that would come before it because it is to start. */
bool ref_starts_at_once(struct ref *r, const struct ref_child *c)
{
    bool required;
    return !obstacle_of_its_own(r, c->declaration, &required);
}

/* What stands in the way of a start that a command asks for while the old attempt may be there
 * still: nothing is stopped for it then. */
const char *ref_lacks(struct ref *r, const struct ref_child *c)
{
    return missing(r, c->declaration, true);
}

static bool is_meant(const struct ref_child *c, enum command_verb verb)
{
    if (c->is_job || !c->process->has_process)
        return false;
    if (verb == COMMAND_RESUME)
        return c->operation != CHILD_REMOVED && c->wanted;
    return verb == COMMAND_RESTART && c->operation == CHILD_ACTIVE;
}

/* The children of a scope that come back by a command on all of it: those that it is meant for,
 * except any that need one that does not. */
void ref_find_who_comes_back(struct ref *r, uint32_t s, enum command_verb verb)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = &r->children[i];
        c->comes_back = ref_is_under(r, c, s) && is_meant(c, verb);
    }
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < r->count; i++)
            if (r->children[i].comes_back && ref_lacks(r, &r->children[i])) {
                r->children[i].comes_back = false;
                again = true;
            }
    }
}

void ref_forget_who_comes_back(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        r->children[i].comes_back = false;
}
