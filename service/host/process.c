#include "process.h"

#include "again.h"
#include "handle.h"
#include "owner.h"
#include "probe.h"
#include "proc_stat.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_LOOKS      10
#define EXIT_LOOK_USEC  UINT64_C(5000) /* twice as long each time, */
#define EXIT_LOOKS_USEC UINT64_C(250000)
#define RETRY_USEC      20000 /* how often a process group that does not end is looked at */

/* ---- completion ------------------------------------------------------------------------------ */

/* The leaf's account goes over all attempts: what was used so far is not the next one's. */
static void process_note_usage(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];
    uint64_t memory;

    process_leaf(process, leaf);
    cgroup_leaf_usage(&process->host->cgroups, leaf, &process->cpu_before_nsec, &memory);
}

uint64_t process_now_usec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int group_of(const struct process *process)
{
    return process->leads ? process->pidfd : process->group;
}

/* Where it has none of its own, -1: never the caller's. */
static int signal_group(const struct process *process, int signal)
{
    return handle_signal_group(group_of(process), process->leader, signal);
}

/* Where the kernel does not know groups by their handle, it is forgotten with its leader's number,
 * and its members are found like orphans. */
static bool group_is_empty(const struct process *process)
{
    int r = signal_group(process, 0);
    return r == -ESRCH || r == -ENOSYS;
}

void process_forget_leader(struct host *host, pid_t pid)
{
    if (host->n_handed_over == 0) /* else it is a main process, and forgotten with it */
        return;
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        struct process *process = child->host;
        if (process && process->leader == pid)
            process->leader = 0;
    }
}

void process_forget_group(struct process *process)
{
    process->leader = 0;
    process->leads = false;
    process->host->n_handed_over -= process->handed_over;
    process->handed_over = false;
    if (process->group >= 0)
        close(process->group);
    process->group = -1;
}

/* The handle of who led it is kept for the group alone. */
static void keep_group(struct process *process)
{
    process->leads = false;
    if (!process->in_cgroup)
        process->group = process->pidfd;
    else
        close(process->pidfd);
}

static void complete(struct process *process)
{
    struct host *host = process->host;
    struct attempt_id id = process->id;
    struct completion completion = process->completion;
    char name[KEEP_NAME_MAX];

    process->drain_source = sd_event_source_disable_unref(process->drain_source);
    for (struct process **link = &host->draining; *link; link = &(*link)->next_draining)
        if (*link == process) {
            *link = process->next_draining;
            break;
        }
    process->state = PROCESS_IDLE;
    process_forget_group(process);
    keep_name(name, "group", &id, id.attempt);
    keep_drop(host->keep, name);
    output_drain(process->output);
    bool in_cgroup = process->in_cgroup;
    struct result *result = process->result;
    process->result = NULL;
    if (result) {
        keep_name(name, "result", &id, id.attempt);
        keep_drop(host->keep, name);
    }
    if (result) {
        completion.output = result_take(result);
    } else if (process->adopted && process->child->job) {
        completion.output = host_result(host, process->child->job);
        completion.output.truncated = true; /* what it wrote last may be lost */
    }
    core_completed(host->core, id, &completion);
    result_free(result);
    host_settle(host);
    /* The record may be gone by now; where it is not, its leaf goes on counting. */
    struct child *child = in_cgroup ? core_child_of(host->core, id) : NULL;
    if (child && child->host == process)
        process_note_usage(process);
}

/* Whether the leaf will hardly be used again: then it goes at once. */
static bool is_last_attempt(const struct process *process)
{
    return process->child->operation != CHILD_ACTIVE || process->child->job ||
           core_shutdown_phase(process->host->core) != SHUTDOWN_IDLE;
}

