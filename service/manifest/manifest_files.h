/*
 * Manifest files: which there are, and what is in them. A manifest may be on a mount that does not
 * answer, so both are asked outside (outside.h), and belong beside the loop.
 */
#pragma once

#include "core/vocabulary/error.h"
#include "system/outside.h"

#include <stdbool.h>

/*
 * What a path stands for: a file, a folder (its *.yaml and *.yml in the order of their names) or a
 * pattern of glob(7). *names are to be freed, each ends with a zero, and *size is that of all; a
 * folder may be empty. Returns 0 or a negative errno, with the path in the error.
 */
int manifest_files_list(const char *path, char **names, size_t *size, bool *folder,
                        struct error *error);

/* The text is terminated, and to be freed. Returns 0; -EINVAL where it can be no manifest; another
 * negative errno where it could not be read, which says nothing about what is in it. */
int manifest_files_read(const char *path, char **text, size_t *length, struct error *error);

extern const struct outside_job manifest_list_job, manifest_read_job;
