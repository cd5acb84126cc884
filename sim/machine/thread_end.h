/*
 * Thread end: what the end of a guest's thread, or its exec, means to others: the waiters for its
 * number to become 0, and those in vfork.
 */
#pragma once

#include "machine/runner.h"

/* Writes 0 where the thread's number was, and wakes those that wait for that. */
void calls_clear_tid(struct runner *runner);
/* The one that waits in vfork for this task continues. */
void calls_release_maker(struct task *task);
/* At most `count` threads that share this memory and wait for this address. */
void calls_wake_futex(struct machine *machine, uint64_t memory, uint64_t address, unsigned count);
/* SIGPIPE, to the thread that wrote. */
void calls_raise_broken_pipe(struct runner *runner);
