/*
 * Processes by their PID.
 */
#include "host/process_table.h"

#include "core/vocabulary/invariant.h"
#include "host/process.h"

#include <stdlib.h>

/* ---- by PID ---------------------------------------------------------------------------------- */

static struct process **bucket(const struct host *host, pid_t pid)
{
    return &host->by_pid[(size_t)pid & (host->by_pid_size - 1)];
}

struct process *process_of_pid(const struct host *host, pid_t pid)
{
    struct process *process = *bucket(host, pid);
    while (process && process->main_pid != pid)
        process = process->next_by_pid;
    return process;
}

/* Without memory the lists get longer, and everything still works. */
static void grow_index(struct host *host)
{
    size_t size = host->by_pid_size * 2;
    struct process **old = host->by_pid, **fresh = calloc(size, sizeof(*fresh));
    size_t old_size = host->by_pid_size;

    if (!fresh)
        return; /* longer chains, no harm */
    host->by_pid = fresh;
    host->by_pid_size = size;
    for (size_t i = 0; i < old_size; i++)
        for (struct process *process = old[i], *next; process; process = next) {
            next = process->next_by_pid;
            process->next_by_pid = *bucket(host, process->main_pid);
            *bucket(host, process->main_pid) = process;
        }
    free(old);
}

void process_link(struct host *host, struct process *process)
{
    INVARIANT(process->main_pid > 0);
    if (++host->by_pid_count > host->by_pid_size)
        grow_index(host);
    process->next_by_pid = *bucket(host, process->main_pid);
    *bucket(host, process->main_pid) = process;
}

/* A process that is not in the table is an error of this program. */
void process_unlink(struct host *host, struct process *process)
{
    struct process **link = bucket(host, process->main_pid);

    while (*link && *link != process)
        link = &(*link)->next_by_pid;
    INVARIANT(*link);
    *link = process->next_by_pid;
    host->by_pid_count--;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

void process_leaf(const struct process *process, char name[CGROUP_LEAF_MAX])
{
    cgroup_leaf_name(process->child->id, process->id, process->mark, name);
}

bool process_keeps_leftovers(const struct process *process)
{
    return process->child->config->declaration.leftovers == LEFTOVERS_KEEP &&
           (!process->in_cgroup || process->mark > 0);
}

/* The fencing token is never given to another. */
void process_choose_mark(struct process *process)
{
    const struct child *child = process->child;

    process->mark = child->config->declaration.leftovers == LEFTOVERS_KEEP ? child->fence : 0;
}
