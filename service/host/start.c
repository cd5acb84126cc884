/*
 * Start: what a child's process is given, and how it is made. The core asks while it handles an
 * input; the starts themselves are made when it has finished, a few at a time, and each is its next
 * input.
 */
#include "environment.h"
#include "listener.h"
#include "open_regular.h"
#include "process.h"
#include "result.h"
#include "spawn.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STARTS_MAX 2 /* before others are answered */

/* ---- what it is given ------------------------------------------------------------------------ */

/* The answer is the core's input: it waits until the core has finished the present one. */
static void queue_result(struct process *process)
{
    struct host *host = process->host;

    process->result_waits = true;
    process->next_result = NULL;
    *host->results_tail = process;
    host->results_tail = &process->next_result;
    sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
}

static int step_failed(struct process *process, int error, const char *step, const char *what)
{
    process->result_error = -error;
    snprintf(process->result_reason, sizeof(process->result_reason), "%s%s%.80s: %s", step,
             what ? " " : "", what ? what : "", strerror(-error));
    text_make_line(process->result_reason); /* a long path was cut */
    return error;
}

static const char *culprit(const struct process_spec *spec, const char *step)
{
    if (strcmp(step, "exec") == 0)
        return spec->arguments[0];
    if (strcmp(step, "user") == 0)
        return spec->user;
    if (strcmp(step, "unix_group") == 0 || strcmp(step, "group") == 0)
        return spec->group;
    if (strcmp(step, "working_directory") == 0)
        return spec->working_directory;
    return NULL;
}

/* As the start of a child whose log cannot be written would be of no use. */
static int open_log(struct process *process)
{
    const char *path = output_wanted_file(process->output);
    int fd, folder;

    if (!path)
        return 0;
    fd = open_regular_guarded(path, O_WRONLY | O_APPEND | O_CREAT, 0640, &folder);
    if (fd < 0)
        return fd;
    close(folder);
    output_take_file(process->output, fd);
    return 0;
}

static int open_output(struct process *process)
{
    const struct child_declaration *declaration = &process->child->config->declaration;

    if (process->output_config != process->child->config) {
        output_free(process->output);
        process->output = NULL;
    }
    if (!process->output) {
        process->output_config = process->child->config;
        int r = output_new(process->host->event, &declaration->process.output, declaration->id,
                           &process->output);
        if (r < 0)
            return r;
    }
    int r = open_log(process);
    return r < 0 ? r : output_open(process->output);
}

/* The sockets of the child: opened at its first start; later, those that are new. */
static int open_listeners(struct process *process, int *sockets)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    struct error culprit = {};

    if (spec->n_sockets == 0 && !process->listeners)
        return 0;
    int r = listeners_open(spec, &process->listeners, &culprit);
    if (r < 0)
        return step_failed(process, r, "sockets", culprit.text);
    for (size_t i = 0; i < spec->n_sockets; i++)
        sockets[i] = process->listeners->list[i].fd;
    return 0;
}

static void result_came(void *userdata)
{
    const struct process *process = userdata;
    const struct host *host = process->host;

    if (host->result_came && process->child->job)
        host->result_came(host->result_userdata, process->child->job);
}

/* The job's end of the pipe for its result, where no descriptor that it may get is in the way. */
static int open_result(struct process *process, int *write_end)
{
    int low, r;

    if (!process->child->job)
        return 0;
    result_free(process->result);
    process->result = NULL;
    r = result_file(process->host->results_folder, process->child->job->id, true);
    if (r >= 0)
        r = result_open(process->host->event, result_came, process, r, &process->result, &low);
    if (r < 0)
        return step_failed(process, r, "result", NULL);
    *write_end = fcntl(low, F_DUPFD_CLOEXEC, 3 + SOCKETS_MAX + 1);
    r = *write_end < 0 ? -errno : 0;
    close(low);
    return r < 0 ? step_failed(process, r, "result", NULL) : 0;
}

