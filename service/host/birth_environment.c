/*
 * Joins two lists of variables without allocating: after a fork the lock of the
 * allocator may belong to a thread that does not exist here.
 */
#include "host/birth_environment.h"

#include <errno.h>
#include <stdbool.h>

static bool same_name(const char *a, const char *b)
{
    while (*a && *a == *b && *a != '=') {
        a++;
        b++;
    }
    return *a == '=' && *b == '=';
}

static bool is_named(char *const *list, size_t count, const char *variable)
{
    for (size_t i = 0; i < count; i++)
        if (same_name(list[i], variable))
            return true;
    return false;
}

int birth_variables_take(void *userdata, char *variable)
{
    struct variables *variables = userdata;

    for (size_t i = 0; i < variables->count; i++)
        if (same_name(variables->list[i], variable)) {
            variables->list[i] = variable;
            return 0;
        }
    if (variables->count == FILE_VARIABLES_MAX)
        return -E2BIG;
    variables->list[variables->count++] = variable;
    return 0;
}

/* What the manifest says wins over the file, the file over what a child has without one. */
char **birth_variables_merge(const struct plan *plan, const struct variables *file, char **list)
{
    char **environment = plan->environment.list;
    size_t n = 0;

    for (size_t i = 0; i < plan->n_before; i++)
        if (!is_named(file->list, file->count, environment[i]))
            list[n++] = environment[i];
    for (size_t i = 0; i < file->count; i++)
        if (!is_named(environment + plan->n_before, plan->n_environment - plan->n_before,
                      file->list[i]))
            list[n++] = file->list[i];
    for (size_t i = plan->n_before; i < plan->n_environment; i++)
        list[n++] = environment[i];
    list[n] = NULL;
    return list;
}
