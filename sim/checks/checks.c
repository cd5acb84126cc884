#include "checks/checks.h"

#include "checks/causes.h"
#include "checks/shown.h"
#include "core/rules/start.h"

#include <stdio.h>
#include <string.h>

/* ---- calls ----------------------------------------------------------------------------------- */

static bool requires_somebody(const struct actor *actor)
{
    const struct child_declaration *d = &actor->child->config->declaration;
    return d->n_requires + d->n_after > 0;
}

static bool declared_after(const struct child *child, const struct child *other)
{
    for (; other; other = core_next(other))
        if (other == child)
            return true;
    return false;
}

static bool is_below(const struct child *child, const struct supervisor *supervisor)
{
    const struct supervisor *s = child->member.supervisor;
    while (s && s != supervisor)
        s = s->member.supervisor;
    return s != NULL;
}

/* Whether the strategy lets `actor` be stopped for the failure of another one. Where a supervisor
 * melts down it is a wider scope, and the reference model knows how wide. */
static bool shares_the_fate(const struct world *world, const struct child *child)
{
    const struct child *failed = world->input_actor->child;
    const struct supervisor *supervisor = failed->member.supervisor;
    enum strategy strategy = supervisor->config->declaration.strategy;

    if (world->melting || child == failed)
        return true;
    if (world->input == INPUT_COMMAND || !is_below(child, supervisor) ||
        failed->config->declaration.role == ROLE_SIDECAR ||
        (child->member.supervisor == supervisor ? child->group : NULL) != failed->group)
        return false;
    if (failed->group)
        strategy = failed->group->declaration.strategy;
    return strategy == STRATEGY_ONE_FOR_ALL ||
           (strategy == STRATEGY_REST_FOR_ONE && declared_after(child, failed));
}

/* It has been asked to go before; now those that depend on it are gone. */
static bool has_its_turn(const struct actor *actor)
{
    return actor->reference && actor->reference->waits_to_go;
}

/* Also one that has just been removed: its record has gone, its declaration has not. */
static bool is_sidecar_of(const struct actor *sidecar, const struct actor *primary)
{
    const struct child_declaration *d = sidecar->declaration;
    const char *first = d->n_requires > 0 ? d->requires[0] : "";

    return d->role == ROLE_SIDECAR && strcmp(first, primary->declaration->id) == 0;
}

/* What is started after something that happened to another one has waited: for those that are
 * restarted with it, for room, for what it requires, for a sidecar, or for a place among the jobs.
 */
static bool in_scope(const struct world *world, const struct actor *actor, const char *what)
{
    if (what[0] == 's')
        return actor->ledger.fence_entered || actor->ledger.queued || requires_somebody(actor) ||
               actor->child->job || actor->child->first_sidecar ||
               is_sidecar_of(world->input_actor, actor);
    if (has_its_turn(actor) || (actor->child->primary && has_its_turn(actor->child->primary->host)))
        return true;
    return shares_the_fate(world, actor->child) ||
           (actor->child->primary && shares_the_fate(world, actor->child->primary));
}

/* What happens to one child starts or stops no other, but by the strategy, and those that wait for
 * it. */
static void check_scope(struct world *world, struct actor *actor, const char *what)
{
    bool about_one = world->input == INPUT_COMPLETED || world->input == INPUT_MAIN_EXITED ||
                     world->input == INPUT_SPAWN_FAILED || world->input == INPUT_SPAWNED ||
                     world->input == INPUT_NOTIFY || world->input == INPUT_COMMAND;

    if (about_one && world->input_actor && world->input_actor != actor && !world->shutdown_begun &&
        !in_scope(world, actor, what))
        world_fail(world, CHECK_SCOPE, "%s of %s follows from something that happened to %s", what,
                   actor->declaration->id, world->input_actor->declaration->id);
}

/* It is ready; or it runs, where the other one is a sidecar of it and it is ready by its end. */
static bool may_be_needed(const struct actor *actor, const struct actor *target)
{
    return target->ledger.ready ||
           (actor->child->primary == target->child && target->ledger.running &&
            declaration_is_ready_by_exit(&target->child->config->declaration));
}

static void check_requirements(struct world *world, struct actor *actor)
{
    const struct child_declaration *d = &actor->child->config->declaration;

    for (size_t i = declaration_is_around(d) ? 1 : 0; i < d->n_requires; i++) {
        struct actor *target = world_find(world, d->requires[i]);
        if (!target || !target->child || !may_be_needed(actor, target))
            world_fail(world, CHECK_REQUIRES, "%s starts and %s, which it requires, is not ready",
                       d->id, d->requires[i]);
    }
}

/* A start that has not come to its program for so long holds no place any more. */
#define PLACE_NSEC UINT64_C(1000000000)

static bool holds_place(const struct world *world, const struct ledger *ledger)
{
    return ledger->in_flight &&
           (ledger->running || world->now_nsec - ledger->started_nsec < PLACE_NSEC);
}

/* Who runs and has nothing that bounds how long it takes: a newer declaration may say so. */
static bool is_unbounded(const struct actor *actor)
{
    const struct child_declaration *d = &actor->child->config->declaration;

    return actor->ledger.running && (d->start_timeout_usec == 0 || d->readiness == READINESS_JOB);
}

/* Automatic restarts on their way, by what was announced of each. */
static void check_cap(struct world *world, const struct supervisor *supervisor)
{
    uint32_t cap = supervisor_cap(world->core, supervisor), flying = 0;

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct actor *actor = &world->actors[i];
        flying += actor->child && actor->child->member.supervisor == supervisor &&
                  holds_place(world, &actor->ledger) && !is_unbounded(actor);
    }
    if (flying > cap)
        world_fail(world, CHECK_CAP, "%u restarts are in flight under \"%s\", the cap is %u",
                   flying, supervisor->path, cap);
}

