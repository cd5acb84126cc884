/*
 * Task table: what the files of the process model share: all tasks that have a number, and what is
 * told of them.
 */
#pragma once

#include "kernel/task.h"

struct task_table {
    struct task_profile profile;
    struct task_ports ports;
    struct chance *chance;
    struct task *first; /* by their numbers; zombies too */
    pid_t last_pid;
    uint64_t last_serial;
    size_t n_alive;
    /* signals.c: deaths and signals cause each other. */
    void (*raise)(struct task *to, int signal, const siginfo_t *info);
};

#define TASK_FOREACH(each, table) for (struct task *each = (table)->first; each; each = each->next)

/* The one with the next number, for loops in which tasks may go. */
struct task *task_after(const struct task_table *table, pid_t pid);

struct thread *task_new_thread(struct task *task, pid_t id);

uint64_t task_now(const struct task_table *table);

/* It has ended, with a status as wait(2) has it. */
void task_end(struct task *task, int status);

/* Nobody waits for it any more: its number is free. */
void task_reap(struct task *task);

/* Its parent hears that it has ended, stopped or continued. */
void task_tell_parent(struct task *task, int code);
/* What waiting for this child, and SIGCHLD, report. code: CLD_STOPPED,
 * CLD_CONTINUED, or how it ended. */
siginfo_t task_child_info(const struct task *task, int code);

/* Whether the parent does not want to know of ends. */
bool task_leaves_no_zombies(const struct task *parent);

struct task *task_init(const struct task_table *table);
struct thread *task_first_thread(const struct task *task); /* that continues, or the main thread */

/* A group that nobody outside of it can wake any more: stopped members are told to end, and go on.
 */
void session_orphan_group(struct task *task, const struct task *parent);

/* cgroup.c: membership. */
int cgroup_charge(const struct cgroup *cgroup); /* pids.max: 0 or -EAGAIN */
void cgroup_enter(struct cgroup *cgroup, struct task *task);
/* When the process ends. Its group may become empty by this. */
void cgroup_leave(struct task *task);
bool cgroup_kills_at_birth(const struct cgroup *from, const struct cgroup *into);
/* Whether this group, or one above it, is frozen. */
bool cgroup_is_frozen(const struct cgroup *cgroup);
