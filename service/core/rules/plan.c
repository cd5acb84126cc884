/*
 * Which children would start, found by taking in one after the other until none
 * is added, since each that starts may be what another waits for. The marks
 * stand in the children (planned_by, made_wanted); nothing else of the core is
 * touched, which the campaign checks.
 */
#include "core/rules/plan.h"

#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/rules/dependency.h"
#include "core/rules/requirement.h"
#include "core/vocabulary/vocabulary.h"

static bool is_on_its_way(const struct child *child)
{
    return child->start == START_QUEUED ||
           (child->pending.active && child->start != START_DEPENDENCY) ||
           (child->attempt.active && !child->attempt.cancel_delivered &&
            child->readiness == READINESS_UNREPORTED);
}

/* Whether all that it requires is there, on its way or planned. *by: the child of the command that
 * one of these goes back to. */
static bool would_be_met(const struct child *child, struct child **by)
{
    const struct child_declaration *declaration = &child->config->declaration;

    *by = NULL;
    for (size_t i = 0; i < declaration->n_requires; i++) {
        struct child *target = child->config->targets[i];
        if (target && target->planned_by)
            *by = target->planned_by;
        else if (!dependency_is_met(declaration, target) && !(target && is_on_its_way(target)))
            return false;
    }
    return true;
}

/* Whether the command itself asks for a start of this child. */
static bool is_made_wanted(const struct core *core, const struct child *child,
                           enum command_verb verb)
{
    bool removed;

    if (core->shutdown_phase != SHUTDOWN_IDLE || child->job ||
        !child->config->declaration.has_process)
        return false;
    if (child->attempt.active && requirement_lacking(core, child, &removed))
        return false; /* the command is rejected */
    if (verb == COMMAND_RESUME)
        return (child->operation == CHILD_PAUSED || child->operation == CHILD_QUARANTINED) &&
               child->wanted;
    return verb == COMMAND_RESTART && child->operation == CHILD_ACTIVE && !child->attempt.active &&
           !child->pending.active && !requirement_lacking(core, child, &removed) &&
           !child_unmet_dependency(child, &removed);
}

static bool waits_already(const struct child *child)
{
    return child->operation == CHILD_ACTIVE &&
           (child->start == START_DEPENDENCY || child->pending.active);
}

/* One child more that would start, because of one that was taken in before.
 * Repeated until nothing is added: what starts may be what others wait for. */
static bool take_in(struct child *child)
{
    struct child *by;

    if (child->planned_by || !(child->made_wanted || waits_already(child)) ||
        !would_be_met(child, &by))
        return false;
    if (!child->made_wanted && !by)
        return false; /* it starts in any case */
    child->planned_by = child->made_wanted ? child : by;
    return true;
}

/* From either end in turn, as those that are required stand before or behind it in the tree. */
static void complete(struct core *core)
{
    for (bool again = true; again;) {
        again = false;
        for (struct child *child = core_first(core); child; child = core_next(child))
            again = take_in(child) || again;
        for (struct child *child = supervisor_last(&core->root); child && again;
             child = supervisor_previous(&core->root, child))
            take_in(child);
    }
}

void plan_forget(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child)) {
        child->planned_by = child->brings_first = child->brings_next = NULL;
        child->made_wanted = false;
    }
}

/* From the last on, so that the first stands first. */
static void link_brought(struct core *core)
{
    for (struct child *child = supervisor_last(&core->root); child;
         child = supervisor_previous(&core->root, child)) {
        struct child *by = child->planned_by;
        if (!by || by == child)
            continue;
        child->brings_next = by->brings_first;
        by->brings_first = child;
    }
}

void plan_child(struct core *core, struct child *child, enum command_verb verb)
{
    plan_forget(core);
    child->made_wanted = is_made_wanted(core, child, verb);
    complete(core);
    link_brought(core);
}

void plan_scope(struct core *core, struct supervisor *supervisor, enum command_verb verb)
{
    plan_forget(core);
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child))
        child->made_wanted = is_made_wanted(core, child, verb);
    complete(core);
    link_brought(core);
}

/* The children that are only tried go away: nothing may point at them. */
void plan_tell_starts(struct core *core, const struct plan_visitor *starts)
{
    complete(core);
    for (struct child *child = core_first(core); child; child = core_next(child))
        if (child->planned_by)
            starts->visit(starts->userdata, child->id);
    plan_forget(core);
}

void plan_declared(struct core *core, struct child *const *children, size_t count,
                   const struct plan_visitor *starts)
{
    plan_forget(core);
    for (size_t i = 0; i < count; i++)
        children[i]->made_wanted = children[i]->config->declaration.autostart &&
                                   children[i]->config->declaration.has_process;
    plan_tell_starts(core, starts);
}

bool plan_starts_job(struct core *core, const struct child *tried)
{
    struct child *by;

    plan_forget(core);
    return would_be_met(tried, &by);
}

void plan_note_waiting(struct child *child)
{
    struct child *by;

    child->made_wanted = child->operation == CHILD_ACTIVE && child->start == START_DEPENDENCY &&
                         !would_be_met(child, &by);
}

unsigned plan_of(const struct child *child)
{
    unsigned plan = child->planned_by == child && !child->attempt.active ? PLAN_START : 0;

    return plan | (child->brings_first ? PLAN_BRING : 0);
}
