/*
 * A process of a child, from its start to the last of its descendants. Its main
 * process ends first; then the rest is drained: waited for, or killed, until
 * the tree is empty. Only that is an end to the core.
 */
#include "host/process.h"

#include "system/again.h"
#include "system/clock.h"
#include "core/vocabulary/invariant.h"
#include "host/exit_status.h"
#include "system/handle.h"
#include "host/outfit.h"
#include "host/owner_user.h"
#include "host/probe.h"
#include "system/proc_stat.h"
#include "host/result.h"
#include "host/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define EXIT_LOOKS          10
#define EXIT_LOOK_USEC      UINT64_C(5000) /* twice as long each time, */
#define EXIT_LOOKS_USEC     UINT64_C(250000)
#define OVERTIME_USEC       UINT64_C(100000) /* that commands have beyond the core's deadline */
#define CHECK_PATIENCE_USEC UINT64_C(100000) /* for a health check that has been killed */

/* ---- completion ------------------------------------------------------------------------------ */

static int group_of(const struct process *process)
{
    return process->leads ? process->pidfd : process->group;
}

/* As it is to be found now. */
static struct tree *tree_of(struct process *process)
{
    struct tree *tree = &process->tree;

    tree->host = process->host;
    tree->id = process->id;
    tree->first = process->state == PROCESS_RUNNING ? process->main_pid : 0;
    tree->group = group_of(process);
    tree->leader = process->leader;
    tree->number = process->leads ? process->main_pid : process->old_group;
    tree->everywhere = process->adopted;
    tree->keeps = process_keeps_leftovers(process);
    tree->leaf[0] = '\0';
    if (process->in_cgroup)
        process_leaf(process, tree->leaf);
    return tree;
}

/* A leader that was reaped: its number may be given away from now on. */
void process_forget_leader(struct host *host, pid_t pid)
{
    if (host->n_handed_over == 0) /* else it is a main process, and forgotten with it */
        return;
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        struct process *process = child->host;
        if (process && process->leader == pid)
            process->leader = process->tree.leader = 0;
    }
}

/* The group is held by a descriptor, which keeps its number from being given
 * away. */
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

static void close_main(struct process *process)
{
    if (process->pidfd >= 0)
        ends_close(process->host->ends, process->pidfd, process->watched);
    process->watched = false;
}

/* The handle of its leader is kept for the group alone. */
static void keep_group(struct process *process)
{
    process->leads = false;
    process->old_group = process->main_pid;
    if (process->in_cgroup) {
        close_main(process);
        return;
    }
    process_unwatch(process);
    process->group = process->pidfd;
}

/* Of a job, its result is asked for instead. */
static void take_last_words(const struct process *process, struct completion *completion,
                            char words[LAST_WORDS_MAX + 1])
{
    output_last_words(process->output, words);
    if (process->child->job || !*words)
        return;
    completion->output = (struct job_output){.data = words, .size = strlen(words)};
}

/* The core may start the next attempt within this call, so everything of the
 * old one has been put away before. */
static void tell_completion(struct process *process)
{
    struct host *host = process->host;
    struct attempt_id id = process->id;
    struct completion completion = process->completion;
    char words[LAST_WORDS_MAX + 1];

    INVARIANT(process_is_draining(process) && process->pidfd < 0);
    take_last_words(process, &completion, words);
    process_take_result(process, &completion);
    struct result *result = process->result;
    process->result = NULL;
    process_set_state(process, PROCESS_IDLE);
    process->leaf_used = process->in_cgroup;
    core_completed(host->core, id, &completion);
    result_free(result);
}

void process_result_ended(void *userdata)
{
    tell_completion(userdata);
}

/* Its result comes last, as it may take the longest. */
static void last_words_known(void *userdata)
{
    struct process *process = userdata;

    if (!process_waits_for_result(process))
        tell_completion(process);
}

/* No process is left. What remains to be waited for is its last line, and its
 * result. */
static void complete(struct process *process)
{
    struct host *host = process->host;
    struct attempt_id id = process->id;
    char name[KEEP_NAME_MAX];

    tree_forget(&process->tree);
    process->tree = (struct tree){};
    process_forget_group(process);
    keep_name(name, "group", &id, id.attempt);
    keep_drop(host->keep, name);
    if (output_end_attempt(process->output, last_words_known, process)) {
        process_set_state(process, PROCESS_ENDING);
        return;
    }
    last_words_known(process);
}

/* Whether the leaf will hardly be used again: then it goes at once. */
static bool is_last_attempt(const struct process *process)
{
    return process->child->operation != CHILD_ACTIVE || process->child->job ||
           core_shutdown_phase(process->host->core) != SHUTDOWN_IDLE;
}

