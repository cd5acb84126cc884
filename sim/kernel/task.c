/*
 * Processes and threads as records: finding, counting, holding them. A process
 * that was waited for stays in memory while a pidfd refers to it.
 */
#include "kernel/task_table.h"

#include "kernel/cgroup.h"
#include "kernel/inode.h"
#include "kernel/signal_queue.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>

const struct task_profile *task_table_profile(const struct task_table *table)
{
    return &table->profile;
}

uint64_t task_now(const struct task_table *table)
{
    return table->ports.now ? table->ports.now(table->ports.userdata) : 0;
}

/* Threads stay in the order in which they were made; the first is the main
 * one. */
struct thread *task_new_thread(struct task *task, pid_t id)
{
    struct thread *thread = calloc(1, sizeof(*thread));
    struct thread **end = &task->threads;

    INVARIANT(thread);
    thread->task = task;
    thread->id = id;
    while (*end)
        end = &(*end)->next;
    *end = thread;
    return thread;
}

struct task *task_find(const struct task_table *table, pid_t pid)
{
    TASK_FOREACH(task, table)
    if (task->pid == pid)
        return task;
    return NULL;
}

struct thread *task_thread(const struct task *task, pid_t id)
{
    struct thread *thread = task->threads;

    while (thread && thread->id != id)
        thread = thread->next;
    return thread;
}

struct thread *task_find_thread(const struct task_table *table, pid_t id)
{
    TASK_FOREACH(task, table)
    {
        struct thread *thread = task_thread(task, id);

        if (thread)
            return thread;
    }
    return NULL;
}

struct thread *task_first_thread(const struct task *task)
{
    struct thread *thread = task->threads;

    while (thread && thread->ended)
        thread = thread->next;
    return thread ? thread : task->threads;
}

struct task *task_after(const struct task_table *table, pid_t pid)
{
    struct task *task = table->first;

    while (task && task->pid <= pid)
        task = task->next;
    return task;
}

struct task *task_first(const struct task_table *table)
{
    return table->first;
}

struct task *task_init(const struct task_table *table)
{
    return table->first && table->first->pid == 1 ? table->first : NULL;
}

size_t task_count(const struct task_table *table)
{
    return table->n_alive;
}

bool task_may_run(const struct task *task)
{
    return task->state == TASK_ALIVE && !task->stuck && task->dying == 0 &&
           !(task->cgroup && cgroup_is_frozen(task->cgroup));
}

struct task *task_hold(struct task *task)
{
    INVARIANT(task->references > 0);
    task->references++;
    return task;
}

/* When nobody refers to it any more. */
static void task_free(struct task *task)
{
    struct task_table *table = task->table;

    if (table->ports.freed)
        table->ports.freed(table->ports.userdata, task);
    while (task->threads) {
        struct thread *thread = task->threads;

        task->threads = thread->next;
        signal_queue_free(&thread->queue);
        free(thread);
    }
    signal_queue_free(&task->queue);
    inode_release(task->root);
    inode_release(task->folder);
    inode_release(task->program);
    if (task->cgroup)
        cgroup_release(task->cgroup);
    free(task->arguments);
    free(task->environment);
    free(task);
}

void task_release(struct task *task)
{
    INVARIANT(task->references > 0);
    if (--task->references == 0)
        task_free(task);
}

void task_set_subreaper(struct task *task, bool is_one)
{
    task->subreaper = is_one;
}
