/*
 * Declaring and removing. A declaration is a whole tree of supervisors and
 * children, and either all of it comes into being or nothing: `struct making`
 * holds what has been made and linked so far, and undo() takes it back from the
 * end. Only after the last check are the events emitted and the children
 * started, so an error never leaves a trace outside of this file. The dry run
 * takes the same way and always undoes.
 */
#include "core/rules/declare.h"

#include "core/model/child_change.h"
#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/lineage.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/registry.h"
#include "core/model/restart_limit.h"
#include "core/model/seldom.h"
#include "core/model/sidecar.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/model/tally.h"
#include "core/private.h"
#include "core/rules/cycle.h"
#include "core/rules/due.h"
#include "core/rules/jobs.h"
#include "core/rules/plan.h"
#include "core/rules/start.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

#include <errno.h>
#include <string.h>

/* ---- checks ---------------------------------------------------------------------------------- */

/* The place in the request is what a caller needs to find the line of a
 * manifest: the number of the declaration, and of the dependency in it or
 * -1. */
void declare_problem(struct declaration_problem *problem, size_t declaration, int dependency,
                     const char *a, const char *b, const char *c)
{
    struct text text = text_in(problem->error.text, sizeof(problem->error.text));

    problem->of_supervisor = false;
    problem->declaration = declaration;
    problem->dependency = dependency;
    text_append(&text, a);
    text_append(&text, b);
    text_append(&text, c);
}

/* A sidecar of a sidecar would need an order of its own for starting and
 * stopping; it is refused instead. A job has none, since it is gone before a
 * sidecar would be useful. */
static int check_sidecar(struct child *child, size_t declaration,
                         struct declaration_problem *problem)
{
    const struct child_config *config = child->config;
    const struct child *primary;

    if (config->declaration.role != ROLE_SIDECAR)
        return 0;
    if (child->first_sidecar) {
        declare_problem(problem, declaration, -1, "\"", child->first_sidecar->id,
                        "\" is its sidecar: it cannot become one itself");
        return -EINVAL;
    }
    if (config->declaration.n_requires == 0) {
        declare_problem(problem, declaration, -1, "a sidecar needs a primary", "", "");
        return -EINVAL;
    }
    primary = config->targets[0];
    if (primary->config->declaration.role == ROLE_SIDECAR || primary->job) {
        declare_problem(problem, declaration, 0, "\"", primary->id,
                        primary->job ? "\" is a job, and can have no sidecar"
                                     : "\" is a sidecar itself, and can have none");
        return -EINVAL;
    }
    return 0;
}

/* Names become pointers. A child of the same request may be named before it is
 * declared, so this runs after all of them are linked. */
int declare_connect(struct core *core, struct child *child, size_t declaration,
                    struct declaration_problem *problem)
{
    struct child_config *config = child->config;
    const char *group = config->declaration.group;

    child->group = supervisor_group(child->member.supervisor, group);
    if (group && !child->group) {
        declare_problem(problem, declaration, PROBLEM_GROUP,
                        "its supervisor has no group called \"", group, "\"");
        return -ENOENT;
    }
    for (size_t i = 0; i < dependency_count(&config->declaration); i++) {
        const char *id = dependency_id(&config->declaration, i);
        config->targets[i] = core_find(core, id);
        if (!config->targets[i]) {
            declare_problem(problem, declaration, (int)i, "no child is called \"", id, "\"");
            return -ENOENT;
        }
    }
    return check_sidecar(child, declaration, problem);
}

/* ---- declaring ------------------------------------------------------------------------------- */

/* All memory that the child will ever need is allocated here: later, when it
 * fails and has to be restarted, there is nothing that could run out. */
static struct child *child_new(struct core *core, const struct child_declaration *declaration)
{
    struct child *child = registry_allocate(core, sizeof(*child));
    if (!child)
        return NULL;
    child->config = config_new(core, declaration);
    child->lineage = lineage_new(core, declaration->id);
    if (!child->config || !child->lineage) {
        registry_release(core, child->config);
        registry_release(core, child->lineage);
        registry_release(core, child);
        return NULL;
    }
    child->id = child->config->declaration.id;
    child->name = last_segment(child->id);
    restart_limit_init(&child->restart_limit, child->config->ring, declaration->burst,
                       declaration->interval_usec);
    return child;
}

