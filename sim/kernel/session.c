/*
 * Sessions and process groups: who is in which, and what happens to a stopped
 * group that loses its last relation outside.
 */
#include "kernel/task_table.h"

#include <errno.h>
#include <signal.h>

/* Any task of a group, NULL: there is no such group. */
static struct task *member_of(const struct task_table *table, pid_t group)
{
    TASK_FOREACH(task, table)
    if (task->group == group)
        return task;
    return NULL;
}

static struct task *who(const struct task *task, pid_t pid)
{
    return pid == 0 || pid == task->pid ? (struct task *)task : task_find(task->table, pid);
}

int task_new_session(struct task *task, pid_t *session)
{
    if (member_of(task->table, task->pid))
        return -EPERM;
    task->session = task->group = *session = task->pid;
    task->group_serial = task->serial;
    return 0;
}

/* The errors, in the order of Linux: a child that has executed a program cannot
 * be moved any more. */
int task_set_group(struct task *task, pid_t pid, pid_t group)
{
    struct task *whom = who(task, pid);

    if (group < 0)
        return -EINVAL;
    if (!whom || (whom != task && whom->parent != task))
        return -ESRCH;
    if (whom != task && whom->session != task->session)
        return -EPERM;
    if (whom != task && whom->has_executed)
        return -EACCES;
    if (whom->session == whom->pid)
        return -EPERM;
    if (group == 0)
        group = whom->pid;
    uint64_t serial = whom->serial;
    if (group != whom->pid) {
        const struct task *member = member_of(task->table, group);

        if (!member || member->session != task->session)
            return -EPERM;
        serial = member->group_serial;
    }
    whom->group = group;
    whom->group_serial = serial;
    return 0;
}

int task_get_group(const struct task *task, pid_t pid, pid_t *group)
{
    const struct task *whom = who(task, pid);

    if (!whom)
        return -ESRCH;
    *group = whom->group;
    return 0;
}

int task_get_session(const struct task *task, pid_t pid, pid_t *session)
{
    const struct task *whom = who(task, pid);

    if (!whom)
        return -ESRCH;
    *session = whom->session;
    return 0;
}

/* Nobody with a parent in the same session, but in another group, is in it but for one. */
static bool is_orphaned(const struct task *but)
{
    TASK_FOREACH(task, but->table)
    {
        if (task->group != but->group || task == but || !task_is_alive(task) || !task->parent)
            continue;
        if (task->parent->pid != 1 && task->parent->group != task->group &&
            task->parent->session == task->session)
            return false;
    }
    return true;
}

static bool has_stopped(const struct task_table *table, pid_t group)
{
    TASK_FOREACH(task, table)
    if (task->group == group && task->state == TASK_STOPPED)
        return true;
    return false;
}

/* Signals may end tasks: the next one is found by its number. */
static void wake_group(struct task_table *table, pid_t group, int signal)
{
    struct task *task = table->first;

    for (pid_t pid; task; task = task_after(table, pid)) {
        pid = task->pid;
        if (task->group == group && task_is_alive(task))
            table->raise(task, signal, NULL);
    }
}

/* A stopped group that nobody can continue any more is told so with SIGHUP and
 * SIGCONT. */
void session_orphan_group(struct task *task, const struct task *parent)
{
    struct task_table *table = task->table;
    pid_t group = task->group;

    if (parent->group == group || parent->session != task->session)
        return;
    if (!has_stopped(table, group) || !is_orphaned(task))
        return;
    wake_group(table, group, SIGHUP);
    wake_group(table, group, SIGCONT);
}
