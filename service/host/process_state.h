/*
 * Process state: how far the process of an attempt is. One setter; what may follow what is a table.
 *
 *     idle -> queued -> preparing -> launched -> running -> untold -> draining -> ending -> idle
 *
 * A start for which something lacks goes back from preparing or launched to queued or preparing,
 * and one that is stopped before it was launched is called off, and then idle.
 *
 * A start that fails goes back to idle, and an end at which no process is left leaves out what it
 * does not need. A process that an earlier proctord started is running, or launched, or drained, at
 * once.
 */
#pragma once

#include <stdbool.h>

struct process;

enum process_state {
    PROCESS_IDLE,       /* there is none, or its end has been reported to the core */
    PROCESS_QUEUED,     /* the core has asked for it: it is begun in its turn */
    PROCESS_PREPARING,  /* what its launch needs is looked up, or waited for, or lacks */
    PROCESS_CALLED_OFF, /* it was to end before it was launched: that is reported in its turn */
    PROCESS_LAUNCHED,   /* on its way to its program (spawner.h) */
    PROCESS_RUNNING,
    PROCESS_UNTOLD, /* its main process has ended, and a killed health check is given a moment to go
                       before the core hears what is left */
    PROCESS_DRAINING, /* others of the attempt are there (tree.h); the core says what becomes of
                         them */
    PROCESS_ENDING, /* no process is left; its last words, or the end of its result, are waited for
                     */
};

void process_set_state(struct process *process, enum process_state state);

/* Begun, and not over. */
bool process_is_there(const struct process *process);
/* Begun, and not yet at its program. */
bool process_is_starting(const struct process *process);
/* Its main process has ended, and the core does not know yet that all of it has. */
bool process_is_draining(const struct process *process);
