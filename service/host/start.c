/*
 * Start: what a child's process is given, and how it is made. The core asks while it handles an
 * input; the starts themselves are made when it has finished, a few at a time, and each is its next
 * input.
 */
#include "again.h"
#include "environment.h"
#include "listener.h"
#include "store.h"
#include "path_look.h"
#include "process.h"
#include "result.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STARTS_MAX     2               /* before others are answered */
#define LACK_USEC      UINT64_C(50000) /* until what lacked is tried again; twice as long each time */
#define LACK_DOUBLINGS 4

/* ---- what it is given ------------------------------------------------------------------------ */

/* The answer is the core's input: it waits until the core has finished the present one. */
static void queue_result(struct process *process)
{
    struct host *host = process->host;

    if (process->result_waits)
        return;
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

static const char *culprit(const struct process_spec *spec, enum plan_step step)
{
    switch (step) {
    case STEP_EXEC:
        return spec->arguments[0];
    case STEP_USER:
        return spec->user;
    case STEP_GROUP:
        return spec->group;
    case STEP_WORKING_DIRECTORY:
        return spec->working_directory;
    case STEP_STDOUT:
        return spec->output.path;
    case STEP_ENVIRONMENT:
        return spec->environment_file;
    case STEP_SPAWNER:
    case STEP_FORK:
    case STEP_CGROUP:
    case STEP_LIMITS:
    case STEP_NICE:
    case STEP_OOM_SCORE:
    case STEP_SOCKETS:
    case STEP_CAPABILITIES:
    case STEP_GROUPS:
    case STEP_IDENTITY:
    case STEP_NO_NEW_PRIVILEGES:
    case PLAN_STEPS:
        return NULL;
    }
    return NULL;
}

/* What the child says of it: "environment /etc/web.env:3: ...", "exec /no/such: No such file". */
static void launch_failed(struct process *process, const struct launch_outcome *outcome)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    /* One that was killed has not said where it was. */
    enum plan_step step = outcome->error == -ECANCELED && !outcome->again
                              ? (enum plan_step)starts_step(process->host->starts, &process->id)
                              : outcome->step;
    const char *what = culprit(spec, step);
    const char *why = *outcome->text                   ? outcome->text
                      : outcome->error == -EMEDIUMTYPE ? "not a file"
                                                       : strerror(-outcome->error);
    char line[16] = "";

    if (outcome->line > 0)
        snprintf(line, sizeof(line), ":%u", outcome->line);
    process->result_error = outcome->error == -ECANCELED ? 0 : -outcome->error;
    snprintf(process->result_reason, sizeof(process->result_reason), "%s%s%.80s%s: %s",
             plan_step_to_string(step), what ? " " : "", what ? what : "", line, why);
    text_make_line(process->result_reason);
}