/* The leaf is kept for the next attempt, which saves a directory per restart;
 * one that was killed is made again. */
static void settle_leaf(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    if (!process->in_cgroup)
        return;
    process_leaf(process, leaf);
    process->completion.cgroup = RESOURCE_RECORDED; /* kept for the next attempt */
    if (!process->leaf_killed && !is_last_attempt(process) && process->mark == 0)
        return;
    bool removed = cgroup_leaf_remove(&process->host->cgroups, leaf) == 0;
    process->completion.cgroup = removed ? RESOURCE_CLEANED : RESOURCE_FAILED;
    if (removed) { /* the next one counts from nothing */
        process->leaf_killed = false;
        process->oom_kills = 0;
    }
}

/* ---- what is run after it -------------------------------------------------------------------- */

static bool after_stop_is_due(const struct process *process)
{
    return !process->after_done && !process->completion.with_machine &&
           aside_has(process, COMMANDS_AFTER_STOP);
}

/* The core's deadline comes first, where it has one. */
static uint64_t time_of_stop(const struct process *process)
{
    uint64_t usec = process->child->config->declaration.stop_timeout_usec;

    return usec > 0 ? usec + OVERTIME_USEC : 0;
}

/* They have its leaf for themselves. */
void process_begin_after_stop(struct process *process)
{
    int cgroup = -1;

    if (!process->in_cgroup && process_open_leaf(process, &cgroup) == 0 && cgroup >= 0)
        close(cgroup);
    aside_begin(process, COMMANDS_AFTER_STOP, time_of_stop(process));
}

/* No process of the attempt is left. */
static void run_after_stop(struct process *process)
{
    const struct attempt *attempt = &process->child->attempt;

    tree_forget(&process->tree);
    if (process->state == PROCESS_UNTOLD)
        process_set_state(process, PROCESS_DRAINING);
    if (!attempt->main.gone || process->child->left > 0)
        core_main_exited(process->host->core, process->id, &process->completion);
    process_begin_after_stop(process);
}

/* ---- what is left ---------------------------------------------------------------------------- */

static void left_is_gone(struct tree *tree)
{
    struct process *process = tree->userdata;

    if (after_stop_is_due(process)) {
        run_after_stop(process);
        return;
    }
    settle_leaf(process);
    complete(process);
}

/* It stays, and is watched no more. */
static void leave_behind(struct process *process, uint32_t left)
{
    process->completion.left = left;
    process->completion.cgroup = process->in_cgroup ? RESOURCE_RECORDED : RESOURCE_NOT_OWNED;
    complete(process);
}

/* The core says what becomes of them: it has them signalled, if that has not been done, or killed.
 */
static void tell_what_is_left(struct process *process)
{
    const struct attempt *attempt = &process->child->attempt;
    const struct process_spec *spec = &process->child->config->declaration.process;
    bool main_alone = attempt->cancel_delivered && !spec->kill_group; /* has been told to stop */
    size_t left = tree_count(tree_of(process));
    struct completion completion = process->completion;

    completion.left = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
    if (process_keeps_leftovers(process)) {
        leave_behind(process, completion.left);
        return;
    }
    process_set_state(process, PROCESS_DRAINING);
    if (attempt->main.gone) /* as an earlier proctord has reported */
        return;
    core_main_exited(process->host->core, process->id, &completion);
    if (main_alone && process->state == PROCESS_DRAINING && !process->aborted)
        process_stop(process, spec->stop_signal);
}

/* A health check that was on its way has been killed, and is given a moment to go: there is nothing
 * to report. */
static bool waits_for_check(const struct process *process)
{
    return process->checks_left > 0 &&
           clock_now_usec() - process->tree.since_usec < CHECK_PATIENCE_USEC;
}

static void tell_if_known(struct process *process);

static void left_is_certain(struct tree *tree)
{
    tell_if_known(tree->userdata);
}

/* Nobody is told of processes that may not be there: what is in doubt is looked at again. */
static void tell_if_known(struct process *process)
{
    if (process->state != PROCESS_UNTOLD || waits_for_check(process))
        return;
    if (tree_is_in_doubt(tree_of(process)))
        tree_of(process)->settled = left_is_certain;
    else
        tell_what_is_left(process);
}

static void drain(struct process *process)
{
    struct tree *tree = tree_of(process);

    tree->first = 0;
    tree->moment =
        process->ended_moment > 0 ? process->ended_moment : census_moment(process->host->census);
    process->ended_moment = 0;
    if (tree_is_empty(tree)) {
        process->tree.userdata = process;
        left_is_gone(tree);
        return;
    }
    tree_leave(tree, left_is_gone, process);
    tell_if_known(process);
}

