/*
 * Check, all of it: the core tells the first mistake of a tree. It is noted, what it is about is
 * mended in a copy of the tree, and the copy is tried again, until it is sound.
 */
#include "core/model/child.h"
#include "core/vocabulary/invariant.h"
#include "manifest/arena.h"
#include "manifest/environment_check.h"
#include "manifest/manifest_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct copy {
    struct arena arena; /* of what stands in place of what was mended */
    struct tree_declaration tree;
    struct child_declaration *children; /* the tree's */
};

static int copy_tree(const struct manifest_set *set, struct copy *copy)
{
    size_t n;

    copy->tree = manifest_set_tree(set);
    n = copy->tree.n_children;
    copy->children = arena_allocate(&copy->arena, (n + 2) * sizeof(*copy->children));
    if (!copy->children)
        return -ENOMEM;
    memcpy(copy->children, copy->tree.children, n * sizeof(*copy->children));
    copy->tree.children = copy->children;
    return 0;
}

/* ---- mending --------------------------------------------------------------------------------- */

/* A child that nothing is wrong with, behind all others; NULL without memory. */
static const char *stand_in(struct copy *copy)
{
    static const char id[] = "mistake:any";
    struct child_declaration *last = &copy->children[copy->tree.n_children - 1];

    if (strcmp(last->id, id) == 0)
        return last->id;
    declaration_defaults(++last, ROLE_WORKER);
    last->id = id;
    last->manifest = last->manifest_path = "";
    copy->tree.n_children++;
    return id;
}

/* The others keep their numbers, by which their places are found. */
static int set_id(struct copy *copy, const char ***ids, size_t count, size_t i, const char *id)
{
    const char **fresh = arena_allocate(&copy->arena, (count + 1) * sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    memcpy(fresh, *ids, count * sizeof(*fresh));
    fresh[i] = id;
    *ids = fresh;
    return 0;
}

static int replace_dependency(struct copy *copy, struct child_declaration *child, size_t i)
{
    const char *id = stand_in(copy);

    if (i >= child->n_requires)
        return set_id(copy, &child->after, child->n_after, i - child->n_requires, id);
    return set_id(copy, &child->requires, child->n_requires, i, id);
}

/* Gives it a name that is free, below the root. */
static int rename_child(struct copy *copy, struct child_declaration *child, size_t number)
{
    char name[32];

    snprintf(name, sizeof(name), "mistake:%zu", number);
    child->id = arena_copy(&copy->arena, name, strlen(name));
    return child->id ? 0 : -ENOMEM;
}

static int replace_id(struct copy *copy, const char ***ids, size_t count, const char *old,
                      const char *id)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        if (strcmp((*ids)[i], old) == 0)
            r = set_id(copy, ids, count, i, id);
    return r;
}

/* Those that depend on it keep doing so. */
static int move_to_root(struct copy *copy, struct child_declaration *child, size_t number)
{
    const char *old = child->id;

    child->group = NULL;
    int r = rename_child(copy, child, number);
    for (size_t i = 0; r == 0 && i < copy->tree.n_children; i++) {
        struct child_declaration *other = &copy->children[i];
        r = replace_id(copy, &other->requires, other->n_requires, old, child->id);
        if (r == 0)
            r = replace_id(copy, &other->after, other->n_after, old, child->id);
    }
    return r;
}

/* Returns 1 if it cannot be mended: then nothing more is found out. */
static int mend(struct copy *copy, const struct declaration_problem *problem, int r, size_t number)
{
    struct child_declaration *child = &copy->children[problem->declaration];

    if (problem->of_supervisor || problem->declaration >= copy->tree.n_children)
        return 1;
    if (problem->dependency >= 0)
        return replace_dependency(copy, child, (size_t)problem->dependency);
    if (problem->dependency == PROBLEM_GROUP) {
        child->group = NULL;
        return 0;
    }
    if (problem->dependency == PROBLEM_SUPERVISOR)
        return move_to_root(copy, child, number);
    if (r == -EEXIST)
        return rename_child(copy, child, number);
    if (child->role != ROLE_SIDECAR)
        return 1;
    child->role = ROLE_WORKER;
    return 0;
}

/* ---- checking -------------------------------------------------------------------------------- */

static int check_tree(const struct manifest_set *set, struct copy *copy, struct mistakes *mistakes)
{
    int r = 0;

    for (size_t number = 0; r == 0 && mistakes->count <= MISTAKES_MAX; number++) {
        struct declaration_problem problem;
        struct error error = {};
        r = manifest_set_rehearse(&copy->tree, &problem);
        if (r == 0 || r == -ENOMEM)
            return r;
        manifest_set_explain(set, &problem, &error);
        mistakes_note(mistakes, error.text);
        r = mend(copy, &problem, r, number);
    }
    return r < 0 ? r : 0;
}

int manifest_set_check_all(const struct manifest_set *set, struct mistakes *mistakes)
{
    INVARIANT(set && mistakes);
    struct copy copy = {};
    int r = copy_tree(set, &copy);

    if (r == 0)
        r = check_tree(set, &copy, mistakes);
    arena_free(&copy.arena);
    for (size_t i = 0; r == 0 && i < manifest_set_count(set); i++) {
        struct error error = {};
        r = environment_check(manifest_set_declaration(set, i), &error);
        if (r < 0 && r != -ENOMEM) {
            mistakes_note(mistakes, error.text);
            r = 0;
        }
    }
    return r;
}
