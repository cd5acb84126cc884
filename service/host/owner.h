/*
 * Owner: which attempt a process belongs to, and how surely.
 *
 * With cgroups the kernel tells: it is in the attempt's leaf. Without, it is the main process, or
 * its ancestors lead to one, or it is in the session that the main process leads. A process that
 * has lost its parent has come to us as the subreaper; if it has also begun a session of its own,
 * nothing but its environment tells which child it descends from, and that is not believed: what it
 * sends is refused and counted.
 *
 * All of it is looked up by number. It counts because the process is held by a pidfd meanwhile: if
 * that still answers afterwards, the number was its own all the time. The same goes for its
 * ancestors: a parent that is still the parent later has been there in between.
 */
#pragma once

#include "core/core.h"

#include <sys/types.h>

struct host;
struct process;

struct owner {
    struct attempt_id id;
};

/* pidfd: of the process, of which pid is the number; stays the caller's. -1: it is opened here.
 * Returns 0; -ENOENT where it is no child's; -ESRCH where it is gone; or another negative errno. */
int owner_find(struct host *host, pid_t pid, int pidfd, struct owner *owner);