void checks_start(struct world *world, struct actor *actor, struct attempt_id id)
{
    const char *name = actor->declaration->id;

    if (world_processes(actor) > 0)
        world_fail(world, CHECK_ONE_ATTEMPT,
                   "%s is started (attempt %ju) while a process of it is alive", name,
                   (uintmax_t)id.attempt);
    if (world->shutdown_begun)
        world_fail(world, CHECK_NO_LATE_START, "%s is started after the shutdown began", name);
    if (actor->ledger.held)
        world_fail(world, CHECK_HOLD, "%s is started under a hold", name);
    if (id.attempt != actor->ledger.attempts + 1 ||
        id.generation != (actor->ledger.born ? actor->ledger.generation + 1 : 0))
        world_fail(world, CHECK_MONOTONE, "%s: generation %ju, attempt %ju follows %ju, %ju", name,
                   (uintmax_t)id.generation, (uintmax_t)id.attempt,
                   (uintmax_t)actor->ledger.generation, (uintmax_t)actor->ledger.attempts);
    actor->ledger.attempts = id.attempt;
    if (actor->ledger.in_flight)
        check_cap(world, actor->child->member.supervisor);
    check_requirements(world, actor);
    check_scope(world, actor, "start");
}

void checks_cancel(struct world *world, struct actor *actor, struct process *process)
{
    if (!process)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: cancel of an attempt that never was",
                   actor->declaration->id);
    else if (process->cancels > 0)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: a second cancel of attempt %ju",
                   actor->declaration->id, (uintmax_t)process->id.attempt);
    check_scope(world, actor, "cancel");
}

void checks_abort(struct world *world, struct actor *actor, struct process *process)
{
    if (!process)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: abort of an attempt that never was",
                   actor->declaration->id);
    else if (process->aborts > 0)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: a second abort of attempt %ju",
                   actor->declaration->id, (uintmax_t)process->id.attempt);
}

void checks_escalate(struct world *world, struct actor *actor, const struct process *process)
{
    if (process->cancels == 0 || process->aborts > 0)
        world_fail(world, CHECK_CANCEL_ONCE, "%s: a further signal %s", actor->declaration->id,
                   process->aborts > 0 ? "after the abort" : "before the cancel");
}

void checks_forget(struct world *world, struct actor *actor)
{
    if (world_processes(actor) > 0)
        world_fail(world, CHECK_ONE_ATTEMPT, "%s is forgotten while a process of it is alive",
                   actor->declaration->id);
}

/* ---- events ---------------------------------------------------------------------------------- */

static const struct event_field *field(const struct event *event, const char *key)
{
    for (size_t i = 0; i < event->n_fields; i++)
        if (strcmp(event->fields[i].key, key) == 0)
            return &event->fields[i];
    return NULL;
}

static bool text_is(const struct event *event, const char *key, const char *text)
{
    const struct event_field *found = field(event, key);
    return found && strcmp(found->text, text) == 0;
}

static bool flag_is_set(const struct event *event, const char *key)
{
    const struct event_field *found = field(event, key);
    return found && found->flag;
}

static void must(struct world *world, const struct event *event, bool holds, const char *before)
{
    if (!holds)
        world_fail(world, CHECK_EVENTS, "%s comes, but %s had not",
                   event_kind_to_string(event->kind), before);
}

/* A few are enough for most: the exploration copies the world in each step. */
static void make_room(struct world *world, struct ledger *ledger)
{
    uint32_t room = ledger->counted_max > 0 ? ledger->counted_max * 2 : 4;
    uint64_t *larger = world_allocate(world, room * sizeof(*larger));

    if (ledger->counted) {
        memcpy(larger, ledger->counted, ledger->n_counted * sizeof(*larger));
        memory_release(world->memory, ledger->counted);
    }
    ledger->counted = larger;
    ledger->counted_max = room;
}

static void count_exit(struct world *world, struct ledger *ledger, const struct event *event)
{
    const struct event_field *counted = field(event, "counted");

    if (!counted || !counted->flag)
        return;
    if (ledger->n_counted == WORLD_COUNTED_MAX)
        memmove(ledger->counted, ledger->counted + 1,
                --ledger->n_counted * sizeof(ledger->counted[0]));
    if (ledger->n_counted == ledger->counted_max)
        make_room(world, ledger);
    ledger->counted[ledger->n_counted++] = world->reference.now;
}

static void end_of_attempt(struct world *world, struct ledger *ledger, const struct event *event)
{
    count_exit(world, ledger, event);
    ledger->succeeded = text_is(event, "exit", "succeeded");
    ledger->started = ledger->running = ledger->ready = ledger->in_flight = false;
}

static void enter_running(struct world *world, struct ledger *ledger, const struct event *event)
{
    const struct child_declaration *declaration = &event->child->config->declaration;

    must(world, event, ledger->started && !ledger->running, "child-starting");
    ledger->in_flight = holds_place(world, ledger) && declaration->start_timeout_usec > 0 &&
                        declaration->readiness != READINESS_JOB;
    ledger->running = true;
    ledger->queued = false;
    ledger->generation = event->generation;
    ledger->born = true;
}

