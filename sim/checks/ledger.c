/*
 * The ledger: what has happened to a child, from nothing but the events. It
 * knows which events may follow which; a "running" without a "starting" before
 * it is a fault, whatever the core's state says.
 *
 * People and programs that only read the journal must be able to understand it,
 * and the ledger is such a reader.
 */
#include "checks/ledger.h"

#include "core/vocabulary/invariant.h"
#include "checks/causes.h"
#include "checks/told.h"
#include "reference/backoff.h"
#include "reference/schedule.h"
#include "world/record.h"

#include <string.h>

/* A start that has not come to its program for so long holds no place any more. */
#define PLACE_NSEC UINT64_C(1000000000)

bool ledger_holds_place(const struct world *world, const struct ledger *ledger)
{
    return ledger->in_flight &&
           (ledger->running || world->now_nsec - ledger->started_nsec < PLACE_NSEC);
}

/* A child that runs and has nothing that bounds how long it takes: a newer declaration may say
 * so. */
bool ledger_is_unbounded(const struct actor *actor)
{
    const struct child_declaration *d = &actor->child->config->declaration;

    return actor->ledger.running && (d->start_timeout_usec == 0 || d->readiness == READINESS_JOB);
}

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

/* The exits that count for the limit, newest last. Only as many are kept as any
 * limit can ask for. */
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

/* The main process is there. The child still holds its place among those that
 * start, if its readiness is awaited. */
static void enter_running(struct world *world, struct ledger *ledger, const struct event *event)
{
    const struct child_declaration *declaration = &event->child->config->declaration;

    must(world, event, ledger->started && !ledger->running, "child-starting");
    ledger->in_flight = ledger_holds_place(world, ledger) && declaration->start_timeout_usec > 0 &&
                        declaration->readiness != READINESS_JOB;
    ledger->running = true;
    ledger->queued = false;
    ledger->generation = event->generation;
    ledger->born = true;
}

/* The reference is not there yet when the first run of a child is planned. */
static void hear_run(struct actor *actor, uint64_t delay_usec)
{
    actor->ledger.run_delay = delay_usec;
    if (actor->reference)
        reference_drew_run(actor->reference, delay_usec);
}

/* It is entered before it can be aborted or released. */
static void enter_fence(struct world *world, struct ledger *ledger, const struct event *event)
{
    if (event->kind != EVENT_CHILD_RESTART_FENCE_ENTERED)
        must(world, event, ledger->fence_entered, "child-restart-fence-entered");
    ledger->fence_entered = event->kind != EVENT_CHILD_RESTART_FENCE_RELEASED;
}

/* One event of a child. A child that was removed and added again is another
 * child with the same id: its ledger is empty, apart from its numbers. */
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
    case EVENT_CHILD_AFTER_STOP:
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
    case EVENT_CHILD_RESTART_FENCE_ABORT_REQUESTED:
    case EVENT_CHILD_RESTART_FENCE_RELEASED:
        enter_fence(world, ledger, event);
        return;
    case EVENT_CHILD_OPERATION_CHANGED:
        ledger->held = !text_is(event, "to", "active");
        if (text_is(event, "from", "quarantined") && !ledger->held)
            ledger->n_counted = 0;
        return;
    case EVENT_CHILD_SCHEDULED:
        hear_run(actor, field(event, "drawn_usec")->number);
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

/* Gives the event to the observer, as a line of the log; without one nothing is
 * formatted, which keeps campaigns fast. */
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

/* Entry: the core emits an event. All are hashed, so that two runs can be
 * compared by one number. */
void checks_event(struct world *world, const struct event *event)
{
    INVARIANT(event_is_sound(event));
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
    told_event(world, event);
    if (event->child)
        enter_child_event(world, event->child->host, event);
    else
        enter_tree_event(world, event);
}
