/*
 * The events and calls that the specification demands, in their order, to be
 * compared with those that came.
 */
#include "reference/told.h"

#include "core/vocabulary/invariant.h"
#include "reference/reference.h"

#include <string.h>

/* What follows from a policy, or from what a child says, is for no command. */
static bool is_nobodys(enum event_kind kind)
{
    switch ((int)kind) {
    case EVENT_CHILD_ATTEMPT_STALE_REPORT:
    case EVENT_CHILD_READY:
    case EVENT_CHILD_NOT_READY:
    case EVENT_CHILD_HEARTBEAT_STALE:
    case EVENT_CHILD_HEARTBEAT_RECOVERED:
    case EVENT_CHILD_RESTART_LIMIT_UPDATED:
    case EVENT_CHILD_BACKOFF_SCHEDULED:
    case EVENT_BUDGET_EXHAUSTED:
    case EVENT_CHILD_QUARANTINED:
    case EVENT_GROUP_FUSE_TRIGGERED:
    case EVENT_MELTDOWN:
    case EVENT_ESCALATED:
    case EVENT_JOB_FINISHED:
        return true;
    }
    return false;
}

/* Their cause is the command that began the shutdown. */
static bool is_of_shutdown(enum event_kind kind)
{
    switch ((int)kind) {
    case EVENT_SHUTDOWN_REQUESTED:
    case EVENT_SHUTDOWN_PHASE_CHANGED:
    case EVENT_SHUTDOWN_COMPLETED:
    case EVENT_CHILD_SHUTDOWN_CANCEL_DELIVERED:
    case EVENT_CHILD_SHUTDOWN_GRACEFUL:
    case EVENT_CHILD_SHUTDOWN_ABORTED:
    case EVENT_CHILD_SHUTDOWN_LATE_REPORT:
        return true;
    }
    return false;
}

static bool is_of_newest(enum event_kind kind)
{
    return kind == EVENT_COMMAND_ACCEPTED || kind == EVENT_COMMAND_REJECTED ||
           kind == EVENT_CHILD_CONTROL_COMMAND_COMPLETED || kind == EVENT_CHILD_ADDED;
}

static bool find_cause(const struct ref *r, enum event_kind kind, uint64_t *cause)
{
    *cause = is_of_shutdown(kind) ? r->shutdown_command : is_of_newest(kind) ? r->next_command : 0;
    return *cause > 0 || is_nobodys(kind);
}

void ref_tell_cause(struct ref *r, uint64_t cause)
{
    if (r->dry || !r->told || r->n_told == 0 || r->n_told > REF_TOLD_MAX)
        return;
    r->told->events[r->n_told - 1].has_cause = true;
    r->told->events[r->n_told - 1].cause = cause;
}

/* Expects one event. */
void ref_tell(struct ref *r, const struct ref_child *c, enum event_kind kind,
              const struct event_field *fields, uint32_t n_fields)
{
    INVARIANT(n_fields == 0 || fields);
    if (r->dry || !r->told || r->n_told++ >= REF_TOLD_MAX)
        return;

    struct ref_told *told = &r->told->events[r->n_told - 1];
    *told = (struct ref_told){.kind = kind, .n_fields = n_fields};
    told->has_cause = find_cause(r, kind, &told->cause);
    if (c) {
        told->child = c->id;
        told->generation = c->attempt.active ? c->attempt.generation : c->generation;
        told->attempt = c->attempt.number;
    }
    if (n_fields > 0)
        memcpy(told->fields, fields, n_fields * sizeof(*fields));
}

/* Expects one call to the host. */
void ref_call_with(struct ref *r, const struct ref_child *c, enum ref_call_kind kind,
                   int64_t number, bool whole)
{
    if (r->dry || !r->told || r->n_calls++ >= REF_CALLS_MAX)
        return;

    bool of_attempt = kind != REF_CALL_FORGET;
    r->told->calls[r->n_calls - 1] =
        (struct ref_call){.kind = kind,
                          .child = c->id,
                          .generation = of_attempt ? c->attempt.generation : 0,
                          .attempt = of_attempt ? c->attempt.number : 0,
                          .number = number,
                          .whole = whole};
}

void ref_call(struct ref *r, const struct ref_child *c, enum ref_call_kind kind)
{
    ref_call_with(r, c, kind, 0, false);
}
