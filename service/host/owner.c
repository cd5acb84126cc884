/*
 * Whose a message is. With cgroups the kernel answers. Without them, the
 * sender's parents are followed to a process that is known; each step is
 * checked again at the end, as processes die and their numbers are given away
 * while one looks.
 */
#include "host/owner.h"

#include "system/again.h"
#include "system/handle.h"
#include "system/proc_stat.h"
#include "host/process.h"

#include <errno.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* of a process below its main process */

static pid_t parent_of(pid_t pid)
{
    uint64_t parent;

    return proc_stat_read(pid, PROC_STAT_PARENT, &parent) == 0 ? (pid_t)parent : 0;
}

/* A main process that is not our child may have been reaped without our knowing it yet. */
static struct process *main_process(const struct host *host, pid_t pid)
{
    struct process *process = process_of_pid(host, pid);

    return process && process->adopted && handle_is_reaped(process->pidfd) ? NULL : process;
}

/* From the process upwards, to a main process or to a child of ours. Returns how many there are, 0
 * where they lead to neither. */
static size_t ancestors(const struct host *host, pid_t pid, pid_t line[DEPTH_MAX])
{
    pid_t self = getpid();

    for (size_t n = 0; n < DEPTH_MAX && pid > 1; pid = parent_of(pid)) {
        if (pid == self)
            return n;
        line[n++] = pid;
        if (main_process(host, pid))
            return n;
    }
    return 0;
}

static bool still_so(const pid_t *line, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (parent_of(line[i]) != line[i + 1])
            return false;
    return true;
}

/* Each attempt leads a session, and a session is entered by birth alone: an orphan in it descends
 * from the attempt. The number of a session is not given to another while a process is in it. */
static struct process *leader_of(const struct host *host, const pid_t *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pid_t session = getsid(line[i]);
        struct process *process = session > 1 ? main_process(host, session) : NULL;
        if (process)
            return process;
    }
    return NULL;
}

/* Up to a child of ours, which is a main process or belongs to the attempt that
 * leads its session. */
static int by_tree(struct host *host, pid_t pid, struct owner *owner)
{
    pid_t line[DEPTH_MAX];
    size_t n = ancestors(host, pid, line);
    const struct process *process = n > 0 ? main_process(host, line[n - 1]) : NULL;

    if (n > 0 && !process) /* line[n - 1] is a child of ours, which no attempt is led by */
        process = leader_of(host, line, n);
    if (!process || !still_so(line, n))
        return -ENOENT;
    owner->id = process->id;
    return 0;
}

/* The mark tells an earlier attempt's leaf from the present one's. */
static int by_leaf(struct host *host, pid_t pid, struct owner *owner)
{
    uint64_t mark;
    int r = cgroup_child_of(&host->cgroups, pid, &owner->id, &mark);
    const struct child *child = r == 0 ? core_child_of(host->core, owner->id) : NULL;
    const struct process *process = child ? child->host : NULL;

    if (r < 0)
        return r;
    if (!process || !process_is_there(process) || process->mark != mark)
        return -ENOENT; /* or left by an earlier attempt */
    owner->id = process->id;
    return 0;
}

/* A child that speaks has come to its program, or comes from one that has: that may not have been
 * noticed yet. */
static void look_at_launches(struct host *host, pid_t pid)
{
    for (size_t n = 0; n < DEPTH_MAX && pid > 1 && pid != getpid(); pid = parent_of(pid), n++) {
        struct launch *launch = spawner_launch_of_pid(host->spawner, pid);
        if (!launch)
            continue;
        if (!launch_look(launch) && process_is_unborn(pid) == 0)
            launch_has_executed(launch);
        return;
    }
}

/* A main process needs no search. Launches are looked at first, because a child
 * may speak before its launch has been reported. */
static int look(struct host *host, pid_t pid, struct owner *owner)
{
    if (!spawner_is_idle(host->spawner) && !process_of_pid(host, pid))
        look_at_launches(host, pid);
    const struct process *process = main_process(host, pid);

    *owner = (struct owner){};
    if (process) {
        owner->id = process->id;
        return 0;
    }
    return host->cgroups.fd < 0 ? by_tree(host, pid, owner) : by_leaf(host, pid, owner);
}

/* The descriptor that is opened before and asked after shows that it was the
 * sender all the time. */
int owner_find(struct host *host, pid_t pid, int pidfd, struct owner *owner)
{
    int own = pidfd < 0 ? again_pidfd(pid) : -1;

    if (pidfd < 0 && own < 0)
        return own == -EINVAL ? -ESRCH : own;
    int r = look(host, pid, owner);
    if (handle_is_reaped(own >= 0 ? own : pidfd))
        r = -ESRCH;
    if (own >= 0)
        close(own);
    return r;
}
