/*
 * Children that start at certain times.
 */
#include "reference/schedule.h"

#include "core/calendar/timetable.h"
#include "reference/dependency.h"
#include "reference/start.h"
#include "reference/stop.h"

#define MINUTE (UINT64_C(60) * 1000000)

void reference_drew_run(struct ref_child *c, uint64_t delay)
{
    c->run_delay = delay;
}

/* The next time, in microseconds of the wall clock; 0 if there is none. */
static uint64_t by_calendar(const struct ref *r, const struct ref_child *c)
{
    struct timetable timetable;
    struct zone zone;
    int64_t next = 0;

    if (timetable_read(c->declaration->schedule, &timetable) ||
        !zone_read(c->declaration->schedule_zone, &zone) ||
        !timetable_next(&timetable, &zone, (int64_t)(r->realtime / 1000000), &next))
        return 0;
    return (uint64_t)next * 1000000;
}

static void wait_for_it(struct ref *r, struct ref_child *c)
{
    uint64_t wait = c->next_run > r->realtime ? c->next_run - r->realtime : 0;

    ref_disarm(c, REF_SCHEDULE);
    if (c->next_run > 0 && r->phase == SHUTDOWN_IDLE)
        ref_arm(r, c, REF_SCHEDULE, r->now + wait);
}

/* The delay is drawn elsewhere and checked here. */
void ref_plan_run(struct ref *r, struct ref_child *c)
{
    uint64_t next = c->declaration->schedule ? by_calendar(r, c) : 0;

    if (!c->declaration->schedule) {
        c->run_owed = false;
        c->last_run = 0;
    }
    if (c->run_delay > c->declaration->schedule_delay_usec)
        c->run_delay = 0; /* not a possible draw: the core's time is another one */
    c->next_run = next > 0 ? next + c->run_delay : 0;
    if (next > 0)
        TELL(r, c, EVENT_CHILD_SCHEDULED, FIELD_NUMBER_OF("due_usec", c->next_run),
             FIELD_NUMBER_OF("drawn_usec", c->run_delay));
    c->run_delay = 0;
    wait_for_it(r, c);
}

/* The time is planned again where the clock was set back. */
static void wait_on(struct ref *r, struct ref_child *c)
{
    uint64_t next = by_calendar(r, c);

    if (next > 0 && next + c->declaration->schedule_delay_usec < c->next_run)
        ref_plan_run(r, c);
    else
        wait_for_it(r, c);
}

void ref_clock_was_set(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->order[i]->here && r->order[i]->deadline[REF_SCHEDULE] > 0)
            wait_on(r, r->order[i]);
}

void ref_runs_again(struct ref *r, struct ref_child *c)
{
    if (!c->declaration->schedule)
        return;
    if (c->run_owed)
        c->next_run = r->realtime;
    c->run_owed = false;
    wait_on(r, c);
}

static void pass_over(struct ref *r, struct ref_child *c, const char *why)
{
    TELL(r, c, EVENT_CHILD_SCHEDULE_SKIPPED, FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("due_usec", c->next_run));
}

/* It is a start as by hand. */
static void note_run(struct ref *r, struct ref_child *c)
{
    c->run_owed = false;
    c->last_run = r->realtime;
    c->gave_up = c->on_trial = false;
    c->backoff_n = c->backoff_previous = 0;
}

static bool has_work(const struct ref_child *c)
{
    return c->attempt.active || c->pending || c->scope > 0 || c->waits > 0 || c->queued > 0 ||
           c->deadline[REF_START] > 0;
}

static void owe(struct ref *r, struct ref_child *c)
{
    if (c->run_owed)
        pass_over(r, c, "owed");
    c->run_owed = true;
}

/* A time that was missed by more than a minute is passed over, unless the
 * declaration wants it to be made up for. */
static void is_due(struct ref *r, struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;

    if (r->realtime > c->next_run + MINUTE && !d->schedule_persistent) {
        pass_over(r, c, "missed");
    } else if (c->operation != CHILD_ACTIVE) {
        if (d->schedule_persistent)
            owe(r, c);
        else
            pass_over(r, c, "held");
    } else if (!has_work(c)) {
        note_run(r, c);
        ref_start_or_wait(r, c, false);
    } else if (d->schedule_overlap == OVERLAP_SKIP) {
        pass_over(r, c, "running");
    } else if (d->schedule_overlap == OVERLAP_QUEUE) {
        owe(r, c);
    } else if (!c->attempt.active || c->pending) {
        pass_over(r, c, "waiting");
    } else if (ref_lacks(r, c)) {
        pass_over(r, c, "requires");
    } else {
        note_run(r, c);
        ref_enter_fence(r, c, false, false, "schedule");
    }
}

void ref_look_at_clock(struct ref *r, struct ref_child *c)
{
    if (r->realtime >= c->next_run) {
        is_due(r, c);
        ref_plan_run(r, c);
        return;
    }
    wait_on(r, c);
}

void ref_run_is_over(struct ref *r, struct ref_child *c)
{
    if (!c->run_owed || has_work(c))
        return;
    note_run(r, c);
    ref_start_or_wait(r, c, false);
}

void ref_run_after_hold(struct ref *r, struct ref_child *c)
{
    if (!c->run_owed || c->attempt.active)
        return;
    note_run(r, c);
    c->wanted = true;
}
