/*
 * The tree of control groups: making, removing, entering, freezing. Each group
 * counts the processes in it and below it, because "populated" and the limit of
 * processes are about both.
 *
 * The errors are those of Linux, and come in its order: proctord's fallbacks
 * depend on which of two errors it sees. tests/kernel-model/ compares them with
 * a real kernel.
 */
#include "kernel/cgroup.h"

#include "kernel/task_table.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cgroup_tree {
    struct cgroup_profile profile;
    struct chance *chance;
    struct cgroup *root;
    uint64_t last_number;
};

/* Every group has a number that is never used again, from which the numbers of
 * its files are made. */
static struct cgroup *new_one(struct cgroup_tree *tree, struct cgroup *parent, const char *name)
{
    struct cgroup *cgroup = calloc(1, sizeof(*cgroup));

    INVARIANT(cgroup);
    cgroup->tree = tree;
    cgroup->parent = parent ? cgroup_hold(parent) : NULL;
    cgroup->references = 1;
    cgroup->name = strdup(name);
    INVARIANT(cgroup->name);
    cgroup->number = ++tree->last_number;
    cgroup->version = 1;
    cgroup->mode = 0755;
    return cgroup;
}

struct cgroup_tree *cgroup_tree_new(const struct cgroup_profile *profile, struct chance *chance)
{
    struct cgroup_tree *tree = calloc(1, sizeof(*tree));

    INVARIANT(tree);
    tree->profile = *profile;
    tree->chance = chance;
    tree->root = new_one(tree, NULL, "");
    tree->root->enabled = profile->delegated;
    return tree;
}

static void remove_all(struct cgroup *cgroup)
{
    while (cgroup->children) {
        struct cgroup *child = cgroup->children;

        remove_all(child);
        cgroup->children = child->next;
        child->removed = true;
        cgroup_release(child);
    }
}

void cgroup_tree_free(struct cgroup_tree *tree)
{
    remove_all(tree->root);
    cgroup_release(tree->root);
    free(tree);
}

const struct cgroup_profile *cgroup_tree_profile(const struct cgroup_tree *tree)
{
    return &tree->profile;
}

struct cgroup *cgroup_root(struct cgroup_tree *tree)
{
    return tree->root;
}

struct cgroup *cgroup_hold(struct cgroup *cgroup)
{
    cgroup->references++;
    return cgroup;
}

void cgroup_release(struct cgroup *cgroup)
{
    INVARIANT(cgroup->references > 0);
    if (--cgroup->references > 0)
        return;
    if (cgroup->parent)
        cgroup_release(cgroup->parent);
    free(cgroup->name);
    free(cgroup);
}

struct cgroup *cgroup_find(struct cgroup *parent, const char *name)
{
    struct cgroup *child = parent->children;

    while (child && strcmp(child->name, name) != 0)
        child = child->next;
    return child;
}

/* New groups come last, so that a listing has the order in which they were
 * made. */
int cgroup_make(struct cgroup *parent, const char *name, struct cgroup **made)
{
    struct cgroup **end = &parent->children;

    if (parent->removed)
        return -ENOENT;
    if (parent->tree->profile.read_only)
        return -EROFS;
    if (cgroup_find(parent, name))
        return -EEXIST;
    while (*end)
        end = &(*end)->next;
    *end = new_one(parent->tree, parent, name);
    if (made)
        *made = *end;
    return 0;
}

/* A group with processes or groups in it is busy. One that was removed stays in
 * memory as long as a file of it is open. */
int cgroup_remove(struct cgroup *cgroup)
{
    struct cgroup **at = &cgroup->parent->children;

    if (cgroup->tree->profile.read_only)
        return -EROFS;
    if (cgroup->removed)
        return -ENODEV;
    if (cgroup->children || cgroup->n_below > 0)
        return -EBUSY;
    while (*at != cgroup)
        at = &(*at)->next;
    *at = cgroup->next;
    cgroup->removed = true;
    cgroup_release(cgroup);
    return 0;
}

/* A poller of cgroup.events hears of a change at once or later: the kernel limits how often. */
static void tell(struct cgroup *cgroup)
{
    struct cgroup_tree *tree = cgroup->tree;

    if (cgroup->populated_told == (cgroup->n_below > 0))
        return;
    if (chance_strikes(tree->chance, tree->profile.late_populated))
        return;
    cgroup->populated_told = cgroup->n_below > 0;
    cgroup->version++;
}

static void count(struct cgroup *cgroup, bool more)
{
    for (; cgroup; cgroup = cgroup->parent) {
        cgroup->n_below = more ? cgroup->n_below + 1 : cgroup->n_below - 1;
        tell(cgroup);
    }
}

/* Readers of cgroup.events are woken when "populated" has changed, and only
 * then. */
