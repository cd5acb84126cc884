/*
 * One list of commands runs at a time. Each command has processes of its own,
 * and the next one begins only when none of them is left: so a command that
 * leaves a process behind cannot disturb the next.
 */
#include "host/aside.h"

#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"
#include "host/errand.h"
#include "host/process.h"

#include <stdio.h>

#define RETRY_USEC 50000

static const struct command_list *list_of(const struct process *process, enum child_commands kind)
{
    const struct process_spec *spec = &process->child->config->declaration.process;

    switch (kind) {
    case COMMANDS_RELOAD:
        return &spec->reload;
    case COMMANDS_STOP:
        return &spec->stop;
    case COMMANDS_AFTER_START:
        return &spec->after_start;
    case COMMANDS_AFTER_STOP:
        return &spec->after_stop;
    }
    __builtin_unreachable();
}

static enum errand_kind errand_of(enum child_commands kind)
{
    static const enum errand_kind kinds[] = {[COMMANDS_RELOAD] = ERRAND_RELOAD,
                                             [COMMANDS_STOP] = ERRAND_STOP,
                                             [COMMANDS_AFTER_STOP] = ERRAND_AFTER_STOP,
                                             [COMMANDS_AFTER_START] = ERRAND_AFTER_START};
    return kinds[kind];
}

bool aside_has(const struct process *process, enum child_commands kind)
{
    return list_of(process, kind)->count > 0;
}

bool aside_runs(const struct process *process, enum child_commands kind)
{
    return process->aside.runs && process->aside.kind == kind;
}

/* NULL: a declaration that came meanwhile has fewer. */
static const struct command_spec *command_of(const struct process *process)
{
    const struct command_list *list = list_of(process, process->aside.kind);

    return process->aside.at < list->count ? &list->commands[process->aside.at] : NULL;
}

static void forget_command(struct aside *aside)
{
    aside->timer = sd_event_source_disable_unref(aside->timer);
    errand_free(aside->errand);
    aside->errand = NULL;
}

void aside_forget(struct process *process)
{
    struct aside *aside = &process->aside;

    forget_command(aside);
    aside->whole = sd_event_source_disable_unref(aside->whole);
    aside->runs = aside->waits = aside->again = false;
}

static void note_failure(struct process *process, const char *why)
{
    struct aside *aside = &process->aside;
    const struct command_spec *command = command_of(process);

    aside->failed = true;
    snprintf(aside->why, sizeof(aside->why), "%s %.80s: %.100s",
             child_commands_to_string(aside->kind), command ? command->arguments[0] : "", why);
    text_make_line(aside->why);
}

static void begin_command(struct process *process);

static void finish(struct process *process)
{
    struct aside *aside = &process->aside;
    bool again = aside->again;

    aside_forget(process);
    process->host->aside_over(process, aside->kind, !aside->failed, again);
}

/* The command and all its processes are gone. */
static void settle(struct process *process)
{
    struct aside *aside = &process->aside;
    const struct command_spec *command = command_of(process);

    aside->waits = false;
    if (aside->failed && !aside->ends && command && command->may_fail)
        aside->failed = false;
    aside->at++;
    if (aside->failed || !command_of(process))
        finish(process);
    else
        begin_command(process);
}

void aside_gone(struct process *process)
{
    if (process->aside.waits)
        settle(process);
}

static void end(struct process *process)
{
    forget_command(&process->aside);
    process->aside.waits = true;
    if (process->checks_left == 0)
        settle(process);
}

static int try_again(sd_event_source *source, uint64_t usec, void *userdata);

/* What proctord lacks is none of the command's doing: it is tried until the time of all is over. */
static bool try_later(struct process *process)
{
    struct aside *aside = &process->aside;

    aside->timer = sd_event_source_disable_unref(aside->timer);
    return sd_event_add_time_relative(process->host->event, &aside->timer, CLOCK_MONOTONIC,
                                      RETRY_USEC, 0, try_again, process) >= 0;
}

static int try_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct process *process = userdata;

    (void)source;
    (void)usec;
    if (process->checks_left > 0 && try_later(process))
        return 0;
    forget_command(&process->aside);
    begin_command(process);
    return 0;
}

static void command_ended(void *userdata, const struct errand_end *ended)
{
    struct process *process = userdata;

    process->aside.errand = NULL;
    if (ended->lacks && !process->aside.ends && command_of(process) && try_later(process))
        return;
    if (!ended->passed)
        note_failure(process, ended->why);
    end(process);
}

static int time_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    note_failure(userdata, "its timeout has passed");
    end(userdata);
    return 0;
}

static int all_time_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct process *process = userdata;

    (void)source;
    (void)usec;
    if (!process->aside.failed)
        note_failure(process, "the time for all commands has passed");
    process->aside.ends = true;
    if (!process->aside.waits)
        end(process);
    return 0;
}

void aside_expire(struct process *process)
{
    struct aside *aside = &process->aside;

    INVARIANT(aside->runs);
    if (!aside->failed)
        note_failure(process, "killed");
    aside->ends = true;
    aside->again = false;
    aside->whole = sd_event_source_disable_unref(aside->whole);
    sd_event_add_time_relative(process->host->event, &aside->whole, CLOCK_MONOTONIC, 0, 0,
                               all_time_is_over, process);
}

static void begin_command(struct process *process)
{
    struct aside *aside = &process->aside;
    const struct command_spec *command = command_of(process);
    struct errand_order order = {.process = process,
                                 .id = process->id,
                                 .kind = errand_of(aside->kind),
                                 .index = (uint32_t)aside->at,
                                 .number = ERRAND_NUMBER + COMMANDS_MAX + aside->serial++,
                                 .ended = command_ended,
                                 .userdata = process};

    INVARIANT(command);
    int r = errand_begin(&order, &aside->errand);
    if (r == 0 && command->timeout_usec > 0)
        r = sd_event_add_time_relative(process->host->event, &aside->timer, CLOCK_MONOTONIC,
                                       command->timeout_usec, 0, time_is_over, process);
    if (r < 0)
        aside_expire(process);
}

void aside_begin(struct process *process, enum child_commands kind, uint64_t whole_usec)
{
    struct aside *aside = &process->aside;

    INVARIANT(!aside->runs && aside_has(process, kind));
    *aside = (struct aside){.runs = true, .kind = kind, .serial = aside->serial};
    if (whole_usec > 0)
        sd_event_add_time_relative(process->host->event, &aside->whole, CLOCK_MONOTONIC, whole_usec,
                                   0, all_time_is_over, process);
    begin_command(process);
}
