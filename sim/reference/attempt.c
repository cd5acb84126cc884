/*
 * The reference model: what happens within an attempt of a child.
 *
 * The reference is written from the specification, by other means than the
 * core: plain arrays, no lists, every question answered by looking at
 * everything. It may be slow; it must be easy to check against the text.
 */
#include "reference/attempt.h"

#include "core/vocabulary/invariant.h"
#include "reference/words.h"

void ref_stop_watching(struct ref *r, struct ref_child *c)
{
    ref_disarm(c, REF_START_TIMEOUT);
    ref_disarm(c, REF_HEARTBEAT);
    ref_disarm(c, REF_HEALTH);
    ref_disarm(c, REF_CHANGE);
    ref_disarm(c, REF_RUN);
    ref_end_reload(r, c, RELOAD_INTERRUPTED);
    ref_ask_no_more(r, c);
}

void ref_ask_no_more(struct ref *r, struct ref_child *c)
{
    if (c->attempt.check_open)
        ref_call(r, c, REF_CALL_CHECK_END);
    c->attempt.check_open = false;
}

void ref_give_place_back(struct ref_child *c)
{
    c->in_flight = false;
    ref_disarm(c, REF_PLACE);
}

uint64_t ref_next_generation(const struct ref_child *c)
{
    return c->born || c->has_past ? c->generation + 1 : 0;
}

void ref_tell_limit(struct ref *r, const struct ref_child *c, const char *why)
{
    uint32_t burst = c->declaration->burst;
    TELL(r, c, EVENT_CHILD_RESTART_LIMIT_UPDATED, FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("used", c->used),
         FIELD_NUMBER_OF("remaining", c->used < burst ? burst - c->used : 0),
         FIELD_NUMBER_OF("burst", burst), FIELD_FLAG_OF("exhausted", c->used >= burst));
}

bool ref_ends_ready(const struct ref_child *c)
{
    return c->declaration->readiness == READINESS_EXIT ||
           c->declaration->readiness == READINESS_JOB;
}

/* An operation of a child changes, by a command or by policy. Setting what is
 * set already is no change and no event. */
void ref_set_operation(struct ref *r, struct ref_child *c, enum child_operation operation,
                       const struct command *command, const char *why)
{
    INVARIANT(c && c->id);
    enum child_operation before = c->operation;
    c->operation = operation;
    if (before == operation)
        return;
    c->operation_realtime = r->realtime;
    c->operation_command = command ? r->next_command : 0;
    c->operation_by = ref_keep(r, command ? command->requester : "policy");
    c->operation_reason = ref_keep(r, why);
    TELL(r, c, EVENT_CHILD_OPERATION_CHANGED,
         FIELD_TEXT_OF("from", child_operation_to_string(before)),
         FIELD_TEXT_OF("to", child_operation_to_string(operation)),
         FIELD_TEXT_OF("command", command ? command_verb_to_string(command->verb) : "policy"),
         FIELD_TEXT_OF("by", command ? command->requester : "policy"),
         FIELD_TEXT_OF("reason", c->operation_reason));
    ref_tell_cause(r, command ? r->next_command : 0);
}

/* A child that is being stopped may still report that it is ready; it counts,
 * but its status stays that of the stop. */
void ref_become_ready(struct ref *r, struct ref_child *c)
{
    if (c->readiness == READINESS_READY)
        return;
    c->readiness = READINESS_READY;
    ref_disarm(c, REF_START_TIMEOUT);
    if (c->attempt.status == CHILD_CANCELLING)
        return;
    c->attempt.ready_since = r->now;
    c->attempt.status = CHILD_READY;
    ref_give_place_back(c);
    TELL_BARE(r, c, EVENT_CHILD_READY);
}

/* There is reason to think that it is not well; one event, until there is none. */
void ref_doubt(struct ref *r, struct ref_child *c, const char *why)
{
    uint64_t last = c->heartbeat;
    if (!c->stale)
        TELL(r, c, EVENT_CHILD_HEARTBEAT_STALE, FIELD_TEXT_OF("why", why),
             FIELD_NUMBER_OF("silent_usec", r->now - (last > 0 ? last : c->attempt.started)),
             FIELD_FLAG_OF("ever", last > 0));
    c->stale = true;
}

void ref_trust(struct ref *r, struct ref_child *c)
{
    bool was = c->stale;
    c->stale = c->attempt.silent || c->attempt.unhealthy;
    if (was && !c->stale)
        TELL_BARE(r, c, EVENT_CHILD_HEARTBEAT_RECOVERED);
}

bool ref_is_proven(const struct ref *r, const struct ref_child *c)
{
    uint64_t since = c->attempt.ready_since;
    return c->attempt.proven ||
           (since > 0 && r->now - since >= c->declaration->backoff.reset_after_usec);
}

/* A reload ends with a result. The event names the command that asked for it. */
void ref_end_reload(struct ref *r, struct ref_child *c, enum reload_result result)
{
    c->attempt.reloading = false;
    if (c->attempt.reload == REF_NO_RELOAD)
        return;
    c->attempt.reload = REF_NO_RELOAD;
    c->reload_result = result;
    TELL(r, c, EVENT_CHILD_RELOAD_COMPLETED,
         FIELD_TEXT_OF("result", reload_result_to_string(result)),
         FIELD_NUMBER_OF("took_usec", r->now - c->attempt.reload_signal));
    ref_tell_cause(r, c->attempt.reload_command);
}

void ref_fail(struct ref *r, struct ref_child *c, enum failure_phase phase, bool recoverable,
              const char *reason)
{
    c->failure = phase;
    c->failure_recoverable = recoverable;
    c->failure_reason = ref_keep_short(r, reason, FAILURE_REASON_MAX - 1);
}

void ref_forget_failure(struct ref_child *c)
{
    c->failure = FAILURE_NONE;
    c->failure_recoverable = false;
    c->failure_reason = "";
}
