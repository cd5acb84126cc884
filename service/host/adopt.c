/*
 * Taking over the children of an earlier proctord. A PID alone proves nothing,
 * as it may belong to another process by now. First every attempt looks for its
 * process; then processes that belong to no attempt are killed; only then are
 * attempts without a process reported, as that may start something.
 */
#include "host/adopt.h"

#include "system/account.h"
#include "system/again.h"
#include "host/claim.h"
#include "system/handle.h"
#include "host/inherit.h"
#include "core/model/input_archive.h"
#include "core/vocabulary/invariant.h"
#include "host/listener.h"
#include "host/store.h"
#include "host/owner_user.h"
#include "system/proc_stat.h"
#include "host/process.h"
#include "host/result.h"
#include "host/stop.h"
#include "host/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNBORN_MSEC  100
#define ARRIVAL_MSEC 500
#define TRIES        4 /* for each attempt, where its process could not be looked at */

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* ---- the past -------------------------------------------------------------------------------- */

void adopt_begin(struct host *host)
{
    host->past = true;
}

void adopt_note_process(void *userdata, const struct process_note *note)
{
    INVARIANT(note);
    struct host *host = userdata;
    struct child *child = core_child_of(host->core, note->id);
    struct process *process = child ? process_for(host, child) : NULL;

    if (!process)
        return;
    process->note = *note;
    process->note.doubt_cancel = process->note.doubt_abort = false;
    process->doubt_cancel = note->doubt_cancel;
    process->doubt_abort = note->doubt_abort;
    process->doubt_step = process->doubt_signal = 0; /* a note of it comes behind what was done */
}

/* Only what the last input has asked for is in doubt: all before it was done before it came. */
void adopt_note_input(void *userdata, const struct core_input *input, bool last)
{
    struct host *host = userdata;

    INVARIANT(input);
    (void)input;
    host->last_input = last;
}

/* ---- finding a process ----------------------------------------------------------------------- */

/* Whether it runs as the user that the attempt was to run as: what it says of itself is believed of
 * no other. The main process is not known, so the user database is asked, and waited for. */
static bool is_its_user(const struct process *process, pid_t pid)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    uid_t user = geteuid(), its;

    if (spec->user) {
        struct account *account = account_find(&(struct account_question){.user = spec->user});
        bool found = account && account->error == 0 && account->has_user;
        user = found ? account->uid : (uid_t)-1;
        account_free(account);
    }
    return user != (uid_t)-1 && owner_user_of(pid, &its) == 0 && its == user;
}

/* 1, 0, or negative where that could not be read just now. */
static int is_in_leaf(struct host *host, const struct process *process, pid_t pid)
{
    struct attempt_id id;

    if (host->cgroups.fd < 0)
        return 0;
    uint64_t mark;
    int r = cgroup_child_of(&host->cgroups, pid, &id, &mark);
    if (r < 0)
        return again_may_help(r) ? r : 0;
    return id.slot == process->id.slot && id.serial == process->id.serial && mark == process->mark;
}

/* Whether it says that it belongs to the attempt: 1, 0, or negative where that could not be told
 * just now. */
static int claims(const struct process *process, pid_t pid)
{
    struct claim claim;
    int pidfd = again_pidfd(pid);

    if (pidfd < 0)
        return again_may_help(pidfd) ? pidfd : 0;
    enum claim_kind kind = claim_ask(process->host, pid, pidfd, CLAIM_STRICT, &claim);
    bool ended = handle_has_ended(pidfd);
    close(pidfd);
    if (kind == CLAIM_UNTOLD)
        return ended ? 0 : -EAGAIN;
    return kind == CLAIM_NAMED && claim.check == 0 && claim.id.slot == process->id.slot &&
           claim.id.serial == process->id.serial && claim.id.attempt == process->id.attempt;
}

