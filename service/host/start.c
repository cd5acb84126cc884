/*
 * Start: the core asks for one while it handles an input; the starts themselves are made when it
 * has finished, a few at a time, and each is its next input. What a process is given, and where it
 * runs, is in outfit.c.
 */
#include "core/vocabulary/invariant.h"
#include "host/listener.h"
#include "host/outfit.h"
#include "host/path_look.h"
#include "host/process.h"
#include "host/result.h"
#include "host/store.h"
#include "host/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STARTS_MAX     2               /* before others are answered */
#define LACK_USEC      UINT64_C(50000) /* until what lacked is tried again; twice as long each time */
#define LACK_DOUBLINGS 4

/* ---- the answer ------------------------------------------------------------------------------ */

/* The answer is the core's input: it waits until the core has finished the present one. */
static void queue_result(struct process *process)
{
    struct host *host = process->host;

    process->next_result = NULL;
    INVARIANT(process->state == PROCESS_QUEUED || process->state == PROCESS_CALLED_OFF);
    *host->results_tail = process;
    host->results_tail = &process->next_result;
    sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
}

/* Before it is reported: the next proctord must find it. */
static void note_process(struct process *process)
{
    process->note.id = process->id;
    process->note.pid = (uint32_t)process->main_pid;
    process->note.in_cgroup = process->in_cgroup;
    process->note.log_device = output_disk(process->output);
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

/* What was kept for the next program belongs to a child that is gone. */
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

/* The program runs: watched, noted and kept, before the core hears of it. */
static void begin_running(struct process *process, const struct launch_outcome *outcome)
{
    process->leader = process->main_pid = outcome->pid;
    process->leads = true;
    process->adopted = false;
    process->pidfd = outcome->pidfd;
    process_set_state(process, PROCESS_RUNNING);
    process_link(process->host, process);
    process_keep(process);
    note_process(process);
    process_watch(process);
}

/* ---- how it continues ------------------------------------------------------------------------ */

/* What proctord lacks itself is no failure of the child's. */
static bool is_lack(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN ||
           error == -ENOBUFS;
}

static bool is_called_off(const struct process *process)
{
    return process->call_off != NOT_CALLED_OFF;
}

/* Its start has begun, so that there may be something to tidy up. One that was killed has no time
 * for it, and one whose process hangs is not over. */
static bool after_stop_is_due(const struct process *process)
{
    return (process->state == PROCESS_PREPARING || process->state == PROCESS_LAUNCHED) &&
           process->call_off != CALLED_OFF_AT_ONCE && process->unborn < 0 && !process->after_done &&
           aside_has(process, COMMANDS_AFTER_STOP);
}

/* Not running, and never will: the core decides, after the commands that follow each attempt. */
static void tell_failed(struct process *process)
{
    struct host *host = process->host;

    if (after_stop_is_due(process)) {
        if (process->state == PROCESS_LAUNCHED)
            process_set_state(process, PROCESS_PREPARING);
        process_begin_after_stop(process);
        return;
    }
    process_set_state(process, PROCESS_IDLE);
    process->lacks = 0;
    core_spawn_failed(host->core, process->id, process->result_error, process->result_reason);
}

/* The reason names what it was waiting for when it was called off. */
static void tell_called_off(struct process *process)
{
    const char *lacking = process->lacks > 0 ? process->result_reason : NULL;
    char reason[FAILURE_REASON_MAX];

    if (process->unborn >= 0)
        snprintf(reason, sizeof(reason),
                 "a process started by an earlier proctord does not exit: it hangs at %s",
                 plan_step_to_string(starts_step(process->host->starts, &process->id)));
    else if (process->before.failed)
        snprintf(reason, sizeof(reason), "it was stopped before it had started: %.100s",
                 process->result_reason);
    else
        snprintf(reason, sizeof(reason), "it was stopped before it had started%s%.100s",
                 lacking ? ": " : "", lacking ? lacking : "");
    memcpy(process->result_reason, reason, sizeof(reason));
    process->result_error = 0; /* nothing has failed */
    tell_failed(process);
}

static void queue_again(struct process *process)
{
    process_set_state(process, PROCESS_QUEUED);
    queue_result(process);
}

/* One timer for all that wait for a resource. */
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

#define TRIES_UNTOLD 2

/* A spawner that is replaced, or a fork, goes well at the third try, or something is wrong. */
static bool has_to_be_told(const struct process *process)
{
    return !process->child->attempt.delayed &&
           (process->result_error != EAGAIN || process->lacks > TRIES_UNTOLD);
}

/* It waits, longer each time, until what proctord lacks is there, or it is wanted no more. */
static void wait_for_what_lacks(struct process *process)
{
    unsigned doublings = process->lacks < LACK_DOUBLINGS ? process->lacks : LACK_DOUBLINGS;

    if (process->state == PROCESS_LAUNCHED)
        process_set_state(process, PROCESS_PREPARING);
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

/* Those whose time has come are tried again; a launch that is merely slow is
 * only reported as continuing. */
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
    const struct host *host = process->host;
    struct attempt_id id = process->id;

    process->lacks = 0;
    if (process->call_off == CALLED_OFF_AT_ONCE)
        process_abort(process);
    else if (is_called_off(process))
        process_ask_to_stop(process);
    INVARIANT(process->state == PROCESS_RUNNING); /* what was asked of it ends later */
    core_spawned(host->core, id, (uint32_t)process->main_pid);
    process_begin_after_start(process);
}

/* Started, failed, or to be tried again because something of ours was
 * lacking. */
static void launch_ended(void *userdata, const struct launch_outcome *outcome)
{
    struct process *process = userdata;

    INVARIANT(process->state == PROCESS_LAUNCHED && outcome->error <= 0);
    INVARIANT(outcome->error < 0 || outcome->pid > 0);
    process->launch = NULL;
    process->lack_until_usec = 0;
    if (outcome->log_device != 0)
        output_know_disk(process->output, outcome->log_device);
    if (outcome->error == 0) {
        begin_running(process, outcome);
        tell_started(process);
        return;
    }
    process_launch_failed(process, outcome);
    if (!is_called_off(process) && outcome->again && process->lacks == 0) {
        process->lacks++;
        queue_again(process);
    } else if (launch_lacks_something(outcome)) {
        if (outcome->step == STEP_EXEC && process->lacks < TRIES_UNTOLD)
            process->lacks = TRIES_UNTOLD; /* those processes stay with their attempt */
        not_started(process);
    } else {
        tell_failed(process);
    }
}

/* ---- its user -------------------------------------------------------------------------------- */

/* All descriptors are taken here, in one step. */
static void begin_launch(struct process *process, const struct account *account)
{
    process->result_error = 0;
    if (process_send_launch(process, account, launch_ended) < 0) {
        not_started(process);
        return;
    }
    process_set_state(process, PROCESS_LAUNCHED);
    wait_for_the_launch(process);
}

/* The start may have been called off meanwhile. */
static void account_found(void *userdata, struct account *account)
{
    struct process *process = userdata;

    process->lookup = NULL;
    if (is_called_off(process)) {
        tell_called_off(process);
    } else if (!account) {
        process_step_failed(process, -ENOMEM, "user", NULL);
        not_started(process);
    } else if (account->error < 0) {
        process_step_failed(process, account->error, account->step, account->culprit);
        not_started(process);
    } else {
        begin_launch(process, account);
    }
    account_free(account);
}

/* Outside the loop: users may come from a directory service. */
static void look_up_account(struct process *process)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    struct account_question question = {.user = spec->user,
                                        .group = spec->group,
                                        .supplementary_groups = spec->supplementary_groups};

    int r = account_look_up(&question, account_found, process, &process->lookup);
    if (r < 0) {
        process_step_failed(process, r, "user", NULL);
        not_started(process);
    }
}

