/*
 * What a start waits for: the children it requires, those it comes after, and
 * its sidecars that go around it. They are numbered through in that order, from
 * 1, so that one small number in the child says which of them is in the way; 0
 * means none.
 */
#include "core/rules/dependency.h"

#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/start_wait.h"
#include "core/private.h"

#include <string.h>

static void remember_way(struct dependency_walk *walk, struct child *child, enum way way)
{
    if (child->way == WAY_NOT_LOOKED_AT) {
        child->way_next = walk->first;
        walk->first = child;
    }
    child->way = way;
}

void dependency_forget_ways(struct dependency_walk *walk)
{
    while (walk->first) {
        struct child *child = walk->first;
        walk->first = child->way_next;
        child->way_next = NULL;
        child->way = WAY_NOT_LOOKED_AT;
    }
}

static bool is_met(const struct child_declaration *declaration, const struct child *target,
                   struct dependency_walk *walk);

/* Nothing asks it to stop; a main process that has ended does not come up any more. */
static bool comes_up(const struct child *child)
{
    return child->attempt.active && child_status(child) != CHILD_CANCELLING && !child->stop_waits &&
           child->readiness == READINESS_UNREPORTED;
}

/* No deadline ends the old attempt any more. */
static bool is_stuck_behind_its_old_one(const struct child *child)
{
    return child->attempt.active && child->stop_state == STOP_FAILED &&
           child->timers[TIMER_STOP].deadline_usec == 0;
}

static bool waits_on_its_way(const struct child *child)
{
    return (child->start == START_DEPENDENCY || child->start == START_QUEUED ||
            child->pending.active) &&
           !is_stuck_behind_its_old_one(child);
}

/* By itself: also by a restart that is pending, and where it has been named; but not where it waits
 * for one that is not. One in a backoff is not: that may last for an hour. */
static bool on_its_way_up(struct child *child, struct dependency_walk *walk)
{
    const struct child_declaration *declaration = &child->config->declaration;

    if (child->way != WAY_NOT_LOOKED_AT)
        return child->way == WAY_UP;
    if (child->named_to_start || comes_up(child))
        return true;
    if (!waits_on_its_way(child))
        return false;
    remember_way(walk, child, WAY_BLOCKED); /* a child that leads back to it is not either */
    for (size_t i = 0; i < declaration->n_requires; i++) {
        struct child *target = child->config->targets[i];
        if (!is_met(declaration, target, walk) && !(target && on_its_way_up(target, walk)))
            return false;
    }
    remember_way(walk, child, WAY_UP);
    return true;
}

bool dependency_comes_back(struct child *target)
{
    struct dependency_walk walk = {};
    bool comes_back = target->pending.active && on_its_way_up(target, &walk);

    dependency_forget_ways(&walk);
    return comes_back;
}

static bool is_sidecar_around(const struct child *target, const struct child *primary)
{
    return target && target->goes_around && target->primary == primary;
}

static bool lacks_another(const struct child *primary, struct dependency_walk *walk);

/* Whether a sidecar that goes around this primary is to be there: it runs, or would start now. */
static bool is_about_to_run(const struct child *primary, struct dependency_walk *walk)
{
    if (primary->attempt.active)
        return child_status(primary) != CHILD_CANCELLING;
    return primary->start == START_DEPENDENCY && !lacks_another(primary, walk);
}

static bool is_primary(const struct child_declaration *sidecar, const struct child *child)
{
    const char *primary = sidecar->requires[0];

    return strcmp(primary, child->id) == 0;
}

/* A child that is ready by its end has ended with success; only its sidecars are there while it
 * runs. */
static bool is_met(const struct child_declaration *declaration, const struct child *target,
                   struct dependency_walk *walk)
{
    if (!target || target->stop_waits) /* or it is there only until its turn to stop comes */
        return false;
    bool sidecar = declaration->role == ROLE_SIDECAR && is_primary(declaration, target);
    if (sidecar && declaration_is_around(declaration))
        return is_about_to_run(target, walk);
    if (!declaration_is_ready_by_exit(&target->config->declaration))
        return child_status(target) == CHILD_READY;
    if (sidecar)
        return child_status(target) == CHILD_RUNNING;
    return !target->attempt.active && target->readiness == READINESS_READY;
}

bool dependency_is_met(const struct child_declaration *declaration, const struct child *target)
{
    struct dependency_walk walk = {};
    bool met = is_met(declaration, target, &walk);

    dependency_forget_ways(&walk);
    return met;
}

/* What stands in the way of a child as its nth dependency, those that it requires first. Its own
 * sidecar around it is not waited for twice, see comes_first(). */
static bool is_in_the_way(const struct child *child, size_t n, struct dependency_walk *walk)
{
    const struct child_declaration *declaration = &child->config->declaration;
    struct child *target = child->config->targets[n];

    if (n < declaration->n_requires)
        return !is_met(declaration, target, walk);
    return target && !is_sidecar_around(target, child) && on_its_way_up(target, walk);
}

/* The number of the first of its dependencies that stands in its way, from 1; 0: none does. Those
 * before `n` are not looked at. */
static uint32_t unmet_from(const struct child *child, uint32_t n, struct dependency_walk *walk)
{
    const struct child_declaration *declaration = &child->config->declaration;

    for (; n < declaration->n_requires + declaration->n_after; n++)
        if (is_in_the_way(child, n, walk))
            return n + 1;
    return 0;
}

static uint32_t unmet_of_its_own(const struct child *child)
{
    struct dependency_walk walk = {};
    uint32_t number = unmet_from(child, 0, &walk);

    dependency_forget_ways(&walk);
    return number;
}