static int is_same(struct host *host, const struct process *process, pid_t pid)
{
    const struct process_note *note = &process->note;
    uint64_t started;

    int r = process_started(pid, &started);
    if (r < 0)
        return r;
    if ((pid_t)note->pid == pid)
        return started == note->started;
    if (host->cgroups.fd >= 0)
        return is_in_leaf(host, process, pid);
    r = claims(process, pid);
    return r > 0 ? is_its_user(process, pid) : r;
}

/* The pidfd comes first: what is looked at afterwards is then the same process, or none. One that
 * has ended, and whose parent does not reap it, still shows how it ended. */
static int hold(struct host *host, struct process *process, pid_t pid)
{
    int pidfd = again_pidfd(pid);

    if (pidfd < 0)
        return pidfd;
    int r = is_same(host, process, pid);
    if (r > 0 && !handle_is_reaped(pidfd))
        return pidfd;
    close(pidfd);
    return r < 0 ? r : -ESRCH;
}

static bool is_leader(pid_t pid)
{
    return getsid(pid) == pid;
}

/* Not in the journal: proctord died when it had just been started. Returns the PID, 0 where there
 * is none, or a negative errno where not all could be looked at. */
static pid_t search(struct host *host, const struct process *process)
{
    int error = 0;
    DIR *folder = again_folder(AT_FDCWD, "/proc", &error);
    pid_t found = 0;

    for (struct dirent *entry; folder && !found && (entry = again_next(folder, &error));) {
        pid_t pid = proc_stat_pid(entry->d_name);
        int r = pid > 1 && is_leader(pid) ? claims(process, pid) : 0;
        if (r > 0) /* a stranger that says so is passed over */
            r = is_same(host, process, pid);
        if (r > 0)
            found = pid;
        else if (r < 0)
            error = r;
    }
    if (folder)
        closedir(folder);
    return found > 0 ? found : error;
}

/* ---- what belongs to it ---------------------------------------------------------------------- */

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

static int open_pipe(pid_t pid, int number, uint64_t inode)
{
    char path[64];
    struct stat status;

    if (inode == 0)
        return -ENOENT;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, number);
    if (stat(path, &status) < 0 || !S_ISFIFO(status.st_mode) || status.st_ino != inode)
        return -ENOENT; /* it has put something else in its place */
    return again_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
}

/* From the store, where it is there. */
static int kept(const struct process *process, const char *kind, uint64_t number)
{
    char name[KEEP_NAME_MAX];

    keep_name(name, kind, &process->id, number);
    return keep_take(process->host->keep, name);
}

static void adopt_output(struct process *process)
{
    const struct child_declaration *declaration = &process->child->config->declaration;
    int fd = kept(process, "output", 0);

    if (fd < 0)
        fd = open_pipe((pid_t)process->note.pid, 1, process->note.output_inode);
    if (fd >= 0 && !output_has_pipe(&declaration->process.output)) {
        close(fd); /* it is to go elsewhere from the next start on */
        return;
    }
    if (fd < 0)
        return;
    output_adopt(process->host->event, &declaration->process.output, declaration->id, fd,
                 (dev_t)process->note.log_device, &process->output);
}

static void adopt_listeners(struct process *process)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    int fds[SOCKETS_MAX];

    for (size_t i = 0; i < spec->n_sockets; i++) {
        fds[i] = kept(process, "socket", i);
        if (fds[i] < 0 && process->pidfd >= 0)
            fds[i] = (int)syscall(SYS_pidfd_getfd, process->pidfd, 3 + (int)i, 0);
    }
    listeners_adopt(spec, fds, &process->listeners);
    store_adopt(process);
}

static void adopt_result(struct process *process)
{
    size_t sockets = process->child->config->declaration.process.n_sockets;
    int fd = process->child->job ? kept(process, "result", process->id.attempt) : -1;

    if (fd < 0 && process->child->job)
        fd = open_pipe((pid_t)process->note.pid, 3 + (int)sockets, process->note.result_inode);
    if (fd >= 0)
        process_adopt_result(process, fd);
}

