/*
 * Every event names the command that caused it, or none. Here the cause is
 * worked out again, from the events alone, by a ledger of each stop: which
 * command asked for it, which one set its deadline, which one pressed.
 *
 * An operator who reads "stopped by command 17" must be able to rely on it;
 * that is why causes are checked as strictly as states.
 */
#include "checks/causes.h"
#include "core/vocabulary/invariant.h"

#include <string.h>

static const char *text_of(const struct event *event, const char *key)
{
    for (size_t i = 0; i < event->n_fields; i++)
        if (strcmp(event->fields[i].key, key) == 0 && event->fields[i].text)
            return event->fields[i].text;
    return "";
}

static int64_t number_of(const struct event *event, const char *key)
{
    for (size_t i = 0; i < event->n_fields; i++)
        if (strcmp(event->fields[i].key, key) == 0)
            return (int64_t)event->fields[i].number;
    return 0;
}

static bool flag_of(const struct event *event, const char *key)
{
    for (size_t i = 0; i < event->n_fields; i++)
        if (strcmp(event->fields[i].key, key) == 0)
            return event->fields[i].flag;
    return false;
}

static void must_be(struct world *world, const struct event *event, uint64_t cause)
{
    if (event->cause != cause)
        world_fail(world, CHECK_CAUSES, "%s of %s carries command %ju, it follows from %ju",
                   event_kind_to_string(event->kind), event->child->id, (uintmax_t)event->cause,
                   (uintmax_t)cause);
}

void causes_begin(struct world *world)
{
    world->commands_before = world->commands;
}

/* ---- which commands may be behind a cancel --------------------------------------------------- */

static bool is_a_commands(enum input_kind kind)
{
    return kind == INPUT_COMMAND || kind == INPUT_COMMAND_SCOPE || kind == INPUT_REMOVE ||
           kind == INPUT_REDECLARE || kind == INPUT_RUN_JOB || kind == INPUT_SHUTDOWN ||
           kind == INPUT_HURRY;
}

/* No command asked: it is aborted at its deadline, whatever the operator wants of other stops. */
static bool is_forced(const char *command)
{
    return strcmp(command, "timed-out") == 0 || strcmp(command, "unhealthy") == 0 ||
           strcmp(command, "leftovers") == 0;
}

static bool is_the_policys(const char *command)
{
    return strcmp(command, "policy") == 0 || strcmp(command, "schedule") == 0 || is_forced(command);
}

static const struct ledger *ledger_of(const struct event *event)
{
    return &((const struct actor *)event->child->host)->ledger;
}

/* What a sidecar's stop is for is what its primary's is for. */
static uint64_t cause_of_primary(const struct event *event)
{
    const struct child *primary = event->child->primary;
    const struct ledger *ledger = primary ? &((struct actor *)primary->host)->ledger : NULL;

    return ledger && ledger->stop.under_way ? ledger->stop.cause : event->cause;
}

