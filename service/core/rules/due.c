/*
 * Schedules. A run that is due is decided by the wall clock, but waits by the
 * monotonic one: the timer is armed for the difference, and armed again
 * whenever the wall clock is set. The random delay is drawn when the run is
 * planned, so that a restart of proctord does not draw another one.
 */
#include "core/rules/due.h"

#include "core/calendar/timetable.h"
#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/random.h"
#include "core/private.h"
#include "core/rules/requirement.h"
#include "core/rules/start.h"
#include "core/rules/stop.h"
#include "core/vocabulary/event.h"

#define SEC       UINT64_C(1000000)
#define LATE_USEC (60 * SEC)

/* ---- planning -------------------------------------------------------------------------------- */

/* The next time of the schedule after now, 0: there is none. A text that does not mean anything
 * came from no manifest, and is never due. */
static uint64_t next_time(const struct core *core, const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    struct timetable timetable;
    struct zone zone;
    int64_t next;

    if (timetable_read(declaration->schedule, &timetable) ||
        !zone_read(declaration->schedule_zone, &zone) ||
        !timetable_next(&timetable, &zone, (int64_t)(core_realtime(core) / SEC), &next))
        return 0;
    return (uint64_t)next * SEC;
}

/* The moment is in wall time; the timer is relative to now. In a shutdown
 * nothing becomes due. */
static void arm(struct core *core, struct child *child)
{
    uint64_t realtime = core_realtime(core), due = child->next_run_usec;
    uint64_t wait = due > realtime ? due - realtime : 0;

    if (due == 0 || core->shutdown_phase != SHUTDOWN_IDLE)
        child_disarm(core, child, TIMER_SCHEDULE);
    else
        child_arm(core, child, TIMER_SCHEDULE, core_after(core, wait));
}

/* The next time after now. The event comes only if there is one: a list of
 * dates in the past has none. */
static void plan(struct core *core, struct child *child)
{
    uint64_t most = child->config->declaration.schedule_delay_usec;
    uint64_t next = next_time(core, child);
    uint64_t delay = next > 0 && most > 0 ? random_between(&core->random, 0, most) : 0;

    child->next_run_usec = next > 0 ? next + delay : 0;
    core_changed(core, child);
    if (next > 0)
        EMIT(core, EVENT_CHILD_SCHEDULED, child, 0, FIELD_NUMBER_OF("due_usec", next + delay),
             FIELD_NUMBER_OF("drawn_usec", delay));
    arm(core, child);
}

/* Until the time that is planned, or another one if the wall clock was set back meanwhile. */
static void await(struct core *core, struct child *child)
{
    uint64_t planned = child->next_run_usec, next = next_time(core, child);

    if (next > 0 && next < planned &&
        planned - next > child->config->declaration.schedule_delay_usec)
        plan(core, child);
    else
        arm(core, child);
}

/* A declaration that has lost its schedule forgets its runs too, since the next
 * one would count from another list. */
void due_begin(struct core *core, struct child *child)
{
    if (child->config->declaration.schedule) {
        plan(core, child);
        return;
    }
    child->next_run_usec = child->last_run_usec = 0;
    child->run_owed = false;
    arm(core, child);
}

/* After a recovery or a shutdown that was undone: a run that was owed is due at
 * once. */
void due_resume(struct core *core, struct child *child)
{
    if (!child->config->declaration.schedule)
        return;
    if (child->run_owed) {
        child->run_owed = false;
        child->next_run_usec = core_realtime(core);
    }
    core_changed(core, child);
    await(core, child);
}

static bool is_awaited(const struct child *child)
{
    return child->timers[TIMER_SCHEDULE].deadline_usec > 0;
}

bool core_awaits_clock(const struct core *core)
{
    for (const struct child *child = core_first(core); child; child = core_next(child))
        if (is_awaited(child))
            return true;
    return false;
}

void due_clock_set(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child))
        if (is_awaited(child))
            await(core, child);
}

/* ---- running --------------------------------------------------------------------------------- */

static void skip(struct core *core, struct child *child, const char *why)
{
    EMIT(core, EVENT_CHILD_SCHEDULE_SKIPPED, child, 0, FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("due_usec", child->next_run_usec));
}

static void owe(struct core *core, struct child *child)
{
    if (child->run_owed) {
        skip(core, child, "owed");
        return;
    }
    child->run_owed = true;
    core_changed(core, child);
}

static void begin_run(struct core *core, struct child *child)
{
    child->run_owed = false;
    child->last_run_usec = core_realtime(core);
    child_begin_anew(child);
    core_changed(core, child);
}

/* Overlap `replace` is a restart through the fence: the old run is stopped, and
 * the new one starts when it is gone. One that waits already has nothing to
 * replace. */
static void replace(struct core *core, struct child *child)
{
    char conflict[CONFLICT_MAX + 1];

    if (!child->attempt.active || child->pending.active) {
        skip(core, child, "waiting");
    } else if (requirement_refuses(core, child, conflict, sizeof(conflict))) {
        skip(core, child, "requires");
    } else {
        begin_run(core, child);
        fence_enter(core, child, 0, false, "schedule");
    }
}

static bool is_busy(const struct child *child)
{
    return child->attempt.active || child->pending.active || child->scope ||
           child->start != START_WAITS_FOR_NOTHING;
}

/* What the manifest says for a run that is due while the one before is not
 * over. */
static void overlap(struct core *core, struct child *child)
{
    switch (child->config->declaration.schedule_overlap) {
    case OVERLAP_SKIP:
        skip(core, child, "running");
        return;
    case OVERLAP_QUEUE:
        owe(core, child);
        return;
    case OVERLAP_REPLACE:
        replace(core, child);
        return;
    }
}

/* A run is due. More than a minute late means that proctord, the machine or the
 * clock was away: without `persistent` it is skipped, as a nightly job that
 * starts at noon does more harm than one that is missed. */
static void run(struct core *core, struct child *child)
{
    bool persistent = child->config->declaration.schedule_persistent;

    if (!persistent && core_realtime(core) - child->next_run_usec > LATE_USEC) {
        skip(core, child, "missed");
    } else if (child->operation != CHILD_ACTIVE) {
        if (persistent)
            owe(core, child);
        else
            skip(core, child, "held");
    } else if (is_busy(child)) {
        overlap(core, child);
    } else {
        begin_run(core, child);
        start_request(core, child, 0, false);
    }
}

void due_look(struct core *core, struct child *child)
{
    if (core_realtime(core) < child->next_run_usec) {
        await(core, child);
        return;
    }
    run(core, child);
    plan(core, child);
}

void due_run_ended(struct core *core, struct child *child)
{
    if (!child->run_owed || is_busy(child))
        return;
    begin_run(core, child);
    start_request(core, child, 0, false);
}

void due_held_no_more(struct core *core, struct child *child)
{
    if (!child->run_owed || child->attempt.active)
        return;
    begin_run(core, child);
    child->wanted = true;
}
