/*
 * Checks on what the core asks of the host: each call must be allowed at the
 * moment when it is made. These rules are the ones that protect data: never two
 * attempts of a child at once, no start under a hold or after a shutdown began,
 * and numbers of attempts that only rise.
 */
#include "checks/calls.h"

#include "core/vocabulary/invariant.h"
#include "checks/ledger.h"
#include "world/process.h"

#include <string.h>

static bool requires_somebody(const struct actor *actor)
{
    const struct child_declaration *d = &actor->child->config->declaration;
    return d->n_requires + d->n_after > 0;
}

static bool declared_after(const struct child *child, const struct child *other)
{
    for (; other; other = core_next(other))
        if (other == child)
            return true;
    return false;
}

bool checks_is_below(const struct child *child, const struct supervisor *supervisor)
{
    INVARIANT(child_is_sound(child));
    const struct supervisor *s = child->member.supervisor;
    while (s && s != supervisor)
        s = s->member.supervisor;
    return s != NULL;
}

/* Whether the strategy lets `actor` be stopped for the failure of another one. Where a supervisor
 * melts down it is a wider scope, and the reference model knows how wide. */
static bool shares_the_fate(const struct world *world, const struct child *child)
{
    const struct child *failed = world->input_actor->child;
    const struct supervisor *supervisor = failed->member.supervisor;
    enum strategy strategy = supervisor->config->declaration.strategy;

    if (world->melting || child == failed)
        return true;
    if (world->input == INPUT_COMMAND || !checks_is_below(child, supervisor) ||
        failed->config->declaration.role == ROLE_SIDECAR ||
        (child->member.supervisor == supervisor ? child->group : NULL) != failed->group)
        return false;
    if (failed->group)
        strategy = failed->group->declaration.strategy;
    return strategy == STRATEGY_ONE_FOR_ALL ||
           (strategy == STRATEGY_REST_FOR_ONE && declared_after(child, failed));
}

/* It has been asked to go before; now those that depend on it are gone. */
static bool has_its_turn(const struct actor *actor)
{
    return actor->reference && actor->reference->waits_to_go;
}

/* Also one that has just been removed: its record has gone, its declaration has not. */
static bool is_sidecar_of(const struct actor *sidecar, const struct actor *primary)
{
    const struct child_declaration *d = sidecar->declaration;
    const char *first = d->n_requires > 0 ? d->requires[0] : "";

    return d->role == ROLE_SIDECAR && strcmp(first, primary->declaration->id) == 0;
}

/* One that it requires, and that takes it along, is started now. */
static bool is_taken_along(const struct world *world, const struct child *child)
{
    const struct child_declaration *d = &child->config->declaration;

    for (size_t i = 0; i < d->n_requires; i++) {
        const struct child *target = child->config->targets[i];
        if (target && target->config->declaration.restart_dependents && target->attempt.active &&
            target->attempt.started_usec == core_now(world->core))
            return true;
    }
    return false;
}

/* What is started after something that happened to another one has waited: for those that are
 * restarted with it, for room, for what it requires, for a sidecar, or for a place among the jobs.
 */
static bool in_scope(const struct world *world, const struct actor *actor, const char *what)
{
    if (what[0] == 's')
        return actor->ledger.fence_entered || actor->ledger.queued || requires_somebody(actor) ||
               actor->child->job || actor->child->first_sidecar ||
               is_sidecar_of(world->input_actor, actor);
    if (has_its_turn(actor) || (actor->child->primary && has_its_turn(actor->child->primary->host)))
        return true;
    const struct child *primary = actor->child->primary;
    return shares_the_fate(world, actor->child) || is_taken_along(world, actor->child) ||
           (primary && (shares_the_fate(world, primary) || is_taken_along(world, primary)));
}

/* What happens to one child starts or stops no other, but by the strategy, and those that wait for
 * it. */
static void check_scope(struct world *world, struct actor *actor, const char *what)
{
    bool about_one = world->input == INPUT_COMPLETED || world->input == INPUT_MAIN_EXITED ||
                     world->input == INPUT_COMMANDS_ENDED || world->input == INPUT_SPAWN_FAILED ||
                     world->input == INPUT_SPAWNED || world->input == INPUT_NOTIFY ||
                     world->input == INPUT_COMMAND;

    if (about_one && world->input_actor && world->input_actor != actor && !world->shutdown_begun &&
        !in_scope(world, actor, what))
        world_fail(world, CHECK_SCOPE, "%s of %s follows from something that happened to %s", what,
                   actor->declaration->id, world->input_actor->declaration->id);
}

