/*
 * Stopping a child: asking, insisting, killing.
 */
#include "reference/stop.h"

#include "reference/attempt.h"
#include "reference/stop_order.h"

#include <string.h>

/* A restart that was pending is not any more. */
void ref_tell_withdrawn(struct ref *r, const struct ref_child *c, const char *command)
{
    if (c->pending)
        TELL(r, c, EVENT_CHILD_RESTART_CONFLICT, FIELD_TEXT_OF("decision", "withdrawn"),
             FIELD_TEXT_OF("command", command),
             FIELD_NUMBER_OF("target_generation", c->pending_target));
}

/* Sidecars stop with the child that they accompany. */
void ref_take_sidecars_along(struct ref *r, const struct ref_child *primary, bool by_hand)
{
    if (r->dry || r->phase != SHUTDOWN_IDLE)
        return;
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        const struct child_declaration *d = c->declaration;
        if (c->here && d->role == ROLE_SIDECAR && strcmp(d->requires[0], primary -> id) == 0 &&
            (d->sidecar_order == SIDECAR_WITH || !primary->attempt.active) && c->attempt.active &&
            !c->attempt.cancelled && !c->attempt.aborted && !c->waits_to_go) {
            ref_tell_withdrawn(r, c, "primary");
            c->fence = FENCE_OPEN;
            ref_enter_fence(r, c, false, by_hand, "primary");
        }
    }
}

/* Asks once; returns whether it has. */
bool ref_cancel(struct ref *r, struct ref_child *c, bool by_hand, const char *command)
{
    if (!c->attempt.active || c->attempt.cancelled || c->attempt.aborted)
        return false;
    ref_take_sidecars_along(r, c, by_hand);
    c->named = c->waits_to_go = false;
    r->plan |= PLAN_STOP;
    c->attempt.cancelled = true;
    c->attempt.by_hand = by_hand;
    ref_give_place_back(c);
    c->attempt.status = CHILD_CANCELLING;
    c->stop_state = STOP_CANCEL_DELIVERED;
    ref_stop_watching(r, c);
    ref_arm_timeout(r, c, REF_STOP, c->declaration->stop_timeout_usec);
    TELL(r, c, EVENT_CHILD_CONTROL_CANCEL_DELIVERED, FIELD_TEXT_OF("command", command));
    ref_call(r, c, REF_CALL_CANCEL);
    return true;
}

/* In a shutdown the cancel is reported as that of the shutdown, too. */
static bool deliver(struct ref *r, struct ref_child *c, bool by_hand, const char *command)
{
    if (!ref_cancel(r, c, by_hand, command))
        return false;
    if (r->phase != SHUTDOWN_IDLE) {
        c->row.cancelled = true;
        TELL_BARE(r, c, EVENT_CHILD_SHUTDOWN_CANCEL_DELIVERED);
    }
    return true;
}

/* Asks it to go: in its turn where it is one of several, now where it is asked alone. */
bool ref_go(struct ref *r, struct ref_child *c, bool by_hand, const char *command)
{
    if (!c->named || !ref_is_held_up(r, c))
        return deliver(r, c, by_hand, command);
    if (!c->waits_to_go) {
        c->goes_by_hand = by_hand;
        c->goes_by = command;
    }
    r->plan |= PLAN_STOP;
    c->waits_to_go = true;
    c->named = false;
    return false;
}

/* Kills, and does not ask. */
void ref_abort(struct ref *r, struct ref_child *c)
{
    if (!c->attempt.active || c->attempt.aborted)
        return;
    c->named = c->waits_to_go = false;
    if (!c->attempt.cancelled && !c->attempt.main_gone)
        c->attempt.by_hand = true; /* a second signal; or leftovers, see there */
    c->attempt.aborted = true;
    ref_give_place_back(c);
    ref_stop_watching(r, c);
    ref_arm_timeout(r, c, REF_STOP, c->declaration->abort_timeout_usec);
    TELL_BARE(r, c, EVENT_CHILD_CONTROL_ABORT_REQUESTED);
    ref_call(r, c, REF_CALL_ABORT);
    if (c->fence != FENCE_WAITING_FOR_OLD_STOP)
        return;
    c->fence = FENCE_ABORTING_OLD;
    TELL(r, c, EVENT_CHILD_RESTART_FENCE_ABORT_REQUESTED,
         FIELD_NUMBER_OF("target_generation", c->pending_target));
}

