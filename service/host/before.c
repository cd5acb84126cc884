/*
 * The commands that run before the program, one after the other. To the core
 * the child is starting the whole time; the host goes back and forth between
 * this file and the start itself, until the last command has ended and all its
 * processes are gone.
 */
#include "host/before.h"

#include "core/vocabulary/text.h"
#include "host/errand.h"
#include "host/outfit.h"
#include "host/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command_list *commands_of(const struct process *process)
{
    return &process->child->config->declaration.process.before;
}

static const struct command_spec *command_of(const struct process *process)
{
    const struct command_list *list = commands_of(process);

    return process->before.at < list->count ? &list->commands[process->before.at] : NULL;
}

static void forget_timer(struct before_commands *before)
{
    before->timer = sd_event_source_disable_unref(before->timer);
}

void before_forget(struct process *process)
{
    struct before_commands *before = &process->before;

    forget_timer(before);
    errand_free(before->errand);
    before->errand = NULL;
    before->waits = false;
}

void before_reset(struct process *process)
{
    before_forget(process);
    process->before = (struct before_commands){};
}

bool before_is_due(const struct process *process)
{
    return process->before.at < commands_of(process)->count;
}

/* The name of the command stands in what is told of it. */
static void note_failure(struct process *process, const char *why)
{
    const struct command_spec *command = command_of(process);

    snprintf(process->result_reason, sizeof(process->result_reason), "before %.80s: %.120s",
             command ? command->arguments[0] : "", why);
    text_make_line(process->result_reason);
}

/* It and all of its processes are gone. */
static void settle(struct process *process)
{
    struct before_commands *before = &process->before;
    const struct command_spec *command = command_of(process);
    bool failed = before->failed && !(command && command->may_fail && !before->lacks);

    before->waits = false;
    process->result_error = before->lacks ? -before->error : 0;
    before->at += !failed;
    process->host->before_over(process, !failed);
}

void before_gone(struct process *process)
{
    if (process->before.waits)
        settle(process);
}

static void end(struct process *process)
{
    struct before_commands *before = &process->before;

    forget_timer(before);
    before->waits = true;
    if (process->checks_left == 0)
        settle(process);
}

/* The command's first process has ended; its others are killed, and waited for
 * by the caller of this file. */
static void command_ended(void *userdata, const struct errand_end *ended)
{
    struct process *process = userdata;
    struct before_commands *before = &process->before;

    before->errand = NULL;
    before->failed = !ended->passed;
    before->lacks = ended->lacks;
    before->error = ended->error;
    if (before->failed)
        note_failure(process, ended->why);
    end(process);
}

/* The command's own timeout. That of the start as a whole is the core's. */
static int time_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct process *process = userdata;
    struct before_commands *before = &process->before;

    (void)source;
    (void)usec;
    errand_free(before->errand);
    before->errand = NULL;
    before->failed = true;
    before->lacks = false;
    before->error = 0;
    note_failure(process, "its timeout has passed");
    end(process);
    return 0;
}

/* Below the leaf of the attempt, which is made first; what an earlier proctord left there goes. */
static int prepare_leaf(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];
    int cgroup = -1, r = process_open_leaf(process, &cgroup);

    if (r < 0 || cgroup < 0)
        return r;
    close(cgroup);
    process_leaf(process, leaf);
    cgroup_checks_sweep(&process->host->cgroups, leaf);
    return 0;
}

/* The next command. It has a leaf of its own below the child's, so that its
 * processes can be told apart from the program's. */
int before_begin(struct process *process)
{
    struct before_commands *before = &process->before;
    struct errand_order order = {.process = process,
                                 .id = process->id,
                                 .kind = ERRAND_BEFORE,
                                 .index = (uint32_t)before->at,
                                 .number = ERRAND_NUMBER + (uint32_t)before->at,
                                 .ended = command_ended,
                                 .userdata = process};
    uint64_t timeout = command_of(process)->timeout_usec;

    int r = prepare_leaf(process);
    if (r < 0)
        return r;
    before->failed = before->lacks = false;
    before->error = 0;
    r = errand_begin(&order, &before->errand);
    if (r == 0 && timeout > 0)
        r = sd_event_add_time_relative(process->host->event, &before->timer, CLOCK_MONOTONIC,
                                       timeout, 0, time_is_over, process);
    if (r >= 0)
        return 0;
    before_forget(process);
    return process_step_failed(process, r, "before", command_of(process)->arguments[0]);
}

/* A stop while commands run: the one that is running gets the child's stop
 * signal, and is killed at once when the time is up. Returns whether there is
 * still something to wait for. */
bool before_stop(struct process *process, bool at_once)
{
    struct before_commands *before = &process->before;
    int signal = process->child->config->declaration.process.stop_signal;

    if (before->errand && !at_once && errand_signal(before->errand, signal))
        return true;
    if (before->errand) {
        note_failure(process, "killed");
        before_forget(process);
        before->failed = true;
        before->waits = process->checks_left > 0;
    }
    return before->waits;
}