/* It is ready; or it runs, where the other one is a sidecar of it and it is ready by its end. */
static bool may_be_needed(const struct actor *actor, const struct actor *target)
{
    return target->ledger.ready ||
           (actor->child->primary == target->child && target->ledger.running &&
            declaration_is_ready_by_exit(&target->child->config->declaration));
}

static void check_requirements(struct world *world, struct actor *actor)
{
    const struct child_declaration *d = &actor->child->config->declaration;

    for (size_t i = declaration_is_around(d) ? 1 : 0; i < d->n_requires; i++) {
        struct actor *target = world_find(world, d->requires[i]);
        if (!target || !target->child || !may_be_needed(actor, target))
            world_fail(world, CHECK_REQUIRES, "%s starts and %s, which it requires, is not ready",
                       d->id, d->requires[i]);
    }
}

/* Automatic restarts on their way, by what was announced of each. */
static void check_cap(struct world *world, const struct supervisor *supervisor)
{
    uint32_t cap = supervisor_cap(world->core, supervisor), flying = 0;

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct actor *actor = &world->actors[i];
        flying += actor->child && actor->child->member.supervisor == supervisor &&
                  ledger_holds_place(world, &actor->ledger) && !ledger_is_unbounded(actor);
    }
    if (flying > cap)
        world_fail(world, CHECK_CAP, "%u restarts are in flight under \"%s\", the cap is %u",
                   flying, supervisor->path, cap);
}

/* A start must be the next attempt, of the next generation if the child has
 * been born, with no process of the child alive. */
void checks_start(struct world *world, struct actor *actor, struct attempt_id id)
{
    const char *name = actor->declaration->id;

    if (world_processes(actor) > 0)
        world_fail(world, CHECK_ONE_ATTEMPT,
                   "%s is started (attempt %ju) while a process of it is alive", name,
                   (uintmax_t)id.attempt);
    if (world->shutdown_begun)
        world_fail(world, CHECK_NO_LATE_START, "%s is started after the shutdown began", name);
    if (actor->ledger.held)
        world_fail(world, CHECK_HOLD, "%s is started under a hold", name);
    if (id.attempt != actor->ledger.attempts + 1 ||
        id.generation != (actor->ledger.born ? actor->ledger.generation + 1 : 0))
        world_fail(world, CHECK_MONOTONE, "%s: generation %ju, attempt %ju follows %ju, %ju", name,
                   (uintmax_t)id.generation, (uintmax_t)id.attempt,
                   (uintmax_t)actor->ledger.generation, (uintmax_t)actor->ledger.attempts);
    actor->ledger.attempts = id.attempt;
    if (actor->ledger.in_flight)
        check_cap(world, actor->child->member.supervisor);
    check_requirements(world, actor);
    check_scope(world, actor, "start");
}

void checks_cancel(struct world *world, struct actor *actor, struct process *process)
{
    if (!process)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: cancel of an attempt that never was",
                   actor->declaration->id);
    else if (process->cancels > 0)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: a second cancel of attempt %ju",
                   actor->declaration->id, (uintmax_t)process->id.attempt);
    check_scope(world, actor, "cancel");
}

void checks_abort(struct world *world, struct actor *actor, struct process *process)
{
    if (!process)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: abort of an attempt that never was",
                   actor->declaration->id);
    else if (process->aborts > 0)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: a second abort of attempt %ju",
                   actor->declaration->id, (uintmax_t)process->id.attempt);
}

void checks_escalate(struct world *world, struct actor *actor, const struct process *process)
{
    if (process->cancels == 0 || process->aborts > 0)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: a further signal %s", actor->declaration->id,
                   process->aborts > 0 ? "after the abort" : "before the cancel");
}

void checks_forget(struct world *world, struct actor *actor)
{
    if (world_processes(actor) > 0)
        world_fail(world, CHECK_ONE_ATTEMPT, "%s is forgotten while a process of it is alive",
                   actor->declaration->id);
}
