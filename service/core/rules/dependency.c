/*
 * Dependencies: a child starts when those it `requires` are ready; `after` only waits while the
 * other one is on its way up. A start that cannot be made yet waits in one list, in the order in
 * which it was asked for, and is looked at again whenever a child becomes ready or goes away. A
 * sidecar that goes around its primary starts when that would, and the primary waits for it as for
 * one that it comes after. Where nothing of that stands in its way, it may still have to queue
 * (restart_queue.c).
 */
#include "core/private.h"
#include "core/rules/start.h"

/* Also by a restart that is pending, and where it has been named. One that is in a backoff is not:
 * it may last for an hour. */
static bool on_its_way_up(const struct child *child)
{
    return child->start == START_DEPENDENCY || child->start == START_QUEUED ||
           child->pending.active ||
           (child->attempt.active && !child->attempt.cancel_delivered &&
            child->readiness == READINESS_UNREPORTED) ||
           child->named_to_start;
}

static uint32_t unmet_of_its_own(const struct child *child);

/* Whether a sidecar that goes around this primary is to be there: it runs, or would start now. */
static bool is_about_to_run(const struct child *primary)
{
    if (primary->attempt.active)
        return child_status(primary) != CHILD_CANCELLING;
    return primary->start == START_DEPENDENCY && unmet_of_its_own(primary) == 0;
}

static bool is_primary(const struct child_declaration *sidecar, const struct child *child)
{
    const char *primary = sidecar->requires[0];

    return strcmp(primary, child->id) == 0;
}

/* Who is ready by its end has ended with success; only its sidecars are there while it runs. */
bool dependency_is_met(const struct child_declaration *declaration, const struct child *target)
{
    if (!target || target->stop_waits) /* or it is there only until its turn to stop comes */
        return false;
    bool sidecar = declaration->role == ROLE_SIDECAR && is_primary(declaration, target);
    if (sidecar && declaration_is_around(declaration))
        return is_about_to_run(target);
    if (!declaration_is_ready_by_exit(&target->config->declaration))
        return child_status(target) == CHILD_READY;
    if (sidecar)
        return child_status(target) == CHILD_RUNNING;
    return !target->attempt.active && target->readiness == READINESS_READY;
}

/* The number of the first of its dependencies that stands in its way, those that it requires first,
 * from 1; 0: none does. Those before `n` are not looked at. */
static uint32_t unmet_from(const struct child *child, uint32_t n)
{
    const struct child_declaration *declaration = &child->config->declaration;

    for (; n < declaration->n_requires; n++)
        if (!dependency_is_met(declaration, child->config->targets[n]))
            return n + 1;
    for (; n < declaration->n_requires + declaration->n_after; n++)
        if (child->config->targets[n] && on_its_way_up(child->config->targets[n]))
            return n + 1;
    return 0;
}

static uint32_t unmet_of_its_own(const struct child *child)
{
    return unmet_from(child, 0);
}

/* An attempt that is on its way up, but for one that may take for ever about it. */
static bool attempt_comes_up(const struct child *sidecar)
{
    const struct child_declaration *declaration = &sidecar->config->declaration;

    return sidecar->readiness == READINESS_UNREPORTED &&
           !(sidecar->attempt.spawned &&
             (declaration->start_timeout_usec == 0 || declaration_is_ready_by_exit(declaration)));
}

/* Whether its primary waits for a sidecar that goes around it: it comes up, or will as soon as its
 * old attempt is gone, and only waits for its primary to want it. */
static bool comes_first(const struct child *sidecar)
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
            unmet_from(sidecar, 1) == 0);
}

/* The same with the sidecars that come first, numbered behind the others. */
static uint32_t unmet(const struct child *child)
{
    uint32_t number = unmet_of_its_own(child);

    if (number > 0 || !child->config->declaration.has_process)
        return number;
    number = (uint32_t)(child->config->declaration.n_requires + child->config->declaration.n_after);
    for (const struct child *sidecar = child->first_sidecar; sidecar;
         sidecar = sidecar->next_sidecar) {
        number++;
        if (comes_first(sidecar))
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
    return child_waits_for(child) == START_DEPENDENCY ? dependency_of(child, unmet(child))
                                                      : (struct start_dependency){};
}

static void append(struct core *core, struct child *child)
{
    child->waiting_previous = core->waiting_last;
    child->waiting_next = NULL;
    *(core->waiting_last ? &core->waiting_last->waiting_next : &core->waiting_first) = child;
    core->waiting_last = child;
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
        append(core, child);
}

/* As it was in another core. */
void dependency_restore(struct core *core, struct child *child)
{
    child->start = START_DEPENDENCY;
    append(core, child);
}

void dependency_leave(struct core *core, struct child *child)
{
    child->awaited = 0;
    if (core->muted)
        return;
    *(child->waiting_previous ? &child->waiting_previous->waiting_next : &core->waiting_first) =
        child->waiting_next;
    *(child->waiting_next ? &child->waiting_next->waiting_previous : &core->waiting_last) =
        child->waiting_previous;
    child->waiting_next = child->waiting_previous = NULL;
}

bool dependency_holds_up(struct core *core, struct child *child)
{
    uint32_t number = unmet(child);

    if (number > 0)
        wait_for_dependency(core, child, number);
    return number > 0;
}

/* Returns whether one was started. */
static bool start_who_may(struct core *core)
{
    bool any = false;

    for (struct child *child = core->waiting_first, *next; child; child = next) {
        next = child->waiting_next;
        if (dependency_holds_up(core, child))
            continue;
        any = true;
        start_move(core, child, START_WAITS_FOR_NOTHING);
        if (restart_queue_admit(core, child))
            child_start(core, child);
    }
    return any;
}

/* A start changes who waits for whom, and one that fails at once may be what another one waited
 * for. Nobody is started twice, so it comes to an end. */
void dependency_wake(struct core *core)
{
    while (!core->muted && start_who_may(core))
        ;
}
