/*
 * The world: actors, time, verdict.
 */
#include "world/world.h"

#include "core/vocabulary/invariant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *world_allocate(struct world *world, size_t size)
{
    void *memory = memory_allocate(world->memory, size);

    if (!memory) {
        fprintf(stderr, "proctor-sim: the world exceeds its memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

/* Returns its number. */
uint32_t world_add_actor(struct world *world, const struct child_declaration *declaration,
                         const struct model *models, size_t n_models)
{
    INVARIANT(declaration->id && declaration->id[0]);
    if (world->n_actors == world->actors_max) {
        fprintf(stderr, "proctor-sim: more children than this world has room for\n");
        exit(EXIT_FAILURE);
    }
    world->actors[world->n_actors] =
        (struct actor){.declaration = declaration, .models = models, .n_models = n_models};
    return world->n_actors++;
}

struct actor *world_find(struct world *world, const char *id)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        if (strcmp(world->actors[i].declaration->id, id) == 0)
            return &world->actors[i];
    return NULL;
}

uint32_t world_number_of(const struct world *world, const struct actor *actor)
{
    INVARIANT(actor >= world->actors && actor < world->actors + world->n_actors);
    return (uint32_t)(actor - world->actors);
}

struct two_clocks world_clocks(const struct world *world)
{
    uint64_t now = world->now_nsec / 1000;

    return (struct two_clocks){now - world->boot_usec,
                               WORLD_REALTIME_USEC + now + (uint64_t)world->wall_offset_usec};
}

uint64_t world_usec(const struct world *world)
{
    return era_time(&world->era, world_clocks(world).monotonic_usec);
}

/* To the observer, if there is one. */
void world_note(struct world *world, const struct record *record)
{
    struct record complete = *record;

    if (!world->observe)
        return;
    complete.input = world->inputs;
    complete.time_nsec = world->now_nsec - WORLD_START_NSEC;
    complete.child = complete.child ? complete.child : "";
    complete.text = complete.text ? complete.text : "";
    world->observe(world->observe_userdata, &complete);
}

/* The first failure is the verdict; what follows from it is of no interest. */
void world_fail(struct world *world, enum check check, const char *format, ...)
{
    va_list arguments;

    INVARIANT(check != CHECK_NONE);
    if (world->verdict.check != CHECK_NONE)
        return;
    world->verdict.check = check;
    world->verdict.input = world->inputs;
    va_start(arguments, format);
    vsnprintf(world->verdict.text, sizeof(world->verdict.text), format, arguments);
    va_end(arguments);
    world_note(world, &(struct record){.kind = RECORD_VERDICT,
                                       .what = check_to_string(check),
                                       .text = world->verdict.text});
}

static const char *const check_names[] = {
    [CHECK_NONE] = "none",
    [CHECK_ONE_ATTEMPT] = "one-attempt-per-child",
    [CHECK_MONOTONE] = "generations-grow",
    [CHECK_NO_LATE_START] = "no-start-after-shutdown",
    [CHECK_STALE] = "stale-reports-change-nothing",
    [CHECK_CANCEL_ONCE] = "cancel-and-abort-once",
    [CHECK_HOLD] = "no-start-under-a-hold",
    [CHECK_WINDOW] = "restart-window-exact",
    [CHECK_OUTCOME] = "one-outcome-per-command",
    [CHECK_SHUTDOWN_REPORT] = "shutdown-report-complete",
    [CHECK_EVENTS] = "events-gap-free",
    [CHECK_REQUIRES] = "requirements-ready-first",
    [CHECK_SCOPE] = "strategy-scope-exact",
    [CHECK_CAP] = "restarts-in-flight-bounded",
    [CHECK_JOBS] = "jobs-run-once",
    [CHECK_RECOVERY] = "recovery-loses-nothing",
    [CHECK_NOTHING_LEFT] = "nothing-left-after-shutdown",
    [CHECK_TIMERS] = "timers-fire",
    [CHECK_MEMORY] = "no-allocation",
    [CHECK_CAUSES] = "stops-say-who-asked",
    [CHECK_TOLD] = "events-are-true",
    [CHECK_SHOWN] = "changes-are-told",
    [CHECK_LIVENESS] = "everybody-arrives",
    [CHECK_REFERENCE] = "agrees-with-the-reference",
    [CHECK_INVARIANT] = "core-invariant",
    [CHECK_ENDLESS] = "ends",
    [CHECK_EXPECTATION] = "expectation",
};

const char *check_to_string(enum check check)
{
    return check_names[check];
}

const char *world_words(const struct report *report)
{
    if (report->kind == INPUT_SPAWN_FAILED)
        return strerror(report->error);
    return report->kind == INPUT_CHECKED || report->kind == INPUT_COMMANDS_ENDED
               ? "the model says so"
           : report->lacks ? "Too many open files"
                           : NULL;
}

/* A report as the reference hears it. */
struct heard world_heard(const struct report *report)
{
    static const enum report_kind kinds[] = {
        [INPUT_SPAWNED] = REPORT_SPAWNED,       [INPUT_SPAWN_FAILED] = REPORT_SPAWN_FAILED,
        [INPUT_COMPLETED] = REPORT_EXIT,        [INPUT_NOTIFY] = REPORT_STATUS,
        [INPUT_CHECKED] = REPORT_HEALTH,        [INPUT_START_DELAYED] = REPORT_DELAY,
        [INPUT_MAIN_EXITED] = REPORT_MAIN_EXIT, [INPUT_COMMANDS_ENDED] = REPORT_COMMANDS};
    return (struct heard){.kind = kinds[report->kind],
                          .id = report->id,
                          .completion = &report->completion,
                          .message = &report->message,
                          .pid = report->pid,
                          .check = report->check,
                          .passed = report->passed,
                          .commands = report->commands,
                          .error = report->error,
                          .why = world_words(report),
                          .lacks = report->lacks};
}

uint64_t world_hash(const struct world *world)
{
    return world->hash * UINT64_C(0x9E3779B97F4A7C15) ^ core_hash(world->core) ^ world->inputs;
}
