/*
 * Manifest: what a person writes about children, in YAML, made into declarations.
 *
 * All of a text is checked before anything is made of it; the first mistake is reported with the
 * line and the column (from 1) and the key it stands under. A key that is not known is refused,
 * with the nearest known one as a hint: a typing error must not become a default. proctor.child(5)
 * and docs/manifest.md tell the keys.
 */
#pragma once

#include "declaration.h"
#include "restart_limit.h"

#include <stddef.h>

#define MANIFEST_CHILD_MAX (64 * 1024)   /* bytes of a manifest that comes over the bus */
#define MANIFEST_FILE_MAX  (8192 * 1024) /* bytes of a file */

struct manifest;

struct manifest_error {
    size_t line; /* 0: about no line, such as a file that can not be read */
    size_t column;
    char text[400];
};

/*
 * Parses a text: the mapping of one child, or `children:` with a list of them and what the file
 * says about their supervisor. path ("" for none) is what declarations carry as their origin.
 * Returns 0, -EINVAL with the error filled in, or -ENOMEM. Free with manifest_free().
 */
int manifest_parse(const char *text, size_t length, const char *path, struct manifest **manifest,
                   struct manifest_error *error);
void manifest_free(struct manifest *manifest);

/* Declarations stay valid until the manifest is freed. */
size_t manifest_count(const struct manifest *manifest);
const struct child_declaration *manifest_declaration(const struct manifest *manifest, size_t i);

/* The strategy that the text gives to its supervisor, the root. Returns 0, or -ENOENT where it
 * gives none; the place is where it stands. */
int manifest_strategy(const struct manifest *manifest, enum strategy *strategy,
                      struct manifest_error *place);

/* Where child i stands (dependency -1), or one of its dependencies: requires first, then after. */
void manifest_locate(const struct manifest *manifest, size_t i, int dependency,
                     struct manifest_error *error);