/* A client that connects while the child does not run waits for it, also over our own death. */
static void adopt_idle_listeners(struct host *host)
{
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        struct process *process = child->host;
        const struct process_spec *spec = &child->config->declaration.process;
        if ((spec->n_sockets == 0 && spec->fd_store_max == 0) ||
            (process && (process->listeners || process->store)))
            continue;
        process = process_for(host, child);
        if (!process)
            continue;
        if (!process_is_there(process))
            process->id = child_attempt_id(child);
        adopt_listeners(process);
    }
}

/* As it was started: its declaration may say something else by now. */
static void find_mark(struct process *process)
{
    struct attempt_id id;
    uint64_t mark;

    if (process->host->cgroups.fd >= 0 &&
        cgroup_child_of(&process->host->cgroups, process->main_pid, &id, &mark) == 0 &&
        id.slot == process->id.slot && id.serial == process->id.serial)
        process->mark = mark;
}

static void adopt_cgroup(struct process *process)
{
    struct host *host = process->host;
    char leaf[CGROUP_LEAF_MAX];
    int fd;

    find_mark(process);
    process->in_cgroup = (process->note.in_cgroup && host->cgroups.fd >= 0) ||
                         is_in_leaf(host, process, process->main_pid) > 0;
    if (!process->in_cgroup)
        return;
    process_leaf(process, leaf);
    cgroup_checks_sweep(&host->cgroups, leaf);
    process->leaf_killed = true; /* it may have been: better to make it again once it is empty */
    process->oom_kills = cgroup_leaf_oom_kills(&host->cgroups, leaf);
    fd = cgroup_leaf_make(&host->cgroups, leaf);
    if (fd < 0)
        return;
    process->unenforced =
        cgroup_leaf_limit(&host->cgroups, fd, &process->child->config->declaration.process);
    close(fd);
}