/* From here on the child is found by its id and counted. Slots are reused,
 * serial numbers never: a report that names a slot of a removed child is
 * recognized as stale by the serial. */
static void link_child(struct core *core, struct supervisor *supervisor, struct child *child)
{
    member_link(supervisor, &child->member);
    tally_add(core, child);
    core->children++;
    child->serial = core->next_serial++;
    child->slot =
        core->free_slot_count > 0 ? core->free_slots[--core->free_slot_count] : core->next_slot++;
    core->slots[child->slot] = child;
    seldom_give(core, child);
    registry_index(core, child);
}

/* ---- as it was in another core --------------------------------------------------------------- */

/* The same for a checkpoint, in which slot and serial are given; the tree in it
 * has been valid when it was written, so nothing is checked but memory. */
int declare_restore_child(struct core *core, const struct child_declaration *declaration,
                          uint32_t slot, uint32_t serial)
{
    struct supervisor *supervisor = supervisor_of_path(core, declaration->id);
    struct child *child = supervisor ? child_new(core, declaration) : NULL;

    if (!child)
        return supervisor ? -ENOMEM : -EBADMSG;
    member_link(supervisor, &child->member);
    tally_add(core, child);
    core->children++;
    child->slot = slot;
    child->serial = serial;
    core->slots[slot] = child;
    seldom_give(core, child);
    registry_index(core, child);
    return 0;
}

static void unlink_child(struct core *core, struct child *child)
{
    tally_remove(core, child);
    member_unlink(&child->member);
    core->children--;
    core->slots[child->slot] = NULL;
    core->free_slots[core->free_slot_count++] = child->slot;
    registry_unindex(core, child);
}

static void child_release(struct core *core, struct child *child)
{
    registry_release(core, child->next_config);
    registry_release(core, child->config);
    registry_release(core, child->lineage);
    registry_release(core, child);
}

/* Points every child that depends on an id at its present record; NULL when it goes away. */
static void repoint(struct core *core, const char *id, struct child *target)
{
    if (!registry_may_be_needed(core, id))
        return;
    for (struct child *child = core_first(core); child; child = core_next(child))
        for (size_t i = 0; i < dependency_count(&child->config->declaration); i++)
            if (strcmp(dependency_id(&child->config->declaration, i), id) == 0) {
                stop_order_repoint(core, child, child->config->targets[i], target, i);
                child->config->targets[i] = target;
                core->may_miss = core->may_miss || !target;
                if (i == 0)
                    sidecar_bind(core, child);
            }
}

/* Children may name one that was removed since. Whether any does is remembered,
 * so that declaring thousands of children does not walk the tree for each. */
static bool anybody_misses_one(struct core *core)
{
    if (!core->may_miss)
        return false;
    for (const struct child *child = core_first(core); child; child = core_next(child))
        for (size_t i = 0; i < dependency_count(&child->config->declaration); i++)
            if (!child->config->targets[i])
                return true;
    core->may_miss = false;
    return false;
}

/* What a declaration makes, until it is sure that all of it can be made. */
struct making {
    const struct tree_declaration *tree;
    struct declaration_problem *problem;
    struct child **children;
    size_t made_children, linked_children;
    struct supervisor **supervisors; /* NULL where it is the root */
    bool *linked;
    size_t made_supervisors;
    struct supervisor_config *root; /* the new one, then the old one */
    bool root_changed;
};

static void problem_of_supervisor(struct making *making, size_t i, const char *a, const char *b,
                                  const char *c)
{
    declare_problem(making->problem, i, -1, a, b, c);
    making->problem->of_supervisor = true;
}

/* The root exists already: a declaration of it changes its settings, once. */
static int make_supervisor(struct core *core, struct making *making, size_t i)
{
    const struct supervisor_declaration *declaration = &making->tree->supervisors[i];

    if (declaration->path[0] != '\0') {
        making->supervisors[i] = supervisor_new(core, declaration);
        return making->supervisors[i] ? 0 : -ENOMEM;
    }
    if (making->root) {
        problem_of_supervisor(making, i, "the root is declared twice", "", "");
        return -EEXIST;
    }
    making->root = supervisor_config_new(core, declaration);
    return making->root ? 0 : -ENOMEM;
}

