/*
 * Cycles of dependencies, found by a walk in depth that marks each child: not
 * seen, on the path, done. The walk is bounded at a thousand, which also bounds
 * the stack, and only starts at children that are declared now, as those that
 * stood before are known to be free of cycles.
 */
#include "core/rules/cycle.h"

#include "core/core.h"
#include "core/model/child.h"
#include "core/model/declaration.h"
#include "core/vocabulary/text.h"

#include <errno.h>

#define DEPTH_MAX 1000

enum mark { NOT_SEEN, ON_THE_PATH, DONE, TOLD };

/* The next that a child waits for, behind `n` others; *target may be NULL: it was removed. A
 * primary waits for the sidecars that go around it, and these do not for their primary. */
static bool next_target(const struct child *child, size_t n, struct child **target)
{
    const struct child_declaration *declaration = &child->config->declaration;
    size_t declared = declaration->n_requires + declaration->n_after;
    struct child *sidecar = child->first_sidecar;

    *target = n < declared ? child->config->targets[n] : NULL;
    if (n == 0 && declaration_is_around(declaration))
        *target = NULL;
    if (n < declared)
        return true;
    for (; sidecar && n > declared; n--)
        sidecar = sidecar->next_sidecar;
    *target = sidecar && sidecar->goes_around ? sidecar : NULL;
    return sidecar != NULL;
}

/* Returns 0; -ELOOP where it is reached from itself, or -E2BIG where the chain is too long to say.
 * Then the marks show the way. */
static int visit(struct child *child, unsigned depth)
{
    struct child *target;
    int r = 0;

    if (child->mark == DONE)
        return 0;
    if (child->mark == ON_THE_PATH)
        return -ELOOP;
    if (depth > DEPTH_MAX)
        return -E2BIG;
    child->mark = ON_THE_PATH;
    for (size_t i = 0; r == 0 && next_target(child, i, &target); i++)
        if (target)
            r = visit(target, depth + 1);
    if (r == 0)
        child->mark = DONE;
    return r;
}

/* Takes the marks away again; what is not marked leads to nothing that is. */
static void forget_visit(struct child *child)
{
    struct child *target;

    if (child->mark == NOT_SEEN)
        return;
    child->mark = NOT_SEEN;
    for (size_t i = 0; next_target(child, i, &target); i++)
        if (target)
            forget_visit(target);
}

/* Those before it are done: it is the one that the visit followed. */
static struct child *next_on_the_path(const struct child *child)
{
    struct child *target;

    for (size_t i = 0; next_target(child, i, &target); i++)
        if (target && (target->mark == ON_THE_PATH || target->mark == TOLD))
            return target;
    return NULL;
}

/* The path is still marked when this runs, so following the marks reproduces
 * the cycle in the order in which a reader would trace it in the manifests. */
static void tell_cycle(struct child *first, struct text *text)
{
    struct child *child = first;

    text_append(text, "the dependencies form a cycle: ");
    text_append(text, first->id);
    while (child && child->mark != TOLD) {
        child->mark = TOLD;
        child = next_on_the_path(child);
        text_append(text, " -> ");
        text_append(text, child ? child->id : "?");
    }
}

/* The marks are taken back in every case: they are fields of the children, and
 * the next check has to find them clean. */
int cycle_look(struct child **children, size_t count, struct declaration_problem *problem)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        r = visit(children[i], 0);
        if (r == 0)
            continue;
        struct text text = text_in(problem->error.text, sizeof(problem->error.text));
        problem->of_supervisor = false;
        problem->declaration = i;
        problem->dependency =
            children[i]->config->declaration.n_requires + children[i]->config->declaration.n_after >
                    0
                ? 0
                : -1;
        if (r == -ELOOP)
            tell_cycle(children[i], &text);
        else
            text_append(&text, "the chain of its dependencies is longer than 1000");
        r = -ELOOP;
    }
    for (size_t i = 0; i < count; i++)
        forget_visit(children[i]);
    return r;
}
