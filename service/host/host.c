/*
 * The host: everything between the core and the operating system. It implements
 * the core's ports; what the core asks for while it handles an input is only
 * noted there and done afterwards, since a port must not call back.
 */
#include "host/host.h"

#include "host/adopt.h"
#include "system/again.h"
#include "host/burst.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"
#include "host/errand.h"
#include "system/handle.h"
#include "host/inherit.h"
#include "host/listener.h"
#include "log/log.h"
#include "host/store.h"
#include "system/own_folder.h"
#include "host/owner.h"
#include "host/probe.h"
#include "host/process.h"
#include "host/reap.h"
#include "host/result.h"
#include "host/stop.h"
#include "host/wall_clock.h"
#include "host/watch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define MERGED_USEC UINT64_C(100000) /* until those are looked for whose SIGCHLD was merged */

/* ---- ends ------------------------------------------------------------------------------------ */

/* What an end makes due at once does not go round by the kernel's timer: mostly it is a start
 * without a delay. */
static void do_what_is_due(struct host *host)
{
    if (!host->due)
        return;
    host->due = false;
    core_timer(host->core);
}

static void exited(void *data)
{
    struct host *host = ((struct process *)data)->host;

    process_main_exited(data);
    do_what_is_due(host);
    host_settle(host); /* its next attempt does not wait for a turn of the loop */
    host_breathe(host);
}

/* At the end of a round of the loop: starts that were queued, and answers for
 * those that cannot be made. */
static int settle(sd_event_source *source, void *userdata)
{
    struct host *host = userdata;

    (void)source;
    host_settle(host);
    if (host->results)
        host_answer_now(host);
    return 0;
}

/* ---- the end of a record --------------------------------------------------------------------- */

/* With the child's record. What was kept for the next program goes too, unless
 * this proctord leaves its children behind. */
static void process_free(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    if (process->in_cgroup && !process_is_there(process)) {
        process_leaf(process, leaf);
        cgroup_leaf_remove(&process->host->cgroups, leaf);
    }
    if (process->state == PROCESS_RUNNING)
        process_unlink(process->host, process);
    probe_free(process);
    process_forget_start(process);
    if (!process->host->leaves)
        process_unkeep(process);
    process_unwatch(process);
    sd_event_source_disable_unref(process->again_source);
    tree_forget(&process->tree);
    if (process->pidfd >= 0)
        close(process->pidfd);
    process_forget_group(process);
    beat_forget(&process->beat);
    output_free(process->output);
    listeners_free(process->listeners);
    store_free(process);
    result_free(process->result);
    free(process);
}

static void drop_process(struct child *child)
{
    INVARIANT(!child->host || ((struct process *)child->host)->child == child);
    if (child->host)
        process_free(child->host);
    child->host = NULL;
}

static void forget_child(void *userdata, struct child *child)
{
    (void)userdata;
    INVARIANT(!child->attempt.active);
    drop_process(child);
}

/* ---- clock, memory, timer -------------------------------------------------------------------- */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t monotonic(void *userdata)
{
    const struct host *host = userdata;
    return era_time(&host->era, read_clock(CLOCK_MONOTONIC));
}

static uint64_t realtime(void *userdata)
{
    (void)userdata;
    return read_clock(CLOCK_REALTIME);
}

static void *allocate(void *userdata, size_t size)
{
    (void)userdata;
    return calloc(1, size);
}

static void release(void *userdata, void *memory)
{
    (void)userdata;
    free(memory);
}

static void record(void *userdata, const struct core_input *input)
{
    const struct host *host = userdata;

    INVARIANT((unsigned)input->kind < CORE_INPUTS);
    if (host->journal && !host->past)
        journal_input(host->journal, input);
}

/* The core has one timer; all its deadlines stand behind it. */
static int timer_due(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct host *host = userdata;

    (void)source;
    (void)usec;
    core_timer(host->core);
    host_settle(host);
    return 0;
}

/* The core's time is an era's, the timer's is the machine's. A deadline that is
 * due already is handled in this round. */
static void set_timer(void *userdata, uint64_t deadline_usec)
{
    struct host *host = userdata;

    INVARIANT(deadline_usec <= MOMENT_MAX);
    if (host->past)
        return;
    host->due = false;
    if (deadline_usec == 0) {
        sd_event_source_set_enabled(host->timer, SD_EVENT_OFF);
        return;
    }
    host->due = deadline_usec <= monotonic(host);
    sd_event_source_set_time(host->timer, era_clock(&host->era, deadline_usec));
    sd_event_source_set_enabled(host->timer, SD_EVENT_ONESHOT);
}

