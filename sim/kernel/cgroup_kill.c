/*
 * Killing whole groups: cgroup.kill, and the choice of a victim when memory is
 * short.
 */
#include "kernel/cgroup.h"

#include "kernel/signals.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* The kernel walks the processes by their main threads: on some kernels it passes over one whose
 * main thread has ended. */
static bool is_passed_over(const struct cgroup *cgroup, const struct task *task)
{
    return cgroup_tree_profile(cgroup->tree)->misses_leaderless && task->threads->ended;
}

/* One death may be another's: those in it are held first. */
static void kill_tasks(struct cgroup *cgroup)
{
    size_t n = 0;
    struct task **tasks = calloc(cgroup->n_tasks + 1, sizeof(*tasks));

    INVARIANT(tasks);
    for (struct task *task = cgroup->tasks; task; task = task->cgroup_next)
        tasks[n++] = task_hold(task);
    for (size_t i = 0; i < n; i++) {
        if (task_is_alive(tasks[i]) && !is_passed_over(cgroup, tasks[i]))
            signal_raise(tasks[i], SIGKILL, NULL);
        task_release(tasks[i]);
    }
    free(tasks);
}

static void kill_below(struct cgroup *cgroup)
{
    cgroup->kills++;
    kill_tasks(cgroup);
    for (struct cgroup *child = cgroup->children; child; child = child->next)
        kill_below(child);
}

int cgroup_kill(struct cgroup *cgroup)
{
    if (cgroup->removed)
        return -ENODEV;
    if (cgroup_tree_profile(cgroup->tree)->no_kill)
        return -ENOENT;
    kill_below(cgroup);
    return 0;
}

/* The process with the most memory at or below the group, the first of
 * several. */
static struct task *largest(const struct cgroup *cgroup)
{
    struct task *found = NULL;

    for (struct task *task = cgroup->tasks; task; task = task->cgroup_next)
        if (!found || task->memory_bytes > found->memory_bytes)
            found = task;
    for (const struct cgroup *child = cgroup->children; child; child = child->next) {
        struct task *below = largest(child);

        if (below && (!found || below->memory_bytes > found->memory_bytes))
            found = below;
    }
    return found;
}

/* Kills one process and counts it in every group above: proctord reads that
 * counter to tell an end for lack of memory from another SIGKILL. Returns NULL
 * if there is no process. */
struct task *cgroup_oom(struct cgroup *cgroup)
{
    struct task *victim = largest(cgroup);

    if (!victim)
        return NULL;
    for (struct cgroup *at = victim->cgroup; at; at = at->parent)
        at->oom_kills++;
    victim->oom_killed = true;
    signal_raise(victim, SIGKILL, NULL);
    return victim;
}
