#include "world/world.h"

#include "checks/agreement.h"
#include "checks/causes.h"
#include "checks/checks.h"
#include "world/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_FIRST 8
#define FEW           16 /* children that are declared at once */

void *world_allocate(struct world *world, size_t size)
{
    void *memory = memory_allocate(world->memory, size);

    if (!memory) {
        fprintf(stderr, "proctor-sim: the world does not fit into its memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void *allocate_for_reference(void *userdata, size_t size)
{
    return world_allocate(userdata, size);
}

static const struct supervisor_declaration plain_root = {
    .path = "", .burst = 10, .interval_usec = UINT64_C(300) * 1000000};

struct world *world_new(struct memory *memory, struct schedule *schedule, uint64_t seed,
                        uint32_t actors_max)
{
    struct core_settings settings = {.seed = seed, .max_restarts_in_flight = WORLD_CAP};
    struct core_ports ports;

    memory_reset(memory);
    struct world *world = memory_allocate(memory, sizeof(*world));
    world->memory = memory;
    world->schedule = schedule;
    world->now_nsec = WORLD_START_NSEC;
    world->next_pid = 1000;
    world->actors_max = actors_max;
    world->actors = world_allocate(world, actors_max * sizeof(*world->actors));
    world->pending_max = PENDING_FIRST;
    world->pending = world_allocate(world, world->pending_max * sizeof(*world->pending));
    world->reference.capacity = actors_max * 2;
    world->reference.children =
        world_allocate(world, world->reference.capacity * sizeof(*world->reference.children));
    world->reference.order =
        world_allocate(world, world->reference.capacity * sizeof(*world->reference.order));
    world->reference.cap = WORLD_CAP;
    world->reference.jobs =
        world_allocate(world, world->reference.capacity * sizeof(*world->reference.jobs));
    world->reference.allocate = allocate_for_reference;
    world->reference.userdata = world;
    reference_supervise(&world->reference, &plain_root);
    executor_ports(world, &ports);
    if (core_new(&ports, &settings, &world->core) < 0)
        exit(EXIT_FAILURE);
    world_set_max_jobs(world, WORLD_MAX_JOBS);
    return world;
}

void world_set_max_jobs(struct world *world, uint32_t max_jobs)
{
    core_set_max_jobs(world->core, max_jobs);
    world->reference.max_jobs = max_jobs;
}

uint32_t world_add_actor(struct world *world, const struct child_declaration *declaration,
                         const struct model *models, size_t n_models)
{
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

/* ---- what is told ---------------------------------------------------------------------------- */

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

void world_fail(struct world *world, enum check check, const char *format, ...)
{
    va_list arguments;

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

/* ---- the queue ------------------------------------------------------------------------------- */

static struct pending *queue(struct world *world, uint64_t due_nsec)
{
    if (world->n_pending == world->pending_max) {
        struct pending *larger = world_allocate(world, world->pending_max * 2 * sizeof(*larger));
        memcpy(larger, world->pending, world->n_pending * sizeof(*larger));
        memory_release(world->memory, world->pending);
        world->pending = larger;
        world->pending_max *= 2;
    }
    struct pending *pending = &world->pending[world->n_pending++];
    *pending = (struct pending){.due_nsec = due_nsec, .order = ++world->next_order};
    return pending;
}

void world_queue_turn(struct world *world, uint64_t due_nsec)
{
    queue(world, due_nsec)->kind = PENDING_TURN;
}

void world_queue_report(struct world *world, const struct report *report, uint64_t delay_nsec)
{
    struct pending *pending = queue(world, world->now_nsec + delay_nsec);

    pending->kind = PENDING_REPORT;
    pending->actor = report->actor;
    pending->report = *report;
}

void world_queue_process(struct world *world, const struct pending *wanted, uint64_t delay_nsec)
{
    struct pending *pending = queue(world, world->now_nsec + delay_nsec);
    uint64_t due = pending->due_nsec, order = pending->order;

    *pending = *wanted;
    pending->serial = world->actors[wanted->actor].serial;
    pending->due_nsec = due;
    pending->order = order;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static void begin_input(struct world *world, enum input_kind kind, struct actor *actor)
{
    world->inputs++;
    world->input = kind;
    world->input_actor = actor;
    world->melting = false;
    causes_begin(world);
    struct two_clocks clocks = world_clocks(world);
    reference_clock(&world->reference, clocks.monotonic_usec, clocks.realtime_usec);
    if (world->inputs > WORLD_INPUTS_MAX)
        world_fail(world, CHECK_ENDLESS, "more than %ju inputs", (uintmax_t)WORLD_INPUTS_MAX);
}

static void end_input(struct world *world, const struct checks_before *before)
{
    checks_after(world, before);
    disk_look(world);
}

static void note_report(struct world *world, const struct report *report)
{
    static const char *const words[] = {"spawned", "spawn-failed",  "completed",  "notify",
                                        "checked", "start-delayed", "main-exited"};
    char text[RECORD_EVENT_TEXT] = "";

    if (!world->observe)
        return;
    if (report->kind == INPUT_COMPLETED || report->kind == INPUT_MAIN_EXITED)
        snprintf(text, sizeof(text), report->completion.by_signal ? "signal %d" : "exit code %d",
                 report->completion.by_signal ? report->completion.signal
                                              : report->completion.code);
    else if (report->kind == INPUT_SPAWN_FAILED)
        snprintf(text, sizeof(text), "%s", strerror(report->error));
    else if (report->kind == INPUT_CHECKED)
        snprintf(text, sizeof(text), "%s", report->passed ? "passed" : "missed");
    else if (report->kind == INPUT_START_DELAYED)
        snprintf(text, sizeof(text), "%s", report->lacks ? "lacks" : "goes on");
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

static void to_core(struct world *world, const struct report *report)
{
    switch (report->kind) {
    case INPUT_SPAWNED:
        core_spawned(world->core, report->id, report->pid);
        return;
    case INPUT_SPAWN_FAILED:
        core_spawn_failed(world->core, report->id, report->error, strerror(report->error));
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
        core_checked(world->core, report->id, report->check, report->passed, "the model says so");
        return;
    case INPUT_START_DELAYED:
        core_start_delayed(world->core, report->id, report->lacks ? "Too many open files" : NULL);
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

struct heard world_heard(const struct report *report)
{
    static const enum report_kind kinds[] = {
        [INPUT_SPAWNED] = REPORT_SPAWNED,      [INPUT_SPAWN_FAILED] = REPORT_SPAWN_FAILED,
        [INPUT_COMPLETED] = REPORT_EXIT,       [INPUT_NOTIFY] = REPORT_STATUS,
        [INPUT_CHECKED] = REPORT_HEALTH,       [INPUT_START_DELAYED] = REPORT_DELAY,
        [INPUT_MAIN_EXITED] = REPORT_MAIN_EXIT};
    return (struct heard){.kind = kinds[report->kind],
                          .id = report->id,
                          .completion = &report->completion,
                          .message = &report->message,
                          .check = report->check,
                          .passed = report->passed,
                          .lacks = report->lacks};
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

void world_report(struct world *world, const struct report *report)
{
    struct checks_before before;

    begin_input(world, report->kind, &world->actors[report->actor]);
    note_report(world, report);
    checks_before(world, report, &before);
    world->in_core = true;
    to_core(world, report);
    world->in_core = false;
    to_reference(world, report);
    end_input(world, &before);
    remember(world, report);
}

void world_timer(struct world *world)
{
    struct checks_before before;

    begin_input(world, INPUT_TIMER, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "timer"});
    checks_before(world, NULL, &before);
    world->timer_usec = 0;
    world->in_core = true;
    core_timer(world->core);
    world->in_core = false;
    reference_timer(&world->reference);
    end_input(world, &before);
}

static void note_command(struct world *world, const struct command *command)
{
    char text[160];

    if (!world->observe)
        return;
    snprintf(text, sizeof(text), "%sby %.40s: %.80s", command->dry_run ? "dry run, " : "",
             command->requester, command->reason);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = command_verb_to_string(command->verb),
                                       .child = command->child,
                                       .text = text});
}

static void note_outcome(struct world *world, const struct command *command,
                         const struct outcome *outcome, int error, const char *why)
{
    char text[200];

    if (!world->observe)
        return;
    if (error < 0)
        snprintf(text, sizeof(text), "refused: %.120s", why);
    else
        snprintf(text, sizeof(text), "%s%s%s, stop state %s%s%s",
                 child_operation_to_string(outcome->operation_after),
                 outcome->has_fence ? ", " : "",
                 outcome->has_fence ? fence_decision_to_string(outcome->fence.decision) : "",
                 stop_state_to_string(outcome->stop_state),
                 outcome->cancel_delivered ? ", cancel delivered" : "",
                 outcome->idempotent ? ", idempotent" : "");
    world_note(world, &(struct record){.kind = RECORD_OUTCOME,
                                       .what = command_verb_to_string(command->verb),
                                       .child = command->child,
                                       .has_attempt = error == 0,
                                       .generation = outcome->generation,
                                       .attempt = outcome->attempt,
                                       .cause = error == 0 ? outcome->command_id : 0,
                                       .text = text});
}

int world_command(struct world *world, const struct command *command, struct outcome *outcome,
                  struct error *error)
{
    struct checks_before before;
    struct outcome expected = {};

    *outcome = (struct outcome){};
    begin_input(world, INPUT_COMMAND, world_find(world, command->child));
    note_command(world, command);
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_command(world->core, command, outcome, error);
    world->in_core = false;
    int wanted = reference_command(&world->reference, command, &expected);
    note_outcome(world, command, outcome, r, error->text);
    if (r != wanted)
        world_fail(world, CHECK_OUTCOME, "%s %s was answered with %d, it should have been %d",
                   command_verb_to_string(command->verb), command->child, r, wanted);
    end_input(world, &before);
    if (r == 0)
        checks_outcome(world, command, outcome, &expected);
    return r;
}

struct told {
    struct outcome *outcomes;
    int n;
};

static void tell(void *userdata, const struct outcome *outcome)
{
    struct told *told = userdata;
    told->outcomes[told->n++] = *outcome;
}

int world_command_scope(struct world *world, const struct command *command, struct error *error)
{
    struct outcome *outcomes = world_allocate(world, 2 * (world->n_actors + 1) * sizeof(*outcomes));
    struct outcome *expected = outcomes + world->n_actors + 1;
    struct told told = {.outcomes = outcomes};
    struct checks_before before;

    begin_input(world, INPUT_COMMAND_SCOPE, NULL);
    note_command(world, command);
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_command_scope(world->core, command, tell, &told, error);
    world->in_core = false;
    int wanted = reference_command_scope(&world->reference, command, expected);
    if (r != wanted)
        world_fail(world, CHECK_OUTCOME, "%s of \"%s\" was answered with %d, it should be %d",
                   command_verb_to_string(command->verb), command->child, r, wanted);
    end_input(world, &before);
    for (int i = 0; i < told.n && r == wanted; i++) {
        struct command one = *command;
        one.child = outcomes[i].child_id;
        note_outcome(world, &one, &outcomes[i], 0, "");
        checks_outcome(world, &one, &outcomes[i], &expected[i]);
    }
    memory_release(world->memory, outcomes);
    return r;
}

void world_remove(struct world *world, const char *const *ids, uint32_t n)
{
    struct checks_before before;
    char lines[512] = "";

    for (uint32_t i = 0; i < n; i++) {
        strncat(lines, ids[i], sizeof(lines) - strlen(lines) - 2);
        strcat(lines, "\n");
    }
    begin_input(world, INPUT_REMOVE, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "remove", .text = lines});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_remove(world->core, lines, "client", "gone");
    world->in_core = false;
    reference_remove(&world->reference, ids, n);
    end_input(world, &before);
}

void world_shutdown(struct world *world, uint64_t bound_usec, const char *by, const char *why)
{
    struct checks_before before;

    begin_input(world, INPUT_SHUTDOWN, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "shutdown", .text = why});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_shutdown_within(world->core, bound_usec, by, why);
    world->in_core = false;
    reference_shutdown(&world->reference, bound_usec);
    end_input(world, &before);
}

void world_hurry(struct world *world)
{
    struct checks_before before;

    begin_input(world, INPUT_HURRY, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "hurry"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_hurry(world->core, "signal", "a second signal");
    world->in_core = false;
    reference_hurry(&world->reference);
    end_input(world, &before);
}

void world_reopen(struct world *world)
{
    struct checks_before before;

    if (!world->shutdown_begun)
        return;
    begin_input(world, INPUT_REOPEN, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "reopen"});
    checks_before(world, NULL, &before);
    world->shutdown_begun = world->shutdown_completed = false;
    world->in_core = true;
    core_reopen(world->core);
    world->in_core = false;
    reference_reopen(&world->reference);
    end_input(world, &before);
}

void world_recovered(struct world *world)
{
    struct recovery recovery = {};
    struct checks_before before;

    begin_input(world, INPUT_RECOVERED, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "recovered"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_recovered(world->core, &recovery);
    world->in_core = false;
    reference_recovered(&world->reference);
    end_input(world, &before);
}

void world_durability(struct world *world, bool durable)
{
    struct checks_before before;

    begin_input(world, INPUT_DURABILITY, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "durability"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_durability(world->core, durable, "the disk is full");
    world->in_core = false;
    reference_wake(&world->reference);
    end_input(world, &before);
}

void world_reexecute(struct world *world)
{
    struct checks_before before;

    begin_input(world, INPUT_REEXECUTE, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "reexecute"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_reexecute(world->core, "root (uid 0)", "a newer program");
    world->in_core = false;
    reference_wake(&world->reference);
    end_input(world, &before);
}

/* ---- declarations ---------------------------------------------------------------------------- */

static void add_reference(struct world *world, struct actor *actor)
{
    uint64_t *exits = world_allocate(world, (actor->declaration->burst + 1) * sizeof(*exits));

    actor->reference = reference_declare(&world->reference, actor->declaration, exits);
    if (!actor->reference) {
        fprintf(stderr, "proctor-sim: more declarations than this world has room for\n");
        exit(EXIT_FAILURE);
    }
}

static void tell_reference(struct world *world, const struct supervisor_declaration *supervisors,
                           size_t n_supervisors, const uint32_t *actors, size_t count)
{
    uint32_t first = world->reference.count;
    size_t s = 0;

    for (size_t i = 0; i < count; i++) {
        for (; s < n_supervisors && supervisors[s].position <= i; s++)
            reference_supervise(&world->reference, &supervisors[s]);
        add_reference(world, &world->actors[actors[i]]);
    }
    for (; s < n_supervisors; s++)
        reference_supervise(&world->reference, &supervisors[s]);
    reference_declared(&world->reference, first);
}

int world_declare(struct world *world, const uint32_t *actors, size_t count, struct error *error)
{
    return world_declare_tree(world, NULL, 0, actors, count, error);
}

int world_declare_tree(struct world *world, const struct supervisor_declaration *supervisors,
                       size_t n_supervisors, const uint32_t *actors, size_t count,
                       struct error *error)
{
    struct child_declaration few[FEW]; /* of a small world nothing stays behind in the block */
    struct child_declaration *declarations =
        count <= FEW ? few : world_allocate(world, count * sizeof(*declarations));
    struct declaration_problem problem = {};
    struct checks_before before;

    for (size_t i = 0; i < count; i++)
        declarations[i] = *world->actors[actors[i]].declaration;
    begin_input(world, INPUT_DECLARE, count == 1 ? &world->actors[actors[0]] : NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = "declare",
                                       .child = count == 1 ? declarations[0].id : ""});
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_declare_tree(world->core,
                              &(struct tree_declaration){.children = declarations,
                                                         .n_children = count,
                                                         .supervisors = supervisors,
                                                         .n_supervisors = n_supervisors},
                              "operator", "declared", &problem);
    world->in_core = false;
    if (r == 0)
        tell_reference(world, supervisors, n_supervisors, actors, count);
    *error = problem.error;
    end_input(world, &before);
    if (declarations != few)
        memory_release(world->memory, declarations);
    return r;
}

int world_redeclare(struct world *world, uint32_t number,
                    const struct child_declaration *declaration, enum redeclare_how how,
                    struct error *error)
{
    struct actor *actor = &world->actors[number];
    struct declaration_problem problem = {};
    struct checks_before before;

    begin_input(world, INPUT_REDECLARE, actor);
    world_note(world, &(struct record){
                          .kind = RECORD_INPUT, .what = "redeclare", .child = declaration->id});
    checks_before(world, NULL, &before);
    world->in_core = true;
    enum child_change change = CHANGE_NONE;
    core_change_of(world->core, declaration, how == REDECLARE_APPLIES, &change);
    int r = core_redeclare(world->core, declaration, 1, how, "operator", "changed", &problem);
    world->in_core = false;
    if (r == 0) {
        /* The window goes on, so there must be room for either. */
        uint32_t old = actor->reference->declaration->burst;
        uint32_t room = (old > declaration->burst ? old : declaration->burst) + 1;
        uint64_t *exits = world_allocate(world, room * sizeof(*exits));
        memcpy(exits, actor->reference->exits, actor->reference->used * sizeof(*exits));
        actor->reference->exits = exits;
        enum child_change wanted =
            reference_change(&world->reference, declaration, how == REDECLARE_APPLIES);
        if (change != wanted)
            world_fail(world, CHECK_REFERENCE, "%s: its change is told as %s and is %s",
                       declaration->id, child_change_to_string(change),
                       child_change_to_string(wanted));
        reference_redeclare(&world->reference, declaration, how);
    }
    *error = problem.error;
    end_input(world, &before);
    return r;
}

int world_redeclare_supervisor(struct world *world,
                               const struct supervisor_declaration *declaration,
                               struct error *error)
{
    struct declaration_problem problem = {};
    struct checks_before before;

    begin_input(world, INPUT_REDECLARE_SUPERVISOR, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = "redeclare supervisor",
                                       .text = declaration->path});
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_redeclare_supervisor(world->core, declaration, &problem);
    world->in_core = false;
    if (r == 0) {
        reference_supervise(&world->reference, declaration);
        reference_wake(&world->reference);
    }
    *error = problem.error;
    end_input(world, &before);
    return r;
}

int world_run_job(struct world *world, uint32_t number, const char *name, enum same_name same_name,
                  struct error *error)
{
    static const struct supervisor_declaration jobs = {
        .path = JOB_SUPERVISOR, .burst = 10, .interval_usec = UINT64_C(300) * 1000000};
    struct actor *actor = &world->actors[number];
    struct child_declaration declaration = *actor->declaration;
    struct declaration_problem problem = {};
    struct checks_before before;
    struct job *job;

    declaration.id = name;
    begin_input(world, INPUT_RUN_JOB, NULL);
    world_note(
        world,
        &(struct record){.kind = RECORD_INPUT, .what = "run job", .child = actor->declaration->id});
    checks_before(world, NULL, &before);
    int wanted = reference_may_run(&world->reference, name, same_name);
    world->in_core = true;
    int r =
        core_run_job(world->core, &declaration, same_name, "operator", "replaced", &job, &problem);
    world->in_core = false;
    if (r != wanted)
        world_fail(world, CHECK_JOBS, "the job %s was answered with %d, it should have been %d",
                   name, r, wanted);
    if (r == 0) {
        world->jobs++;
        if (world->jobs == 1)
            reference_supervise(&world->reference, &jobs);
        uint32_t first = world->reference.count;
        add_reference(world, actor);
        reference_declared(&world->reference, first);
        reference_run_job(&world->reference, actor->reference, name, same_name);
    }
    *error = problem.error;
    end_input(world, &before);
    return r;
}

/* ---- what happens next ----------------------------------------------------------------------- */

static struct process *still_there(struct actor *actor, const struct pending *pending)
{
    struct process *process = world_process(actor, pending->attempt);
    return process && process->id.serial == pending->serial && process->state != PROCESS_GONE
               ? process
               : NULL;
}

static void turn(struct world *world)
{
    if (world->turn)
        world->turn(world, world->turn_userdata);
}

static void happen(struct world *world, struct pending pending)
{
    struct actor *actor = &world->actors[pending.actor];
    struct process *process;

    switch (pending.kind) {
    case PENDING_REPORT:
        world_report(world, &pending.report);
        return;
    case PENDING_STEP:
        process = still_there(actor, &pending);
        if (process && process->state == PROCESS_ALIVE &&
            process->wait_serial == pending.wait_serial)
            executor_proceed(world, actor, process);
        return;
    case PENDING_BEAT:
        process = still_there(actor, &pending);
        if (process && process->state == PROCESS_ALIVE)
            executor_beat(world, actor, process);
        return;
    case PENDING_END:
        process = still_there(actor, &pending);
        if (process)
            executor_end(world, actor, process, pending.dies);
        return;
    case PENDING_TURN:
        turn(world);
        return;
    }
}

static struct pending remove_pending(struct world *world, uint32_t i)
{
    struct pending pending = world->pending[i];

    world->pending[i] = world->pending[--world->n_pending];
    return pending;
}

#define TIES_MAX     64
#define TIMER_CHOICE UINT32_MAX

struct ties {
    uint64_t due;
    uint32_t choice[TIES_MAX]; /* index in pending, or TIMER_CHOICE */
    uint64_t order[TIES_MAX];
    uint32_t n;
};

static void add_tie(struct ties *ties, uint64_t due, uint64_t order, uint32_t choice)
{
    if (due < ties->due) {
        ties->due = due;
        ties->n = 0;
    }
    if (due > ties->due || ties->n == TIES_MAX)
        return;
    uint32_t at = ties->n++;
    for (; at > 0 && ties->order[at - 1] > order; at--) {
        ties->order[at] = ties->order[at - 1];
        ties->choice[at] = ties->choice[at - 1];
    }
    ties->order[at] = order;
    ties->choice[at] = choice;
}

static void find_ties(const struct world *world, struct ties *ties)
{
    ties->due = UINT64_MAX;
    ties->n = 0;
    for (uint32_t i = 0; i < world->n_pending; i++)
        add_tie(ties, world->pending[i].due_nsec, world->pending[i].order, i);
    if (world->timer_usec > 0)
        add_tie(ties, world->timer_due_nsec, world->timer_order, TIMER_CHOICE);
}

/* Who is behind a choice, for the chooser that gives priorities to them. */
static uint64_t key_of(const struct world *world, uint32_t choice)
{
    if (choice == TIMER_CHOICE)
        return 1;
    return 2 + world->pending[choice].kind + 16 * (uint64_t)world->pending[choice].actor;
}

bool world_step(struct world *world, uint64_t until_nsec)
{
    struct ties ties;
    uint32_t picked = 0;

    if (world->verdict.check != CHECK_NONE)
        return false;
    find_ties(world, &ties);
    if (ties.n == 0 || ties.due > until_nsec)
        return false;
    if (ties.n > 1) {
        uint64_t keys[TIES_MAX];
        for (uint32_t i = 0; i < ties.n; i++)
            keys[i] = key_of(world, ties.choice[i]);
        picked = schedule_pick(world->schedule, keys, ties.n);
    }
    if (ties.due > world->now_nsec)
        world->now_nsec = ties.due;
    if (ties.choice[picked] == TIMER_CHOICE)
        world_timer(world);
    else
        happen(world, remove_pending(world, ties.choice[picked]));
    return world->verdict.check == CHECK_NONE;
}

uint32_t world_choices(const struct world *world)
{
    return world->n_pending + (world->timer_usec > 0);
}

/* Time stands still but for the timer: whatever is under way may come before or after anything. */
void world_take(struct world *world, uint32_t i)
{
    if (i < world->n_pending) {
        happen(world, remove_pending(world, i));
        return;
    }
    uint64_t due = (era_clock(&world->era, world->timer_usec) + world->boot_usec) * 1000;
    if (due > world->now_nsec)
        world->now_nsec = due;
    world_timer(world);
}

uint64_t world_hash(const struct world *world)
{
    return world->hash * UINT64_C(0x9E3779B97F4A7C15) ^ core_hash(world->core) ^ world->inputs;
}
