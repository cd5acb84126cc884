/*
 * The checks after each input, in their order: what is shown, stale reports,
 * monotone numbers, timers, memory, agreement with the reference, events. The
 * first that fails ends the run; its name and text are the verdict.
 */
#include "checks/checks.h"
#include "checks/told.h"

#include "checks/agreement.h"
#include "checks/coverage.h"
#include "checks/ledger.h"
#include "checks/shown.h"
#include "core/model/start_wait.h"
#include "reference/report.h"
#include "world/process.h"

#include <string.h>

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
    if (before->stale) {
        before->copy = *world->actors[report->actor].child;
        seldom_save(&before->copy, &before->seldom);
    }
}

/* A report of an attempt that is over may change nothing but the note that it
 * came. The whole record is compared, byte by byte, so that no field can be
 * forgotten. */
static void check_stale(struct world *world, const struct checks_before *before)
{
    const struct actor *actor = world->input_actor;
    struct seldom_copy seldom;
    struct child now;

    if (!actor->child) {
        world_fail(world, CHECK_STALE, "a stale report removed %s", actor->declaration->id);
        return;
    }
    now = *actor->child;
    seldom_save(&now, &seldom);
    seldom.last_stale = before->seldom.last_stale;
    now.changed = before->copy.changed;
    now.changed_next = before->copy.changed_next;
    if (memcmp(&now, &before->copy, sizeof(now)) != 0 ||
        memcmp(&seldom, &before->seldom, sizeof(seldom)) != 0)
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
    ledger->in_flight = ledger->in_flight && !ledger_is_unbounded(actor);
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

/* The core sets one timer, to the earliest of all deadlines. A deadline that
 * has passed must be handled by the time that the input ends. */
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
    return actor->child && (actor->child->shutdown->result == SHUTDOWN_ABORT_FAILED ||
                            actor->child->shutdown->result == SHUTDOWN_LATE_REPORT);
}

/* The report of a shutdown, against what the processes of the model know about
 * themselves. */
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

/* What a start waits for is one value, and it is what its timer and its scope say; a child that
 * waits is meant to run, and one that is meant to run, and does not, waits. */
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

/* A child that waits for its turn to stop waits for one that is there. */
static void check_turn(struct world *world, const struct child *child)
{
    bool held_up = false;

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *other = world->actors[i].child;
        held_up = held_up ||
                  (other && other->holds_up && other->attempt.active && depends_on(other, child));
    }
    if (held_up != (child->held_up > 0))
        world_fail(world, CHECK_LIVENESS,
                   "%s counts %u stops that it waits for, and there is%s one", child->id,
                   child->held_up, held_up ? "" : " not");
    if (child->stop_named || (child->stop_waits && (!held_up || !child->attempt.active)))
        world_fail(world, CHECK_LIVENESS, "%s waits for its turn to stop, and for nobody",
                   child->id);
}

/* Entry, after each input. */
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
            checks_wait(world, &world->actors[i]);
            check_turn(world, world->actors[i].child);
            check_nobody_left(world, &world->actors[i]);
        }
    if (world->input_actor && world->input_actor->child)
        coverage_mark(world, world->input_actor->child);
    check_timers(world);
    check_memory(world, before);
    checks_agreement(world);
    told_end(world);
    if (was_completed)
        check_report(world);
    if (core_sequence(world->core) != world->sequence)
        world_fail(world, CHECK_EVENTS, "the core counts %ju events, %ju came",
                   (uintmax_t)core_sequence(world->core), (uintmax_t)world->sequence);
}