static void enter_child_event(struct world *world, struct actor *actor, const struct event *event)
{
    struct ledger *ledger = &actor->ledger;

    switch ((int)event->kind) {
    case EVENT_CHILD_ADDED:
        if (ledger->serial != event->child->serial)
            *ledger = (struct ledger){.serial = event->child->serial,
                                      .born = ledger->born, /* of its id, and not of its record */
                                      .generation = ledger->generation,
                                      .counted = ledger->counted,
                                      .counted_max = ledger->counted_max};
        return;
    case EVENT_CHILD_STARTING:
        must(world, event, !ledger->started, "the end of the attempt before");
        ledger->started = true;
        ledger->running = ledger->ready = ledger->succeeded = false;
        ledger->in_flight = flag_is_set(event, "automatic");
        ledger->started_nsec = world->now_nsec;
        return;
    case EVENT_CHILD_RUNNING:
        enter_running(world, ledger, event);
        return;
    case EVENT_CHILD_READY:
        if (declaration_is_ready_by_exit(&event->child->config->declaration) && !event->child->job)
            must(world, event, ledger->succeeded, "an end with success");
        else
            must(world, event, ledger->running, "child-running");
        ledger->ready = true;
        ledger->in_flight = false;
        return;
    case EVENT_CHILD_NOT_READY:
        must(world, event, ledger->started, "child-starting");
        ledger->ready = false;
        ledger->in_flight &= !flag_is_set(event, "stopping");
        return;
    case EVENT_CHILD_CONTROL_CANCEL_DELIVERED:
        must(world, event, ledger->started, "child-starting");
        ledger->ready = ledger->in_flight = false;
        return;
    case EVENT_CHILD_CONTROL_ABORT_REQUESTED:
        must(world, event, ledger->started, "child-starting");
        ledger->in_flight = false;
        return;
    case EVENT_CHILD_RESTART_QUEUED:
        must(world, event, !ledger->started, "the end of the attempt before");
        ledger->queued = true;
        return;
    case EVENT_CHILD_RESTART_LIMIT_UPDATED:
        if (text_is(event, "why", "escalated"))
            ledger->n_counted = 0;
        return;
    case EVENT_CHILD_EXITED:
        must(world, event, ledger->running, "child-running");
        end_of_attempt(world, ledger, event);
        return;
    case EVENT_CHILD_SPAWN_FAILED:
        end_of_attempt(world, ledger, event);
        return;
    case EVENT_CHILD_RESTART_FENCE_ENTERED:
        ledger->fence_entered = true;
        return;
    case EVENT_CHILD_RESTART_FENCE_ABORT_REQUESTED:
        must(world, event, ledger->fence_entered, "child-restart-fence-entered");
        return;
    case EVENT_CHILD_RESTART_FENCE_RELEASED:
        must(world, event, ledger->fence_entered, "child-restart-fence-entered");
        ledger->fence_entered = false;
        return;
    case EVENT_CHILD_OPERATION_CHANGED:
        ledger->held = !text_is(event, "to", "active");
        if (text_is(event, "from", "quarantined") && !ledger->held)
            ledger->n_counted = 0;
        return;
    case EVENT_CHILD_BACKOFF_SCHEDULED:
        if (text_is(event, "why", "backoff"))
            reference_drew(actor->reference, field(event, "drawn_usec")->number);
        return;
    }
}

static void enter_tree_event(struct world *world, const struct event *event)
{
    if (event->kind == EVENT_SHUTDOWN_REQUESTED) {
        must(world, event, !world->shutdown_begun, "the end of the shutdown before");
        world->shutdown_begun = true;
    } else if (event->kind == EVENT_SHUTDOWN_COMPLETED) {
        must(world, event, world->shutdown_begun && !world->shutdown_completed,
             "shutdown-requested");
        world->shutdown_completed = true;
    }
}

/* A cause is the id of a command, and commands are numbered as they come. */
static void check_cause(struct world *world, const struct event *event)
{
    bool begins = event->kind == EVENT_COMMAND_ACCEPTED || event->kind == EVENT_CHILD_ADDED ||
                  event->kind == EVENT_SHUTDOWN_REQUESTED;

    if (begins && event->cause == world->commands + 1)
        world->commands++;
    if (event->cause > world->commands)
        world_fail(world, CHECK_EVENTS, "%s is caused by command %ju, and the last was %ju",
                   event_kind_to_string(event->kind), (uintmax_t)event->cause,
                   (uintmax_t)world->commands);
}

static void note_event(struct world *world, const struct event *event)
{
    char text[RECORD_EVENT_TEXT];

    if (!world->observe)
        return;
    record_event_text(event, text);
    world_note(world, &(struct record){.kind = RECORD_EVENT,
                                       .what = event_kind_to_string(event->kind),
                                       .event = event->kind,
                                       .child = event->child ? event->child->id : "",
                                       .has_attempt = event->child != NULL,
                                       .generation = event->generation,
                                       .attempt = event->attempt,
                                       .cause = event->cause,
                                       .text = text});
}

void checks_event(struct world *world, const struct event *event)
{
    world->hash = (world->hash ^ event->kind ^ event->generation << 8 ^ event->attempt << 24 ^
                   event->cause << 40) *
                      UINT64_C(0x100000001B3) +
                  event->monotonic_usec;
    if (world->observe)
        note_event(world, event);
    world->melting = world->melting || event->kind == EVENT_MELTDOWN;
    world->marks[0] |= UINT64_C(1) << event->kind;
    if (event->sequence != ++world->sequence)
        world_fail(world, CHECK_EVENTS, "event %ju follows %ju", (uintmax_t)event->sequence,
                   (uintmax_t)world->sequence - 1);
    check_cause(world, event);
    causes_event(world, event);
    if (event->child)
        enter_child_event(world, event->child->host, event);
    else
        enter_tree_event(world, event);
}

/* ---- after each input ------------------------------------------------------------------------ */

static bool will_be_stale(const struct world *world, const struct report *report)
{
    const struct actor *actor = &world->actors[report->actor];
    struct heard heard = world_heard(report);

    /* About a record that is gone there is nothing that it could change. */
    return actor->child && actor->serial == report->id.serial && actor->reference &&
           reference_is_stale(actor->reference, &heard);
}

void checks_before(struct world *world, const struct report *report, struct checks_before *before)
{
    before->allocations = world->allocations;
    before->calls = world->calls;
    before->stale = report && will_be_stale(world, report);
    if (before->stale)
        before->copy = *world->actors[report->actor].child;
}