/* ---- the queue ------------------------------------------------------------------------------- */

/* Made with the first start, and kept as long as the child. */
struct process *process_for(struct host *host, struct child *child)
{
    INVARIANT(child_is_sound(child));
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

/* The core's port: only queued here. Without memory for it, the failure is
 * reported after the input. */
void host_start(void *userdata, struct child *child, struct attempt_id id)
{
    struct host *host = userdata;
    struct process *process = process_for(host, child);

    if (process)
        process->doubt_cancel = process->doubt_abort = false;
    if (host->past)
        return; /* adopt.c looks whether it was done */
    INVARIANT(child->attempt.active && child->attempt.number == id.attempt);
    if (!process) {
        if (host->n_lost < HOST_LOST_MAX)
            host->lost[host->n_lost++] = id;
        sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
        return;
    }
    process->id = id;
    process_choose_mark(process);
    process->checks_left = 0;
    before_reset(process);
    aside_forget(process);
    /* A leaf that was killed kills what comes into it: no name of one is used again. */
    process->aside = (struct aside){.serial = process->aside.serial};
    process->end_waits = process->after_done = false;
    process->after_started = process->reload_waits = false;
    beat_forget(&process->beat);
    process->result_error = 0;
    process->aborted = false;
    process->call_off = NOT_CALLED_OFF;
    process->lacks = 0;
    process->lack_until_usec = 0;
    process_set_state(process, PROCESS_QUEUED);
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

/* ---- what is run before it ------------------------------------------------------------------- */

static void go_on(struct process *process)
{
    if (!before_is_due(process))
        look_up_or_launch(process);
    else if (before_begin(process) < 0)
        not_started(process);
}

void process_before_over(struct process *process, bool passed)
{
    if (is_called_off(process))
        tell_called_off(process);
    else if (passed)
        go_on(process);
    else
        not_started(process);
}

/* ---- what is run after it -------------------------------------------------------------------- */

static void tell_after_stop_failed(struct process *process)
{
    char reason[FAILURE_REASON_MAX];

    snprintf(reason, sizeof(reason), "%.78s; %.78s", process->result_reason, process->aside.why);
    memcpy(process->result_reason, reason, sizeof(reason));
}

void process_commands_over(struct process *process, enum child_commands kind, bool passed,
                           bool again)
{
    if (!process_is_starting(process)) {
        process_aside_over(process, kind, passed, again);
        return;
    }
    INVARIANT(kind == COMMANDS_AFTER_STOP && !again);
    process->after_done = true;
    if (!passed)
        tell_after_stop_failed(process);
    tell_failed(process);
}

/* ---- its sockets ----------------------------------------------------------------------------- */

static void look_failed(struct process *process, int error)
{
    process_step_failed(process, error, "sockets", NULL);
    not_started(process);
}

/* The paths of its sockets respond. */
static void sockets_answer(void *userdata, int error)
{
    struct process *process = userdata;

    if (is_called_off(process))
        tell_called_off(process);
    else if (error < 0)
        look_failed(process, error);
    else
        go_on(process);
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

    if (r < 0)
        look_failed(process, r);
}

/* Also where it was asked to end meanwhile: then it is ended as soon as it runs. */
static void begin_start(struct process *process)
{
    const char *paths[SOCKETS_MAX];

    if (process->state == PROCESS_CALLED_OFF) {
        tell_called_off(process);
        return;
    }
    process_set_state(process, PROCESS_PREPARING);
    if (process->unborn >= 0)
        return; /* continues when that has gone */
    size_t n = paths_of_sockets(process, paths);
    if (n > 0)
        look_at_sockets(process, paths, n);
    else
        go_on(process);
}

void process_call_off(struct process *process, bool at_once)
{
    if (at_once)
        process->call_off = CALLED_OFF_AT_ONCE;
    else if (process->call_off == NOT_CALLED_OFF)
        process->call_off = CALLED_OFF;
}

/* The core asks in the middle of an input: what it is answered comes later. */
void process_stop_starting(struct process *process, bool at_once)
{
    process_call_off(process, at_once);
    if (process->launch && at_once)
        launch_kill(process->launch);
    else if (process->launch)
        launch_kill_later(process->launch);
    if (process->state != PROCESS_PREPARING || process->aside.runs || before_stop(process, at_once))
        return; /* it ends when what is run before it, or after it, is gone */
    account_forget(process->lookup);
    process->lookup = NULL;
    path_look_forget(process->socket_look);
    process->lack_until_usec = 0;
    process_set_state(process, PROCESS_CALLED_OFF);
    queue_result(process);
}

/* Whatever step it was in. */
void process_forget_start(struct process *process)
{
    account_forget(process->lookup);
    before_forget(process);
    aside_forget(process);
    path_look_leave(&process->socket_look);
    path_look_leave(&process->check_look);
    if (process->launch && !process->host->leaves)
        launch_kill(process->launch);
    launch_forget(process->launch);
    sd_event_source_disable_unref(process->unborn_source);
    if (process->unborn >= 0)
        close(process->unborn);
    process->unborn = -1;
}

static void room_again(void *userdata)
{
    const struct host *host = userdata;

    if (host->results)
        sd_event_source_set_enabled(host->settle_source, SD_EVENT_ONESHOT);
}

/* The spawner is begun early, so that the first start does not wait for it. */
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
 * the rest of a long queue, is left to the next turn of the loop, so that no caller has to wait
 * until the queue is empty.
 */
void host_settle(struct host *host)
{
    size_t count = 0;

    if (host->settling)
        return; /* what is reported in there asks for more: it is done in the next turn */
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
        begin_start(process);
    }
    host->settling = false;
    bool goes_on = host->results && spawner_has_room(host->spawner);
    sd_event_source_set_enabled(host->settle_source, goes_on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* A launch of before an upgrade continues here. */
int process_adopt_launch(struct process *process, int status)
{
    int r = spawner_adopt_launch(process->host->spawner, status, launch_ended, process,
                                 &process->launch);

    if (r == 0) {
        process_set_state(process, PROCESS_LAUNCHED);
        wait_for_the_launch(process);
    }
    return r;
}

/* What it waited for is there. */
void process_start_again(struct process *process)
{
    if (process->state == PROCESS_PREPARING)
        queue_again(process);
}
