/*
 * Store: the descriptors that a child has given to be kept (fd_store.h), over its attempts, over
 * the program that takes our place, and over our death where the service manager keeps them
 * (keep.h). They go with the record of the child.
 */
#pragma once

#include "host/fd_store.h"

struct notify_asides;
struct process;

/* Before a start: there is one where the manifest asks for it, and no more in it than it says. */
void store_prepare(struct process *process);
/* The descriptors, for the child to get. store: may be NULL. Returns how many there are. */
size_t store_list(const struct fd_store *store, int fds[FD_STORE_MAX]);

/* What the child sends to be kept. Those that are taken over are -1 then. */
void store_take(struct process *process, const struct notify_asides *asides, int *fds, size_t n);
void store_remove(struct process *process, const struct notify_asides *asides);

/* See process_keep(). */
void store_keep(const struct process *process);
void store_unkeep(const struct process *process);
/* What an earlier proctord has kept of it, or has not: that is reported. */
void store_adopt(struct process *process);
void store_free(struct process *process);
