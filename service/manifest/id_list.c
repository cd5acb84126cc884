/*
 * A sorted list of ids, for looking one up.
 */
#include "manifest/id_list.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void id_list_sort(const char **ids, size_t count)
{
    qsort(ids, count, sizeof(*ids), compare_ids);
}

bool id_list_has(const char *const *ids, size_t count, const char *id)
{
    return count > 0 && bsearch(&id, ids, count, sizeof(*ids), compare_ids) != NULL;
}