/* Commands that are for a running program go with it. */
static void forget_those_of_running(struct process *process)
{
    process->reload_waits = false;
    if (aside_runs(process, COMMANDS_RELOAD) || aside_runs(process, COMMANDS_AFTER_START))
        aside_forget(process);
}

void process_begin_after_start(struct process *process)
{
    const struct child *child = process->child;

    if (process->state != PROCESS_RUNNING || process->after_started || process->aside.runs ||
        child->attempt.number != process->id.attempt || child_status(child) != CHILD_READY)
        return;
    process->after_started = true;
    if (aside_has(process, COMMANDS_AFTER_START))
        aside_begin(process, COMMANDS_AFTER_START, child->config->declaration.start_timeout_usec);
}

/* The commands of a stop run to their end. */
static void begin_draining(struct process *process)
{
    process_set_state(process, PROCESS_UNTOLD);
    process->end_waits = aside_runs(process, COMMANDS_STOP);
    forget_those_of_running(process);
    if (!process->end_waits)
        drain(process);
}

int process_run_reload(struct process *process)
{
    uint64_t timeout = process->child->config->declaration.start_timeout_usec;

    if (process->state != PROCESS_RUNNING || aside_runs(process, COMMANDS_STOP))
        return -ESRCH;
    if (aside_runs(process, COMMANDS_AFTER_START))
        process->reload_waits = true;
    else if (process->aside.runs)
        process->aside.again = true;
    else
        aside_begin(process, COMMANDS_RELOAD, timeout);
    return 0;
}

void process_ask_to_stop(struct process *process)
{
    int signal = process->child->config->declaration.process.stop_signal;

    forget_those_of_running(process);
    if (process->aside.runs)
        return; /* the commands after its end, which have the time of a stop */
    if (process->state == PROCESS_RUNNING && aside_has(process, COMMANDS_STOP))
        aside_begin(process, COMMANDS_STOP, time_of_stop(process));
    else if (process->state == PROCESS_RUNNING || process_is_draining(process))
        process_stop(process, signal);
}

static void stop_commands_over(struct process *process)
{
    if (process->end_waits) {
        process->end_waits = false;
        drain(process);
    } else if (process->state == PROCESS_RUNNING && !process->aborted &&
               process->child->attempt.stop_step == 0) { /* else a further one has been sent */
        process_stop(process, process->child->config->declaration.process.stop_signal);
    }
}

static void after_stop_over(struct process *process)
{
    process->after_done = true;
    settle_leaf(process);
    complete(process);
}

void process_aside_over(struct process *process, enum child_commands kind, bool passed, bool again)
{
    struct core *core = process->host->core;

    if (again) { /* another one was requested meanwhile, and the answer is to that */
        aside_begin(process, kind, process->child->config->declaration.start_timeout_usec);
        return;
    }
    if (!passed || kind == COMMANDS_RELOAD)
        core_commands_ended(core, process->id, kind, passed, process->aside.why);
    if (kind == COMMANDS_AFTER_START && process->reload_waits)
        process_run_reload(process);
    if (kind == COMMANDS_AFTER_START)
        process->reload_waits = false;
    else if (kind == COMMANDS_RELOAD)
        process_begin_after_start(process); /* it has become ready meanwhile */
    else if (kind == COMMANDS_STOP)
        stop_commands_over(process);
    else if (kind == COMMANDS_AFTER_STOP)
        after_stop_over(process);
}

/* A check or command that was still running belongs to the attempt, too. */
void process_check_gone(struct process *process)
{
    INVARIANT(process->checks_left > 0);
    process->checks_left--;
    if (process->aside.waits) {
        if (process->checks_left == 0)
            aside_gone(process);
        return;
    }
    if (process->state == PROCESS_PREPARING) {
        if (process->checks_left == 0)
            before_gone(process);
        return;
    }
    process->tree.moment = census_moment(process->host->census);
    if (process->state == PROCESS_UNTOLD && !waits_for_check(process) &&
        !tree_is_empty(&process->tree))
        tell_if_known(process);
}

/* A SIGKILL that we have not sent may be the kernel's for lack of memory: the
 * leaf's counter tells. */
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

/* The main process is gone: its descriptor is kept if it led the group. */
static void forget_main(struct process *process)
{
    char name[KEEP_NAME_MAX];

    process->looks = 0;
    census_forget(process->host->census, process->main_pid);
    process_unlink(process->host, process);
    probe_free(process);
    keep_name(name, "pid", &process->id, process->id.attempt);
    keep_drop(process->host->keep, name);
    process->again_source = sd_event_source_disable_unref(process->again_source);
    if (process->leads) {
        process->leader = 0; /* it has been reaped */
        keep_group(process);
    } else {
        close_main(process);
    }
    process->pidfd = -1;
}

static int look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    process_main_exited(userdata);
    return 0;
}

