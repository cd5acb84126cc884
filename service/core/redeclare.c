/*
 * Redeclaring: giving those that are in the tree a newer declaration, all of a set or none.
 */
#include "cycle.h"
#include "private.h"
#include "requirement.h"
#include "stop_order.h"

static void *allocate(struct core *core, size_t size)
{
    return core->ports.allocate(core->ports.userdata, size);
}

static void release(struct core *core, void *memory)
{
    if (memory)
        core->ports.release(core->ports.userdata, memory);
}

/* A child that is to have a new declaration. */
struct change {
    struct child *child;
    struct child_config *config;
};

static void swap_configs(struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct child_config *old = changes[i].child->config;
        changes[i].child->config = changes[i].config;
        changes[i].config = old;
    }
}

/* Looks for unknown dependencies and cycles as if the new declarations were in force already. */
static int check_changes(struct core *core, struct change *changes, size_t count,
                         struct declaration_problem *problem)
{
    int r = 0;

    swap_configs(changes, count);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = tree_connect(core, changes[i].child, i, problem);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = cycle_look(&changes[i].child, 1, problem);
        problem->declaration = i;
    }
    swap_configs(changes, count);
    for (size_t i = 0; i < count; i++) { /* what tree_connect() has found is the new one's */
        struct child *child = changes[i].child;
        child->group = supervisor_group(child->member.supervisor, child->config->declaration.group);
    }
    return r;
}

/* Dependencies were checked when they were given; one may have been removed since. */
void tree_find_targets(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    child->group = supervisor_group(child->member.supervisor, declaration->group);
    for (size_t i = 0; i < dependency_count(declaration); i++) {
        child->config->targets[i] = core_find(core, dependency_id(declaration, i));
        core->may_miss = core->may_miss || !child->config->targets[i];
    }
}

void tree_adopt_next_config(struct core *core, struct child *child)
{
    struct child_config *old = child->config;
    const struct child_declaration *declaration;

    child->config = child->next_config;
    child->next_config = NULL;
    declaration = &child->config->declaration;
    child->id = declaration->id;
    child->name = last_segment(child->id);
    child_disarm(core, child, TIMER_WINDOW);
    restart_limit_init(&child->restart_limit, child->config->ring, declaration->burst,
                       declaration->interval_usec);
    tree_find_targets(core, child);
    if (!declaration_is_ready_by_exit(declaration))
        liveness_forget_success(core, child);
    if (!core->muted) { /* a dry run puts the old one back */
        sidecar_bind(child);
        release(core, old);
    }
    core_changed(core, child);
}

static int prepare_changes(struct core *core, struct change *changes,
                           const struct child_declaration *declarations, size_t count,
                           struct declaration_problem *problem)
{
    for (size_t i = 0; i < count; i++) {
        changes[i].child = core_find(core, declarations[i].id);
        if (!changes[i].child) {
            tree_problem(problem, i, -1, "no child is called \"", declarations[i].id, "\"");
            return -ENOENT;
        }
        changes[i].config = config_new(core, &declarations[i]);
        if (!changes[i].config)
            return -ENOMEM;
    }
    return check_changes(core, changes, count, problem);
}

static void apply_change(struct core *core, struct change *change, uint64_t id,
                         const char *requester, const char *reason)
{
    struct child *child = change->child;

    release(core, child->next_config);
    child->next_config = change->config;
    tree_announce(core, child, id, requester, reason);
    if (!child->attempt.active)
        tree_adopt_next_config(core, child);
    else if (child->operation == CHILD_ACTIVE)
        requirement_expect(child);
}

static bool is_to_be_restarted(const struct child *child)
{
    return child->attempt.active && child->operation == CHILD_ACTIVE && !child->pending.active;
}

/* Whoever runs is restarted for it, but for those that could not start: they run on. */
static void restart_changed(struct core *core, struct child *child, uint64_t id)
{
    char conflict[CONFLICT_MAX + 1];

    if (!is_to_be_restarted(child))
        return;
    if (requirement_refuses(core, child, conflict, sizeof(conflict)))
        EMIT(core, EVENT_CHILD_RESTART_CONFLICT, child, id,
             FIELD_TEXT_OF("decision", fence_decision_to_string(FENCE_REJECTED)),
             FIELD_TEXT_OF("command", "reload"), FIELD_TEXT_OF("conflict", conflict));
    else
        fence_enter(core, child, id, false, "reload");
}

int tree_redeclare(struct core *core, const struct child_declaration *declarations, size_t count,
                   enum redeclare_how how, const char *requester, const char *reason,
                   struct declaration_problem *problem)
{
    (void)how;
    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        tree_problem(problem, 0, -1, "the tree is shutting down", "", "");
        return -ESHUTDOWN;
    }
    tree_problem(problem, 0, -1, "out of memory", "", "");
    struct change *changes = allocate(core, (count + 1) * sizeof(*changes));
    if (!changes)
        return -ENOMEM;

    int r = prepare_changes(core, changes, declarations, count, problem);
    uint64_t id = r == 0 ? core_new_command(core) : 0;
    for (size_t i = 0; i < count; i++)
        if (r == 0)
            apply_change(core, &changes[i], id, requester, reason);
        else
            release(core, changes[i].config);
    requirement_judge(core);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (is_to_be_restarted(changes[i].child))
            stop_order_name(core, changes[i].child);
    for (size_t i = 0; r == 0 && i < count; i++)
        restart_changed(core, changes[i].child, id);
    stop_order_settle(core);
    requirement_forget(core);
    release(core, changes);
    core_finish_input(core);
    return r;
}

int tree_redeclare_supervisor(struct core *core, const struct supervisor_declaration *declaration,
                              struct declaration_problem *problem)
{
    struct supervisor *supervisor = core_find_supervisor(core, declaration->path);
    struct supervisor_config *config;

    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        tree_problem(problem, 0, -1, "the tree is shutting down", "", "");
        return -ESHUTDOWN;
    }
    if (!supervisor) {
        tree_problem(problem, 0, -1, "no supervisor is called \"", declaration->path, "\"");
        return -ENOENT;
    }
    config = supervisor_config_new(core, declaration);
    if (!config) {
        tree_problem(problem, 0, -1, "out of memory", "", "");
        return -ENOMEM;
    }
    supervisor->discarded = false;
    release(core, supervisor_configure(core, supervisor, config));
    core_finish_input(core);
    return 0;
}
