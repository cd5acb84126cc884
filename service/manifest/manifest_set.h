/*
 * Manifest set: the files that an operator keeps, read together, and made into the tree: at the
 * start all of them, at a reload the difference. All or nothing, both times.
 */
#pragma once

#include "core/core.h"
#include "manifest/manifest.h"
#include "manifest/manifest_progress.h"
#include "manifest/mistakes.h"

struct manifest_set;

/* How many children and supervisors a reload did what to, or would do. */
struct manifest_changes {
    size_t added;
    size_t in_place; /* by their changes (docs/manifest.md, "Changing a declaration") */
    size_t pending;
    size_t restart;
    size_t removed;
    size_t unchanged;
    size_t awaited; /* of those added: they are still being removed, see manifest_set_go_on() */
};

/* What is asked of a reload. visit, where given, is called for each child and supervisor that is
 * touched, with the word of what becomes of it: "added", "in-place", "pending", "restart" or
 * "removed"; in a dry run also with "WouldStart" and "WouldStop". */
struct manifest_reload {
    const char *requester, *reason;
    bool dry_run; /* only tells */
    bool restart; /* those that wait for their next start are restarted */
    void (*visit)(void *userdata, const char *what, const char *id);
    void *userdata;
};

/*
 * Reads files. Each path is a file, a folder (its *.yaml and *.yml in the order of their names) or
 * a pattern of glob(7); optional paths may be missing. progress: NULL if no caller asks. Returns 0,
 * -EINVAL or -ENOMEM with "FILE:LINE:COLUMN: message" in the error. May be called beside the loop.
 */
int manifest_set_load(const char *const *paths, size_t count, bool optional,
                      struct manifest_progress *progress, struct manifest_set **set,
                      struct error *error);
/* The same, and continues behind a mistake: each is noted. A set with mistakes is not to be run. */
int manifest_set_load_all(const char *const *paths, size_t count, bool optional,
                          struct mistakes *mistakes, struct manifest_set **set,
                          struct error *error);
/* NULL is allowed. */
void manifest_set_free(struct manifest_set *set);
/* Tries the set alone, which takes as long as it is large: a reload need not do it again in the
 * loop. May be called beside it. What is wrong is said by the reload. */
void manifest_set_prepare(struct manifest_set *set);
bool manifest_set_is_sound(
    const struct manifest_set *set); /* it was tried, and is without mistake */
size_t manifest_set_count(const struct manifest_set *set);
/* In the order of the files. Belongs to the set. */
const struct child_declaration *manifest_set_declaration(const struct manifest_set *set, size_t i);

/* Whether a child with this id is declared. */
bool manifest_set_has(const struct manifest_set *set, const char *id);

/* The tree that it declares; the root first among the supervisors. */
struct tree_declaration manifest_set_tree(const struct manifest_set *set);

/* Declares a tree in a core that does nothing: 0, or the first mistake. */
int manifest_set_rehearse(const struct tree_declaration *tree, struct declaration_problem *problem);

/* The same, with the mistake explained. */
int manifest_set_try(const struct manifest_set *set, const struct tree_declaration *tree,
                     struct error *error);

/* Another owner: the set is there until each of them has freed it. Only of the loop's thread. */
struct manifest_set *manifest_set_keep(const struct manifest_set *set);
bool *manifest_set_awaited(const struct manifest_set *set); /* by the number of a child */

/* Puts the place of a problem before its text: "FILE:LINE:COLUMN: message". */
void manifest_set_explain(const struct manifest_set *set, const struct declaration_problem *problem,
                          struct error *error);

/* Checks what declaring the set in an empty tree would find, without declaring it: doubled ids,
 * unknown dependencies, cycles; and the environment files that it names. */
int manifest_set_check(const struct manifest_set *set, struct error *error);

/* The same, all mistakes: manifest_check.c. Returns 0 or -ENOMEM. */
int manifest_set_check_all(const struct manifest_set *set, struct mistakes *mistakes);

/* Declares the whole set in an empty tree. Errors as core_declare(), explained. */
int manifest_set_declare(const struct manifest_set *set, struct core *core, const char *requester,
                         const char *reason, struct error *error);

/*
 * Brings those children of the tree that came from files to what the set says: new ones are
 * declared, changed ones redeclared, missing ones removed. Mistakes are found first, also by a dry
 * run.
 */
int manifest_set_reload(const struct manifest_set *set, struct core *core,
                        const struct manifest_reload *what, struct manifest_changes *changes,
                        struct error *error);

/*
 * A child that is being removed counts as absent: a reload adds it, when its record has gone. This
 * declares those of which that is so by now. Returns how many are still waited for.
 */
size_t manifest_set_go_on(const struct manifest_set *set, struct core *core, const char *requester,
                          const char *reason);