/* After a re-execution; after a death it is whose subreaper that was. */
static bool is_our_child(int pidfd)
{
    siginfo_t info;
    return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void adopt(struct process *process, pid_t pid, int pidfd)
{
    uint64_t started = 0;

    process->main_pid = pid;
    process->adopted = !is_our_child(pidfd);
    process->leads = getpgid(pid) == pid;
    process->group = process->leads ? -1 : kept(process, "group", process->id.attempt);
    process->leader = process->leads && !process->adopted ? pid : 0;
    inherit_kin(process);
    process->pidfd = pidfd;
    process_set_state(process, PROCESS_RUNNING);
    if (process->note.pid == 0) {
        process->noted_anew = true;
        process_started(pid, &started);
        process->note =
            (struct process_note){.id = process->id, .pid = (uint32_t)pid, .started = started};
    }
    adopt_cgroup(process);
    process->noted_anew = process->noted_anew || process->note.in_cgroup != process->in_cgroup;
    process->note.in_cgroup = process->in_cgroup;
    adopt_output(process);
    adopt_listeners(process);
    adopt_result(process);
    process_link(process->host, process);
    process_watch(process);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

/* Returns 0; -ESRCH where it is not there; another error where that could not be seen just now. */
static int find(struct process *process)
{
    struct host *host = process->host;
    const struct attempt *attempt = &process->child->attempt;
    pid_t pid = attempt->pid > 0 ? (pid_t)attempt->pid : (pid_t)process->note.pid;
    int stored = kept(process, "pid", process->id.attempt);

    if (stored >= 0 && pid > 0) { /* nobody else's, also where it has ended */
        adopt(process, pid, stored);
        return 0;
    }
    if (stored >= 0)
        close(stored);
    if (pid == 0)
        pid = search(host, process);
    int pidfd = pid > 0 ? hold(host, process, pid) : pid < 0 ? (int)pid : -ESRCH;
    if (pidfd < 0)
        return pidfd;
    adopt(process, pid, pidfd);
    return 0;
}

/* Its main process is not there. Whatever is left of it is killed, and then its end is reported. */
static void bury(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    process_leaf(process, leaf);
    if (process->host->cgroups.fd >= 0)
        cgroup_checks_sweep(&process->host->cgroups, leaf);
    process->in_cgroup =
        process->host->cgroups.fd >= 0 && !cgroup_leaf_empty(&process->host->cgroups, leaf);
    process->adopted = true;
    inherit_kin(process);
    process_is_gone(process, &(struct completion){.unknown = true, .cgroup = RESOURCE_NOT_OWNED});
}

/* The same, of one whose end was seen by the program that was here before. */
static bool bury_known(struct process *process)
{
    const struct host *host = process->host;

    for (size_t i = 0; i < host->n_gone; i++) {
        const struct gone *gone = &host->gone[i];
        if (gone->id.slot != process->id.slot || gone->id.serial != process->id.serial ||
            gone->id.attempt != process->id.attempt)
            continue;
        process->in_cgroup = gone->in_cgroup;
        process->group = kept(process, "group", process->id.attempt);
        process->adopted = true; /* what is left may be from before a death, and no child of ours */
        inherit_kin(process);
        adopt_result(process);
        process_is_gone(process, &gone->completion);
        return true;
    }
    return false;
}

/* ---- on its way ------------------------------------------------------------------------------ */

static int unborn_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct process *process = userdata;

    (void)source;
    (void)fd;
    (void)events;
    process->unborn_source = sd_event_source_disable_unref(process->unborn_source);
    close(process->unborn);
    process->unborn = -1;
    process_start_again(process);
    return 0;
}

/* One that an earlier proctord had sent on its way, and that has not arrived: it may be stopped, or
 * hang in a file system that does not answer. It never will arrive (starts.h), and is killed; the
 * attempt waits for its end, which the kernel may put off, and is then begun again. */
static void end_unborn(struct process *process, int pidfd)
{
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};

    if (poll(&gone, 1, UNBORN_MSEC) > 0 ||
        sd_event_add_io(process->host->event, &process->unborn_source, pidfd, EPOLLIN, unborn_gone,
                        process) < 0) {
        close(pidfd);
        return;
    }
    process->unborn = pidfd;
}

/* A process that has its PID and is younger than its record is another one. */
static bool is_on_record(const struct starts_record *record)
{
    uint64_t ticks;

    if (process_started((pid_t)record->pid, &ticks) < 0)
        return false;
    return ticks <= record->begun_usec * (uint64_t)sysconf(_SC_CLK_TCK) / 1000000;
}

/* One that is in its exec comes to its program in a moment, or hangs there. */
static bool arrives(pid_t pid, int pidfd)
{
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};

    for (int waited = 0; waited < ARRIVAL_MSEC; waited++)
        if (process_is_unborn(pid) <= 0 || poll(&gone, 1, 1) > 0)
            return true;
    handle_signal(pidfd, SIGKILL);
    /* Killed before the end of the exec, it never has been. */
    return process_is_unborn(pid) <= 0;
}

/* Whether the attempt has come to its program. What is still on its way never will, and is ended.
 */
static bool has_executed(struct process *process)
{
    struct starts_record record;
    bool passed = starts_shut_gate(process->host->starts, &process->id, &record);
    int pidfd = record.pid == 0 ? -1 : again_pidfd((pid_t)record.pid);

    if (pidfd < 0)
        return passed;
    if (!is_on_record(&record) || process_is_unborn((pid_t)record.pid) <= 0 ||
        (passed && arrives((pid_t)record.pid, pidfd))) {
        close(pidfd);
        return passed;
    }
    handle_signal(pidfd, SIGKILL);
    end_unborn(process, pidfd);
    return false;
}

/* ---- each of them ---------------------------------------------------------------------------- */

