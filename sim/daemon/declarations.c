/*
 * Declares, redeclares and removes children, in the core and in the reference
 * at once, and compares the answers. Declarations that must be refused are
 * tried as well, and must change nothing.
 */
#include "daemon/declarations.h"

#include "core/vocabulary/invariant.h"
#include "checks/checks.h"
#include "daemon/crash.h"
#include "daemon/dry_runs.h"
#include "daemon/inputs.h"
#include "reference/change.h"
#include "reference/command.h"
#include "reference/declare.h"
#include "reference/schedule.h"
#include "reference/job.h"
#include "reference/tree.h"
#include "reference/wake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEW 16 /* children that are declared at once */

/* The reference has no allocation of its own: the room comes from the world. */
static void add_reference(struct world *world, struct actor *actor)
{
    uint64_t *exits = world_allocate(world, (actor->declaration->burst + 1) * sizeof(*exits));

    actor->reference = reference_declare(&world->reference, actor->declaration, exits);
    if (actor->reference)
        reference_drew_run(actor->reference, actor->ledger.run_delay);
    if (!actor->reference) {
        fprintf(stderr, "proctor-sim: more declarations than this world has room for\n");
        exit(EXIT_FAILURE);
    }
}

/* Supervisors and children reach the reference in the order in which the core
 * was given them. */
static void tell_reference(struct world *world, const struct supervisor_declaration *supervisors,
                           size_t n_supervisors, const uint32_t *actors, size_t count)
{
    uint32_t first = world->reference.count;
    size_t s = 0;

    for (size_t i = 0; i < count; i++) {
        for (; s < n_supervisors && supervisors[s].position <= i; s++)
            reference_supervise(&world->reference, &supervisors[s]);
        add_reference(world, &world->actors[actors[i]]);
    }
    for (; s < n_supervisors; s++)
        reference_supervise(&world->reference, &supervisors[s]);
    reference_declared(&world->reference, first, "operator", "declared");
}

int world_declare(struct world *world, const uint32_t *actors, size_t count, struct error *error)
{
    INVARIANT(count == 0 || actors);
    return world_declare_tree(world, NULL, 0, actors, count, error);
}

/* One set, as from one file: it is accepted as a whole or refused as a
 * whole. */
int world_declare_tree(struct world *world, const struct supervisor_declaration *supervisors,
                       size_t n_supervisors, const uint32_t *actors, size_t count,
                       struct error *error)
{
    struct child_declaration few[FEW]; /* of a small world nothing stays behind in the block */
    struct child_declaration *declarations =
        count <= FEW ? few : world_allocate(world, count * sizeof(*declarations));
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(n_supervisors == 0 || supervisors);
    for (size_t i = 0; i < count; i++)
        declarations[i] = *world->actors[actors[i]].declaration;
    inputs_begin(world, INPUT_DECLARE, count == 1 ? &world->actors[actors[0]] : NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = "declare",
                                       .child = count == 1 ? declarations[0].id : ""});
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_declare_tree(world->core,
                              &(struct tree_declaration){.children = declarations,
                                                         .n_children = count,
                                                         .supervisors = supervisors,
                                                         .n_supervisors = n_supervisors},
                              "operator", "declared", &problem);
    world->in_core = false;
    if (r == 0)
        tell_reference(world, supervisors, n_supervisors, actors, count);
    *error = problem.error;
    crash_end_input(world, &before);
    if (declarations != few)
        memory_release(world->memory, declarations);
    return r;
}

/* The window continues, so there must be room for either. */
static void make_room(struct world *world, struct ref_child *child,
                      const struct child_declaration *declaration)
{
    uint32_t old = child->declaration->burst;
    uint32_t room = (old > declaration->burst ? old : declaration->burst) + 1;
    uint64_t *exits = world_allocate(world, room * sizeof(*exits));

    memcpy(exits, child->exits, child->used * sizeof(*exits));
    child->exits = exits;
}

/* Before the change the core is asked what it would do; the answer must be what
 * the reference thinks, and then it must be done. */
int world_redeclare(struct world *world, uint32_t number,
                    const struct child_declaration *declaration, enum redeclare_how how,
                    struct error *error)
{
    struct actor *actor = &world->actors[number];
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(number < world->n_actors && declaration->id);
    inputs_begin(world, INPUT_REDECLARE, actor);
    world_note(world, &(struct record){
                          .kind = RECORD_INPUT, .what = "redeclare", .child = declaration->id});
    checks_before(world, NULL, &before);
    world->in_core = true;
    enum child_change change = CHANGE_NONE;
    core_change_of(world->core, declaration, how == REDECLARE_APPLIES, &change);
    dry_run_redeclare(world, declaration, 1);
    int r = core_redeclare(world->core, declaration, 1, how, "operator", "changed", &problem);
    world->in_core = false;
    if (r == 0) {
        make_room(world, actor->reference, declaration);
        enum child_change wanted =
            reference_change(&world->reference, declaration, how == REDECLARE_APPLIES);
        if (change != wanted)
            world_fail(world, CHECK_REFERENCE, "%s: its change is reported as %s and is %s",
                       declaration->id, child_change_to_string(change),
                       child_change_to_string(wanted));
        reference_redeclare(&world->reference, &declaration, 1, how, "operator", "changed");
    }
    *error = problem.error;
    crash_end_input(world, &before);
    return r;
}