static bool leaf_is_empty(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    process_leaf(process, leaf);
    if (!cgroup_leaf_empty(&process->host->cgroups, leaf))
        return false;
    process->completion.cgroup = RESOURCE_RECORDED; /* kept for the next attempt */
    if (!process->leaf_killed && !is_last_attempt(process))
        return true;
    bool removed = cgroup_leaf_remove(&process->host->cgroups, leaf) == 0;
    process->completion.cgroup = removed ? RESOURCE_CLEANED : RESOURCE_FAILED;
    if (removed) { /* the next one counts from nothing */
        process->leaf_killed = false;
        process->oom_kills = 0;
    }
    return true;
}

static bool nobody_is_left(struct process *process)
{
    if (process->in_cgroup)
        return leaf_is_empty(process);
    signal_group(process, SIGKILL);
    if (process->adopted) /* its zombies are another's to reap */
        return strays_kill(process->host, process) == 0;
    size_t left = orphans_kill(process->host, process);
    orphans_reap(process->host); /* zombies count as members of the group */
    return group_is_empty(process) && left == 0;
}

static int population_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct process *process = userdata;
    char text[256];

    (void)source;
    (void)events;
    /* Reading clears the condition. */
    if (pread(fd, text, sizeof(text), 0) < 0 || !leaf_is_empty(process))
        return 0;
    complete(process);
    return 0;
}

static void kill_leaf(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    process_leaf(process, leaf);
    process->leaf_killed = true;
    cgroup_leaf_kill(&process->host->cgroups, leaf);
}

static int watch_leaf(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    process_leaf(process, leaf);
    kill_leaf(process);
    process->host->counters.leftovers_killed++;
    int fd = cgroup_leaf_watch(&process->host->cgroups, leaf);
    if (fd < 0)
        return fd;
    int r = sd_event_add_io(process->host->event, &process->drain_source, fd, EPOLLPRI,
                            population_changed, process);
    if (r < 0) {
        close(fd);
        return r;
    }
    sd_event_source_set_io_fd_own(process->drain_source, true);
    return 0;
}

static int retry(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    struct host *host = userdata;

    host_watch_unwatched(host);
    if (host->unreaped) {
        host->unreaped = false;
        orphans_reap(host);
    }
    process_drain_more(host);
    return 0;
}

/* Made before it is needed: it helps where there is no memory. */
int host_prepare_retry(struct host *host)
{
    int r =
        sd_event_add_time(host->event, &host->retry_source, CLOCK_MONOTONIC, 0, 1000, retry, host);
    return r < 0 ? r : sd_event_source_set_enabled(host->retry_source, SD_EVENT_OFF);
}

void host_look_again(struct host *host)
{
    uint64_t at;

    sd_event_now(host->event, CLOCK_MONOTONIC, &at);
    sd_event_source_set_time(host->retry_source, at + RETRY_USEC);
    sd_event_source_set_enabled(host->retry_source, SD_EVENT_ONESHOT);
}

/* Looks again at those that are draining, after an orphan was reaped or a moment has passed. */
void process_drain_more(struct host *host)
{
    struct process *next;

    for (struct process *process = host->draining; process; process = next) {
        next = process->next_draining;
        if (nobody_is_left(process)) {
            complete(process);
            next = host->draining; /* the core may have started and ended others meanwhile */
            if (!next)
                break;
        }
    }
    if (host->draining)
        host_look_again(host);
}

static void begin_draining(struct process *process)
{
    struct host *host = process->host;

    process->state = PROCESS_DRAINING;
    process->draining_since_usec = process_now_usec();
    if (nobody_is_left(process)) {
        complete(process);
        return;
    }
    if (process->in_cgroup && watch_leaf(process) == 0) {
        /* The last one may have gone between the two looks. */
        if (leaf_is_empty(process))
            complete(process);
        return;
    }
    process->next_draining = host->draining;
    host->draining = process;
    host_look_again(host);
}