/* After a re-execution: its launch continues as it was. */
static bool goes_on_starting(struct process *process)
{
    const struct attempt *attempt = &process->child->attempt;
    int status = kept(process, "start", process->id.attempt);

    if (status < 0 || process_adopt_launch(process, status) < 0)
        return false;
    process->in_cgroup = process->host->cgroups.fd >= 0;
    adopt_output(process);
    adopt_listeners(process);
    adopt_result(process);
    if (process->output)
        process->note.output_inode = inode_of(output_descriptor(process->output));
    if (process->result)
        process->note.result_inode = inode_of(result_descriptor(process->result));
    if (attempt->cancel_delivered || attempt->abort_requested)
        process_stop_starting(process, attempt->abort_requested);
    return true;
}

static void look_for(struct host *host, struct child *child, bool strangers,
                     struct recovery *recovery)
{
    struct attempt_id id = child_attempt_id(child);
    struct process *process = process_for(host, child);

    if (!process)
        return;
    process->id = id;
    process_choose_mark(process);
    if (strangers || process->note.id.attempt != id.attempt)
        process->note = (struct process_note){};
    if (!strangers && goes_on_starting(process)) {
        recovery->adopted++;
        return;
    }
    if (!strangers && !child->attempt.spawned && process->note.pid == 0)
        process->executed = has_executed(process);
    int r = strangers ? -ESRCH : -EAGAIN;
    for (int i = 0; i < TRIES && again_may_help(r); i++)
        r = find(process);
    if (r < 0)
        return;
    recovery->adopted++;
    process->after_started = child_status(child) == CHILD_READY; /* by an earlier proctord */
    /* Its start had not been reported: a cancel was waiting for it. */
    if (!child->attempt.confirmed && child->attempt.cancel_delivered)
        process->doubt_cancel = true;
    if (!child->attempt.confirmed)
        core_spawned(host->core, id, (uint32_t)process->main_pid);
    process_begin_after_start(process);
}

/* Of those that look_for() has not found. */
static void settle_lost(struct host *host, struct child *child, bool strangers,
                        struct recovery *recovery)
{
    struct attempt_id id = child_attempt_id(child);
    struct process *process = child->host;
    bool begun, asked = child->attempt.cancel_delivered || child->attempt.abort_requested;