/* Two children at once, because a set may only be right as a whole: each may
 * depend on the other's new declaration. */
int world_redeclare_two(struct world *world, const struct child_declaration *const two[2],
                        enum redeclare_how how)
{
    const struct child_declaration set[2] = {*two[0], *two[1]};
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(two[0] && two[1]);
    inputs_begin(world, INPUT_REDECLARE, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "redeclare two"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    dry_run_redeclare(world, set, 2);
    int r = core_redeclare(world->core, set, 2, how, "operator", "changed", &problem);
    world->in_core = false;
    for (int i = 0; r == 0 && i < 2; i++)
        make_room(world, reference_find(&world->reference, two[i]->id), two[i]);
    if (r == 0)
        reference_redeclare(&world->reference, two, 2, how, "operator", "changed");
    crash_end_input(world, &before);
    return r;
}

/* The limits of a supervisor change; its children do not. */
int world_redeclare_supervisor(struct world *world,
                               const struct supervisor_declaration *declaration,
                               struct error *error)
{
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(error);
    inputs_begin(world, INPUT_REDECLARE_SUPERVISOR, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = "redeclare supervisor",
                                       .text = declaration->path});
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_redeclare_supervisor(world->core, declaration, &problem);
    world->in_core = false;
    if (r == 0) {
        reference_supervise(&world->reference, declaration);
        reference_wake(&world->reference);
    }
    *error = problem.error;
    crash_end_input(world, &before);
    return r;
}

/* A job, and before it its dry run, which must promise exactly what then
 * happens. */
int world_run_job(struct world *world, uint32_t number, const char *name, enum same_name same_name,
                  struct error *error)
{
    static const struct supervisor_declaration jobs = {
        .path = JOB_SUPERVISOR, .burst = 10, .interval_usec = UINT64_C(300) * 1000000};
    struct actor *actor = &world->actors[number];
    struct child_declaration declaration = *actor->declaration;
    struct declaration_problem problem = {};
    struct checks_before before;
    struct job *job;

    INVARIANT(number < world->n_actors && name);
    declaration.id = name;
    inputs_begin(world, INPUT_RUN_JOB, NULL);
    world_note(
        world,
        &(struct record){.kind = RECORD_INPUT, .what = "run job", .child = actor->declaration->id});
    checks_before(world, NULL, &before);
    int wanted = reference_may_run(&world->reference, name, same_name);
    world->in_core = true;
    struct job_plan plan;
    int said = core_plan_job(world->core, &declaration, same_name, &plan, &problem);
    int r =
        core_run_job(world->core, &declaration, same_name, "operator", "replaced", &job, &problem);
    world->in_core = false;
    if (r != said)
        world_fail(world, CHECK_JOBS, "the job %s was answered with %d, its dry run with %d", name,
                   r, said);
    if (r != wanted)
        world_fail(world, CHECK_JOBS, "the job %s was answered with %d, it should have been %d",
                   name, r, wanted);
    if (r == 0) {
        world->jobs++;
        if (world->jobs == 1)
            reference_supervise(&world->reference, &jobs);
        uint32_t first = world->reference.count;
        add_reference(world, actor);
        reference_declared(&world->reference, first, "operator", "replaced");
        reference_run_job(&world->reference, actor->reference, name, same_name, "operator",
                          "replaced");
        dry_run_compare_job(world, actor, &plan);
    }
    *error = problem.error;
    crash_end_input(world, &before);
    return r;
}

static void in_vain(struct world *world, enum input_kind kind, const char *what)
{
    inputs_begin(world, kind, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = what});
}

static void check_refusal(struct world *world, int answer, int wanted)
{
    if (world->shutdown_begun)
        wanted = -ESHUTDOWN;
    if (answer != wanted)
        world_fail(world, CHECK_REFERENCE, "a set was answered with %d, it should be %d", answer,
                   wanted);
}

/* A set that must be refused with `wanted`, and leaves no trace. */
void world_declare_in_vain(struct world *world, const struct child_declaration *declarations,
                           size_t count, int wanted)
{
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(count == 0 || declarations);
    in_vain(world, INPUT_DECLARE, "declare in vain");
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_declare(world->core, declarations, count, "operator", "in vain", &problem);
    world->in_core = false;
    check_refusal(world, r, wanted);
    reference_wake(&world->reference);
    crash_end_input(world, &before);
}

/* A child that does not exist cannot be redeclared. */
void world_redeclare_in_vain(struct world *world, const struct child_declaration *declaration)
{
    struct declaration_problem problem = {};
    struct checks_before before;

    INVARIANT(declaration->id && declaration->id[0]);
    in_vain(world, INPUT_REDECLARE, "redeclare in vain");
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_redeclare(world->core, declaration, 1, REDECLARE_APPLIES, "operator", "in vain",
                           &problem);
    world->in_core = false;
    check_refusal(world, r, -ENOENT);
    reference_wake(&world->reference);
    crash_end_input(world, &before);
}
