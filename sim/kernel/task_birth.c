/*
 * How processes begin: the first of the machine, fork, and threads. Numbers are
 * handed out in order and begin again at the end of their range, so that they
 * are reused, which is what pidfds are for.
 */
#include "kernel/task_table.h"

#include "kernel/cgroup.h"
#include "kernel/inode.h"
#include "kernel/signals.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PID_MAX      32768
#define PID_RESERVED 300 /* where numbers begin again */

/* `profile` says which kernel is modelled, and which of its faults occur. */
struct task_table *task_table_new(const struct task_profile *profile,
                                  const struct task_ports *ports, struct chance *chance)
{
    struct task_table *table = calloc(1, sizeof(*table));

    INVARIANT(table);
    table->profile = *profile;
    if (table->profile.pid_max == 0)
        table->profile.pid_max = PID_MAX;
    if (ports)
        table->ports = *ports;
    table->chance = chance;
    table->raise = signal_raise;
    return table;
}

/* Numbers of threads, groups and sessions are not given either. */
static bool number_is_used(const struct task_table *table, pid_t number)
{
    TASK_FOREACH(task, table)
    {
        if (task->group == number || task->session == number)
            return true;
        for (const struct thread *thread = task->threads; thread; thread = thread->next)
            if (thread->id == number)
                return true;
    }
    return false;
}

/* The next free number, or 0. */
static pid_t number_next(struct task_table *table)
{
    pid_t from = table->profile.pid_max > PID_RESERVED + 1 ? PID_RESERVED : 2;
    pid_t number = table->last_pid;

    for (pid_t i = 0; i < table->profile.pid_max; i++) {
        if (++number >= table->profile.pid_max)
            number = from;
        if (!number_is_used(table, number)) {
            table->last_pid = number;
            return number;
        }
    }
    return 0;
}

/* The table is sorted by number, as /proc lists it. */
static struct task *task_new(struct task_table *table, pid_t pid)
{
    struct task *task = calloc(1, sizeof(*task));
    struct task **at = &table->first;

    INVARIANT(task);
    while (*at && (*at)->pid < pid)
        at = &(*at)->next;
    task->next = *at;
    *at = task;
    task->table = table;
    task->references = 1;
    task->pid = pid;
    task->serial = ++table->last_serial;
    task->started_nsec = task_now(table);
    task->end_signal = SIGCHLD;
    task->dumpable = true;
    table->n_alive++;
    task_new_thread(task, pid);
    return task;
}

/* The first process of the machine, in the root group if there are control
 * groups. */
struct task *task_boot(struct task_table *table, struct cgroup *root, const char *name)
{
    struct task *task = task_new(table, 1);

    table->last_pid = 1;
    task->group = task->session = 0; /* as the kernel's own first process has it */
    task->umask = 022;
    snprintf(task->threads->name, sizeof(task->threads->name), "%s", name);
    if (root)
        cgroup_enter(root, task);
    return task;
}

static char *copy_of(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);

    INVARIANT(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* What a child has of its parent. */
static void inherit(struct task *child, const struct thread *thread)
{
    const struct task *parent = thread->task;

    child->group = parent->group;
    child->group_serial = parent->group_serial;
    child->session = parent->session;
    child->dumpable = parent->dumpable;
    child->identity = parent->identity;
    memcpy(child->actions, parent->actions, sizeof(child->actions));
    child->root = parent->root ? inode_hold(parent->root) : NULL;
    child->folder = parent->folder ? inode_hold(parent->folder) : NULL;
    child->program = parent->program ? inode_hold(parent->program) : NULL;
    child->umask = parent->umask;
    child->arguments = copy_of(parent->arguments, parent->arguments_size);
    child->arguments_size = parent->arguments_size;
    child->environment = copy_of(parent->environment, parent->environment_size);
    child->environment_size = parent->environment_size;
    child->oom_score_adj = parent->oom_score_adj;
    child->nice = parent->nice;
    child->memory_bytes = parent->memory_bytes;
    child->threads->blocked = thread->blocked;
    memcpy(child->threads->name, thread->name, sizeof(thread->name));
}

static void set_parent(struct task *child, struct thread *thread, const struct task_birth *birth)
{
    struct task *parent = thread->task;

    if (birth->of_parent) {
        child->parent = parent->parent;
        child->parent_thread = parent->parent_thread;
        child->end_signal = parent->end_signal;
    } else {
        child->parent = parent;
        child->parent_thread = thread->id;
        child->end_signal = birth->end_signal ? birth->end_signal : SIGCHLD;
    }
}

static int check_fork(const struct task_table *table, const struct task *parent,
                      const struct task_birth *birth, const struct cgroup *into)
{
    if (birth->of_parent && !parent->parent)
        return -EINVAL;
    if (table->profile.max_tasks > 0 && table->n_alive >= table->profile.max_tasks)
        return -EAGAIN;
    if (into && into->removed)
        return -ENODEV;
    return into ? cgroup_charge(into) : 0;
}

/* With `birth->into` the child begins in that control group; if the group is
 * being killed, the child does not escape. */
int task_fork(struct thread *parent, const struct task_birth *birth, struct task **child)
{
    struct task_table *table = parent->task->table;
    struct cgroup *from = parent->task->cgroup;
    struct cgroup *into = birth->into ? birth->into : from;
    int r = check_fork(table, parent->task, birth, into);

    if (r < 0)
        return r;
    pid_t pid = number_next(table);
    if (pid == 0)
        return -EAGAIN;
    struct task *task = task_new(table, pid);
    inherit(task, parent);
    set_parent(task, parent, birth);
    if (into)
        cgroup_enter(into, task);
    *child = task;
    if (birth->into && cgroup_kills_at_birth(from, into))
        signal_raise(task, SIGKILL, NULL);
    return 0;
}

/* A thread counts as a process for the limit of its control group. */
int task_add_thread(struct task *task, struct thread **thread)
{
    int r = task->cgroup ? cgroup_charge(task->cgroup) : 0;
    pid_t id = r < 0 ? 0 : number_next(task->table);

    if (r < 0 || id == 0)
        return -EAGAIN;
    const struct thread *first = task_first_thread(task);
    *thread = task_new_thread(task, id);
    (*thread)->blocked = first->blocked;
    memcpy((*thread)->name, first->name, sizeof(first->name));
    return 0;
}
