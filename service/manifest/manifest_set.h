/*
 * Manifest set: the files that an operator keeps, read together, and made into the tree: at the
 * start all of them, at a reload the difference. All or nothing, both times.
 */
#pragma once

#include "core.h"
#include "manifest.h"
#include "manifest_progress.h"

struct manifest_set;

/* What a reload did, or would do. */
struct manifest_changes {
    size_t added;
    size_t changed;
    size_t removed;
    size_t unchanged;
};

/*
 * Reads files. Each path is a file, a folder (its *.yaml and *.yml in the order of their names) or
 * a pattern of glob(7); optional paths may be missing. progress: NULL where nobody asks. Returns 0,
 * -EINVAL or -ENOMEM with "FILE:LINE:COLUMN: message" in the error. May be called beside the loop.
 */
int manifest_set_load(const char *const *paths, size_t count, bool optional,
                      struct manifest_progress *progress, struct manifest_set **set,
                      struct error *error);
void manifest_set_free(struct manifest_set *set);
size_t manifest_set_count(const struct manifest_set *set);
const struct child_declaration *manifest_set_declaration(const struct manifest_set *set, size_t i);

/* Puts the place of a problem before its text: "FILE:LINE:COLUMN: message". */
void manifest_set_explain(const struct manifest_set *set, const struct declaration_problem *problem,
                          struct error *error);

/* Checks what declaring the set in an empty tree would find, without declaring it: doubled ids,
 * unknown dependencies, cycles; and the environment files that it names. */
int manifest_set_check(const struct manifest_set *set, struct error *error);

/* Declares the whole set in an empty tree. Errors as core_declare(), explained. */
int manifest_set_declare(const struct manifest_set *set, struct core *core, const char *requester,
                         const char *reason, struct error *error);

/*
 * Brings those children of the tree that came from files to what the set says: new ones are
 * declared, changed ones redeclared, missing ones removed. With dry_run only counts. visit, where
 * given, is called for each child that is touched, with "added", "changed" or "removed".
 */
int manifest_set_reload(const struct manifest_set *set, struct core *core, const char *requester,
                        const char *reason, bool dry_run, struct manifest_changes *changes,
                        void (*visit)(void *userdata, const char *what, const char *id),
                        void *userdata, struct error *error);
