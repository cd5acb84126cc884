/*
 * Birth with an environment file: its variables, and those of the plan, become one list. Nothing is
 * allocated, and no system call is made.
 */
#pragma once

#include "host/plan.h"

#include <stddef.h>

#define FILE_VARIABLES_MAX 16384

struct variables {
    char **list;
    size_t count;
};

/* One more of the file, for environment_file_parse(); userdata: the variables. Returns 0 or -E2BIG.
 */
int birth_variables_take(void *userdata, char *variable);

/* Into a list that has room for all. */
char **birth_variables_merge(const struct plan *plan, const struct variables *file, char **list);