static bool tell_below(struct cgroup *cgroup)
{
    bool any = cgroup->populated_told != (cgroup->n_below > 0);

    if (any) {
        cgroup->populated_told = cgroup->n_below > 0;
        cgroup->version++;
    }
    for (struct cgroup *child = cgroup->children; child; child = child->next)
        any = tell_below(child) || any;
    return any;
}

bool cgroup_tell(struct cgroup_tree *tree)
{
    return tell_below(tree->root);
}

bool cgroup_is_populated(const struct cgroup *cgroup)
{
    return cgroup->n_below > 0;
}

/* For a process that is in no group yet: one that is being made. */
void cgroup_enter(struct cgroup *cgroup, struct task *task)
{
    struct task **end = &cgroup->tasks;

    INVARIANT(!task->cgroup);
    while (*end)
        end = &(*end)->cgroup_next;
    *end = task;
    task->cgroup_next = NULL;
    task->cgroup = cgroup_hold(cgroup);
    cgroup->n_tasks++;
    count(cgroup, true);
}

/* The task still refers to it: a zombie's /proc/PID/cgroup says where it was. */
void cgroup_leave(struct task *task)
{
    struct cgroup *cgroup = task->cgroup;
    struct task **at = cgroup ? &cgroup->tasks : NULL;

    while (at && *at && *at != task)
        at = &(*at)->cgroup_next;
    if (!at || !*at)
        return;
    *at = task->cgroup_next;
    cgroup->n_tasks--;
    count(cgroup, false);
}

/* Moves a process. It is charged before it leaves, so that a refused move
 * changes nothing; it freezes or thaws if the two groups differ in that. */
int cgroup_attach(struct cgroup *cgroup, struct task *task)
{
    if (cgroup->removed)
        return -ENODEV;
    /* Where controllers are enabled below, processes are only in the leaves. */
    if (cgroup->enabled != 0 && cgroup->parent)
        return -EBUSY;
    if (task->state == TASK_REAPED)
        return -ESRCH;
    if (task->cgroup == cgroup || !task_is_alive(task)) /* a zombie stays where it was */
        return 0;
    int r = cgroup_charge(cgroup);
    if (r < 0)
        return r;
    struct cgroup *before = task->cgroup;
    bool was_frozen = before && cgroup_is_frozen(before);
    cgroup_leave(task);
    task->cgroup = NULL;
    cgroup_enter(cgroup, task);
    if (before)
        cgroup_release(before);
    const struct task_ports *ports = &task->table->ports;
    if (cgroup_is_frozen(cgroup) && !was_frozen && ports->stopped)
        ports->stopped(ports->userdata, task);
    else if (was_frozen && !cgroup_is_frozen(cgroup) && ports->continued)
        ports->continued(ports->userdata, task);
    return 0;
}

int cgroup_charge(const struct cgroup *cgroup)
{
    for (; cgroup; cgroup = cgroup->parent)
        if (cgroup->pids_max > 0 && cgroup->n_below >= cgroup->pids_max)
            return -EAGAIN;
    return 0;
}

bool cgroup_kills_at_birth(const struct cgroup *from, const struct cgroup *into)
{
    return into->tree->profile.kills_newcomers && into->kills != (from ? from->kills : 0);
}

bool cgroup_is_frozen(const struct cgroup *cgroup)
{
    for (; cgroup; cgroup = cgroup->parent)
        if (cgroup->frozen)
            return true;
    return false;
}

/* Stops where a group below is frozen itself: its processes do not change. */
static void tell_frozen(struct cgroup *cgroup, bool freeze)
{
    for (struct task *task = cgroup->tasks; task; task = task->cgroup_next) {
        const struct task_ports *ports = &task->table->ports;
        void (*port)(void *userdata, struct task *task) =
            freeze ? ports->stopped : ports->continued;

        if (port)
            port(ports->userdata, task);
    }
    cgroup->version++;
    for (struct cgroup *child = cgroup->children; child; child = child->next)
        if (!child->frozen)
            tell_frozen(child, freeze);
}

/* A group whose parent is frozen stays so, whatever is written to it. */
int cgroup_freeze(struct cgroup *cgroup, bool freeze)
{
    if (cgroup->removed)
        return -ENODEV;
    if (cgroup->frozen == freeze)
        return 0;
    bool above = cgroup->parent && cgroup_is_frozen(cgroup->parent);
    cgroup->frozen = freeze;
    if (!above)
        tell_frozen(cgroup, freeze);
    return 0;
}

static void write_path(const struct cgroup *cgroup, FILE *out)
{
    if (!cgroup->parent)
        return;
    write_path(cgroup->parent, out);
    fprintf(out, "/%s", cgroup->name);
}

/* As /proc/PID/cgroup shows it, with " (deleted)" as Linux adds it. The caller
 * frees it. */
char *cgroup_path(const struct cgroup *cgroup)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    INVARIANT(out);
    if (!cgroup->parent)
        fputc('/', out);
    write_path(cgroup, out);
    if (cgroup->removed)
        fputs(" (deleted)", out);
    INVARIANT(fclose(out) == 0);
    return text;
}