static void close_if_open(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

/* Before anybody is told of it: who comes after us must find it. */
static void note_process(struct process *process)
{
    process->note.id = process->id;
    process->note.pid = (uint32_t)process->main_pid;
    process->note.in_cgroup = process->in_cgroup;
    process_started(process->main_pid, &process->note.started);
    if (process->host->journal)
        journal_process(process->host->journal, &process->note);
}

/* What a proctord that comes after us takes over. */
void process_keep(const struct process *process)
{
    struct keep *keep = process->host->keep;
    const struct attempt_id *id = &process->id;
    char name[KEEP_NAME_MAX];

    keep_name(name, "pid", id, id->attempt);
    keep_put(keep, name, process->pidfd);
    keep_name(name, "group", id, id->attempt);
    keep_put(keep, name, process->group);
    keep_name(name, "output", id, 0);
    keep_put(keep, name, process->output ? output_descriptor(process->output) : -1);
    keep_name(name, "result", id, id->attempt);
    keep_put(keep, name, process->result ? result_descriptor(process->result) : -1);
    for (size_t i = 0; process->listeners && i < process->listeners->count; i++) {
        keep_name(name, "socket", id, i);
        keep_put(keep, name, process->listeners->list[i].fd);
    }
}

void process_unkeep(const struct process *process)
{
    char name[KEEP_NAME_MAX];

    keep_name(name, "output", &process->id, 0);
    keep_drop(process->host->keep, name);
    for (size_t i = 0; process->listeners && i < process->listeners->count; i++) {
        keep_name(name, "socket", &process->id, i);
        keep_drop(process->host->keep, name);
    }
}

static void begin_running(struct process *process, const struct spawn_result *spawned)
{
    process->leader = process->main_pid = spawned->pid;
    process->leads = true;
    process->adopted = false;
    process->pidfd = spawned->pidfd;
    process->state = PROCESS_RUNNING;
    process_link(process->host, process);
    process_keep(process);
    note_process(process);
    process_watch(process);
}

static int spawn_process(struct process *process)
{
    struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    __attribute__((cleanup(close_if_open))) int output = -1;
    __attribute__((cleanup(close_if_open))) int cgroup = -1;
    __attribute__((cleanup(environment_free))) struct environment environment = {};
    struct spawn_result spawned;
    char leaf[CGROUP_LEAF_MAX];
    __attribute__((cleanup(close_if_open))) int result = -1;
    int sockets[SOCKETS_MAX + 1];

    int r = environment_make(process->child, host->notify_path, &environment);
    if (r < 0)
        return step_failed(process, r, "environment", spec->environment_file);
    output = open_output(process);
    if (output < 0)
        return step_failed(process, output, "stdout", spec->output.path);
    r = open_listeners(process, sockets);
    if (r == 0)
        r = open_result(process, &result);
    if (r < 0)
        return r;
    sockets[spec->n_sockets] = result;
    process->in_cgroup = host->cgroups.fd >= 0;
    if (process->in_cgroup) {
        process_leaf(process, leaf);
        cgroup = cgroup_leaf_make(&host->cgroups, leaf);
        if (cgroup < 0)
            return step_failed(process, cgroup, "cgroup", leaf);
        process->unenforced = cgroup_leaf_limit(&host->cgroups, cgroup, spec);
    } else {
        process->unenforced = cgroup_limits_of(spec);
    }
    struct spawn_request request = {.spec = spec,
                                    .environment = environment.variables,
                                    .watchdog_pid = environment.watchdog_pid,
                                    .listen_pid = environment.listen_pid,
                                    .sockets = sockets,
                                    .n_sockets = spec->n_sockets + (result >= 0),
                                    .input = host->null,
                                    .output = output,
                                    .cgroup = cgroup,
                                    .keep = host->lock,
                                    .mark = started_place(host->started, process->id.slot),
                                    .mark_value = started_value(&process->id)};
    r = spawn(&request, &spawned);
    if (r < 0)
        return step_failed(process, r, spawned.step, culprit(spec, spawned.step));
    process->note.output_inode = spec->output.kind == OUTPUT_FILE ? inode_of(output) : 0;
    process->note.result_inode = inode_of(result);
    begin_running(process, &spawned);
    return 0;
}

struct process *process_for(struct host *host, struct child *child)
{
    struct process *process = child->host;

    if (!process) {
        process = calloc(1, sizeof(*process));
        if (!process)
            return NULL;
        *process = (struct process){.host = host, .child = child, .pidfd = -1, .group = -1};
        child->host = process;
    }
    return process;
}

void host_start(void *userdata, struct child *child, struct attempt_id id)
{
    struct host *host = userdata;
    struct process *process = process_for(host, child);

    if (process)
        process->doubt_cancel = process->doubt_abort = false;
    if (host->past)
        return; /* adopt.c looks whether it was done */
    if (!process) {
        if (host->n_lost < HOST_LOST_MAX)
            host->lost[host->n_lost++] = id;
        sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
        return;
    }
    process->id = id;
    process->result_error = 0;
    process->aborted = false;
    process->start_waits = true;
    process->cancel_waits = process->abort_waits = false;
    queue_result(process);
}

/* Starts the process, and tells the core. What was asked of it meanwhile is done then. */
static void spawn_and_tell(struct host *host, struct process *process)
{
    struct attempt_id id = process->id;
    struct child *child = process->child;

    process->start_waits = false;
    spawn_process(process);
    if (process->result_error == 0 && process->abort_waits)
        process_abort(process);
    else if (process->result_error == 0 && process->cancel_waits)
        host_cancel(host, child, id);
    if (process->result_error == 0)
        core_spawned(host->core, id, (uint32_t)process->main_pid);
    else
        core_spawn_failed(host->core, id, process->result_error, process->result_reason);
}

/*
 * Makes the starts that the core has asked for, at most so many: what they start in their turn, and
 * the rest of a long queue, is left to the next turn of the loop, so that nobody else has to wait
 * until the queue is empty.
 */
void host_settle(struct host *host)
{
    size_t count = 0;

    while (host->n_lost > 0)
        core_spawn_failed(host->core, host->lost[--host->n_lost], ENOMEM, "out of memory");
    for (const struct process *process = host->results; process && count < STARTS_MAX;
         process = process->next_result)
        count++;
    for (; count > 0; count--) {
        struct process *process = host->results;
        host->results = process->next_result;
        if (!host->results)
            host->results_tail = &host->results;
        process->result_waits = false;
        spawn_and_tell(host, process);
    }
    if (host->results)
        sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
}

void process_adopt_result(struct process *process, int fd)
{
    int file = result_file(process->host->results_folder, process->child->job->id, false);

    if (file >= 0)
        result_adopt(process->host->event, result_came, process, fd, file, &process->result);
    else
        close(fd);
}
