/*
 * Listing: the numbers of processes, ascending: of our own children, or of all there are.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct listed {
    pid_t pid;
    /* Of its folder in /proc: as long as it is the same, the number is the same process's. The
     * kernel may also give one process several, one after the other. 0: not known. */
    uint64_t inode;
};

struct listing {
    struct listed *listed;
    size_t n, room;
};

/* All return 0; or why not all could be listed: a negative errno. */
int listing_of_ours(struct listing *listing); /* -ENOENT where the kernel keeps no such list */
int listing_of_all(struct listing *listing);  /* but for the first one and ourselves */
void listing_free(struct listing *listing);