/* Memory for all of them first. After this, linking can fail only for reasons
 * that lie in the request. */
static int make_all(struct core *core, struct making *making)
{
    const struct tree_declaration *tree = making->tree;
    int r = registry_reserve(core, tree->n_children);

    for (; r == 0 && making->made_supervisors < tree->n_supervisors; making->made_supervisors++)
        r = make_supervisor(core, making, making->made_supervisors);
    for (; r == 0 && making->made_children < tree->n_children; making->made_children++) {
        size_t i = making->made_children;
        making->children[i] = child_new(core, &tree->children[i]);
        if (!making->children[i])
            return -ENOMEM;
    }
    return r;
}

static void free_making(struct core *core, struct making *making)
{
    registry_release(core, making->children);
    registry_release(core, making->supervisors);
    registry_release(core, making->linked);
    registry_release(core, making->root);
}

/* In the reverse order, so that each thing is taken away while what it hangs
 * from still stands. Supervisors are tried until none can be unlinked any more,
 * as a list may name them in any order. */
static void undo(struct core *core, struct making *making)
{
    while (making->linked_children > 0) {
        struct child *child = making->children[--making->linked_children];
        repoint(core, child->id, NULL);
        sidecar_unbind(core, child);
        unlink_child(core, child);
        core_forget_changed(core, child); /* its sidecar was bound to it */
    }
    /* A supervisor may have been linked after those that come later in the list. */
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < making->made_supervisors; i++)
            if (making->linked[i] && making->supervisors[i]->members == 0) {
                supervisor_unlink(core, making->supervisors[i]);
                making->linked[i] = false;
                again = true;
            }
    }
    if (making->root_changed)
        making->root = supervisor_configure(core, &core->root, making->root);
    for (size_t i = 0; i < making->made_children; i++)
        child_release(core, making->children[i]);
    for (size_t i = 0; i < making->made_supervisors; i++)
        if (making->supervisors[i])
            supervisor_free(core, making->supervisors[i]);
}

static int link_supervisor(struct core *core, struct making *making, size_t i);

/* The supervisor above a path: it may be in the set, and come later. */
static struct supervisor *reach(struct core *core, struct making *making, const char *path)
{
    size_t length = path_parent_length(path);
    struct supervisor *supervisor = supervisor_of_path(core, path);

    for (size_t i = 0; !supervisor && i < making->made_supervisors; i++) {
        const struct supervisor *candidate = making->supervisors[i];
        if (!candidate || making->linked[i] || strlen(candidate->path) != length ||
            strncmp(candidate->path, path, length) != 0)
            continue;
        if (link_supervisor(core, making, i) < 0)
            return NULL;
        supervisor = making->supervisors[i];
    }
    return supervisor;
}

/* A supervisor may be declared after those below it; reach() links those above
 * it first. The depth is bounded, as escalation and the walk of the tree
 * recurse as deep as the tree is. */
static int link_supervisor(struct core *core, struct making *making, size_t i)
{
    struct supervisor *supervisor = making->supervisors[i], *parent;

    if (!supervisor || making->linked[i])
        return 0;
    if (core_find_supervisor(core, supervisor->path) || core_find(core, supervisor->path)) {
        problem_of_supervisor(making, i, "the name \"", supervisor->path, "\" is taken");
        return -EEXIST;
    }
    making->problem->error.text[0] = '\0';
    parent = reach(core, making, supervisor->path);
    if (!parent) {
        if (making->problem->error.text[0] == '\0')
            problem_of_supervisor(making, i, "no supervisor is above \"", supervisor->path, "\"");
        return -ENOENT;
    }
    if (parent->depth == SUPERVISOR_DEPTH_MAX) {
        problem_of_supervisor(making, i, "\"", supervisor->path, "\" is more than 8 levels deep");
        return -EINVAL;
    }
    supervisor_link(core, parent, supervisor);
    making->linked[i] = true;
    return 0;
}