/* ---- the host -------------------------------------------------------------------------------- */

/* Of a main process that has been reaped: then nobody else has to be looked for among all of our
 * children, which takes the kernel the longer the more there are. Not while something waits for the
 * end of others. */
static bool is_known_end(const struct host *host, const struct signalfd_siginfo *info)
{
    siginfo_t end = {};

    return !host->trees && !host->errands && !host->unreaped &&
           waitid(P_PID, info->ssi_pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

/* SIGCHLD is one signal for any number of ends. An end that is known from its
 * descriptor is not looked for; one that was merged with it is found a moment
 * later. */
static int child_signal(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
    struct host *host = userdata;

    (void)source;
    if (is_known_end(host, info)) { /* an end whose signal was merged with it is met then */
        host->unreaped = true;
        host_look_again_in(host, MERGED_USEC);
        return 0;
    }
    orphans_reap(host);
    trees_look(host, false);
    return 0;
}

/* Ends come before messages, and settling before both. */
static int add_sources(struct host *host)
{
    int r = sd_event_add_signal(host->event, &host->child_source, SIGCHLD, child_signal, host);
    if (r >= 0)
        r = sd_event_add_time(host->event, &host->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, timer_due,
                              host);
    if (r >= 0)
        r = sd_event_source_set_enabled(host->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_defer(host->event, &host->settle_source, settle, host);
    if (r >= 0)
        r = sd_event_source_set_enabled(host->settle_source, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_source_set_priority(host->settle_source, SD_EVENT_PRIORITY_NORMAL - 30);
    if (r >= 0)
        r = ends_new(host->event, SD_EVENT_PRIORITY_NORMAL - 10, EPOLLIN, exited, &host->ends);
    if (r >= 0)
        r = host_watch_wall_clock(host);
    if (r >= 0)
        r = host_prepare_retry(host);
    return r;
}

int host_take_listener(struct host *host)
{
    assert(host);
    int fd = host->listener;

    host->listener = -1;
    return fd < 0 ? -ENOENT : fd;
}

void host_keep_listener(struct host *host, int fd)
{
    assert(host);
    host->listener = fd;
}

/* For an upgrade in place: every descriptor with its name, and what is only
 * known here. */
void host_hand_over(struct host *host, struct handover *handover)
{
    INVARIANT(handover);
    keep_begin_handover(host->keep);
    keep_put(host->keep, NOTIFY_NAME, notify_socket_descriptor(host->notify));
    for (struct child *child = core_first(host->core); child; child = core_next(child))
        if (child->host)
            process_keep(child->host);
    if (host->listener >= 0)
        keep_hand(host->keep, LISTENER_NAME, host->listener);
    keep_end_handover(host->keep, handover);
    inherit_hand_over(host, handover);
}

/* It continues without cgroups if there are none. Not where proctord lacks what it takes to look:
 * it would do without them for good. Nor where what runs is in them. */
static bool needs_cgroups(int error, bool keeps)
{
    return keeps ? again_may_help(error) : error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* In an order in which each part only needs those before it; on an error
 * everything made so far is freed. */
int host_new(sd_event *event, const struct host_settings *settings, struct host **host)
{
    struct host *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;

    fresh->event = sd_event_ref(event);
    fresh->cgroups.fd = -1;
    fresh->listener = -1;
    fresh->results_tail = &fresh->results;
    fresh->check_gone = process_check_gone;
    fresh->before_over = process_before_over;
    fresh->check_over = process_begin_after_start;
    fresh->aside_over = process_commands_over;
    fresh->result_ended = process_result_ended;
    fresh->by_pid_size = 256;
    fresh->by_pid = calloc(fresh->by_pid_size, sizeof(*fresh->by_pid));
    fresh->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int r = fresh->by_pid && fresh->null >= 0 ? 0 : -ENOMEM;
    if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        r = -errno;
    if (r == 0)
        r = census_new(&fresh->census);
    if (r == 0)
        r = add_sources(fresh);
    if (r >= 0)
        r = keep_open(settings->store_descriptors, settings->handover, &fresh->keep);
    if (r >= 0) /* before what nobody has taken is closed */
        fresh->listener = keep_take(fresh->keep, LISTENER_NAME);
    if (r >= 0 && settings->handover)
        inherit_read(fresh, settings->handover);
    if (r >= 0)
        r = host_listen(fresh, settings->runtime_directory);
    if (r >= 0)
        r = starts_open(settings->state_directory, &fresh->starts);
    if (r > 0)
        log_print(
            LOG_WARNING,
            "%s/starts was damaged and is set aside as starts.damaged: an attempt that had not "
            "executed its program is ended and started again",
            settings->state_directory);
    if (r >= 0)
        r = host_prepare_starts(fresh, settings->descriptors);
    if (r >= 0)
        r = host_open_results(fresh, settings->state_directory);
    if (r >= 0 && settings->use_cgroups) {
        int without =
            cgroup_base_open(&fresh->cgroups, settings->instance, settings->keep_processes);
        if (needs_cgroups(without, settings->keep_processes))
            r = without;
    }
    if (r < 0) {
        host_free(fresh);
        return r;
    }
    *host = fresh;
    return 0;
}

void host_reopen_outputs(struct host *host)
{
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        struct process *process = child->host;
        if (process)
            output_reopen(process->output);
    }
}

void host_detach(struct host *host)
{
    for (struct child *child = host->core ? core_first(host->core) : NULL; child;
         child = core_next(child))
        drop_process(child);
    host->core = NULL;
}

/* Children stay if the tree was not shut down: the next proctord adopts
 * them. */
void host_free(struct host *host)
{
    if (!host)
        return;
    host->leaves = !host->core || core_shutdown_phase(host->core) != SHUTDOWN_COMPLETED;
    host_detach(host);
    errand_free_trees(host);
    cgroup_base_close(&host->cgroups, host->leaves);
    notify_socket_close(host->notify);
    spawner_free(host->spawner);
    starts_close(host->starts);
    sd_event_source_disable_unref(host->lack_source);
    keep_close(host->keep);
    inherit_forget(host);
    result_store_free(host->result_store);
    sd_event_source_disable_unref(host->child_source);
    ends_free(host->ends);
    census_free(host->census);
    sd_event_source_disable_unref(host->timer);
    host_unwatch_wall_clock(host);
    sd_event_source_disable_unref(host->settle_source);
    sd_event_source_disable_unref(host->retry_source);
    if (host->null >= 0)
        close(host->null);
    free(host->notify_path);
    free(host->by_pid);
    sd_event_unref(host->event);
    free(host);
}

/* The core's allocator is the C library's here; the simulator has its own. */
void host_ports(struct host *host, struct core_ports *ports)
{
    INVARIANT(ports);
    ports->userdata = host;
    ports->monotonic = monotonic;
    ports->realtime = realtime;
    ports->allocate = allocate;
    ports->release = release;
    ports->start = host_start;
    ports->cancel = host_cancel;
    ports->abort = host_abort;
    ports->escalate = host_escalate;
    ports->check = probe_begin;
    ports->check_end = probe_withdraw;
    ports->kill = host_kill;
    ports->forget = forget_child;
    ports->set_timer = set_timer;
    ports->record = record;
}

void host_keep_journal(struct host *host, struct journal *journal)
{
    INVARIANT(journal && !host->journal);
    host->journal = journal;
    host->era = *journal_era(journal);
}

uint64_t host_clock(const struct host *host, uint64_t moment_usec)
{
    return era_clock(&host->era, moment_usec);
}

void host_attach(struct host *host, struct core *core)
{
    INVARIANT(core && !host->core);
    host->core = core;
}

bool host_has_cgroups(const struct host *host)
{
    return host->cgroups.fd >= 0;
}

const struct host_counters *host_counters(struct host *host)
{
    host->counters.spawners_replaced = spawner_replacements(host->spawner);
    return &host->counters;
}

void host_spare(struct host *host, pid_t pid, void (*ended)(void *userdata), void *userdata)
{
    INVARIANT(pid > 0 && host->spared == 0 && ended);
    host->spared = pid;
    host->spared_ended = ended;
    host->spared_userdata = userdata;
}

int host_find_pid(struct host *host, pid_t pid, struct attempt_id *id)
{
    struct owner owner = {};
    int r = owner_find(host, pid, -1, &owner);

    INVARIANT(id);
    *id = owner.id;
    return r;
}
