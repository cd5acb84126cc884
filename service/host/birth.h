/*
 * Birth: the way of a child from its clone to its program.
 *
 * All that may wait for others happens here, in the child, so that nothing else waits with it: its
 * log and its environment file are opened, its directory is entered, its program executed. It says
 * on its launch's socket that it exists, that it is about to execute, or what failed, with the
 * errno and the step; that the program has been executed is said by the end of the socket.
 *
 * The child shares the spawner's memory, and with it errno, while others do the same beside it. So
 * only bare system calls are made here, what they return is kept on the stack, and each child has a
 * stack and a plan of its own. Where it needs the C library, or writes what the kernel keeps with
 * the memory (oom_score_adj), it gets a copy of the memory: birth_wants_copy().
 *
 * All signals stay blocked, so that the child's new user can stop it on its way, but run nothing in
 * it. Where it has changed its user it can be neither traced nor dumped, as it shares root's
 * memory.
 */
#pragma once

#include "host/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct starts_record;

/* What is said on a launch's socket. */
enum birth_word { BIRTH_BEGUN = 1, BIRTH_EXECUTING, BIRTH_FAILED, BIRTH_FILE };

#define BIRTH_TEXT_MAX 128
#define BIRTH_NAME     "proctor-start" /* as ps shows a child on its way */

struct birth_message {
    uint32_t word;
    uint32_t step;
    int32_t error; /* an errno */
    uint32_t pid;
    uint32_t line;             /* of the environment file, or 0 */
    char text[BIRTH_TEXT_MAX]; /* BIRTH_FAILED: what is wrong where the errno does not say it.
                                  BIRTH_FILE: the number of the disk that the log is on */
};

struct birth {
    struct plan *plan; /* opened */
    int descriptors[PLAN_FIXED];
    int sockets[CHILD_DESCRIPTORS_MAX + 1];
    struct starts_record *record; /* NULL: none */
    bool copied;                  /* it has a copy of the spawner's memory */
    bool enter;                   /* the cgroup, which the clone could not do */
    void *arena;                  /* memory that the child has got; the spawner gives it back */
    size_t arena_size;
};

/* Whether this plan's child has to have memory of its own. */
bool birth_wants_copy(const struct plan *plan);

/* In the child: never comes back. */
__attribute__((noreturn)) void birth_run(struct birth *birth);

/* clone3(2), or clone(2) where the kernel has none or cannot put the child into its cgroup: then
 * birth->enter is set. The child runs birth_run() on the stack; *tid becomes 0 when it needs stack
 * and plan no more. Returns its PID or a negative errno. */
pid_t birth_clone(struct birth *birth, void *stack, size_t stack_size, int *tid);

/* Says on a launch's socket what failed before there was a child. */
void birth_say_failed(int status, enum plan_step step, int error);