static int open_output(struct process *process)
{
    const struct child_declaration *declaration = &process->child->config->declaration;

    if (process->output && !output_is(process->output, &declaration->process.output)) {
        output_free(process->output);
        process->output = NULL;
    }
    if (!process->output) {
        int r = output_new(process->host->event, &declaration->process.output, declaration->id,
                           &process->output);
        if (r < 0)
            return r;
    }
    return output_open(process->output);
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

/* The job's end of the pipe for its result, where no descriptor that it may get is in the way. */
static int open_result(struct process *process, int *write_end)
{
    int low, r;

    if (!process->child->job)
        return 0;
    r = process_open_result(process, &low);
    if (r < 0)
        return step_failed(process, r, "result", NULL);
    *write_end = again_copy(low, 3 + CHILD_DESCRIPTORS_MAX + 1);
    r = *write_end < 0 ? *write_end : 0;
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

    keep_name(name, "start", id, id->attempt);
    keep_hand(keep, name, process->launch ? launch_descriptor(process->launch) : -1);
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
    store_keep(process);
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
    store_unkeep(process);
}

static void begin_running(struct process *process, const struct launch_outcome *outcome)
{
    process->leader = process->main_pid = outcome->pid;
    process->leads = true;
    process->adopted = false;
    process->pidfd = outcome->pidfd;
    process->state = PROCESS_RUNNING;
    process_link(process->host, process);
    process_keep(process);
    note_process(process);
    process_watch(process);
}

/* ---- how it goes on -------------------------------------------------------------------------- */

/* What proctord lacks itself is no failure of the child's. */
static bool is_lack(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN ||
           error == -ENOBUFS;
}

static bool is_called_off(const struct process *process)
{
    return process->cancel_waits || process->abort_waits;
}

/* Not running, and never will: the core decides. */
static void tell_failed(struct process *process)
{
    struct host *host = process->host;

    process->state = PROCESS_IDLE;
    process->lacks = 0;
    core_spawn_failed(host->core, process->id, process->result_error, process->result_reason);
    host_settle(host);
}

static void tell_called_off(struct process *process)
{
    const char *lacking = process->lacks > 0 ? process->result_reason : NULL;
    char reason[FAILURE_REASON_MAX];

    if (process->unborn >= 0)
        snprintf(reason, sizeof(reason),
                 "what an earlier proctord has started does not end: it hangs at %s",
                 plan_step_to_string(starts_step(process->host->starts, &process->id)));
    else
        snprintf(reason, sizeof(reason), "it was to end before it had been started%s%.100s",
                 lacking ? ": " : "", lacking ? lacking : "");
    memcpy(process->result_reason, reason, sizeof(reason));
    process->result_error = 0; /* nothing has failed */
    tell_failed(process);
}

static void queue_again(struct process *process)
{
    process->state = PROCESS_IDLE;
    process->start_waits = true;
    queue_result(process);
}

static void look_after(struct process *process, uint64_t wait_usec)
{
    struct host *host = process->host;
    uint64_t now, armed = UINT64_MAX;

    sd_event_now(host->event, CLOCK_MONOTONIC, &now);
    process->lack_until_usec = now + wait_usec;
    int on = SD_EVENT_OFF;
    sd_event_source_get_enabled(host->lack_source, &on);
    if (on != SD_EVENT_OFF)
        sd_event_source_get_time(host->lack_source, &armed);
    if (process->lack_until_usec < armed)
        sd_event_source_set_time(host->lack_source, process->lack_until_usec);
    sd_event_source_set_enabled(host->lack_source, SD_EVENT_ONESHOT);
}

/* A spawner that is replaced, or a fork, goes well at the third try, or something is wrong. */
static bool has_to_be_told(const struct process *process)
{
    return !process->child->attempt.delayed &&
           (process->result_error != EAGAIN || process->lacks > 2);
}

/* It waits, longer each time, until what proctord lacks is there, or nobody wants it any more. */
static void wait_for_what_lacks(struct process *process)
{
    unsigned doublings = process->lacks < LACK_DOUBLINGS ? process->lacks : LACK_DOUBLINGS;

    look_after(process, LACK_USEC << doublings);
    process->host->counters.starts_delayed++;
    process->lacks++;
    if (has_to_be_told(process))
        core_start_delayed(process->host->core, process->id, process->result_reason);
}

/* The plan is on its way: if it still is in a while, what hangs there is no lack of ours. */
static void wait_for_the_launch(struct process *process)
{
    if (process->child->attempt.delayed)
        look_after(process, LACK_USEC << LACK_DOUBLINGS);
}

static int lack_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct host *host = userdata;
    uint64_t next = UINT64_MAX;

    (void)source;
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        struct process *process = child->host;
        if (!process || process->lack_until_usec == 0)
            continue;
        if (process->lack_until_usec > usec) {
            next = process->lack_until_usec < next ? process->lack_until_usec : next;
            continue;
        }
        process->lack_until_usec = 0;
        if (process->launch)
            core_start_delayed(host->core, process->id, NULL);
        else
            queue_again(process);
    }
    if (next < UINT64_MAX) {
        sd_event_source_set_time(host->lack_source, next);
        sd_event_source_set_enabled(host->lack_source, SD_EVENT_ONESHOT);
    }
    return 0;
}

