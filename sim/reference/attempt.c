#include "reference/attempt.h"

void ref_stop_watching(struct ref_child *c)
{
    ref_disarm(c, REF_START_TIMEOUT);
    ref_disarm(c, REF_HEARTBEAT);
    ref_disarm(c, REF_HEALTH);
    ref_disarm(c, REF_CHANGE);
    ref_disarm(c, REF_RUN);
    ref_end_reload(c, RELOAD_INTERRUPTED);
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

bool ref_ends_ready(const struct ref_child *c)
{
    return c->declaration->readiness == READINESS_EXIT ||
           c->declaration->readiness == READINESS_JOB;
}

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
}

bool ref_is_proven(const struct ref *r, const struct ref_child *c)
{
    uint64_t since = c->attempt.ready_since;
    return c->attempt.proven ||
           (since > 0 && r->now - since >= c->declaration->backoff.reset_after_usec);
}

void ref_end_reload(struct ref_child *c, enum reload_result result)
{
    c->attempt.reloading = false;
    if (c->attempt.reload == REF_NO_RELOAD)
        return;
    c->attempt.reload = REF_NO_RELOAD;
    c->reload_result = result;
}
