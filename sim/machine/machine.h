/*
 * Machine: a computer of the model: its kernel's tables (sim/kernel), what runs on it, and its
 * clock.
 *
 * What runs are threads of real processes that the seam has caught (guest.h), each with a runner,
 * and model children, which are tasks without one (habit.h). One thing happens at a time: a thread
 * runs to its next call, the call is made by the model, and the schedule says who is next. Time
 * stands still for the one that runs, and jumps to the next deadline when all wait.
 */
#pragma once

#include "kernel/cgroup.h"
#include "kernel/open_file.h"
#include "kernel/task.h"
#include "kernel/volume.h"
#include "machine/descriptors.h"
#include "machine/guest.h"
#include "world/schedule.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#define MACHINE_CALL_NSEC  1000 /* what a call takes */
#define MACHINE_BOOT_NSEC  UINT64_C(100000000000)
#define MACHINE_WALL_NSEC  UINT64_C(1700000000000000000)
#define MACHINE_LIMITS     16
#define MACHINE_NEVER      UINT64_MAX
#define MACHINE_CALL_WAITS INT64_MIN /* of a call: it is made again when something has changed */
#define MACHINE_CALL_GONE  (INT64_MIN + 1) /* its maker is no more */

/* A call that was made, with what is known of it from one try to the next. */
struct call {
    int64_t number;
    uint64_t arguments[6];
    bool tried;        /* it has waited */
    bool was_held;     /* by hooks.delay, until held_nsec */
    uint64_t deadline; /* MACHINE_NEVER: none */
    uint64_t held_nsec;
    uint64_t since_nsec; /* when it was made */
};

enum runner_state {
    RUNNER_UNBORN, /* its real thread is not there yet */
    RUNNER_READY, /* runs when it is its turn: for the first time, or with the result of its call */
    RUNNER_WAITS, /* its call is tried again */
    RUNNER_STOPPED, /* by a signal */
};

struct runner {
    struct runner *next;
    struct machine *machine;
    struct thread *thread; /* its task is a reference */
    struct task *task;
    uint32_t slot;
    pid_t process; /* the real one */
    enum runner_state state;
    struct call call;
    int64_t result;
    uint32_t action;       /* enum wire_action */
    uint32_t other;        /* WIRE_CLONE: the slot */
    struct task *suspends; /* vfork: it resumes when this one has executed or ended; a reference */
    uint64_t clear;        /* CLONE_CHILD_CLEARTID: where 0 is written at its end; or 0 */
    bool gone;
    int64_t cloned;     /* the PID that its clone returns */
    uint64_t child_tid; /* CLONE_CHILD_SETTID: where its number is written at first; or 0 */
    uint64_t futex;     /* where it sleeps, 0: nowhere */
    bool woken;
};

/* What the machine keeps of a task that runs as a guest. */
struct program {
    struct descriptors *descriptors;
    struct rlimit limits[MACHINE_LIMITS];
    struct runner *maker; /* the one that waits in vfork for it */
    uint64_t memory;      /* tasks with the same number share it */
};

struct machine_hooks {
    void *userdata;
    /* Before a call is made: a negative errno, with which it fails, or 0. */
    int (*before)(void *userdata, struct runner *runner, const char *name);
    /* How long a call takes before anything is done: a slow disk. Nanoseconds. */
    uint64_t (*delay)(void *userdata, const struct runner *runner, const char *name);
    void (*after)(void *userdata, const struct runner *runner, const char *name, int64_t result);
    /* A task has executed a program that is not the guests'. */
    void (*executed)(void *userdata, struct task *task, const char *path);
    void (*ended)(void *userdata, struct task *task);
    /* A task that has no runner has a signal to handle: signal_next(). */
    void (*signalled)(void *userdata, struct task *task);
    void (*signal_sent)(void *userdata, const struct task *sender, const struct task *to,
                        int signal);
    void (*wake)(void *userdata);     /* something is due */
    uint64_t (*next)(void *userdata); /* when; MACHINE_NEVER */
    bool (*pump)(void *userdata);     /* services of the machine: true: something moved */
};

struct machine {
    struct guest *guest;
    struct schedule *schedule;
    struct chance chance;
    struct machine_hooks hooks;
    uint64_t now_nsec; /* since boot */
    int64_t wall_nsec; /* the wall clock at 0 since boot */
    struct task_table *tasks;
    struct task *init;
    struct cgroup_tree *cgroups;
    struct volume *disk, *run, *memory, *proc, *cgroup_files;
    struct inode *program;  /* that guests execute */
    struct runner *runners; /* in the order of their making */
    uint64_t calls, hash, random;
    uint64_t memories;
    uint64_t changes; /* counted up when a call that waits may go on */
    bool failed;
    char why[256]; /* the first thing that went wrong */
    unsigned boots;
    char boot_id[64];
    FILE *told; /* each call, a line; or NULL */
};

struct machine_settings {
    struct guest *guest;
    struct schedule *schedule;
    struct machine_hooks hooks;
    struct cgroup_profile cgroups;
    struct task_profile tasks;
    FILE *told;
};

/* A machine that has just booted, with a disk that holds the few files that
 * proctord needs. */
struct machine *machine_new(const struct machine_settings *settings);
/* All guests end, and everything is freed. */
void machine_free(struct machine *machine);

/* A file on its disk, with the folders above. */
int machine_write_file(struct machine *machine, const char *path, const char *text, mode_t mode);
/* As an editor writes it: after a loss of power there is the old one or the new one. */
int machine_replace_file(struct machine *machine, const char *path, const char *text);

/* The guests' program is executed as a child of PID 1. Strings with a NUL behind each. */
int machine_start(struct machine *machine, const char *arguments, size_t arguments_size,
                  const char *environment, size_t environment_size, struct task **task);

enum machine_progress { MACHINE_MOVED, MACHINE_QUIET, MACHINE_FAILED };

/* The next thing happens, no later than `until`; QUIET: nothing will by then. */
enum machine_progress machine_step(struct machine *machine, uint64_t until_nsec);

/* Sets the wall clock, which cancels the timers that ask for it. */
void machine_set_clock(struct machine *machine, int64_t change_nsec);

/* The power goes and comes back: nothing runs, of the disks there is what volume_lose_power()
 * leaves, and the clock since boot starts again at 0. Hooks are told of no end. */
void machine_lose_power(struct machine *machine);
