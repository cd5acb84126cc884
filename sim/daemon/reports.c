/*
 * Reports about processes reach the core here: spawned, completed, notified,
 * checked. Each goes to the reference as well, and some are remembered, so that
 * they can be delivered a second time, late, as stale ones.
 */
#include "daemon/reports.h"

#include "checks/checks.h"
#include "daemon/crash.h"
#include "daemon/inputs.h"
#include "reference/deadline.h"
#include "reference/report.h"
#include "reference/schedule.h"
#include "world/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of the log, if an observer reads it. */
static void note_report(struct world *world, const struct report *report)
{
    static const char *const words[] = {"spawned",     "spawn-failed",  "completed",
                                        "notify",      "checked",       "start-delayed",
                                        "main-exited", "commands-ended"};
    char text[RECORD_EVENT_TEXT] = "";

    if (!world->observe)
        return;
    if (report->kind == INPUT_COMPLETED || report->kind == INPUT_MAIN_EXITED)
        snprintf(text, sizeof(text), report->completion.by_signal ? "signal %d" : "exit code %d",
                 report->completion.by_signal ? report->completion.signal
                                              : report->completion.code);
    else if (report->kind == INPUT_SPAWN_FAILED)
        snprintf(text, sizeof(text), "%s", strerror(report->error));
    else if (report->kind == INPUT_COMMANDS_ENDED)
        snprintf(text, sizeof(text), "%s %s", child_commands_to_string(report->commands),
                 report->passed ? "passed" : "failed");
    else if (report->kind == INPUT_CHECKED)
        snprintf(text, sizeof(text), "%s", report->passed ? "passed" : "missed");
    else if (report->kind == INPUT_START_DELAYED)
        snprintf(text, sizeof(text), "%s", report->lacks ? "lacks" : "continues");
    else if (report->kind == INPUT_NOTIFY)
        record_message_text(&report->message, text);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = words[report->kind],
                                       .child = world->actors[report->actor].declaration->id,
                                       .has_attempt = true,
                                       .generation = report->id.generation,
                                       .attempt = report->id.attempt,
                                       .text = text});
}

/* Every kind is listed, so that a new input does not compile here until it is
 * decided what to do with it. */
static void to_core(struct world *world, const struct report *report)
{
    switch (report->kind) {
    case INPUT_SPAWNED:
        core_spawned(world->core, report->id, report->pid);
        return;
    case INPUT_SPAWN_FAILED:
        core_spawn_failed(world->core, report->id, report->error, world_words(report));
        return;
    case INPUT_COMPLETED:
        core_completed(world->core, report->id, &report->completion);
        return;
    case INPUT_MAIN_EXITED:
        core_main_exited(world->core, report->id, &report->completion);
        return;
    case INPUT_NOTIFY:
        core_notify(world->core, report->id, &report->message);
        return;
    case INPUT_CHECKED:
        core_checked(world->core, report->id, report->check, report->passed, world_words(report));
        return;
    case INPUT_COMMANDS_ENDED:
        core_commands_ended(world->core, report->id, report->commands, report->passed,
                            world_words(report));
        return;
    case INPUT_START_DELAYED:
        core_start_delayed(world->core, report->id, world_words(report));
        return;
    case INPUT_TIMER:
    case INPUT_COMMAND:
    case INPUT_SHUTDOWN:
    case INPUT_HURRY:
    case INPUT_REOPEN:
    case INPUT_DECLARE:
    case INPUT_REDECLARE:
    case INPUT_REDECLARE_SUPERVISOR:
    case INPUT_COMMAND_SCOPE:
    case INPUT_REMOVE:
    case INPUT_RUN_JOB:
    case INPUT_RECOVERED:
    case INPUT_DURABILITY:
    case INPUT_REEXECUTE:
        break;
    }
    abort();
}

static void to_reference(struct world *world, const struct report *report)
{
    struct ref_child *child = world->actors[report->actor].reference;
    struct heard heard = world_heard(report);

    if (child && child->here && world->actors[report->actor].serial == report->id.serial)
        reference_hear(&world->reference, child,
                       &heard); /* else the record is not there any more */
}

static void remember(struct world *world, const struct report *report)
{
    if (world->history)
        world->history[world->n_history++ % WORLD_HISTORY] = *report;
}

/* Entry: one report, with the checks around it. */
void world_report(struct world *world, const struct report *report)
{
    struct checks_before before;

    inputs_begin(world, report->kind, &world->actors[report->actor]);
    note_report(world, report);
    checks_before(world, report, &before);
    world->in_core = true;
    to_core(world, report);
    world->in_core = false;
    to_reference(world, report);
    crash_end_input(world, &before);
    remember(world, report);
}

/* The timer came, or the clock was set; both make the core look at its
 * deadlines. */
static void timer(struct world *world, const char *what, bool clock_set)
{
    struct checks_before before;

    inputs_begin(world, INPUT_TIMER, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = what});
    checks_before(world, NULL, &before);
    world->timer_usec = 0;
    world->in_core = true;
    if (clock_set)
        core_clock_set(world->core);
    else
        core_timer(world->core);
    world->in_core = false;
    if (clock_set)
        ref_clock_was_set(&world->reference);
    reference_timer(&world->reference);
    crash_end_input(world, &before);
}

void world_timer(struct world *world)
{
    timer(world, "timer", false);
}

void world_set_clock(struct world *world, int64_t by_usec)
{
    world->wall_offset_usec += by_usec;
    timer(world, "clock set", true);
}