    if (!process || process->state == PROCESS_RUNNING || process_is_starting(process))
        return;
    recovery->lost++;
    if (!strangers && bury_known(process))
        return;
    begun = child->attempt.spawned || process->note.pid > 0 || process->executed;
    /* What the disk has lost may have been begun: it is not begun again under the same number, and
     * with the same fencing token. */
    if (strangers)
        core_completed(host->core, id,
                       &(struct completion){
                           .unknown = true, .with_machine = true, .cgroup = RESOURCE_NOT_OWNED});
    else if (begun)
        bury(process);
    else if (asked)
        core_spawn_failed(host->core, id, ECANCELED,
                          "it was stopped before it had started, when proctord died");
    else
        host_start(host, child, id);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* A signal that may only come now: its time begins with it, and not with the decision of a proctord
 * that died before it could send it. 0: it has no time limit. */
static void begin_time_again(struct host *host, const struct child *child, uint64_t usec)
{
    const struct notify_message message = {.flags = NOTIFY_EXTEND_TIMEOUT, .extend_usec = usec};

    if (usec > 0 && child->attempt.active)
        core_notify(host->core, child_attempt_id(child), &message);
}

/* Of the signal that was sent last. */
static uint64_t time_of_stop(const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    uint32_t step = child->attempt.stop_step;

    return step == 0 || step > declaration->n_further_stops
               ? declaration->stop_timeout_usec
               : declaration->further_stops[step - 1].usec;
}

static void finish_what_is_in_doubt(struct host *host, struct child *child)
{
    struct process *process = child->host;

    if (!process || (process->state != PROCESS_RUNNING && !process_is_draining(process)))
        return;
    bool is_news = process->noted_anew || process->doubt_cancel || process->doubt_abort;
    /* The commands of its stop were killed with that proctord. */
    bool unsent = child->attempt.cancel_delivered && !child->attempt.abort_requested &&
                  process->state == PROCESS_RUNNING && process->note.stop_signal == 0 &&
                  child->attempt.stop_step == 0 && aside_has(process, COMMANDS_STOP);
    process->doubt_cancel = process->doubt_cancel || unsent;
    /* A second abort does no harm. A cancel is only repeated where it may not have come. */
    if (process->doubt_cancel)
        host_cancel_again(host, child);
    if (process->doubt_step > 0)
        host_escalate_again(host, child, process->doubt_step);
    if (process->doubt_cancel || process->doubt_step > 0)
        begin_time_again(host, child, time_of_stop(child));
    process->doubt_step = 0;
    if (process->doubt_abort || child->attempt.abort_requested)
        process_abort(process);
    if (child->attempt.reload == RELOAD_SIGNALLED && process->doubt_signal > 0)
        handle_signal(process->pidfd, process->doubt_signal);
    process->doubt_cancel = process->doubt_abort = false;
    process->doubt_signal = 0;
    if (is_news && host->journal)
        journal_process(host->journal, &process->note);
    process->noted_anew = false;
}

static bool leaf_is_used(void *userdata, const struct attempt_id *id)
{
    struct host *host = userdata;
    const struct child *child = core_child_of(host->core, *id);
    const struct process *process = child ? child->host : NULL;

    return process && ((process_is_there(process) && process->in_cgroup) || process->unborn >= 0);
}

static void for_those(struct host *host, const struct attempt_id *ids, size_t n,
                      void (*what)(struct host *host, struct child *child, bool strangers,
                                   struct recovery *recovery),
                      bool strangers, struct recovery *recovery)
{
    for (size_t i = 0; i < n; i++) {
        struct child *child = core_child_of(host->core, ids[i]);
        if (child && child->attempt.active && child->attempt.number == ids[i].attempt)
            what(host, child, strangers, recovery);
    }
}

void adopt_all(struct host *host, bool strangers, struct recovery *recovery)
{
    size_t count = core_count(host->core), n = 0;
    struct attempt_id *ids = calloc(count + 1, sizeof(*ids));

    INVARIANT(recovery);
    host->past = false;
    if (!ids)
        return;
    /* A report about one may make a record go away. */
    for (struct child *child = core_first(host->core); child; child = core_next(child))
        if (child->attempt.active)
            ids[n++] = child_attempt_id(child);
    for_those(host, ids, n, look_for, strangers, recovery);
    /* A process that belongs to no attempt is killed before anything is started: nothing runs
     * twice. */
    strays_sweep(host);
    for_those(host, ids, n, settle_lost, strangers, recovery);
    for (size_t i = 0; i < n; i++) {
        struct child *child = core_child_of(host->core, ids[i]);
        if (child && child->attempt.number == ids[i].attempt)
            finish_what_is_in_doubt(host, child);
    }
    free(ids);
    adopt_idle_listeners(host);
    keep_settle(host->keep);
    cgroup_base_tidy(&host->cgroups, leaf_is_used, host);
    host_tidy_results(host);
}

void adopt_nobody(struct host *host)
{
    struct recovery nothing = {};

    adopt_all(host, true, &nothing);
    starts_clear(host->starts);
}

void adopt_write_notes(void *userdata, struct journal *journal)
{
    struct host *host = userdata;

    INVARIANT(journal);
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        const struct process *process = child->host;
        struct process_note note;
        if (!process || !child->attempt.active)
            continue;
        note = process->note;
        if (note.id.attempt != child->attempt.number) /* only what is in doubt is known of it */
            note = (struct process_note){.id = child_attempt_id(child)};
        note.doubt_cancel = process->doubt_cancel;
        note.doubt_abort = process->doubt_abort;
        if (note.pid > 0 || note.doubt_cancel || note.doubt_abort)
            journal_process(journal, &note);
    }
}
