/*
 * Wire: what a simulated process and its driver share.
 *
 * A page of memory for each thread ("slot"). A thread that makes a system call writes its number
 * and its six arguments there, hands the turn to the driver, and waits for the word `go`. Only one
 * of them all runs at any time: the one that has the turn. The driver reads and writes the
 * process's memory as a kernel does; what only the process itself can do (clone, map memory, end)
 * it is told to do by an action.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define WIRE_DESCRIPTOR 1000 /* of the shared memory, in each process */
#define WIRE_ARENA      1001 /* of the files that are mapped shared */
#define WIRE_VARIABLE   "PROCTOR_SIM_WIRE"
#define WIRE_SLOTS      512
#define WIRE_EXEC_BYTES (64 << 10) /* arguments and environment of a program to be executed */

/* Numbers of calls that no kernel has. */
#define WIRE_CALL_CLONED 100000 /* the clone is made: its real PID, its slot */
#define WIRE_CALL_MAPPED                                                                           \
    100001 /* memory for a copy of a file: address, length, descriptor, offset */

#define WIRE_CALL_LEFT                                                                             \
    100002 /* main() has come to its end, and so many bytes of the heap were not released */

enum wire_action {
    WIRE_RETURN, /* the call returns `result` */
    WIRE_CLONE,  /* make a thread or process that has the slot `other`; its PID is `result` */
    WIRE_MAP,    /* map the arena from the offset `result` */
    WIRE_COPY,   /* map memory of its own: the driver writes into it */
    WIRE_END,    /* the thread ends */
};

struct wire_slot {
    _Atomic uint32_t go;    /* 1: it runs */
    _Atomic uint32_t ended; /* it uses its stack no more */
    int64_t number;
    uint64_t arguments[6];
    int64_t result;
    uint32_t action;
    uint32_t other;
    int32_t process; /* real PIDs */
    int32_t thread;
    uint64_t registers[18]; /* with which a new thread begins */
};

/* What the first process, that all others are copies of, is told to copy itself for. */
struct wire_shared {
    _Atomic uint32_t turn;  /* 1: the driver's */
    _Atomic uint32_t birth; /* counted up: fork `birth_slot` */
    uint32_t birth_slot;
    int64_t clock[3]; /* nanoseconds: monotonic, since boot, real time */
    uint32_t n_arguments, n_variables;
    char program[WIRE_EXEC_BYTES]; /* strings, one after the other */
    struct wire_slot slots[WIRE_SLOTS];
};
