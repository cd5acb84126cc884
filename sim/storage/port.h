/*
 * Port: the calls of service/journal and service/system, answered by the model of a disk.
 *
 * The journal is linked as it is; the linker (--wrap) leads its system calls here. At any call the
 * process may die: from then on no call has any effect, and each fails. What is to be made beside
 * the loop (beside.h) is made when the schedule says so, by this same thread.
 */
#pragma once

#include "kernel/chance.h"
#include "kernel/volume.h"

#include <stdbool.h>
#include <stdint.h>

struct port {
    struct chance chance;
    struct task_table *tasks;
    struct task *task;            /* proctord */
    struct volume *disk, *memory; /* the state directory's, and the runtime directory's */
    uint64_t now_nsec;            /* of both clocks; it moves with each look */
    uint64_t calls;               /* made so far, since the machine is on */
    uint64_t dies_at;             /* the number of the call at which it dies; 0: none */
    bool dead;
    unsigned boot;
    bool trace;
};

extern struct port port;

/* A machine is switched on: a disk with /state, memory at /run. */
void port_begin(const struct chance *chance);
/* The process that used the journal is gone, with all that it had open; power: so is what is not
 * durable. The next call is that of another process. */
void port_end_process(bool power);
void port_end(void);

/* Lets something happen that is to be made beside the loop. False: there is nothing. */
bool port_step_beside(void);