static void note_exit(struct process *process, const siginfo_t *info)
{
    char leaf[CGROUP_LEAF_MAX];
    struct completion *completion = &process->completion;

    *completion = (struct completion){.cgroup = RESOURCE_NOT_OWNED};
    if (info->si_code == CLD_EXITED) {
        completion->code = info->si_status;
        return;
    }
    completion->by_signal = true;
    completion->signal = info->si_status;
    completion->core_dumped = info->si_code == CLD_DUMPED;
    if (process->in_cgroup && completion->signal == SIGKILL && !process->aborted) {
        process_leaf(process, leaf);
        uint64_t kills = cgroup_leaf_oom_kills(&process->host->cgroups, leaf);
        completion->oom_killed = kills > process->oom_kills;
        process->oom_kills = kills;
    }
}

static uint64_t usec_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void forget_main(struct process *process)
{
    char name[KEEP_NAME_MAX];

    process->looks = 0;
    process_unlink(process->host, process);
    probe_free(process);
    keep_name(name, "pid", &process->id, process->id.attempt);
    keep_drop(process->host->keep, name);
    process_unwatch(process);
    process->again_source = sd_event_source_disable_unref(process->again_source);
    if (process->leads) {
        process->leader = 0; /* it has been reaped */
        keep_group(process);
    } else {
        close(process->pidfd);
    }
    process->pidfd = -1;
}

/* Linux 6.15 tells whoever holds a pidfd how the process ended, once its parent has reaped it. */
struct pidfd_exit_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code; /* as wait(2) has it */
    uint32_t reserved[2];
};

#define PIDFD_EXIT_INFO      _IOWR(0xFF, 11, struct pidfd_exit_info)
#define PIDFD_EXIT_INFO_MASK (1u << 3)

static int exit_of_stranger(int pidfd, siginfo_t *info)
{
    struct pidfd_exit_info exit = {.mask = PIDFD_EXIT_INFO_MASK};

    if (ioctl(pidfd, PIDFD_EXIT_INFO, &exit) < 0 || !(exit.mask & PIDFD_EXIT_INFO_MASK))
        return -ENODATA;
    if (WIFSIGNALED(exit.exit_code)) {
        info->si_code = WCOREDUMP(exit.exit_code) ? CLD_DUMPED : CLD_KILLED;
        info->si_status = WTERMSIG(exit.exit_code);
    } else {
        info->si_code = CLD_EXITED;
        info->si_status = WEXITSTATUS(exit.exit_code);
    }
    return 0;
}

static int look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    process_main_exited(userdata);
    return 0;
}

/* Its parent has not reaped it yet: it is given a moment to. */
static bool look_again_soon(struct process *process)
{
    uint64_t pause = EXIT_LOOK_USEC << process->looks;

    if (process->looks++ >= EXIT_LOOKS)
        return false;
    process_unwatch(process);
    process->again_source = sd_event_source_disable_unref(process->again_source);
    return sd_event_add_time_relative(process->host->event, &process->again_source, CLOCK_MONOTONIC,
                                      pause < EXIT_LOOKS_USEC ? pause : EXIT_LOOKS_USEC, 1000,
                                      look_again, process) >= 0;
}

void process_main_exited(struct process *process)
{
    struct host *host = process->host;
    siginfo_t info = {};

    /* Its last words count before its end does. */
    notify_socket_drain(host->notify);
    if (process->state != PROCESS_RUNNING)
        return;
    struct rusage usage = {};
    /* As long as it has not been reaped, its group is known on every kernel. */
    if (process->leads && !process->in_cgroup && handle_has_ended(process->pidfd))
        signal_group(process, SIGKILL);
    process->has_user = owner_user(process, &process->user) == 0; /* of its orphans, then */
    /* The C library's waitid() does not tell what was used. */
    int r = (int)syscall(SYS_waitid, P_PIDFD, process->pidfd, &info, WEXITED | WNOHANG, &usage);
    if (r == 0 && info.si_pid == 0)
        return; /* not ended, after all: MAINPID= named another */
    bool known = r == 0;
    if (r < 0) /* adopted: somebody else's to wait for */
        known = exit_of_stranger(process->pidfd, &info) == 0;
    if (r < 0 && !known && look_again_soon(process))
        return;

    forget_main(process);
    if (known)
        note_exit(process, &info);
    else
        process->completion = (struct completion){.unknown = true, .cgroup = RESOURCE_NOT_OWNED};
    process->completion.cpu_usec = usec_of(usage.ru_utime) + usec_of(usage.ru_stime);
    begin_draining(process);
}