/* The word in the event's "command" says which rule applies. */
static void check_cancel(struct world *world, const struct event *event)
{
    const char *command = text_of(event, "command");

    if (strcmp(command, "leftovers") == 0)
        must_be(world, event, ledger_of(event)->stop.left);
    else if (is_the_policys(command))
        must_be(world, event, 0);
    else if (strcmp(command, "shutdown") == 0)
        must_be(world, event, world->shutdown_command);
    else if (strcmp(command, "primary") == 0)
        must_be(world, event, cause_of_primary(event));
    else if (is_a_commands(world->input) && event->cause <= world->commands_before &&
             event->cause !=
                 ledger_of(event)->stop.asked && /* its turn in the order of stops came */
             event->cause != ledger_of(event)->stop.asked_first)
        world_fail(world, CHECK_CAUSES, "%s is cancelled for command %ju, which is an earlier one",
                   event->child->id, (uintmax_t)event->cause);
    else if (event->cause == 0 && strcmp(command, "start") != 0)
        world_fail(world, CHECK_CAUSES, "%s is cancelled by \"%s\", and for no command",
                   event->child->id, command);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

/* Another command wants the attempt to be gone: the deadline that is to come is theirs where none
 * runs, and so is the abort that the first one alone would not have had. */
static void press(struct stop_ledger *stop, const struct child *child, uint64_t cause, bool aborts)
{
    const struct child_declaration *d = &child->config->declaration;

    if (!stop->under_way)
        return;
    if (stop->no_deadline)
        stop->deadline = cause;
    stop->no_deadline =
        stop->no_deadline && (stop->aborted ? d->abort_timeout_usec : d->stop_timeout_usec) == 0;
    if (aborts)
        stop->abort = cause;
}

/* A stop fails when its deadline has passed: the cause is the command that set
 * the deadline, which need not be the one that began the stop. */
static void check_failed(struct world *world, const struct event *event, struct stop_ledger *stop)
{
    if (stop->changed) /* a newer declaration may have given it one, for the command that it was for
                        */
        stop->deadline = event->cause;
    must_be(world, event, stop->deadline);
    stop->no_deadline = true;
    stop->failed = event->sequence;
    if (!text_of(event, "reason")[0])
        world_fail(world, CHECK_CAUSES, "%s: a stop that failed does not say why",
                   event->child->id);
}

/* The time of the next signal is that of the command which set the time of the one before it; a
 * declaration that came in the middle of the stop may have set it, for the stop itself. */
static void check_escalated(struct world *world, const struct event *event,
                            struct stop_ledger *stop)
{
    const struct child_declaration *d = &event->child->config->declaration;

    if (event->cause != stop->cause && !stop->changed) /* as check_failed() */
        must_be(world, event, stop->deadline);
    stop->deadline = event->cause;
    if (stop->aborted || !stop->under_way || stop->steps >= d->n_further_stops)
        world_fail(world, CHECK_CAUSES, "%s: one signal more than its stop has", d->id);
    else
        stop->no_deadline = d->further_stops[stop->steps++].usec == 0;
}

/* A hurry, the bound of a shutdown, a forced stop and a deadline each name
 * another command. */
static uint64_t cause_of_abort(const struct world *world, const struct event *event,
                               const struct stop_ledger *stop)
{
    if (world->input == INPUT_HURRY)
        return world->commands; /* the newest: the hurry itself */
    if (world->input == INPUT_TIMER && stop->failed + 1 != event->sequence)
        return world->bound_command;       /* no deadline of its own has passed */
    if (world->input == INPUT_MAIN_EXITED) /* leftovers: kill */
        return stop->under_way ? stop->cause : stop->left;
    if (stop->forced || event->child->config->declaration.timeout_action == TIMEOUT_KILL)
        return stop->deadline;
    return world->shutdown_begun ? world->shutdown_command : stop->abort;
}

static void check_abort(struct world *world, const struct event *event, struct stop_ledger *stop)
{
    must_be(world, event, cause_of_abort(world, event, stop));
    if (!stop->under_way)
        stop->cause = event->cause;
    stop->under_way = stop->aborted = true;
    stop->deadline = event->cause;
    stop->no_deadline = event->child->config->declaration.abort_timeout_usec == 0;
}

/* A child that ends by the signal of a Kill ends for that; otherwise for the command that the stop
 * is for. */
static uint64_t cause_of_end(const struct event *event, const struct stop_ledger *stop)
{
    if (strcmp(text_of(event, "exit"), "signaled") == 0 && stop->kill > 0 &&
        number_of(event, "signal") == stop->kill_signal)
        return stop->kill;
    return stop->under_way ? stop->cause : 0;
}

/* They are there for the stop, or for the Kill that its end will be for: child-exited tells which,
 * and must agree. */
static void check_leftovers(struct world *world, const struct event *event,
                            struct stop_ledger *stop)
{
    if (event->cause != stop->kill || stop->kill == 0)
        must_be(world, event, stop->under_way ? stop->cause : 0);
    stop->told_left = true;
    stop->left = event->cause;
}

/* Its commands have the time of a stop from here on, which is for what the end is for where nothing
 * has asked. */
static void check_after_stop(struct world *world, const struct event *event,
                             struct stop_ledger *stop)
{
    if (event->cause != stop->kill || stop->kill == 0)
        must_be(world, event, stop->under_way ? stop->cause : 0);
    if (!stop->under_way) {
        stop->forced = true;
        stop->deadline = stop->abort = event->cause;
    }
    stop->changed = true; /* whose deadline it is that begins again, no event has said */
    stop->told_left = true;
    stop->left = event->cause;
    stop->no_deadline = (stop->aborted ? event->child->config->declaration.abort_timeout_usec
                                       : event->child->config->declaration.stop_timeout_usec) == 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* An attempt is started for a command or for none, and each event of its start says so. */
static void enter_start(struct world *world, const struct event *event, struct stop_ledger *stop)
{
    switch ((int)event->kind) {
    case EVENT_CHILD_STARTING:
        *stop =
            (struct stop_ledger){.fence = stop->fence, .asked = stop->asked, .start = event->cause};
        if (flag_of(event, "automatic") && event->cause > 0)
            world_fail(world, CHECK_CAUSES, "%s is started by itself, for command %ju",
                       event->child->id, (uintmax_t)event->cause);
        return;
    case EVENT_CHILD_START_DELAYED:
    case EVENT_CHILD_RUNNING:
    case EVENT_CHILD_RESTARTED:
        must_be(world, event, stop->start);
        return;
    case EVENT_CHILD_RESTART_FENCE_RELEASED:
        must_be(world, event, stop->fence);
        return;
    }
}

/* A stop begins: everything that the ledger knew of the one before is out of
 * date. */
static void enter_cancel(struct world *world, const struct event *event, struct stop_ledger *stop)
{
    check_cancel(world, event);
    stop->under_way = true;
    stop->aborted = stop->changed = false;
    stop->forced = is_forced(text_of(event, "command")) || stop->told_left;
    stop->no_deadline = event->child->config->declaration.stop_timeout_usec == 0;
    stop->cause = stop->deadline = stop->abort = event->cause;
    if (stop->told_left && (stop->left == 0 || stop->left != stop->kill))
        stop->left = event->cause; /* it meets the commands after the end, and is for this now */
    stop->failed = 0;
    stop->steps = 0;
}

/* A stop that waits for its turn stays that of the command which asked for it first. */
static void ask(struct stop_ledger *stop, uint64_t cause)
{
    stop->asked = cause;
    if (stop->asked_first == 0)
        stop->asked_first = cause;
}

/* One event, as far as it concerns the stop of its child. */
static void enter_stop(struct world *world, const struct event *event, struct stop_ledger *stop)
{
    const char *command = text_of(event, "command");

    switch ((int)event->kind) {
    case EVENT_CHILD_ADDED:
        stop->changed = true;
        return;
    case EVENT_CHILD_OPERATION_CHANGED:
        ask(stop, event->cause);
        if (strcmp(text_of(event, "to"), "active") == 0)
            stop->asked_first = 0;
        return;
    case EVENT_CHILD_CONTROL_CANCEL_DELIVERED:
        enter_cancel(world, event, stop);
        return;
    case EVENT_CHILD_CONTROL_STOP_ESCALATED:
        check_escalated(world, event, stop);
        return;
    case EVENT_CHILD_CONTROL_STOP_FAILED:
        check_failed(world, event, stop);
        return;
    case EVENT_CHILD_CONTROL_ABORT_REQUESTED:
        check_abort(world, event, stop);
        return;
    case EVENT_CHILD_CONTROL_STOP_COMPLETED:
        must_be(world, event, stop->cause);
        return;
    case EVENT_COMMAND_ACCEPTED:
        stop->signal_asked = number_of(event, "signal");
        return;
    case EVENT_CHILD_CONTROL_COMMAND_COMPLETED:
        if (strcmp(command, "kill") == 0 && !stop->told_left) {
            stop->kill = event->cause;
            stop->kill_signal = stop->signal_asked;
        }
        return;
    case EVENT_CHILD_EXITED:
        must_be(world, event, cause_of_end(event, stop));
        if (stop->told_left && !stop->aborted)
            must_be(world, event, stop->left);
        return;
    case EVENT_CHILD_LEFTOVERS:
        check_leftovers(world, event, stop);
        return;
    case EVENT_CHILD_AFTER_STOP:
        check_after_stop(world, event, stop);
        return;
    case EVENT_CHILD_RESTART_FENCE_ENTERED:
        stop->fence = event->cause;
        ask(stop, event->cause);
        /* The shutdown before may have set one, or this does: neither says so. */
        stop->changed = stop->changed || (stop->no_deadline && strcmp(command, "start") == 0);
        if (!stop->aborted) /* else nothing more can be asked of it */
            press(stop, event->child, event->cause,
                  strcmp(command, "resume") != 0 && strcmp(command, "start") != 0);
        return;
    case EVENT_CHILD_RESTART_FENCE_ABORT_REQUESTED:
        must_be(world, event, stop->fence);
        return;
    case EVENT_CHILD_RESTART_CONFLICT:
        if (strcmp(text_of(event, "decision"), "already-pending") == 0)
            press(stop, event->child, event->cause, true);
        return;
    case EVENT_CHILD_SHUTDOWN_CANCEL_DELIVERED:
    case EVENT_CHILD_SHUTDOWN_GRACEFUL:
    case EVENT_CHILD_SHUTDOWN_ABORTED:
    case EVENT_CHILD_SHUTDOWN_LATE_REPORT:
        must_be(world, event, world->shutdown_command);
        return;
    }
}

/* It sets a deadline for each child that is stopping and has none, and says nothing of it. */
static void enter_shutdown(struct world *world, uint64_t cause)
{
    world->shutdown_command = cause;
    for (uint32_t i = 0; i < world->n_actors; i++)
        if (world->actors[i].child)
            press(&world->actors[i].ledger.stop, world->actors[i].child, cause, true);
}

/* The earliest bound of all that were given is the one that can pass. */
static void enter_bound(struct world *world, const struct event *event)
{
    uint64_t timeout_usec = number_of(event, "timeout_usec");
    uint64_t ends_usec = timeout_usec > 0 ? world_usec(world) + timeout_usec : UINT64_MAX;

    if (event->kind == EVENT_SHUTDOWN_REQUESTED || ends_usec < world->bound_usec) {
        world->bound_command = event->cause;
        world->bound_usec = ends_usec;
    }
}

/* Entry: checks one event, and enters it into the ledger. */
void causes_event(struct world *world, const struct event *event)
{
    INVARIANT(event_is_sound(event));
    if (event->kind == EVENT_SHUTDOWN_REQUESTED)
        enter_shutdown(world, event->cause);
    if (event->kind == EVENT_SHUTDOWN_REQUESTED ||
        (event->kind == EVENT_COMMAND_ACCEPTED && world->input == INPUT_SHUTDOWN))
        enter_bound(world, event);
    if (event->child) {
        enter_start(world, event, &((struct actor *)event->child->host)->ledger.stop);
        enter_stop(world, event, &((struct actor *)event->child->host)->ledger.stop);
    }
}