static void check_stale(struct world *world, const struct checks_before *before)
{
    const struct actor *actor = world->input_actor;
    struct child now;

    if (!actor->child) {
        world_fail(world, CHECK_STALE, "a stale report removed %s", actor->declaration->id);
        return;
    }
    now = *actor->child;
    now.last_stale = before->copy.last_stale;
    now.changed = before->copy.changed;
    now.changed_next = before->copy.changed_next;
    if (memcmp(&now, &before->copy, sizeof(now)) != 0)
        world_fail(world, CHECK_STALE, "a stale report changed the record of %s",
                   actor->declaration->id);
    if (world->calls != before->calls)
        world_fail(world, CHECK_STALE, "a stale report about %s made the core act",
                   actor->declaration->id);
}

/* What the record says is what was started and announced: never less, never more. */
static void check_monotone(struct world *world, struct actor *actor)
{
    const struct child *child = actor->child;
    const struct ledger *ledger = &actor->ledger;

    if (child->generation != ledger->generation || child->attempts != ledger->attempts)
        world_fail(world, CHECK_MONOTONE,
                   "%s: generation %ju, attempts %ju; announced were %ju, %ju", child->id,
                   (uintmax_t)child->generation, (uintmax_t)child->attempts,
                   (uintmax_t)ledger->generation, (uintmax_t)ledger->attempts);
}

/* A newer declaration is in force: what had left the old window is not in the new one. */
static void new_window(const struct world *world, struct actor *actor)
{
    const struct restart_limit *limit = &actor->child->restart_limit;
    struct ledger *ledger = &actor->ledger;
    uint32_t kept = 0;

    for (uint32_t i = 0; ledger->config && i < ledger->n_counted; i++)
        if (world->reference.now - ledger->counted[i] <= ledger->interval_usec)
            ledger->counted[kept++] = ledger->counted[i];
    uint32_t burst = limit->burst < ledger->burst ? limit->burst : ledger->burst;
    for (; kept > burst + 1; kept--)
        memmove(ledger->counted, ledger->counted + 1, (kept - 1) * sizeof(*ledger->counted));
    ledger->in_flight = ledger->in_flight && !is_unbounded(actor);
    ledger->n_counted = ledger->config ? kept : ledger->n_counted;
    ledger->config = actor->child->config;
    ledger->interval_usec = limit->interval_usec;
    ledger->burst = limit->burst;
}

/* The window from the exits that were announced, counted one by one. */
static void check_window(struct world *world, struct actor *actor)
{
    const struct restart_limit *limit = &actor->child->restart_limit;
    struct ledger *ledger = &actor->ledger;
    uint64_t now = world->reference.now;
    uint32_t naive = 0;

    if (ledger->config != actor->child->config)
        new_window(world, actor);
    if (limit->burst + 1 >= WORLD_COUNTED_MAX ||
        (actor->child->timers[TIMER_WINDOW].deadline_usec > 0 &&
         actor->child->timers[TIMER_WINDOW].deadline_usec <= now))
        return; /* its timer is on its way: until then, an old exit may still be shown */
    for (uint32_t i = 0; i < ledger->n_counted; i++)
        naive += now - ledger->counted[i] <= limit->interval_usec;
    if (naive > limit->burst + 1)
        naive = limit->burst + 1;
    if (naive != limit->used)
        world_fail(world, CHECK_WINDOW, "%s: %u counted exits in the window, the core says %u",
                   actor->child->id, naive, limit->used);
}

static void check_timers(struct world *world)
{
    uint64_t first = core_shutdown_deadline(world->core);

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *child = world->actors[i].child;
        for (int t = 0; child && t < CHILD_TIMERS; t++) {
            uint64_t deadline = child->timers[t].deadline_usec;
            if (deadline > 0 && (first == 0 || deadline < first))
                first = deadline;
        }
    }
    if (first != world->timer_usec)
        world_fail(world, CHECK_TIMERS, "the earliest deadline is %ju, the timer is set to %ju",
                   (uintmax_t)first, (uintmax_t)world->timer_usec);
    if (world->input == INPUT_TIMER && first > 0 && first <= world->reference.now)
        world_fail(world, CHECK_TIMERS, "a deadline has passed and was not handled");
}

static void check_memory(struct world *world, const struct checks_before *before)
{
    bool may = world->input == INPUT_DECLARE || world->input == INPUT_REDECLARE ||
               world->input == INPUT_REDECLARE_SUPERVISOR || world->input == INPUT_RUN_JOB;

    if (!may && world->allocations != before->allocations)
        world_fail(world, CHECK_MEMORY, "an input made the core allocate");
}

static bool left_by_a_failed_abort(const struct actor *actor)
{
    return actor->child && (actor->child->shutdown.result == SHUTDOWN_ABORT_FAILED ||
                            actor->child->shutdown.result == SHUTDOWN_LATE_REPORT);
}

static void check_row(struct world *world, struct actor *actor)
{
    struct shutdown_row row;
    const struct process *process;

    if (!core_shutdown_row(world->core, actor->child, &row)) {
        world_fail(world, CHECK_SHUTDOWN_REPORT, "%s is not in the report", actor->declaration->id);
        return;
    }
    process = world_process(actor, row.attempt);
    bool wrong = row.result == SHUTDOWN_PENDING ||
                 (row.result == SHUTDOWN_ALREADY_EXITED && row.attempt != 0) ||
                 (row.result == SHUTDOWN_GRACEFUL && (!process || process->aborts > 0)) ||
                 (row.result == SHUTDOWN_ABORTED && (!process || process->aborts == 0));
    if (process && row.cancel_delivered != (process->cancels > 0))
        wrong = true;
    if (wrong)
        world_fail(world, CHECK_SHUTDOWN_REPORT, "%s is reported as %s, cancel delivered: %s",
                   actor->declaration->id, shutdown_result_to_string(row.result),
                   row.cancel_delivered ? "yes" : "no");
    if (world_processes(actor) > 0 && !left_by_a_failed_abort(actor))
        world_fail(world, CHECK_NOTHING_LEFT, "a process of %s outlives the shutdown",
                   actor->declaration->id);
}

