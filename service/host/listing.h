/*
 * Listing: the numbers of processes, ascending: of our own children, or of all there are.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct listing {
    pid_t *pids;
    size_t n, room;
};

/* All return 0; or why not all could be listed: a negative errno. */
int listing_of_ours(struct listing *listing); /* -ENOENT where the kernel keeps no such list */
int listing_of_all(struct listing *listing);  /* but for the first one and ourselves */
void listing_free(struct listing *listing);
