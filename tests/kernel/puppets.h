/*
 * Puppets: processes of the model that do what they are told, with the descriptors that they hold,
 * and the machine that they live on. There is one machine in a run.
 */
#pragma once

#include "backend.h"
#include "kernel/cgroup.h"
#include "kernel/open_file.h"
#include "kernel/signals.h"
#include "kernel/wait.h"

#define DESCRIPTORS 64

/* A descriptor is of a file or of a process. */
struct slot {
    struct open_file *file;
    struct task *task;
};

struct puppet {
    struct thread *thread;
    struct task *task; /* held */
    struct slot slots[DESCRIPTORS];
    unsigned handled[SIGNALS];
};

struct model {
    struct task_table *tasks;
    struct cgroup_tree *cgroups;
    struct volume *disk, *proc, *sys, *groups;
    struct task *init;
    struct puppet puppets[PUPPETS];
    char cgroup[64];
};

extern struct model model;

/* The first descriptor that is free, or -EMFILE; it takes the references. */
int puppet_take(struct puppet *puppet, struct open_file *file, struct task *task);
void puppet_close(struct slot *slot);
/* NULL: there is none, or it is of another kind. */
struct open_file *puppet_file(const struct puppet *puppet, int fd);
struct task *puppet_task(const struct puppet *puppet, int fd);

struct calls;
extern const struct calls calls_model;
