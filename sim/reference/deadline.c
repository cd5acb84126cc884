/*
 * What happens when a deadline passes.
 */
#include "reference/deadline.h"

#include "reference/attempt.h"
#include "reference/liveness.h"
#include "reference/schedule.h"
#include "reference/shutdown.h"
#include "reference/start.h"
#include "reference/stop.h"
#include "reference/wake.h"

/* The next signal of the declaration, if there is one; then the stop has
 * failed, and the declaration says whether the child is killed. */
static void stop_deadline(struct ref *r, struct ref_child *c)
{
    bool down = r->phase != SHUTDOWN_IDLE;
    bool hears = !c->attempt.main_gone || c->leftovers > 0; /* else only commands are there */
    if (!c->attempt.aborted && hears && c->attempt.stop_step < c->declaration->n_further_stops) {
        c->attempt.stop_step++; /* the next signal, with a time of its own */
        ref_arm_timeout(r, c, REF_STOP, ref_stop_time(c));
        int signal = c->declaration->further_stops[c->attempt.stop_step - 1].signal;
        TELL(r, c, EVENT_CHILD_CONTROL_STOP_ESCALATED, FIELD_SIGNED_OF("signal", signal),
             FIELD_NUMBER_OF("step", c->attempt.stop_step + 1));
        ref_call_with(r, c, REF_CALL_ESCALATE, signal, false);
        return;
    }
    c->stop_state = STOP_FAILED;
    if (c->attempt.aborted)
        ref_fail(r, c, FAILURE_WAIT_ABORT, false, "still there after the abort");
    else
        ref_fail(r, c, FAILURE_WAIT_COMPLETION, true, "did not end within its stop timeout");
    TELL(r, c, EVENT_CHILD_CONTROL_STOP_FAILED,
         FIELD_TEXT_OF("phase", failure_phase_to_string(c->failure)),
         FIELD_TEXT_OF("reason", c->failure_reason),
         FIELD_TEXT_OF("status", child_status_to_string(c->attempt.status)),
         FIELD_TEXT_OF("stop_state", stop_state_to_string(STOP_FAILED)),
         FIELD_FLAG_OF("recoverable", !c->attempt.aborted));
    if (c->attempt.aborted) {
        if (down && c->result == SHUTDOWN_PENDING) {
            TELL(r, c, EVENT_CHILD_SHUTDOWN_ABORTED, FIELD_TEXT_OF("result", "abort-failed"));
            c->row.cgroup = RESOURCE_FAILED;
            ref_settle(r, c, SHUTDOWN_ABORT_FAILED, "still there after the abort");
        }
        return;
    }
    if (!down && c->attempt.forced == EXIT_NONE && !(c->pending && !c->pending_by_resume) &&
        !(c->attempt.main_gone && c->attempt.main_exit != EXIT_CANCELLED) && /* no command asked */
        c->declaration->timeout_action == TIMEOUT_REPORT)
        return;
    ref_abort(r, c);
    if (down && c->result == SHUTDOWN_PENDING)
        c->row.reason = ref_abort_words(c);
    if (down)
        ref_advance(r, SHUTDOWN_ABORT_STRAGGLERS);
}

/* One deadline of a child. */
static void fire(struct ref *r, struct ref_child *c, enum ref_timer timer)
{
    if (timer == REF_STOP) {
        stop_deadline(r, c);
    } else if (timer == REF_START) {
        c->named_to_start = false;
        if (!c->scope)
            ref_start_or_wait(r, c, c->automatic);
    } else if (timer == REF_START_TIMEOUT) {
        ref_force_stop(r, c, EXIT_TIMED_OUT);
    } else if (timer == REF_HEARTBEAT) {
        c->attempt.silent = true;
        ref_doubt(r, c, "heartbeat");
        if (c->declaration->on_stale == ON_STALE_RESTART)
            ref_force_stop(r, c, EXIT_UNHEALTHY);
    } else if (timer == REF_HEALTH) {
        ref_ask(r, c);
    } else if (timer == REF_PLACE) {
        ref_give_place_back(c);
    } else if (timer == REF_CHANGE) {
        ref_too_long(r, c);
    } else if (timer == REF_SCHEDULE) {
        ref_look_at_clock(r, c);
    } else if (timer == REF_RUN) {
        c->attempt.ran_out = true;
        ref_force_stop(r, c, EXIT_TIMED_OUT);
    } else {
        uint32_t before = c->used;
        ref_prune(r, c);
        if (c->used > 0)
            ref_arm(r, c, REF_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
        if (c->used != before)
            ref_tell_limit(r, c, "window");
    }
}

static bool is_due(const struct ref *r, const struct ref_child *c, enum ref_timer timer)
{
    return c->here && c->deadline[timer] > 0 && c->deadline[timer] <= r->now;
}

/* All deadlines that have passed, the earliest first, then in the order in which they were set. */
void reference_timer(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_due(r, &r->children[i], REF_START))
            r->children[i].named_to_start = true;
    for (;;) {
        struct ref_child *who = NULL;
        int which = 0;
        for (uint32_t i = 0; i < r->count; i++)
            for (int t = 0; t < REF_TIMERS; t++) {
                struct ref_child *c = &r->children[i];
                if (!is_due(r, c, (enum ref_timer)t))
                    continue;
                if (!who || c->deadline[t] < who->deadline[which] ||
                    (c->deadline[t] == who->deadline[which] && c->order[t] < who->order[which])) {
                    who = c;
                    which = t;
                }
            }
        if (who ? ref_bound_passes(r, who->deadline[which], who->order[which])
                : ref_bound_passes(r, UINT64_MAX, 0))
            continue;
        if (!who)
            return;
        who->deadline[which] = 0;
        fire(r, who, (enum ref_timer)which);
        ref_wake(r);
    }
}