/* Its status may not be known yet: the process that has it is given a moment. */
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

/* Messages that were sent before the end are heard first, as they may change
 * what the end means. An end that cannot be read yet is looked for again. */
void process_main_exited(struct process *process)
{
    struct host *host = process->host;
    siginfo_t info = {};

    /* Its last words count before its end does. */
    notify_socket_drain(host->notify);
    if (process->state != PROCESS_RUNNING)
        return;
    struct rusage usage = {};
    bool ours = process->leads && !process->adopted;
    process->has_user = !ours && owner_user(process, &process->user) == 0;
    int r = exit_status_take(process->main_pid, process->pidfd, &info, &usage);
    if (ours && info.si_pid > 0) { /* that its orphans have, too: the kernel says it with its end */
        process->has_user = true;
        process->user = info.si_uid;
    }
    if (r == 0) /* not ended, after all: MAINPID= named another */
        return;
    if (r == -EAGAIN && look_again_soon(process))
        return;

    forget_main(process);
    if (r > 0)
        note_exit(process, &info);
    else
        process->completion = (struct completion){.unknown = true, .cgroup = RESOURCE_NOT_OWNED};
    process->completion.cpu_usec = usec_of(usage.ru_utime) + usec_of(usage.ru_stime);
    begin_draining(process);
}

/* It ended while no proctord was there to see it; nothing but leftovers can be there. */
void process_is_gone(struct process *process, const struct completion *completion)
{
    INVARIANT(!process_is_there(process));
    process->completion = *completion;
    begin_draining(process);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* While there is no descriptor for a handle, a child of ours still holds its number. */
int process_signal_main(const struct process *process, int signal)
{
    if (process->pidfd < 0 && !process->adopted)
        return handle_signal_child(process->main_pid, signal);
    return handle_signal(process->pidfd, signal);
}

void process_signal_all(struct process *process, int signal)
{
    if (process->state == PROCESS_ENDING)
        return;
    if (process->state == PROCESS_RUNNING)
        process_signal_main(process, signal);
    tree_signal(tree_of(process), signal);
}

/* The next proctord is not to send it again, and not to run the commands of the stop again. */
static void note_stop(struct process *process, int signal, bool whole)
{
    process->note.stop_signal = (uint32_t)signal;
    process->note.stop_ticks = whole ? process->tree.told.ticks : 0;
    process_note(process);
}

static bool is_for_all(const struct process *process)
{
    return process_is_draining(process) ||
           (process->child->config->declaration.process.kill_group &&
            !process_keeps_leftovers(process));
}

/* All are looked for first: what a handler of the signal starts is its own. */
void process_stop(struct process *process, int signal)
{
    bool whole = is_for_all(process);
    struct tree *tree = tree_of(process);
    struct crowd crowd = {};

    if (process->state == PROCESS_ENDING)
        return;
    if (whole)
        tree_find(tree, &crowd);
    tree_thaw(tree); /* one that is frozen or stopped cannot obey */
    if (process->state == PROCESS_RUNNING)
        process_signal_main(process, signal);
    if (process->state == PROCESS_RUNNING && signal != SIGKILL && signal != SIGCONT)
        process_signal_main(process, SIGCONT);
    if (whole)
        tree_tell(tree, signal, &crowd);
    note_stop(process, signal, whole);
}

/* The whole tree, except with `leftovers: keep`. */
void process_abort(struct process *process)
{
    process->aborted = true;
    if (process->state == PROCESS_ENDING) /* no process is left */
        return;
    if (!process_keeps_leftovers(process)) {
        process->leaf_killed = process->leaf_killed || process->in_cgroup;
        tree_kill(tree_of(process));
        if (process->state == PROCESS_RUNNING && !process->in_cgroup && !process->leads)
            handle_signal_group(process->pidfd, 0, SIGKILL);
    }
    if (process->state == PROCESS_RUNNING)
        process_signal_main(process, SIGKILL);
}

/* What the next proctord has to know of it. */
void process_note(struct process *process)
{
    struct process_note *note = &process->note;

    if (note->id.attempt != process->id.attempt) /* of an end that was not seen */
        *note = (struct process_note){
            .id = process->id, .stop_signal = note->stop_signal, .stop_ticks = note->stop_ticks};
    if (process->host->journal)
        journal_process(process->host->journal, note);
}

/* ---- another main process -------------------------------------------------------------------- */

/* The next proctord finds the new one, too. */
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
    process_note(process);
}

/* A child that re-executes itself under a new PID continues to be the child. */
void process_change_main(struct process *process, pid_t pid, int pidfd)
{
    struct host *host = process->host;

    INVARIANT(process->state == PROCESS_RUNNING && pid > 0 && pidfd >= 0);
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
    process->ended_moment = 0;
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
