/*
 * Watch: the ends of main processes, as the kernel tells of them (ends.h). Where it has no memory
 * for that, it is tried again: an attempt that runs is never given up.
 */
#pragma once

struct host;
struct process;

void process_watch(struct process *process);
void process_unwatch(struct process *process);
void host_watch_unwatched(struct host *host); /* those of which process_watch() has failed */
