/*
 * Waiting for children, by number, group or pidfd.
 */
#include "kernel/wait.h"

#include "kernel/task_table.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

static bool is_meant(const struct task *child, idtype_t type, pid_t id)
{
    return type == P_ALL || (type == P_PID && child->pid == id) ||
           (type == P_PGID && child->group == id);
}

/* What can be said of a child, as a code; 0: nothing that is asked for. */
static int news_of(const struct task *child, int options)
{
    if ((options & WEXITED) && child->state == TASK_ZOMBIE)
        return WIFEXITED(child->status) ? CLD_EXITED : child->dumped_core ? CLD_DUMPED : CLD_KILLED;
    if ((options & WSTOPPED) && child->state == TASK_STOPPED && !child->stop_told)
        return CLD_STOPPED;
    if ((options & WCONTINUED) && child->state == TASK_ALIVE && child->stop_signal != 0 &&
        !child->continue_told)
        return CLD_CONTINUED;
    return 0;
}

static int status_of(const struct task *child, int code)
{
    if (code == CLD_STOPPED)
        return child->stop_signal << 8 | 0x7f;
    return code == CLD_CONTINUED ? 0xffff : child->status;
}

/* With WNOWAIT the news stay for the next caller. */
static void take(struct task *child, int code, int options, struct wait_result *result)
{
    *result = (struct wait_result){.info = task_child_info(child, code),
                                   .status = status_of(child, code),
                                   .task = task_hold(child)};
    if (options & WNOWAIT)
        return;
    if (code == CLD_STOPPED)
        child->stop_told = true;
    else if (code == CLD_CONTINUED)
        child->continue_told = true;
    else
        task_reap(child);
}

/* -EAGAIN if the caller would have to wait. Of several children the oldest is
 * reported first; Linux promises no order. */
int wait_for(struct task *task, idtype_t type, pid_t id, int options, struct wait_result *result)
{
    struct task *first = NULL;
    bool any = false;

    memset(result, 0, sizeof(*result));
    if (!(options & (WEXITED | WSTOPPED | WCONTINUED)) || (type == P_PID && id <= 0))
        return -EINVAL;
    TASK_FOREACH(child, task->table)
    {
        if (child->parent != task || !is_meant(child, type, id))
            continue;
        any = true;
        if (news_of(child, options) != 0 && (!first || child->serial < first->serial))
            first = child;
    }
    if (first)
        take(first, news_of(first, options), options, result);
    if (!any)
        return -ECHILD;
    return first || (options & WNOHANG) ? 0 : -EAGAIN;
}

int wait_for_task(struct task *task, struct task *child, int options, struct wait_result *result)
{
    memset(result, 0, sizeof(*result));
    if (child->state == TASK_REAPED || child->parent != task)
        return -ECHILD;
    return wait_for(task, P_PID, child->pid, options, result);
}

/* Older kernels have no pidfds, which the profile says. */
int pid_fd_open(struct task_table *table, pid_t pid, struct task **task)
{
    if (table->profile.no_pidfd)
        return -ENOSYS;
    if (pid <= 0)
        return -EINVAL;
    struct task *found = task_find(table, pid);
    if (!found)
        return task_find_thread(table, pid) ? -EINVAL : -ESRCH;
    *task = task_hold(found);
    return 0;
}

unsigned pid_fd_poll(const struct task *task)
{
    unsigned ended = EPOLLIN | EPOLLRDNORM;

    if (task->state == TASK_REAPED)
        return task->table->profile.group_by_pidfd ? ended | EPOLLHUP : ended;
    return task->state == TASK_ZOMBIE ? ended : 0;
}
