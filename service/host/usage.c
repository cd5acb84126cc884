/* What a child's processes use, as the kernel accounts for it. */
#include "system/again.h"
#include "core/vocabulary/invariant.h"
#include "system/handle.h"
#include "system/number.h"
#include "system/open_regular.h"
#include "system/proc_stat.h"
#include "host/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHILDREN_LIST_MAX (1024 * 1024) /* bytes of the numbers of a process's children */

/* What /proc says of one process, added up. */
static void add_usage_of(pid_t pid, uint64_t *cpu_nsec, uint64_t *memory_bytes)
{
    char path[64], text[128];
    uint64_t user, system, pages;

    if (proc_stat_read(pid, PROC_STAT_USER_TICKS, &user) == 0 &&
        proc_stat_read(pid, PROC_STAT_SYSTEM_TICKS, &system) == 0)
        *cpu_nsec += (user + system) * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    if (again_read(AT_FDCWD, path, text, sizeof(text)) < 0)
        return;
    const char *resident = text + strcspn(text, " ");
    resident += *resident == ' ';
    if (number_take(&resident, &pages) == 0)
        *memory_bytes += pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Without an accounting cgroup: a process and those that it made. */
static void add_usage_below(pid_t pid, int depth, uint64_t *cpu_nsec, uint64_t *memory_bytes)
{
    char path[64], *list;
    uint64_t below;
    size_t length;

    add_usage_of(pid, cpu_nsec, memory_bytes);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (depth == 0 || read_regular(AT_FDCWD, path, CHILDREN_LIST_MAX, &list, &length) < 0)
        return;
    for (const char *at = list; number_take(&at, &below) == 0; at += *at != '\0')
        add_usage_below((pid_t)below, depth - 1, cpu_nsec, memory_bytes);
    free(list);
}

unsigned host_unenforced(const struct child *child)
{
    INVARIANT(child_is_sound(child));
    const struct process *process = child->host;
    return process ? process->unenforced : 0;
}

/* A leaf counts over all attempts; what it had at the start of this one is
 * subtracted. Without accounting, the processes are added up. */
void host_usage(struct host *host, const struct child *child, uint64_t *cpu_nsec,
                uint64_t *memory_bytes)
{
    INVARIANT(child_is_sound(child));
    const struct process *process = child->host;
    char leaf[CGROUP_LEAF_MAX];

    *cpu_nsec = *memory_bytes = 0;
    if (!process || !process_is_there(process))
        return;
    if (process->in_cgroup) {
        process_leaf(process, leaf);
        cgroup_leaf_usage(&host->cgroups, leaf, cpu_nsec, memory_bytes);
        *cpu_nsec -= process->cpu_before_nsec < *cpu_nsec ? process->cpu_before_nsec : 0;
    }
    if (*cpu_nsec == 0 || *memory_bytes == 0) {
        uint64_t cpu = 0, memory = 0;
        add_usage_below(process->main_pid, 16, &cpu, &memory);
        if (process->pidfd < 0 || handle_is_reaped(process->pidfd))
            cpu = memory = 0; /* of a process that has the number now */
        *cpu_nsec = *cpu_nsec > 0 ? *cpu_nsec : cpu;
        *memory_bytes = *memory_bytes > 0 ? *memory_bytes : memory;
    }
}
