/*
 * Errand: a command that is run for a child, beside its program: a health check's, or one before a
 * start, for a reload, for a stop or after it. It is an attempt in small: it runs as the child
 * does, as the child's user and in its environment, with a tree of processes of its own (tree.h),
 * and all of them are killed when the command has ended, or is wanted no more.
 *
 * Its variable PROCTOR_CHECK tells its processes from those of the child's program, also for a
 * proctord that comes after this one: they are killed then, and never taken for the child.
 */
#pragma once

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct errand;
struct host;
struct process;

/* What is run: the arguments are looked up in the child's declaration when the time has come. */
enum errand_kind {
    ERRAND_CHECK,
    ERRAND_BEFORE,
    ERRAND_RELOAD,
    ERRAND_STOP,
    ERRAND_AFTER_STOP,
    ERRAND_AFTER_START
};

struct errand_end {
    bool passed;
    int error;  /* negative errno: it could not be started; 0: it was */
    bool lacks; /* as proctord lacks something for it, which is none of the command's doing */
    const char *why;
};

struct errand_order {
    struct process *process;
    struct attempt_id id;
    enum errand_kind kind;
    uint32_t index;  /* of the command among those of its kind */
    uint32_t number; /* of a health check; others have ERRAND_NUMBER + index */
    void (*ended)(void *userdata, const struct errand_end *end);
    void *userdata;
};

#define ERRAND_NUMBER UINT32_C(0x80000000)

/* ended() is called once, later; the errand is gone then, though its processes may not be:
 * process->checks_left. Returns 0 or -ENOMEM. */
int errand_begin(const struct errand_order *order, struct errand **errand);

/* Ends it without an answer. All its processes go; host->check_gone() is called for the process
 * when those that are counted in process->checks_left are gone. */
void errand_free(struct errand *errand);

/* To all of its processes. False where it has none yet. */
bool errand_signal(const struct errand *errand, int signal);

/* Our child of this PID has ended: true where it was an errand's, which takes it from there. */
bool errand_exited(struct host *host, pid_t pid);

/* The processes that are still on their way out are not waited for any more. */
void errand_free_trees(struct host *host);
