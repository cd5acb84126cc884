/*
 * Dry runs: what the core says that it would do, against what it then does, and
 * against what the reference says. A dry run may change nothing; the checks
 * after each input would notice.
 */
#include "daemon/dry_runs.h"

#include "checks/checks.h"
#include "core/vocabulary/invariant.h"
#include "daemon/crash.h"
#include "daemon/inputs.h"
#include "reference/declare.h"
#include "reference/job.h"
#include "reference/plan.h"
#include "reference/wake.h"

#include <string.h>

#define SET_MAX 4 /* declarations that are tried at once */

/* What one of the two names. */
struct starts {
    const char **ids;
    size_t n, room;
    struct world *world;
};

/* A child that is only tried is gone afterwards. */
static const char *id_that_stays(const struct world *world, const char *id)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        if (strcmp(world->actors[i].declaration->id, id) == 0)
            return world->actors[i].declaration->id;
    return "none";
}

static void hear_start(void *userdata, const char *id)
{
    struct starts *starts = userdata;

    if (starts->n < starts->room)
        starts->ids[starts->n] = id_that_stays(starts->world, id);
    starts->n++;
}

static struct starts make_room(struct world *world, size_t count)
{
    size_t room = world->reference.count + count;

    return (struct starts){
        .ids = world_allocate(world, (room + 1) * sizeof(char *)), .room = room, .world = world};
}

static bool is_named(const struct starts *starts, const char *id)
{
    for (size_t i = 0; i < starts->n; i++)
        if (strcmp(starts->ids[i], id) == 0)
            return true;
    return false;
}

static void must_name(struct world *world, const struct starts *mine, const struct starts *its)
{
    for (size_t i = 0; i < its->n; i++)
        if (!is_named(mine, its->ids[i]))
            world_fail(world, CHECK_REFERENCE, "a dry run does not say that %s would start",
                       its->ids[i]);
}

static void compare(struct world *world, const struct starts *mine, const struct starts *its)
{
    must_name(world, mine, its);
    if (mine->n != its->n)
        world_fail(world, CHECK_REFERENCE, "a dry run names %zu starts, it should be %zu", mine->n,
                   its->n);
}

static void give_back(struct world *world, struct starts *mine, struct starts *its)
{
    memory_release(world->memory, mine->ids);
    memory_release(world->memory, its->ids);
}

/* A set of declarations. `claim` is what will really start, if the caller knows
 * it. */
void dry_run_declare(struct world *world, const uint32_t *actors, size_t count,
                     const struct dry_run_claim *claim)
{
    struct child_declaration set[SET_MAX];
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(count <= SET_MAX);
    for (size_t i = 0; i < count; i++)
        set[i] = *world->actors[actors[i]].declaration;
    struct starts mine = make_room(world, count), its = make_room(world, count);
    inputs_begin(world, INPUT_DECLARE, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "declare, dry run"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_dry_run(world->core, "add",
                         &(struct tree_declaration){.children = set, .n_children = count},
                         &(struct plan_visitor){hear_start, &mine}, "operator", "to see", &problem);
    world->in_core = false;
    if (r == 0) {
        its.n = reference_plan_declared(&world->reference, set, count, its.ids);
        compare(world, &mine, &its);
        if (claim)
            compare(world, &mine, &(struct starts){.ids = claim->ids, .n = claim->n});
        reference_tried(&world->reference, "add", "operator", "to see");
    }
    reference_wake(&world->reference);
    give_back(world, &mine, &its);
    crash_end_input(world, &before);
}

/* Is part of the input that follows, and must come before it. */
void dry_run_redeclare(struct world *world, const struct child_declaration *set, size_t count)
{
    struct declaration_problem problem = {};
    struct starts mine = make_room(world, 0), its = make_room(world, 0);

    INVARIANT(set && world->in_core);
    if (core_check_redeclare(world->core, set, count, &(struct plan_visitor){hear_start, &mine},
                             &problem) == 0) {
        its.n = reference_plan_redeclared(&world->reference, set, count, its.ids);
        /* One that waits for what was ready before, and may be so again, is named, too. */
        must_name(world, &mine, &its);
    }
    give_back(world, &mine, &its);
}

/* The plan was made before the job existed, and is compared with what became of
 * it. */
void dry_run_compare_job(struct world *world, const struct actor *actor,
                         const struct job_plan *plan)
{
    struct ref *r = &world->reference;
    bool runs = !ref_is_queued_job(r, actor->reference);

    INVARIANT(actor->reference && actor->reference->is_job);
    if (plan->runs != runs)
        world_fail(world, CHECK_JOBS, "the dry run of %s says that it %s at once, and it %s",
                   actor->declaration->id, plan->runs ? "runs" : "does not run",
                   runs ? "does" : "does not");
    if (plan->starts != reference_plan_job(r, actor->declaration))
        world_fail(world, CHECK_JOBS, "the dry run of %s says that it %s", actor->declaration->id,
                   plan->starts ? "would start" : "would not start");
}
