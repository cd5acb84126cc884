/*
 * Id list: the ids of a set, sorted, so that looking for each of ten thousand takes a moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* By bytes, in place. */
void id_list_sort(const char **ids, size_t count);
/* The list must be sorted. */
bool id_list_has(const char *const *ids, size_t count, const char *id);
