/*
 * Before: the commands that are run one after the other before the program of a child.
 *
 *     begun ──it has ended, or its time is over──▶ killed as a whole ──gone──▶ the next, or the end
 *
 * The attempt is starting meanwhile, and its start_timeout bounds them all. A command that fails is
 * a start that fails. A stop sends the child's stop signal to the command that runs, and the start
 * ends when that has gone. What a command of an earlier proctord left is killed, and the commands
 * are run again from the first one: the attempt has not come to its program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct errand;
struct process;

/* Of each process. */
struct before_commands {
    struct errand *errand; /* the one that runs; NULL: none does */
    size_t at;             /* its number, or that of the next one */
    bool waits;            /* it has ended, and its processes are waited for */
    int error;             /* what it ended with: negative errno; */
    bool failed, lacks;
    struct sd_event_source *timer;
};

/* No command has been run: a new attempt begins. */
void before_reset(struct process *process);

/* Whether there is one to be run. */
bool before_is_due(const struct process *process);

/* Runs the next one. host->before_over() is called later, when it and its processes are gone.
 * Returns 0, or a negative errno with result_error and result_reason set. */
int before_begin(struct process *process);

/* Its processes are gone: process->checks_left is 0. */
void before_gone(struct process *process);

/* A stop. Returns false where nothing is there that has to end. */
bool before_stop(struct process *process, bool at_once);

/* Kills what runs; it is not waited for. */
void before_forget(struct process *process);