static void check_report(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        if (world->actors[i].child)
            check_row(world, &world->actors[i]);
}

/* No process of an attempt outlives it, but what was to be kept: the world counts them. */
static void check_nobody_left(struct world *world, const struct actor *actor)
{
    if (!actor->child->attempt.active && world_processes(actor) > 0)
        world_fail(world, CHECK_ONE_ATTEMPT,
                   "an attempt of %s is over while a process of it is alive",
                   actor->declaration->id);
}

/* ---- the reference model --------------------------------------------------------------------- */

#define SAME(what, core_says, reference_says)                                                      \
    do {                                                                                           \
        uint64_t a_ = (uint64_t)(core_says), b_ = (uint64_t)(reference_says);                      \
        if (a_ != b_) {                                                                            \
            world_fail(world, CHECK_REFERENCE,                                                     \
                       "%s: %s is %ju in the core and %ju in the reference model", name, what,     \
                       (uintmax_t)a_, (uintmax_t)b_);                                              \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static void agree_on_attempt(struct world *world, const char *name, const struct attempt *mine,
                             const struct ref_attempt *its)
{
    SAME("active", mine->active, its->active);
    if (!mine->active)
        return;
    SAME("spawned", mine->spawned, its->spawned);
    SAME("cancel delivered", mine->cancel_delivered, its->cancelled);
    SAME("abort requested", mine->abort_requested, its->aborted);
    SAME("forced exit", mine->forced, its->forced);
    SAME("status", mine->status, its->status);
    SAME("attempt's generation", mine->generation, its->generation);
    SAME("attempt", mine->number, its->number);
    SAME("ready since", mine->ready_usec, its->ready_since);
    SAME("health check open", mine->check_open, its->check_open);
    SAME("health checks", mine->checks, its->checks);
    SAME("unhealthy", mine->unhealthy, its->unhealthy);
    SAME("stopping", mine->stopping, its->stopping);
    SAME("reloading", mine->reloading, its->reloading);
    SAME("how far a reload has come", (int)mine->reload, (int)its->reload);
    SAME("proven", mine->proven, its->proven);
    SAME("ran out", mine->ran_out, its->ran_out);
    SAME("step of the stop", mine->stop_step, its->stop_step);
    SAME("main process gone", mine->main.gone, its->main_gone);
    if (mine->main.gone)
        SAME("main process's exit", mine->main.kind, its->main_exit);
}

static void agree_on_restarts(struct world *world, const char *name, const struct child *mine,
                              const struct ref_child *its)
{
    SAME("fence phase", mine->fence_phase, its->fence);
    SAME("fencing token", mine->fence, its->token);
    SAME("pending restart", mine->pending.active, its->pending);
    if (mine->pending.active) {
        SAME("pending by resume", mine->pending.by_resume, its->pending_by_resume);
        SAME("pending old generation", mine->pending.old_generation, its->pending_generation);
        SAME("pending target", mine->pending.target_generation, its->pending_target);
        SAME("pending old attempt", mine->pending.old_attempt, its->pending_attempt);
        SAME("duplicate requests", mine->pending.duplicates, its->duplicates);
    }
    SAME("backoff n", mine->backoff_n, its->backoff_n);
    SAME("restart count", mine->restart_count, its->restart_count);
    SAME("used", mine->restart_limit.used, its->used);
    SAME("a newer declaration waits", mine->next_config != NULL, reference_waits(its));
    SAME("exit", mine->last_exit.kind, its->exit);
    SAME("exit's generation", mine->last_exit.generation, its->exit_generation);
    SAME("exit's attempt", mine->last_exit.attempt, its->exit_attempt);
    SAME("decision", mine->last_exit.decision, its->decision);
    SAME("waits for a dependency", mine->start == START_DEPENDENCY, its->waits > 0);
    SAME("waits for its scope", mine->scope != NULL, its->scope > 0);
    SAME("queued", mine->start == START_QUEUED, its->queued > 0);
    SAME("waits for its turn to stop", mine->stop_waits, its->waits_to_go);
    SAME("in flight", mine->in_flight, its->in_flight);
    SAME("group", mine->group ? mine->group - mine->member.supervisor->config->groups : -1,
         its->group);
    for (int t = 0; t < CHILD_TIMERS; t++) {
        static const char *const names[] = {
            "stop deadline",      "start deadline",  "start timeout",
            "heartbeat deadline", "window deadline", "health deadline",
            "place deadline",     "change deadline", "run deadline"};
        static const enum ref_timer same[] = {REF_STOP,      REF_START,  REF_START_TIMEOUT,
                                              REF_HEARTBEAT, REF_WINDOW, REF_HEALTH,
                                              REF_PLACE,     REF_CHANGE, REF_RUN};
        SAME(names[t], mine->timers[t].deadline_usec, its->deadline[same[t]]);
    }
}

static void agree(struct world *world, const struct actor *actor)
{
    const struct child *mine = actor->child;
    const struct ref_child *its = actor->reference;
    const char *name = actor->declaration->id;

    SAME("declared", mine != NULL, its && its->here);
    if (!mine)
        return;
    SAME("operation", mine->operation, its->operation);
    SAME("wanted", mine->wanted, its->wanted);
    SAME("born", mine->born, its->born);
    SAME("gave up", mine->gave_up, its->gave_up);
    SAME("on trial", mine->on_trial, its->on_trial);
    SAME("cool-downs", mine->cool_downs, its->cool_downs);
    SAME("generation", mine->generation, its->generation);
    SAME("attempts", mine->attempts, its->attempts);
    SAME("stop state", mine->stop_state, its->stop_state);
    SAME("failure", mine->failure.phase, its->failure);
    SAME("readiness", mine->readiness, its->readiness);
    SAME("reload result", mine->reload_result, its->reload_result);
    SAME("last heartbeat", mine->heartbeat_usec_monotonic, its->heartbeat);
    SAME("last heartbeat's stamp", mine->heartbeat_usec, its->heartbeat_realtime);
    SAME("stale", mine->heartbeat_stale, its->stale);
    SAME("stale reports", mine->last_stale.count, its->stale_reports);
    SAME("left", mine->left, its->leftovers);
    if (world->shutdown_begun)
        SAME("shutdown result", mine->shutdown.result, its->result);
    agree_on_attempt(world, name, &mine->attempt, &its->attempt);
    agree_on_restarts(world, name, mine, its);
}

static struct tally tally_below(const struct world *world, const struct supervisor *supervisor)
{
    struct tally tally = {};

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *child = world->actors[i].child;
        if (!child || !is_below(child, supervisor))
            continue;
        tally.children++;
        tally.attempts += child->attempt.active;
        tally.held += child->operation != CHILD_ACTIVE;
        tally.scoped += child->scope != NULL;
    }
    return tally;
}

static void agree_on_supervisor(struct world *world, const struct supervisor *mine,
                                const struct ref_supervisor *its)
{
    const char *name = mine->path[0] ? mine->path : "the root";

    struct tally tally = tally_below(world, mine);
    SAME("children below", mine->tally.children, tally.children);
    SAME("attempts below", mine->tally.attempts, tally.attempts);
    SAME("held below", mine->tally.held, tally.held);
    SAME("waiting for their scope below", mine->tally.scoped, tally.scoped);
    SAME("failures used", mine->limit.used, its->used);
    for (size_t g = 0; g < its->declaration->n_groups; g++) {
        SAME("failures used of a group", mine->config->groups[g].limit.used, its->groups[g].used);
        SAME("a scope of a group", mine->config->groups[g].scope.restarting,
             reference_restarts(&world->reference, (uint32_t)(its - world->reference.supervisors),
                                (int)g));
    }
    SAME("restarts together", mine->scope.restarting,
         reference_restarts(&world->reference, (uint32_t)(its - world->reference.supervisors), -1));
}

static void agree_on_supervisors(struct world *world)
{
    const char *name = "the tree";

    for (uint32_t i = 0; i < world->reference.n_supervisors; i++) {
        const struct ref_supervisor *its = &world->reference.supervisors[i];
        const struct supervisor *mine = core_find_supervisor(world->core, its->declaration->path);
        SAME("a supervisor", mine != NULL, true);
        agree_on_supervisor(world, mine, its);
    }
}

/* Also: no more of them at once than there are places, and each is started once at most. */
static void agree_on_jobs(struct world *world)
{
    uint32_t number = 0, running = 0;

    for (const struct job *job = core_first_job(world->core); job; job = job->next, number++) {
        const char *name = job->name;
        const struct ref_job *its = &world->reference.jobs[number];
        SAME("the number of jobs", number < world->reference.n_jobs, true);
        SAME("the state of a job", job->state, its->state);
        SAME("the result of a job", job->result, its->result);
        running += job->state == JOB_RUNNING;
        if (job->child && job->child->attempts > 1)
            world_fail(world, CHECK_JOBS, "the job %s is started again", name);
    }
    if (running > core_max_jobs(world->core))
        world_fail(world, CHECK_JOBS, "%u jobs run, there are %u places", running,
                   core_max_jobs(world->core));
}

void checks_agreement(struct world *world)
{
    const char *name = "the tree";

    for (uint32_t i = 0; i < world->n_actors; i++)
        agree(world, &world->actors[i]);
    agree_on_supervisors(world);
    agree_on_jobs(world);
    SAME("shutdown phase", core_shutdown_phase(world->core), world->reference.phase);
    SAME("bound of the shutdown", core_shutdown_deadline(world->core), world->reference.bound);
    SAME("shutdown by policy", core_shutdown_by_policy(world->core), world->reference.by_policy);
    if (world->reference.wrong)
        world_fail(world, CHECK_REFERENCE, "%s", world->reference.wrong);
}

/* ---- what a start waits for ------------------------------------------------------------------ */

/* The core, and the reference model, which has it from the text, tell the same. */
static void agree_on_wait(struct world *world, const struct actor *actor)
{
    const struct child *mine = actor->child;
    const char *name = actor->declaration->id;
    struct ref_wait its = reference_waits_for(&world->reference, actor->reference);
    struct start_dependency dependency = child_awaits(mine);

    SAME("what it waits for", child_waits_for(mine), its.reason);
    SAME("a dependency it waits for", dependency.id != NULL, its.target != NULL);
    if (!its.target)
        return;
    SAME("the dependency it waits for", strcmp(dependency.id, its.target), 0);
    SAME("by requires", dependency.required, its.required);
}

/* What a start waits for is one value, and it is what its timer and its scope say; who waits is
 * meant to run, and who is meant to run, and does not, waits. */
static void check_start(struct world *world, const struct child *child)
{
    bool backoff = child->timers[TIMER_START].deadline_usec > 0;
    bool scope = child->scope && child->pending.active && !child->attempt.active && !backoff;
    bool waits = child->start != START_WAITS_FOR_NOTHING;

    if (backoff != (child->start == START_BACKOFF))
        world_fail(world, CHECK_REFERENCE, "%s and its start deadline do not agree", child->id);
    else if (scope != (child->start == START_SCOPE))
        world_fail(world, CHECK_REFERENCE, "%s and its scope do not agree", child->id);
    else if (waits && (child->attempt.active || child->operation != CHILD_ACTIVE))
        world_fail(world, CHECK_REFERENCE, "%s waits to start%s", child->id,
                   child->attempt.active ? ", and has an attempt" : ", and is held");
    else if (waits && !child->wanted)
        world_fail(world, CHECK_REFERENCE, "%s waits to start, and nobody wants it to", child->id);
    else if (!waits && child->wanted && child->operation == CHILD_ACTIVE &&
             !child->attempt.active && core_shutdown_phase(world->core) == SHUTDOWN_IDLE)
        world_fail(world, CHECK_REFERENCE, "%s is meant to run, and waits for nothing", child->id);
}

/* ---- coverage -------------------------------------------------------------------------------- */

static void cover(struct world *world, const struct child *child)
{
    uint64_t state = (uint64_t)core_shutdown_phase(world->core);

    world->marks[1] |=
        UINT64_C(1) << child->last_exit.kind | UINT64_C(1) << (16 + child->last_exit.decision) |
        UINT64_C(1) << (26 + child->fence_phase) | UINT64_C(1) << (32 + child->failure.phase) |
        UINT64_C(1) << (40 + child->shutdown.result) |
        (uint64_t)(child->start == START_DEPENDENCY) << 48 | (uint64_t)child->on_trial << 49 |
        (uint64_t)(child->next_config != NULL) << 50 |
        (uint64_t)(child->start == START_QUEUED) << 51 | (uint64_t)(child->group != NULL) << 52;
    if (!world->states)
        return;
    state = state * 4 + child->operation;
    state = state * 6 + child_status(child);
    state = state * 5 + child->stop_state;
    state = state * 3 + child->readiness;
    state = state * 5 + child->fence_phase;
    state = state * 4 + child->failure.phase;
    state = state * 9 + child->last_exit.kind;
    state = state * 2 + child->pending.active;
    state = state * 2 + child->attempt.spawned;
    state = state * 2 + child->attempt.abort_requested;
    state = state * 2 + child->heartbeat_stale;
    state = state * 2 + (child->start == START_DEPENDENCY);
    state = state * 2 + child->wanted;
    state = state * 2 + child->gave_up;
    state = state * 2 + (child->timers[TIMER_START].deadline_usec > 0);
    state = (state * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - WORLD_STATE_BITS);
    world->states[state / 8] |= (unsigned char)(1 << (state % 8));
}

static bool depends_on(const struct child *child, const struct child *target)
{
    const struct child_declaration *d = &child->config->declaration;

    if (target->goes_around && target->primary == child)
        return true;
    for (size_t i = d->role == ROLE_SIDECAR ? 1 : 0; i < d->n_requires + d->n_after; i++)
        if (child->config->targets[i] == target)
            return true;
    return false;
}

/* Who waits for its turn to stop does so for somebody who is there. */
static void check_turn(struct world *world, const struct child *child)
{
    bool held_up = false;

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *other = world->actors[i].child;
        held_up = held_up ||
                  (other && other->holds_up && other->attempt.active && depends_on(other, child));
    }
    if (held_up != (child->held_up > 0))
        world_fail(world, CHECK_LIVENESS, "%s is held up by %u on their way out, and by%s one",
                   child->id, child->held_up, held_up ? "" : " not");
    if (child->stop_named || (child->stop_waits && (!held_up || !child->attempt.active)))
        world_fail(world, CHECK_LIVENESS, "%s waits for its turn to stop, and for nobody",
                   child->id);
}

