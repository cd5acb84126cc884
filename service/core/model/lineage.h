/*
 * Lineage: what an id leaves behind when its child is removed.
 *
 * A store that has seen generation 4 of "worker" refuses generation 0, also when the child was
 * removed and added again meanwhile. So the highest generation and the last fencing token of each
 * id that was ever declared are remembered; a child of that id continues from there. The number of
 * ids is whatever callers declare, and so bounded: the one whose child was removed first is
 * forgotten first. Its fencing token grows all the same, as it follows the wall clock.
 *
 * The memory comes with the child, so that its removal allocates nothing. Jobs have none: each has
 * an id of its own.
 *
 * The idea: fencing tokens, as in Chubby's sequencers and Kleppmann's "How to do distributed
 * locking".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive;
struct child;
struct core;

#define LINEAGES_MAX  65536
#define LINEAGE_LISTS 64 /* of the hash */

struct lineage {
    struct lineage *next;          /* of the same hash */
    struct lineage *older, *newer; /* in the order of removals */
    bool born;                     /* the generation counts */
    uint64_t generation, fence;
    uint32_t hash;
    char id[];
};

struct lineages {
    struct lineage *lists[LINEAGE_LISTS];
    struct lineage *oldest, *newest;
    uint32_t count;
};

/* Where a child's goes when it is removed. NULL: out of memory. The child owns it until then. */
struct lineage *lineage_new(struct core *core, const char *id);

/* The child is declared: it continues from what its id has left, if anything. */
void lineage_resume(struct core *core, struct child *child);

/* The child is removed: it takes its lineage along. */
void lineage_leave(struct core *core, struct child *child);

/* All of them, in order. Reading: 0, -ENOMEM or -EBADMSG. */
int lineages_archive(struct core *core, struct archive *archive);
void lineages_free(struct core *core);
