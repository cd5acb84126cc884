/*
 * Cgroup: the tree of control groups, version 2, with the habits of different kernels.
 */
#pragma once

#include "kernel/chance.h"
#include "kernel/task.h"

struct volume;

struct cgroup_profile {
    bool hybrid;            /* mounted at unified/, without controllers; else plain */
    bool none;              /* not mounted */
    bool read_only;         /* mounted, but nothing can be made in it */
    bool no_kill;           /* no cgroup.kill (before 5.14) */
    bool kills_newcomers;   /* who is cloned into one that was killed (from one that was not as
                               often) is killed at birth: 6.18 */
    bool misses_leaderless; /* cgroup.kill passes over a process whose main thread has ended */
    bool no_freeze;
    bool no_clone_into; /* clone3 into a cgroup: before 5.7 */
    uint16_t
        late_populated;   /* per mille: a poll of cgroup.events hears of it later (cgroup_tell()) */
    unsigned controllers; /* CGROUP_...: what the root has */
    unsigned delegated;   /* what is enabled where proctord begins */
};

#define CGROUP_CPU    1u
#define CGROUP_MEMORY 2u
#define CGROUP_PIDS   4u
#define CGROUP_IO     8u

struct cgroup {
    struct cgroup *parent, *children, *next;
    struct cgroup_tree *tree;
    unsigned references;
    char *name;
    uint64_t number;         /* of its inode */
    struct task *tasks;      /* zombies are not in it, though /proc/PID/cgroup still names it */
    size_t n_tasks, n_below; /* below: with its own */
    bool removed, frozen;
    unsigned kills; /* how often cgroup.kill was written */
    bool populated_told;
    uint64_t version; /* of cgroup.events */
    unsigned enabled; /* cgroup.subtree_control */
    uint64_t oom_kills, memory_max, memory_high, pids_max, cpu_weight, io_weight; /* 0: max */
    uint64_t cpu_quota_usec, cpu_period_usec;
    uid_t owner;
    gid_t group;
    mode_t mode;
};

/* With a root group. The profile is copied. */
struct cgroup_tree *cgroup_tree_new(const struct cgroup_profile *profile, struct chance *chance);
void cgroup_tree_free(struct cgroup_tree *tree);
const struct cgroup_profile *cgroup_tree_profile(const struct cgroup_tree *tree);
/* Belongs to the tree. */
struct cgroup *cgroup_root(struct cgroup_tree *tree);

/* All return 0 or a negative errno. */
int cgroup_make(struct cgroup *parent, const char *name, struct cgroup **made);
int cgroup_remove(struct cgroup *cgroup); /* -EBUSY: there are processes or cgroups in it */
struct cgroup *cgroup_find(struct cgroup *parent, const char *name);
int cgroup_attach(struct cgroup *cgroup, struct task *task); /* a write to cgroup.procs */
int cgroup_kill(struct cgroup *cgroup);
/* 0, or -ENODEV if the group was removed. */
int cgroup_freeze(struct cgroup *cgroup, bool freeze);
/* The OOM killer strikes: the largest one, by chance among equals. NULL: nobody is in it. */
struct task *cgroup_oom(struct cgroup *cgroup);
/* As in /proc/PID/cgroup behind "0::"; allocated. " (deleted)" behind one that was removed. */
char *cgroup_path(const struct cgroup *cgroup);
/* What was told late is told now. True: something was. */
bool cgroup_tell(struct cgroup_tree *tree);
/* As cgroup.events reports it: whether a process is in the group or below it.
 */
bool cgroup_is_populated(const struct cgroup *cgroup);

/* A group that was removed stays in memory until it is released. */
struct cgroup *cgroup_hold(struct cgroup *cgroup);
void cgroup_release(struct cgroup *cgroup);

/* The files: a volume to be mounted at /sys/fs/cgroup, or at /sys/fs/cgroup/unified. */
struct volume *cgroup_files_new(struct cgroup_tree *tree, struct chance *chance, dev_t device);
struct inode;
struct cgroup *cgroup_of_inode(const struct inode *folder); /* NULL: it is none */