/* result_error and result_reason say why. */
static void not_started(struct process *process)
{
    if (is_called_off(process))
        tell_called_off(process);
    else if (is_lack(-process->result_error))
        wait_for_what_lacks(process);
    else
        tell_failed(process);
}

/* What was asked of it meanwhile is done now. */
static void tell_started(struct process *process)
{
    struct host *host = process->host;
    struct attempt_id id = process->id;

    process->lacks = 0;
    if (process->abort_waits)
        process_abort(process);
    else if (process->cancel_waits)
        host_cancel(host, process->child, id);
    core_spawned(host->core, id, (uint32_t)process->main_pid);
    host_settle(host);
}

static void launch_ended(void *userdata, const struct launch_outcome *outcome)
{
    struct process *process = userdata;

    process->launch = NULL;
    process->lack_until_usec = 0;
    if (outcome->file >= 0)
        output_take_file(process->output, outcome->file);
    if (outcome->error == 0) {
        begin_running(process, outcome);
        tell_started(process);
        return;
    }
    launch_failed(process, outcome);
    if (!is_called_off(process) && outcome->again && process->lacks == 0) {
        process->lacks++;
        queue_again(process);
    } else if (outcome->again || outcome->step == STEP_SPAWNER || outcome->step == STEP_FORK) {
        not_started(process);
    } else {
        tell_failed(process);
    }
}

/* ---- the launch ------------------------------------------------------------------------------ */

/* Nothing has been counted in it; and those that earlier attempts had go when they are empty. */
static void begin_marked_leaf(struct process *process)
{
    process->leaf_killed = false;
    process->oom_kills = 0;
    process->cpu_before_nsec = 0;
    cgroup_marked_tidy(&process->host->cgroups);
}

/* Returns 0, with *cgroup -1 where there are none. */
static int open_leaf(struct process *process, int *cgroup)
{
    struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    char leaf[CGROUP_LEAF_MAX];

    process->in_cgroup = host->cgroups.fd >= 0;
    process->unenforced = cgroup_limits_of(spec);
    if (!process->in_cgroup)
        return 0;
    if (process->mark > 0)
        begin_marked_leaf(process);
    process_leaf(process, leaf);
    *cgroup = cgroup_leaf_make(&host->cgroups, leaf);
    if (*cgroup < 0)
        return step_failed(process, *cgroup, "cgroup", leaf);
    process->unenforced = cgroup_leaf_limit(&host->cgroups, *cgroup, spec);
    return 0;
}

static struct plan_source source_of(struct process *process, const struct account *account,
                                    const struct environment *environment)
{
    const struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    struct plan_source source = {.spec = spec,
                                 .arguments = (char **)(uintptr_t)spec->arguments,
                                 .environment = environment->variables,
                                 .n_before = environment->before,
                                 .watchdog_pid = environment->watchdog_pid,
                                 .listen_pid = environment->listen_pid,
                                 .environment_file = spec->environment_file,
                                 .output_file = output_wanted_file(process->output),
                                 .in_cgroup = process->in_cgroup,
                                 .slot = process->id.slot,
                                 .gate = starts_open_gate(host->starts, &process->id)};

    plan_take_account(&source, account);
    return source;
}

