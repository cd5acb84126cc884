/*
 * Supervisors come, change and go. A change of the declaration replaces its
 * groups; children that were in one of them are moved to the one of the same
 * name, with what was counted there.
 */
#include "core/model/supervisor_change.h"

#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/restart_limit.h"
#include "core/model/restart_queue.h"
#include "core/model/scope.h"
#include "core/model/supervisor.h"
#include "core/model/tally.h"
#include "core/private.h"

#include <errno.h>

/* The root exists in every tree, and has no limit until one is declared. */
int supervisor_init_root(struct core *core)
{
    struct supervisor *root = &core->root;
    struct supervisor_declaration plain;

    supervisor_declaration_defaults(&plain, "");
    *root = (struct supervisor){.member = {.is_supervisor = true}, .depth = 1};
    root->tail = &root->member;
    root->scope.supervisor = root;
    root->config = supervisor_config_new(core, &plain);
    if (!root->config)
        return -ENOMEM;
    supervisor_configure(core, root, root->config);
    return 0;
}

/* Where a child that waits in the scope of a group continues to wait: in that of the present group
 * of that name. It need not be the child's own group: it may have a newer declaration. */
static struct scope *present_scope(const struct supervisor *supervisor,
                                   const struct supervisor_config *old, struct scope *scope)
{
    for (size_t i = 0; i < old->declaration.n_groups; i++)
        if (scope == &old->groups[i].scope) {
            struct group *group = supervisor_group(supervisor, old->groups[i].declaration.name);
            return group ? &group->scope : (struct scope *)(uintptr_t)&supervisor->scope;
        }
    return scope;
}

/* The scopes of the old groups end with them; children in them continue in the
 * present group's scope, or in none. */
static void repoint_groups(struct core *core, struct supervisor *supervisor,
                           struct supervisor_config *old)
{
    for (size_t i = 0; i < old->declaration.n_groups; i++)
        scope_end(core, &old->groups[i].scope);
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child)) {
        if (child->member.supervisor != supervisor)
            continue;
        child->group = supervisor_group(supervisor, child->config->declaration.group);
        child_set_scope(core, child, present_scope(supervisor, old, child->scope));
        if (child->scope)
            scope_begin(core, child->scope);
    }
}

static void keep_exits(const struct core *core, struct restart_limit *limit,
                       const struct restart_limit *before)
{
    struct restart_limit kept = *before;

    restart_limit_resize(&kept, limit->ring, limit->burst, limit->interval_usec,
                         core_realtime(core));
    *limit = kept;
}

/* What a group of this name has counted, and the tokens that were taken, stay. */
static void keep_counts_of_groups(const struct core *core, struct supervisor *supervisor,
                                  const struct supervisor_config *old)
{
    for (size_t i = 0; i < old->declaration.n_groups; i++) {
        const struct group *before = &old->groups[i];
        struct group *group = supervisor_group(supervisor, before->declaration.name);
        if (!group)
            continue;
        keep_exits(core, &group->limit, &before->limit);
        if (before->budget.interval_usec > 0 && group->budget.interval_usec > 0)
            group->budget.full_usec = before->budget.full_usec;
    }
}

/* Returns the old configuration, which the caller releases, or puts back if the
 * declaration fails. */
struct supervisor_config *supervisor_configure(struct core *core, struct supervisor *supervisor,
                                               struct supervisor_config *config)
{
    struct supervisor_config *old = supervisor->config;

    supervisor->config = config;
    supervisor->path = config->declaration.path;
    for (size_t i = 0; i < config->declaration.n_groups; i++)
        config->groups[i].scope.supervisor = supervisor;
    struct restart_limit before = supervisor->limit;
    restart_limit_init(&supervisor->limit, config->ring, config->declaration.burst,
                       config->declaration.interval_usec);
    if (config != old && core->handling) { /* else it is read, and its counts come next */
        keep_exits(core, &supervisor->limit, &before);
        keep_counts_of_groups(core, supervisor, old);
    }
    repoint_groups(core, supervisor, old);
    restart_queue_released(core, supervisor);
    core_changed_supervisor(core, supervisor);
    return old;
}

void supervisor_comes_up(struct core *core, struct supervisor *supervisor)
{
    for (; supervisor && !core->muted; supervisor = supervisor->member.supervisor) {
        if (supervisor->melted_down)
            core_changed_supervisor(core, supervisor);
        supervisor->melted_down = false;
    }
}

bool supervisor_count_below(struct core *core, struct supervisor *supervisor)
{
    core_changed_supervisor(core, supervisor);
    return restart_limit_count(&supervisor->limit, core_now(core), core_realtime(core));
}

bool supervisor_count(struct core *core, struct supervisor *supervisor)
{
    return !supervisor->config->declaration.limited || supervisor_count_below(core, supervisor);
}

/* Not linked yet, so that a declaration that fails can free it. */
struct supervisor *supervisor_new(struct core *core,
                                  const struct supervisor_declaration *declaration)
{
    struct supervisor *supervisor = core->ports.allocate(core->ports.userdata, sizeof(*supervisor));
    struct supervisor_config *config = supervisor ? supervisor_config_new(core, declaration) : NULL;

    if (!config) {
        if (supervisor)
            core->ports.release(core->ports.userdata, supervisor);
        return NULL;
    }
    supervisor->member.is_supervisor = true;
    supervisor->tail = &supervisor->member;
    supervisor->scope.supervisor = supervisor;
    supervisor->config = config;
    supervisor->path = config->declaration.path;
    return supervisor;
}

/* The list of all supervisors is in the order of declaration; a supervisor's
 * number in a checkpoint is its place there. */
void supervisor_link(struct core *core, struct supervisor *parent, struct supervisor *supervisor)
{
    struct supervisor *last = &core->root;

    member_link(parent, &supervisor->member);
    core_changed_supervisor(core, parent);
    supervisor->depth = parent->depth + 1;
    while (last->next)
        last = last->next;
    last->next = supervisor;
    core->supervisors++;
    supervisor_configure(core, supervisor, supervisor->config);
}

/* Also out of the list of those that have changed, since that list is read
 * after the input, when this one is gone. */
void supervisor_unlink(struct core *core, struct supervisor *supervisor)
{
    struct supervisor *before = &core->root;

    core_changed_supervisor(core, supervisor->member.supervisor);
    member_unlink(&supervisor->member);
    while (before->next != supervisor)
        before = before->next;
    before->next = supervisor->next;
    core->supervisors--;
    scope_end(core, &supervisor->scope);
    restart_queue_forget(core, supervisor);
    for (struct supervisor **link = &core->changed_supervisor; *link; link = &(*link)->changed_next)
        if (*link == supervisor) {
            *link = supervisor->changed_next;
            break;
        }
}

void supervisor_free(struct core *core, struct supervisor *supervisor)
{
    core->ports.release(core->ports.userdata, supervisor->config);
    core->ports.release(core->ports.userdata, supervisor);
}

/* A supervisor that no manifest declares any more goes with its last child;
 * that may make the one above empty, too. */
void supervisor_collect(struct core *core, struct supervisor *supervisor)
{
    while (supervisor->discarded && supervisor->members == 0) {
        struct supervisor *parent = supervisor->member.supervisor;
        if (core->ports.forget_supervisor)
            core->ports.forget_supervisor(core->ports.sink, supervisor);
        supervisor_unlink(core, supervisor);
        supervisor_free(core, supervisor);
        supervisor = parent;
    }
}

void supervisor_discard(struct core *core, struct supervisor *supervisor)
{
    supervisor->discarded = supervisor != &core->root;
    supervisor_collect(core, supervisor);
}