static int link_supervisors_until(struct core *core, struct making *making, size_t position)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < making->made_supervisors; i++)
        if (making->tree->supervisors[i].position <= position)
            r = link_supervisor(core, making, i);
    return r;
}

/* Names the supervisor that is missing, not the child, since that is what has
 * to be added. */
static void problem_of_missing(struct making *making, size_t i, const char *id)
{
    char path[CHILD_ID_MAX + 1];
    size_t length = path_parent_length(id);

    memcpy(path, id, length);
    path[length] = '\0';
    declare_problem(making->problem, i, PROBLEM_SUPERVISOR, "no supervisor is called \"", path,
                    "\"");
}

/* Ids of children and paths of supervisors share one name space: payments/eu
 * cannot be both. */
static int link_one(struct core *core, struct making *making, size_t i)
{
    struct child *child = making->children[i];
    struct supervisor *supervisor;
    int r = link_supervisors_until(core, making, i);

    if (r < 0)
        return r;
    if (core_find(core, child->id) || core_find_supervisor(core, child->id)) {
        declare_problem(making->problem, i, -1, "a child is already called \"", child->id, "\"");
        return -EEXIST;
    }
    making->problem->error.text[0] = '\0';
    supervisor = reach(core, making, child->id);
    if (!supervisor) {
        if (making->problem->error.text[0] == '\0')
            problem_of_missing(making, i, child->id);
        return -ENOENT;
    }
    link_child(core, supervisor, child);
    return 0;
}

/* All are linked before any is connected, and all are connected before the
 * check for cycles, which follows the connections. Children that had lost the
 * one they require get it back, if it is declared again under its old name. */
static int link_all(struct core *core, struct making *making)
{
    const struct tree_declaration *tree = making->tree;
    bool missing = anybody_misses_one(core);
    int r = 0;

    if (making->root) {
        making->root = supervisor_configure(core, &core->root, making->root);
        making->root_changed = true;
    }
    for (; r == 0 && making->linked_children < tree->n_children;) {
        r = link_one(core, making, making->linked_children);
        making->linked_children += r == 0;
    }
    if (r == 0)
        r = link_supervisors_until(core, making, SIZE_MAX);
    for (size_t i = 0; r == 0 && i < tree->n_children; i++)
        r = declare_connect(core, making->children[i], i, making->problem);
    if (r < 0)
        return r;
    for (size_t i = 0; i < tree->n_children; i++)
        sidecar_bind(core, making->children[i]);
    for (size_t i = 0; missing && i < tree->n_children; i++)
        repoint(core, making->children[i]->id, making->children[i]);
    return cycle_look(making->children, tree->n_children, making->problem);
}

void declare_announce(struct core *core, struct child *child, uint64_t id, const char *requester,
                      const char *reason)
{
    core_changed(core, child);
    EMIT(core, EVENT_CHILD_ADDED, child, id, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("reason", reason));
}

/* Every child is announced before any is started: a reader of the events knows
 * the whole tree before the first start in it. Those that others start after
 * are named first, so that the order in the list does not matter. */
static void start_all(struct core *core, const struct making *making, const char *requester,
                      const char *reason)
{
    uint64_t id = core_new_command(core);
    size_t count = making->tree->n_children;

    for (size_t i = 0; i < count; i++) {
        lineage_resume(core, making->children[i]);
        declare_announce(core, making->children[i], id, requester, reason);
    }
    for (size_t i = 0; i < count; i++) {
        const struct child_declaration *declaration = &making->children[i]->config->declaration;
        making->children[i]->wanted = declaration->autostart && declaration->has_process;
    }
    for (size_t i = 0; i < count; i++)
        if (making->children[i]->wanted)
            start_name(making->children[i]);
    for (int around = 1; around >= 0; around--) /* those that go around others come before them */
        for (size_t i = 0; i < count; i++) {
            struct child *child = making->children[i];
            if (child->wanted && declaration_is_around(&child->config->declaration) == around)
                start_request(core, child, id, false);
        }
    for (size_t i = 0; i < count; i++)
        if (making->children[i]->config->declaration.schedule)
            due_begin(core, making->children[i]);
}