/* It ended when nobody was there to see it; nothing but leftovers can be there. */
void process_is_gone(struct process *process, const struct completion *completion)
{
    process->completion = *completion;
    begin_draining(process);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* A main process that MAINPID= has named may lead a group of its own, or still be in the old one.
 */
static void signal_tree(const struct process *process, int signal)
{
    bool has_had_it = signal_group(process, signal) == 0 &&
                      (process->leads || getpgid(process->main_pid) == process->old_group);

    if (!has_had_it && handle_signal_group(process->pidfd, 0, signal) < 0)
        handle_signal(process->pidfd, signal);
}

void process_signal_all(struct process *process, int signal)
{
    char leaf[CGROUP_LEAF_MAX];

    if (process->state != PROCESS_RUNNING)
        return;
    if (process->in_cgroup) {
        handle_signal(process->pidfd, signal);
        process_leaf(process, leaf);
        cgroup_leaf_signal(&process->host->cgroups, leaf, signal, process->main_pid);
        return;
    }
    signal_tree(process, signal);
}

void process_abort(struct process *process)
{
    process->aborted = true;
    if (process->in_cgroup)
        kill_leaf(process);
    else
        signal_group(process, SIGKILL);
    if (process->state == PROCESS_RUNNING && !process->in_cgroup && !process->leads)
        handle_signal_group(process->pidfd, 0, SIGKILL);
    if (process->state == PROCESS_RUNNING)
        handle_signal(process->pidfd, SIGKILL);
    orphans_kill(process->host, process);
    if (process->adopted && !process->in_cgroup)
        strays_kill(process->host, process);
}

/* ---- another main process -------------------------------------------------------------------- */

/* Who comes after us finds the new one, too. */
static void note_main(struct process *process)
{
    struct keep *keep = process->host->keep;
    char name[KEEP_NAME_MAX];

    keep_name(name, "pid", &process->id, process->id.attempt);
    keep_drop(keep, name); /* older kernels' pidfds look all the same */
    keep_put(keep, name, process->pidfd);
    keep_name(name, "group", &process->id, process->id.attempt);
    keep_put(keep, name, process->group);
    process->note.pid = (uint32_t)process->main_pid;
    process_started(process->main_pid, &process->note.started);
    if (process->host->journal)
        journal_process(process->host->journal, &process->note);
}

/* A child that re-executes itself under a new PID goes on being the child. */
void process_change_main(struct process *process, pid_t pid, int pidfd)
{
    struct host *host = process->host;

    process_unlink(host, process);
    process_unwatch(process);
    process->again_source = sd_event_source_disable_unref(process->again_source);
    if (process->leads) {
        process->old_group = process->main_pid;
        process->handed_over = process->leader > 0;
        host->n_handed_over += process->handed_over;
        keep_group(process);
    } else {
        close(process->pidfd);
    }
    process->pidfd = pidfd;
    process->main_pid = pid;
    process_link(host, process);
    process_watch(process);
    note_main(process);
}

/* When it was started, in ticks since the boot. */
int process_started(pid_t pid, uint64_t *ticks)
{
    return proc_stat_read(pid, PROC_STAT_STARTED_TICKS, ticks);
}

/* Whether a process has not executed anything since it was cloned: PF_FORKNOEXEC. */
int process_is_unborn(pid_t pid)
{
    uint64_t flags;
    int r = proc_stat_read(pid, PROC_STAT_FLAGS, &flags);

    return r < 0 ? r : (flags & 0x40) != 0;
}