static int send_launch(struct process *process, const struct account *account)
{
    struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    __attribute__((cleanup(close_if_open))) int output = -1;
    __attribute__((cleanup(close_if_open))) int cgroup = -1;
    __attribute__((cleanup(close_if_open))) int result = -1;
    __attribute__((cleanup(environment_free))) struct environment environment = {};
    int sockets[CHILD_DESCRIPTORS_MAX + 1];

    store_prepare(process);
    int r = environment_make(process->child, account, 0, host->notify_path, process->store,
                             &environment);
    if (r < 0)
        return step_failed(process, r, "environment", NULL);
    output = open_output(process);
    if (output < 0)
        return step_failed(process, output, "stdout", spec->output.path);
    r = open_listeners(process, sockets);
    if (r == 0)
        r = open_result(process, &result);
    if (r < 0)
        return r;
    size_t n_sockets = spec->n_sockets + store_list(process->store, sockets + spec->n_sockets);
    sockets[n_sockets] = result;
    r = open_leaf(process, &cgroup);
    if (r < 0)
        return r;
    struct plan_source source = source_of(process, account, &environment);
    source.n_sockets = n_sockets + (result >= 0);
    struct launch_descriptors descriptors = {
        .input = host->null, .output = output, .cgroup = cgroup, .sockets = sockets};
    r = launch_begin(host->spawner, &source, &descriptors, launch_ended, process, &process->launch);
    if (r < 0)
        return step_failed(process, r, plan_step_to_string(STEP_SPAWNER), NULL);
    process->note.output_inode = spec->output.kind == OUTPUT_FILE ? inode_of(output) : 0;
    process->note.result_inode = inode_of(result);
    return 0;
}

/* ---- its user -------------------------------------------------------------------------------- */

static void begin_launch(struct process *process, const struct account *account)
{
    process->result_error = 0;
    if (send_launch(process, account) < 0)
        not_started(process);
    else
        wait_for_the_launch(process);
}

static void account_found(void *userdata, struct account *account)
{
    struct process *process = userdata;

    process->lookup = NULL;
    if (is_called_off(process)) {
        tell_called_off(process);
    } else if (!account) {
        step_failed(process, -ENOMEM, "user", NULL);
        not_started(process);
    } else if (account->error < 0) {
        step_failed(process, account->error, account->step, account->culprit);
        not_started(process);
    } else {
        begin_launch(process, account);
    }
    account_free(account);
}

static void look_up_account(struct process *process)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    struct account_question question = {.user = spec->user,
                                        .group = spec->group,
                                        .supplementary_groups = spec->supplementary_groups};

    int r = account_look_up(&question, account_found, process, &process->lookup);
    if (r < 0) {
        step_failed(process, r, "user", NULL);
        not_started(process);
    }
}

/* ---- the queue ------------------------------------------------------------------------------- */

struct process *process_for(struct host *host, struct child *child)
{
    struct process *process = child->host;

    if (!process) {
        process = calloc(1, sizeof(*process));
        if (!process)
            return NULL;
        *process =
            (struct process){.host = host, .child = child, .pidfd = -1, .group = -1, .unborn = -1};
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
    process_choose_mark(process);
    process->checks_left = 0;
    beat_forget(&process->beat);
    process->result_error = 0;
    process->aborted = false;
    process->start_waits = true;
    process->cancel_waits = process->abort_waits = false;
    process->lacks = 0;
    process->lack_until_usec = 0;
    queue_result(process);
}

static void look_up_or_launch(struct process *process)
{
    const struct process_spec *spec = &process->child->config->declaration.process;

    if (spec->user || spec->group || spec->supplementary_groups)
        look_up_account(process);
    else
        begin_launch(process, NULL);
}

/* ---- its sockets ----------------------------------------------------------------------------- */

static void sockets_answer(void *userdata)
{
    struct process *process = userdata;

    if (is_called_off(process))
        tell_called_off(process);
    else
        look_up_or_launch(process);
}

/* Paths that are to be bound, and are not yet. */
static size_t paths_of_sockets(const struct process *process, const char *paths[SOCKETS_MAX])
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    size_t n = 0;

    for (size_t i = 0; i < spec->n_sockets; i++)
        if (spec->sockets[i].listen[0] == '/' &&
            !listeners_have(process->listeners, &spec->sockets[i]))
            paths[n++] = spec->sockets[i].listen;
    return n;
}

