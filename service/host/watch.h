/*
 * Watch: the ends of main processes, as the kernel tells of them (ends.h). Where it has no memory
 * for that, it is tried again: an attempt that runs is never given up.
 */
#pragma once

#include <stdint.h>

struct host;
struct process;

void process_watch(struct process *process);
void process_unwatch(struct process *process);
void host_watch_unwatched(struct host *host); /* those of which process_watch() has failed */

/* Looks again at what is draining or not watched (reap.h): in a moment, or in so long at most. */
void host_look_again(struct host *host);
void host_look_again_in(struct host *host, uint64_t usec);