void checks_after(struct world *world, const struct checks_before *before)
{
    bool was_completed = world->shutdown_completed;

    shown_check(world);
    if (before->stale)
        check_stale(world, before);
    for (uint32_t i = 0; i < world->n_actors; i++)
        if (world->actors[i].child) {
            check_monotone(world, &world->actors[i]);
            check_window(world, &world->actors[i]);
            check_start(world, world->actors[i].child);
            agree_on_wait(world, &world->actors[i]);
            check_turn(world, world->actors[i].child);
            check_nobody_left(world, &world->actors[i]);
        }
    if (world->input_actor && world->input_actor->child)
        cover(world, world->input_actor->child);
    check_timers(world);
    check_memory(world, before);
    checks_agreement(world);
    if (was_completed)
        check_report(world);
    if (core_sequence(world->core) != world->sequence)
        world_fail(world, CHECK_EVENTS, "the core counts %ju events, %ju came",
                   (uintmax_t)core_sequence(world->core), (uintmax_t)world->sequence);
}

void checks_outcome(struct world *world, const struct command *command,
                    const struct outcome *outcome, const struct outcome *expected)
{
    const char *name = command->child;

    SAME("outcome: command id", outcome->command_id, expected->command_id);
    SAME("outcome: attempt", outcome->attempt, expected->attempt);
    SAME("outcome: generation", outcome->generation, expected->generation);
    SAME("outcome: operation before", outcome->operation_before, expected->operation_before);
    SAME("outcome: operation after", outcome->operation_after, expected->operation_after);
    SAME("outcome: status", outcome->status, expected->status);
    SAME("outcome: cancel delivered", outcome->cancel_delivered, expected->cancel_delivered);
    SAME("outcome: stop state", outcome->stop_state, expected->stop_state);
    SAME("outcome: readiness", outcome->readiness, expected->readiness);
    SAME("outcome: reload", outcome->reload, expected->reload);
    SAME("outcome: stale", outcome->heartbeat_stale, expected->heartbeat_stale);
    SAME("outcome: used", outcome->restart_limit.used, expected->restart_limit.used);
    SAME("outcome: failure", outcome->failure.phase, expected->failure.phase);
    SAME("outcome: idempotent", outcome->idempotent, expected->idempotent);
    SAME("outcome: has a fence", outcome->has_fence, expected->has_fence);
    if (!outcome->has_fence)
        return;
    const struct fence_outcome *mine = &outcome->fence, *its = &expected->fence;
    SAME("outcome: decision", mine->decision, its->decision);
    SAME("outcome: has an old attempt", mine->has_old, its->has_old);
    SAME("outcome: old generation", mine->old_generation, its->old_generation);
    SAME("outcome: old attempt", mine->old_attempt, its->old_attempt);
    SAME("outcome: has a target", mine->has_target, its->has_target);
    SAME("outcome: target generation", mine->target_generation, its->target_generation);
    SAME("outcome: fence's cancel", mine->cancel_delivered, its->cancel_delivered);
    SAME("outcome: fence's abort", mine->abort_requested, its->abort_requested);
    SAME("outcome: duplicates", mine->duplicate_request_count, its->duplicate_request_count);
    if (mine->decision == FENCE_REJECTED || mine->decision == FENCE_BLOCKED_BY_SHUTDOWN)
        SAME("outcome: has a conflict", mine->conflict[0] != '\0', true);
    if (mine->decision == FENCE_REJECTED && its->conflict[0] != '\0')
        SAME("outcome: names what is missing", strstr(mine->conflict, its->conflict) != NULL, true);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool hangs(const struct actor *actor)
{
    for (int i = 0; i < WORLD_PROCESSES; i++) {
        const struct process *process = &actor->processes[i];
        if (process->state != PROCESS_ALIVE && process->state != PROCESS_LEFTOVER)
            continue;
        if (process->aborts > 0)
            return true; /* an abort that was lost, or could not end it */
        if (process->cancels > 0 &&
            actor->child->config->declaration.timeout_action == TIMEOUT_REPORT)
            return true; /* the operator wants to know, and no more */
    }
    return false;
}

/* The scope that a child waits for: somebody of it is still going, or its backoff is. */
static bool scope_is_under_way(const struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *child = world->actors[i].child;
        if (child && child->scope &&
            (child->attempt.active || child->timers[TIMER_START].deadline_usec > 0))
            return true;
    }
    return false;
}

