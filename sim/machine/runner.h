/*
 * Runner: a thread of a guest, and what the machine keeps of its task: descriptors and limits.
 */
#pragma once

#include "machine/machine.h"

/* The first reason is kept. Returns -EIO. */
int machine_fail(struct machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct program *program_of(const struct task *task);
/* NULL if the number is not open. */
struct description *runner_description(const struct runner *runner, uint64_t number);
struct runner *machine_runner_of(const struct thread *thread);
/* slot: where the guest's thread speaks to the driver. NULL without memory. */
struct runner *machine_add_runner(struct machine *machine, struct thread *thread, uint32_t slot);
/* It runs no more. */
void machine_drop_runner(struct runner *runner);
/* The child gets a copy of all that the task has: its descriptors. Returns 0 or -ENOMEM. */
int machine_copy_program(struct machine *machine, const struct task *task, struct task *child);
/* The thread continues in a fresh copy of the program. */
int machine_renew(struct runner *runner, const char *arguments, size_t arguments_size,
                  const char *environment, size_t environment_size);
/* Those that are dropped are freed; not while anybody walks along the list. */
void runner_free_gone(struct machine *machine);
/* All descriptors of the task are closed. */
void runner_free_program(struct task *task);