/* What hangs there hangs alone, until its timeout. */
static void look_at_sockets(struct process *process, const char *const *paths, size_t n)
{
    int r = path_look_begin(&process->socket_look, paths, n, sockets_answer, process);

    if (r == -ENOMEM) {
        step_failed(process, r, "sockets", NULL);
        not_started(process);
    }
}

/* Also where it was asked to end meanwhile: then it is ended as soon as it runs. */
static void begin_start(struct process *process)
{
    const char *paths[SOCKETS_MAX];

    process->start_waits = false;
    if (is_called_off(process) && process->state == PROCESS_STARTING) {
        tell_called_off(process);
        return;
    }
    process->state = PROCESS_STARTING;
    if (process->unborn >= 0)
        return; /* goes on when that has gone */
    size_t n = paths_of_sockets(process, paths);
    if (n > 0)
        look_at_sockets(process, paths, n);
    else
        look_up_or_launch(process);
}

/* The core asks in the middle of an input: what it is answered comes later. */
void process_stop_starting(struct process *process, bool at_once)
{
    process->abort_waits = process->abort_waits || at_once;
    process->cancel_waits = true;
    if (process->launch && at_once)
        launch_kill(process->launch);
    else if (process->launch)
        launch_kill_later(process->launch);
    if (process->state != PROCESS_STARTING || process->launch || process->start_waits)
        return;
    account_forget(process->lookup);
    process->lookup = NULL;
    path_look_forget(process->socket_look);
    process->lack_until_usec = 0;
    process->start_waits = true;
    queue_result(process);
}

void process_forget_start(struct process *process)
{
    account_forget(process->lookup);
    path_look_leave(&process->socket_look);
    path_look_leave(&process->check_look);
    if (process->launch && !process->host->leaves)
        launch_kill(process->launch);
    launch_forget(process->launch);
    sd_event_source_disable_unref(process->unborn_source);
    close_if_open(&process->unborn);
}

static void room_again(void *userdata)
{
    const struct host *host = userdata;

    if (host->results)
        sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
}

int host_prepare_starts(struct host *host, uint64_t descriptors)
{
    int r = spawner_new(host->event, host->starts, descriptors, &host->spawner);

    if (r < 0)
        return r;
    spawner_on_room(host->spawner, room_again, host);
    spawner_begin(host->spawner); /* where that fails it is tried again with the first start */
    r = sd_event_add_time(host->event, &host->lack_source, CLOCK_MONOTONIC, 0, 1000, lack_is_over,
                          host);
    return r < 0 ? r : sd_event_source_set_enabled(host->lack_source, SD_EVENT_OFF);
}

/*
 * Makes the starts that the core has asked for, at most so many: what they start in their turn, and
 * the rest of a long queue, is left to the next turn of the loop, so that nobody else has to wait
 * until the queue is empty.
 */
void host_settle(struct host *host)
{
    size_t count = 0;

    if (host->settling)
        return; /* what is told in there asks for more: it is done in the next turn */
    host->settling = true;
    while (host->n_lost > 0)
        core_spawn_failed(host->core, host->lost[--host->n_lost], ENOMEM, "out of memory");
    for (const struct process *process = host->results; process && count < STARTS_MAX;
         process = process->next_result)
        count++;
    for (; count > 0 && spawner_has_room(host->spawner); count--) {
        struct process *process = host->results;
        host->results = process->next_result;
        if (!host->results)
            host->results_tail = &host->results;
        process->result_waits = false;
        begin_start(process);
    }
    host->settling = false;
    if (host->results && spawner_has_room(host->spawner))
        sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
}

int process_adopt_launch(struct process *process, int status)
{
    int r = launch_adopt(process->host->spawner, status, launch_ended, process, &process->launch);

    if (r == 0) {
        process->state = PROCESS_STARTING;
        wait_for_the_launch(process);
    }
    return r;
}

/* What it waited for is there. */
void process_start_again(struct process *process)
{
    if (process->state == PROCESS_STARTING && !process->launch && !process->start_waits)
        queue_again(process);
}