static bool queue_is_full(const struct world *world, const struct supervisor *supervisor)
{
    return supervisor->in_flight >= supervisor_cap(world->core, supervisor);
}

/* Of the last signal: the others have a deadline. */
static uint64_t last_stop_time(const struct child_declaration *d)
{
    return d->n_further_stops > 0 ? d->further_stops[d->n_further_stops - 1].usec
                                  : d->stop_timeout_usec;
}

/* Until a deadline, or without one for as long as it likes. */
static bool has_time_to_go(const struct child *child)
{
    const struct child_declaration *d = &child->config->declaration;
    const struct attempt *attempt = &child->attempt;

    if (child->timers[TIMER_STOP].deadline_usec > 0)
        return true;
    return attempt->active && attempt->abort_requested
               ? d->abort_timeout_usec == 0
               : attempt->active && attempt->cancel_delivered && last_stop_time(d) == 0;
}

static void check_arrival(struct world *world, struct actor *actor)
{
    const struct child *child = actor->child;

    if (hangs(actor) || has_time_to_go(child))
        return; /* it cannot go, or its time to go is not over */
    if (child->stop_waits && child->held_up > 0)
        return; /* nor is that of one that it waits for */
    if (child->operation != CHILD_ACTIVE && child->attempt.active)
        world_fail(world, CHECK_LIVENESS, "%s is %s and still has an attempt", child->id,
                   child_operation_to_string(child->operation));
    else if (child->operation == CHILD_REMOVED && !world->shutdown_begun)
        world_fail(world, CHECK_LIVENESS, "%s is removed and still there", child->id);
    else if (child->pending.active && child->start != START_DEPENDENCY && !child->scope &&
             child->start != START_QUEUED)
        world_fail(world, CHECK_LIVENESS, "the restart of %s still waits behind its fence",
                   child->id);
    else if (child->attempt.active && !child->attempt.spawned)
        world_fail(world, CHECK_LIVENESS, "the start of %s has no answer", child->id);
    else if (!world->shutdown_begun && child->operation == CHILD_ACTIVE && child->wanted &&
             child->config->declaration.has_process && !child->attempt.active &&
             child->timers[TIMER_START].deadline_usec == 0 &&
             !(child->start == START_DEPENDENCY && child_awaits(child).id) &&
             !(child->scope && scope_is_under_way(world)) &&
             !(child->start == START_QUEUED && queue_is_full(world, child->member.supervisor)))
        world_fail(world, CHECK_LIVENESS, "%s is meant to run and nothing will start it",
                   child->id);
}

void checks_recovered(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++) {
        struct actor *actor = &world->actors[i];
        const struct attempt *attempt = actor->child ? &actor->child->attempt : NULL;
        if (!attempt || !attempt->active)
            continue;
        const struct process *process = world_process(actor, attempt->number);
        if (!process || process->state == PROCESS_GONE || process->stillborn)
            continue;
        if ((attempt->cancel_delivered && !process->told_cancel) ||
            (attempt->abort_requested && !process->told_abort))
            world_fail(world, CHECK_RECOVERY, "%s: attempt %ju is to go, and has not been told",
                       actor->declaration->id, (uintmax_t)attempt->number);
    }
}

void checks_at_the_end(struct world *world)
{
    bool waiting = false; /* somebody's time to go is not over */

    for (uint32_t i = 0; i < world->n_actors; i++)
        if (world->actors[i].child) {
            check_arrival(world, &world->actors[i]);
            waiting = waiting || has_time_to_go(world->actors[i].child);
        }
    if (world->shutdown_begun && !world->shutdown_completed && !waiting)
        world_fail(world, CHECK_LIVENESS, "the shutdown does not come to its end");
}