/* What the last signal that it has had gives it. */
uint64_t ref_stop_time(const struct ref_child *c)
{
    uint32_t most = c->declaration->n_further_stops; /* of a declaration that came meanwhile */
    uint32_t step = c->attempt.stop_step < most ? c->attempt.stop_step : most;
    return step > 0 ? c->declaration->further_stops[step - 1].usec
                    : c->declaration->stop_timeout_usec;
}

/* A deadline runs for each that is asked to stop, also if an earlier one has passed; and for no
 * other: the target of a restart, on its way, is not asked to go by another restart. */
void ref_insist(struct ref *r, struct ref_child *c)
{
    if (c->attempt.active && (c->attempt.cancelled || c->attempt.aborted) &&
        c->deadline[REF_STOP] == 0)
        ref_arm_timeout(r, c, REF_STOP,
                        c->attempt.aborted ? c->declaration->abort_timeout_usec : ref_stop_time(c));
}

static void put_behind_fence(struct ref_child *c, bool by_hand, uint64_t old, uint64_t target)
{
    c->pending = true;
    c->pending_by_resume = false;
    c->pending_by_hand = by_hand;
    c->pending_generation = old;
    c->pending_attempt = c->attempt.number;
    c->pending_target = target;
    c->duplicates = 0;
}

/* It has no attempt of its own to wait for, only its siblings'. */
void ref_wait_for_siblings(struct ref *r, struct ref_child *c, bool by_hand, const char *command)
{
    put_behind_fence(c, by_hand, c->generation, ref_next_generation(c));
    c->wanted = true; /* a command has asked for it */
    c->fence = FENCE_READY_TO_START;
    r->plan |= PLAN_START; /* with the others */
    TELL(r, c, EVENT_CHILD_RESTART_FENCE_ENTERED, FIELD_TEXT_OF("command", command),
         FIELD_NUMBER_OF("target_generation", c->pending_target));
}

/* A restart: the old attempt stops, and the new one waits for its end. */
void ref_enter_fence(struct ref *r, struct ref_child *c, bool by_resume, bool by_hand,
                     const char *command)
{
    r->plan |= PLAN_RESTART;
    put_behind_fence(c, by_hand, c->attempt.generation, c->attempt.generation + 1);
    c->pending_by_resume = by_resume;
    c->fence = FENCE_WAITING_FOR_OLD_STOP;
    TELL(r, c, EVENT_CHILD_RESTART_FENCE_ENTERED, FIELD_TEXT_OF("command", command),
         FIELD_NUMBER_OF("target_generation", c->pending_target));
    ref_go(r, c, by_hand, command);
    if (c->attempt.aborted)
        c->fence = FENCE_ABORTING_OLD;
    else
        ref_insist(r, c);
}

void ref_withdraw_starts(struct ref *r, struct ref_child *c, const char *command)
{
    ref_tell_withdrawn(r, c, command);
    if (c->pending && c->fence != FENCE_CLOSED)
        c->fence = FENCE_OPEN;
    c->pending = c->pending_by_resume = false;
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
}

void ref_force_stop(struct ref *r, struct ref_child *c, enum exit_kind kind)
{
    if (c->attempt.cancelled || c->attempt.aborted)
        return;
    c->attempt.forced = kind;
    ref_cancel(r, c, false, exit_kind_to_string(kind));
}

/* Those stop that none holds up any more. */
void ref_let_go(struct ref *r)
{
    for (uint32_t i = r->count; i-- > 0;)
        if (r->order[i]->here && r->order[i]->waits_to_go && !ref_is_held_up(r, r->order[i]))
            deliver(r, r->order[i], r->order[i]->goes_by_hand, r->order[i]->goes_by);
}
