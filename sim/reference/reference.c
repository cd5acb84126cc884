/*
 * The reference's clock, timers and lists: what the other files stand on.
 */
#include "reference/reference.h"

#include <string.h>

void reference_clock(struct ref *r, uint64_t uptime, uint64_t realtime)
{
    if (r->ahead + uptime > r->now)
        r->now = r->ahead + uptime;
    r->realtime = realtime;
}

/* As much later as the wall clock says; no later where it was set back, or was not set. */
void reference_reboot(struct ref *r, uint64_t uptime, uint64_t realtime)
{
    uint64_t now = r->now;

    if (r->realtime >= UINT64_C(50) * 365 * 24 * 3600 * 1000000 && realtime > r->realtime)
        now += realtime - r->realtime;
    r->ahead = now > uptime ? now - uptime : 0;
}

void ref_arm(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t deadline)
{
    c->deadline[timer] = deadline;
    c->order[timer] = ++r->next_order;
    if (timer == REF_START)
        c->named_to_start = false;
}

void ref_disarm(struct ref_child *c, enum ref_timer timer)
{
    c->deadline[timer] = 0;
    if (timer == REF_START)
        c->named_to_start = false;
}

/* A timeout of 0 is no deadline: what ran before does not run any more. */
void ref_arm_timeout(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t timeout)
{
    if (timeout > 0)
        ref_arm(r, c, timer, r->now + timeout);
    else
        ref_disarm(c, timer);
}

struct ref_child *reference_find(struct ref *r, const char *id)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here && strcmp(r->children[i].id, id) == 0)
            return &r->children[i];
    return NULL;
}

/* How many of these exits, the oldest first, are in the window still. */
uint32_t ref_kept(const uint64_t *exits, uint32_t used, uint64_t now, uint64_t interval)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < used; i++)
        kept += now - exits[i] <= interval;
    return kept;
}

void ref_prune(struct ref *r, struct ref_child *c)
{
    uint32_t kept = ref_kept(c->exits, c->used, r->now, c->declaration->interval_usec);
    memmove(c->exits, c->exits + c->used - kept, kept * sizeof(*c->exits));
    if (kept != c->used)
        ref_touch(r, &c->limit_updated);
    c->used = kept;
}

void ref_touch(const struct ref *r, uint64_t *updated)
{
    *updated = r->realtime > *updated + 1 ? r->realtime : *updated + 1;
}
