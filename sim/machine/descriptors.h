/*
 * Descriptors: the table of a process: numbers, and which of them are closed by an exec.
 */
#pragma once

#include "machine/description.h"

#include <stdbool.h>

struct descriptor {
    struct description *description; /* NULL: free */
    bool close_on_exec;
};

struct descriptors {
    struct descriptor *list;
    size_t room;
    size_t limit; /* RLIMIT_NOFILE */
};

/* limit: the soft one of RLIMIT_NOFILE. NULL without memory. */
struct descriptors *descriptors_new(size_t limit);
/* Both tables share what is open. NULL without memory. */
struct descriptors *descriptors_copy(const struct descriptors *table);
void descriptors_free(struct descriptors *table); /* closes all */

/* The lowest free number from `from` on gets the description, whose reference it takes; it is
 * released where this fails. Returns the number, or -EMFILE, -EINVAL or -ENOMEM. */
int descriptors_add(struct descriptors *table, struct description *description, int from,
                    bool close_on_exec);
/* The number gets it, and what it was is closed. */
int descriptors_set(struct descriptors *table, int number, struct description *description,
                    bool close_on_exec);
struct description *descriptors_get(const struct descriptors *table, int number); /* or NULL */
int descriptors_close(struct descriptors *table, int number);
void descriptors_close_range(struct descriptors *table, unsigned first, unsigned last);
/* Closes what is to be closed by exec. */
void descriptors_execute(struct descriptors *table);
/* How many are open. */
size_t descriptors_count(const struct descriptors *table);
