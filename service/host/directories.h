/*
 * Directories of a child: where those of each kind are, and the variable that names them.
 *
 * As root they are where file-hierarchy(7) has them; as a user, where the XDG base directory
 * specification and `systemd --user` have them. The child's start makes them (birth_directory.h).
 */
#pragma once

#include "core/model/process_spec.h"

struct directories {
    char *bases[DIRECTORY_KINDS]; /* absolute paths, of those kinds that were looked for */
};

/* Finds the place of a kind. Returns 0, -ENOMEM, or -ENXIO: the environment does not say it. */
int directories_find(struct directories *directories, enum directory_kind kind);

/* RUNTIME_DIRECTORY=/run/web:/run/other, to be freed by the caller. Returns 0 or -ENOMEM. */
int directories_variable(const struct directories *directories, enum directory_kind kind,
                         const char *const *names, char **variable);

/* The name of this number, or NULL. */
const char *directories_name(const struct process_spec *spec, enum directory_kind kind,
                             uint32_t number);

void directories_free(struct directories *directories);
