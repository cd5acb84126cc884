/*
 * Counts of what is below each supervisor: children, attempts, holds, members
 * of scopes. They are kept by adding and removing a child's own contribution on
 * the whole way up, around each change.
 */
#include "core/model/tally.h"

#include "core/model/present.h"
#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/vocabulary/vocabulary.h"

static struct tally tally_of(const struct child *child)
{
    return (struct tally){.children = 1,
                          .attempts = child->attempt.active,
                          .held = child->operation != CHILD_ACTIVE,
                          .scoped = child->scope != NULL};
}

/* A child has changed, or come (before is empty), or gone (after is). */
static void count_again(struct core *core, struct supervisor *supervisor, struct tally before,
                        struct tally after)
{
    for (; supervisor; supervisor = supervisor->member.supervisor) {
        struct tally *tally = &supervisor->tally;
        tally->children += after.children - before.children;
        tally->attempts += after.attempts - before.attempts;
        tally->held += after.held - before.held;
        tally->scoped += after.scoped - before.scoped;
        core_changed_supervisor(core, supervisor);
    }
}

void tally_add(struct core *core, struct child *child)
{
    count_again(core, child->member.supervisor, (struct tally){}, tally_of(child));
}

void tally_remove(struct core *core, struct child *child)
{
    count_again(core, child->member.supervisor, tally_of(child), (struct tally){});
}

void child_set_active(struct core *core, struct child *child, bool active)
{
    struct tally before = tally_of(child);

    child->attempt.active = active;
    if (!core->muted)
        count_again(core, child->member.supervisor, before, tally_of(child));
}

void child_set_scope(struct core *core, struct child *child, struct scope *scope)
{
    struct tally before = tally_of(child);

    child->scope = scope;
    if (!core->muted)
        count_again(core, child->member.supervisor, before, tally_of(child));
}

void child_put_operation(struct core *core, struct child *child, enum child_operation operation)
{
    struct tally before = tally_of(child);

    child->operation = operation;
    if (!core->muted)
        count_again(core, child->member.supervisor, before, tally_of(child));
}
