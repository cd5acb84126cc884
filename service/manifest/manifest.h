/*
 * Manifest: what a person writes about children, in YAML, made into declarations.
 *
 * All of a text is checked before anything is made of it; the first mistake is reported with the
 * line and the column (from 1) and the key it stands under. A key that is not known is refused,
 * with the nearest known one as a hint: a typing error must not become a default. proctor.child(5)
 * and docs/manifest.md tell the keys.
 */
#pragma once

#include "core/model/declaration.h"
#include "core/model/restart_limit.h"

#include <stddef.h>

#define MANIFEST_CHILD_MAX (64 * 1024)   /* bytes of a manifest that comes over the bus */
#define MANIFEST_FILE_MAX  (8192 * 1024) /* bytes of a file */

struct manifest;

struct manifest_error {
    size_t line; /* 0: about no line, such as a file that cannot be read */
    size_t column;
    char file[300]; /* "": the manifest's own, else a drop-in's */
    char text[400];
};

/*
 * Parses a text: the mapping of one child, or that of a supervisor: `children:` with a list of
 * them, and of supervisors below, and how they are kept. path ("" for none) is what declarations
 * carry as their origin. Returns 0, -EINVAL with the error filled in, or -ENOMEM. Free with
 * manifest_free().
 */
int manifest_parse(const char *text, size_t length, const char *path, struct manifest **manifest,
                   struct manifest_error *error);
void manifest_free(struct manifest *manifest);

struct manifest_text;
struct mistakes;

/*
 * The same of a text and the drop-ins over it, n of them behind it (drop_in.h). With mistakes, it
 * continues behind one: each is noted. Then it returns 0 as well if there are some, and
 * children and supervisors that could not be read have their names only, and are not to be run.
 */
int manifest_parse_all(const struct manifest_text *texts, size_t drop_ins,
                       struct mistakes *mistakes, struct manifest **manifest,
                       struct manifest_error *error);

/* Declarations stay valid until the manifest is freed. */
size_t manifest_count(const struct manifest *manifest);
const struct child_declaration *manifest_declaration(const struct manifest *manifest, size_t i);

/* The supervisors, each before what is in its list; `position` counts the manifest's children.
 * *settings: it says more than whose children these are. */
size_t manifest_supervisor_count(const struct manifest *manifest);
const struct supervisor_declaration *manifest_supervisor(const struct manifest *manifest, size_t i,
                                                         bool *settings);
void manifest_locate_supervisor(const struct manifest *manifest, size_t i,
                                struct manifest_error *error);

/* Where child i stands, or a part of it, as in struct declaration_problem. */
void manifest_locate(const struct manifest *manifest, size_t i, int dependency,
                     struct manifest_error *error);