/* Limits that protect the daemon from a request, and the text for the failure
 * that has no other: memory. */
static int check_room(const struct core *core, const struct tree_declaration *tree,
                      struct declaration_problem *problem)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        declare_problem(problem, 0, -1, "the tree is shutting down", "", "");
        return -ESHUTDOWN;
    }
    if (tree->n_children > CORE_CHILDREN_MAX ||
        core->children + tree->n_children > CORE_CHILDREN_MAX) {
        declare_problem(problem, 0, -1, "more than 100000 children", "", "");
        return -E2BIG;
    }
    if (tree->n_supervisors > SUPERVISORS_MAX ||
        core->supervisors + tree->n_supervisors > SUPERVISORS_MAX) {
        declare_problem(problem, 0, -1, "more than 1000 supervisors", "", "");
        problem->of_supervisor = tree->n_supervisors > 0;
        return -E2BIG;
    }
    declare_problem(problem, 0, -1, "out of memory", "", "");
    return 0;
}

/* Makes and links all of a set, or leaves everything as it was. */
static int make_and_link(struct core *core, struct making *making)
{
    const struct tree_declaration *tree = making->tree;
    int r = check_room(core, tree, making->problem);

    if (r < 0)
        return r;
    making->children = registry_allocate(core, (tree->n_children + 1) * sizeof(*making->children));
    making->supervisors =
        registry_allocate(core, (tree->n_supervisors + 1) * sizeof(*making->supervisors));
    making->linked = registry_allocate(core, (tree->n_supervisors + 1) * sizeof(*making->linked));
    if (!making->children || !making->supervisors || !making->linked)
        r = -ENOMEM;
    if (r == 0)
        r = make_all(core, making);
    if (r == 0)
        r = link_all(core, making);
    if (r < 0)
        undo(core, making);
    return r;
}

/* The way in: all of it or nothing. */
int declare_tree(struct core *core, const struct tree_declaration *tree, const char *requester,
                 const char *reason, struct declaration_problem *problem)
{
    struct making making = {.tree = tree, .problem = problem};
    int r = make_and_link(core, &making);

    if (r == 0)
        start_all(core, &making, requester, reason);
    free_making(core, &making);
    return r;
}

/* The dry run. With `starts` it also lists the children that would be started,
 * which only the linked tree can tell. */
int declare_check(struct core *core, const struct tree_declaration *tree,
                  const struct plan_visitor *starts, struct declaration_problem *problem)
{
    struct making making = {.tree = tree, .problem = problem};
    int r = make_and_link(core, &making);

    if (r == 0 && starts)
        plan_declared(core, making.children, tree->n_children, starts);
    if (r == 0)
        undo(core, &making);
    free_making(core, &making);
    return r;
}

/* ---- letting go ------------------------------------------------------------------------------ */

/* The end of a record. Others that require it are pointed at nothing and wait
 * for one of that name; what it counted (its generation, its fencing token) is
 * left to its lineage, so that a child declared again under the same id
 * continues there. Nothing may run any more. */
void declare_remove(struct core *core, struct child *child, enum child_status final, uint64_t cause)
{
    struct supervisor *supervisor = child->member.supervisor;

    INVARIANT(!child->attempt.active && !core->muted);
    for (int i = 0; i < CHILD_TIMERS; i++)
        child_disarm(core, child, (enum child_timer)i);
    start_withdraw(core, child);
    job_child_gone(core, child);
    EMIT(core, EVENT_CHILD_RUNTIME_STATE_REMOVED, child, cause,
         FIELD_TEXT_OF("final_status", child_status_to_string(final)),
         FIELD_TEXT_OF("path", child->id));
    core->ports.forget(core->ports.userdata, child);
    lineage_leave(core, child);
    job_child_forgotten(child);
    repoint(core, child->id, NULL);
    sidecar_unbind(core, child);
    unlink_child(core, child);
    core_forget_changed(core, child);
    child_release(core, child);
    supervisor_collect(core, supervisor);
}