/* Apart from the sidecars that go around it. */
static bool lacks_another(const struct child *primary, struct dependency_walk *walk)
{
    const struct child_declaration *declaration = &primary->config->declaration;

    for (size_t n = 0; n < declaration->n_requires + declaration->n_after; n++)
        if (!is_sidecar_around(primary->config->targets[n], primary) &&
            is_in_the_way(primary, n, walk))
            return true;
    return false;
}

/* An attempt that is starting, except one that may take as long as it likes. */
static bool attempt_comes_up(const struct child *sidecar)
{
    const struct child_declaration *declaration = &sidecar->config->declaration;

    return sidecar->readiness == READINESS_UNREPORTED &&
           !(sidecar->attempt.spawned &&
             (declaration->start_timeout_usec == 0 || declaration_is_ready_by_exit(declaration)));
}

/* Whether its primary waits for a sidecar that goes around it: it comes up, or will as soon as its
 * old attempt is gone, and only waits for its primary to want it. */
static bool comes_first(const struct child *sidecar, struct dependency_walk *walk)
{
    if (!declaration_is_around(&sidecar->config->declaration) || sidecar->operation != CHILD_ACTIVE)
        return false;
    if (sidecar->attempt.active && child_status(sidecar) != CHILD_CANCELLING)
        return attempt_comes_up(sidecar);
    if (sidecar->attempt.active)
        return sidecar->pending.active && (sidecar->stop_state != STOP_FAILED ||
                                           sidecar->timers[TIMER_STOP].deadline_usec > 0);
    return sidecar->start == START_QUEUED ||
           ((sidecar->named_to_start || sidecar->start == START_DEPENDENCY ||
             sidecar->pending.active) &&
            unmet_from(sidecar, 1, walk) == 0);
}

/* The same with the sidecars that come first, numbered behind the others. */
static uint32_t unmet(const struct child *child, struct dependency_walk *walk)
{
    uint32_t number = unmet_from(child, 0, walk);

    if (number > 0 || !child->config->declaration.has_process)
        return number;
    number = (uint32_t)(child->config->declaration.n_requires + child->config->declaration.n_after);
    for (const struct child *sidecar = child->first_sidecar; sidecar;
         sidecar = sidecar->next_sidecar) {
        number++;
        if (comes_first(sidecar, walk))
            return number;
    }
    return 0;
}

static const struct child *sidecar_of(const struct child *child, uint32_t number)
{
    const struct child *sidecar = child->first_sidecar;

    while (sidecar && --number > 0)
        sidecar = sidecar->next_sidecar;
    return sidecar;
}

/* The number as what it stands for. `removed` says that the one required is not
 * declared now. */
static struct start_dependency dependency_of(const struct child *child, uint32_t number)
{
    const struct child_declaration *declaration = &child->config->declaration;

    uint32_t declared = (uint32_t)(declaration->n_requires + declaration->n_after);

    if (number == 0)
        return (struct start_dependency){};
    if (number > declared)
        return (struct start_dependency){.id = sidecar_of(child, number - declared)->id};
    bool required = number <= declaration->n_requires;
    return (struct start_dependency){
        .id = required ? declaration->requires[number - 1]
                       : declaration->after[number - 1 - declaration->n_requires],
        .required = required,
        .removed = !child->config->targets[number - 1],
    };
}

const char *child_unmet_dependency(const struct child *child, bool *removed)
{
    struct start_dependency dependency = dependency_of(child, unmet_of_its_own(child));

    *removed = dependency.removed;
    return dependency.id;
}

struct start_dependency child_awaits(const struct child *child)
{
    struct dependency_walk walk = {};
    uint32_t number = child_waits_for(child) == START_DEPENDENCY ? unmet(child, &walk) : 0;

    dependency_forget_ways(&walk);
    return dependency_of(child, number);
}

/* From one to the next that it requires; a circle is refused where it is declared. */
bool dependency_is_in_vain(const struct core *core, const struct child *child)
{
    for (uint32_t steps = 0; steps < CORE_CHILDREN_MAX; steps++) {
        struct start_dependency awaited = child_awaits(child);
        const struct child *target = NULL;
        if (!awaited.required)
            return false;
        if (!awaited.removed)
            target = core_find(core, awaited.id);
        if (!target || child_waits_for(target) == START_HELD)
            return true;
        if (child_waits_for(target) == START_WAITS_FOR_NOTHING)
            return !target->attempt.active;
        if (child_waits_for(target) != START_DEPENDENCY)
            return false;
        child = target;
    }
    return false;
}

/* Which one it waits for is shown. */
static void await(struct core *core, struct child *child, uint32_t number)
{
    if (child->awaited == number)
        return;
    child->awaited = number;
    core_changed(core, child);
}

/* At the end of the list, unless it stands in it. */
static void wait_for_dependency(struct core *core, struct child *child, uint32_t number)
{
    bool waits = child->start == START_DEPENDENCY;

    start_move(core, child, START_DEPENDENCY);
    await(core, child, number);
    if (!waits && !core->muted)
        dependency_append(core, child);
}

bool dependency_holds_up_in(struct core *core, struct child *child, struct dependency_walk *walk)
{
    uint32_t number = unmet(child, walk);

    if (number > 0)
        wait_for_dependency(core, child, number);
    return number > 0;
}

bool dependency_holds_up(struct core *core, struct child *child)
{
    struct dependency_walk walk = {};
    bool held_up = dependency_holds_up_in(core, child, &walk);

    dependency_forget_ways(&walk);
    return held_up;
}

const char *start_dependency_list(const struct start_dependency *dependency)
{
    if (!dependency->id)
        return "";
    return dependency->required ? "requires" : "after";
}
