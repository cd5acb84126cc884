/*
 * How long a restart is delayed. The delay is drawn at random, so the reference
 * checks that the drawn one is possible, and then uses it: it has no generator
 * of its own.
 */
#include "reference/backoff.h"

#include <stdio.h>

#define WRONG_MAX 160

static uint64_t plain_backoff(const struct backoff_settings *b, uint64_t n)
{
    unsigned __int128 delay = b->initial_usec;
    for (uint64_t i = 1; i < n && delay < b->max_usec; i++)
        delay = delay * b->factor_milli / 1000;
    return delay < b->max_usec ? (uint64_t)delay : b->max_usec;
}

struct range {
    uint64_t low, high;
};

/* What may be drawn for the nth restart. */
static struct range range_of(const struct backoff_settings *b, uint64_t n, uint64_t previous)
{
    uint64_t delay = plain_backoff(b, n);
    struct range range = {delay, delay};
    if (b->jitter == JITTER_EQUAL) {
        uint64_t spread = delay * b->ratio_milli / 1000;
        range.low = delay - (spread < delay ? spread : delay);
        range.high = delay + spread;
    } else if (b->jitter == JITTER_FULL) {
        range.low = 0;
    } else if (b->jitter == JITTER_DECORRELATED) {
        range.low = b->initial_usec < b->max_usec ? b->initial_usec : b->max_usec;
        range.high = previous * 3 < b->max_usec ? previous * 3 : b->max_usec;
        range.high = range.high > range.low ? range.high : range.low;
    }
    return range;
}

/* Over a campaign each tenth of a range has been drawn: one that is never is no jitter. */
static void note_tenth(struct ref *r, enum jitter jitter, struct range range, uint64_t drawn)
{
    if (jitter == JITTER_NONE || range.high - range.low < 1000)
        return;
    uint64_t tenth = (drawn - range.low) * 10 / (range.high - range.low + 1);
    r->tenths |= UINT32_C(1) << (10 * ((int)jitter - 1) + (int)tenth);
}

/* Notes the tenth of the range that the draw fell into, so that a campaign can
 * show that the whole range occurs. */
static uint64_t next_backoff(struct ref *r, struct ref_child *c)
{
    const struct backoff_settings *b = &c->declaration->backoff;
    c->backoff_n++;
    struct range range = range_of(b, c->backoff_n, c->backoff_previous);
    if (c->drew && c->drawn >= range.low && c->drawn <= range.high) {
        note_tenth(r, b->jitter, range, c->drawn);
    } else {
        r->wrong = r->allocate(r->userdata, WRONG_MAX);
        snprintf(r->wrong, WRONG_MAX, "%.60s: a delay of %ju us is not possible for n = %ju", c->id,
                 (uintmax_t)c->drawn, (uintmax_t)c->backoff_n);
    }
    c->backoff_previous = c->drawn;
    return c->drawn;
}

static void tell_budget(struct ref *r, const struct ref_child *c, uint64_t wait)
{
    const struct ref_supervisor *s = &r->supervisors[c->supervisor];
    TELL(r, c, EVENT_BUDGET_EXHAUSTED,
         FIELD_TEXT_OF("group", s->groups[c->group].declaration->name),
         FIELD_TEXT_OF("supervisor", s->declaration->path), FIELD_NUMBER_OF("wait_usec", wait));
}

void ref_tell_backoff(struct ref *r, const struct ref_child *c, const char *why, uint64_t delay,
                      uint64_t drawn)
{
    TELL(r, c, EVENT_CHILD_BACKOFF_SCHEDULED, FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("delay_usec", delay), FIELD_NUMBER_OF("drawn_usec", drawn),
         FIELD_NUMBER_OF("n", c->backoff_n));
}

/* The delay is the longer one of backoff and budget; `wait` is that of the
 * budget. */
uint64_t ref_schedule(struct ref *r, struct ref_child *c, uint64_t wait)
{
    uint64_t drawn = next_backoff(r, c);
    uint64_t delay = wait > drawn ? wait : drawn;
    c->automatic = true;
    c->by_budget = wait > drawn;
    if (delay > 0)
        ref_arm(r, c, REF_START, r->now + delay);
    if (wait > 0)
        tell_budget(r, c, wait);
    ref_tell_backoff(r, c, "backoff", delay, drawn);
    return delay;
}

uint64_t ref_back_off(struct ref *r, struct ref_child *c)
{
    return ref_schedule(r, c, 0);
}

void reference_drew(struct ref_child *c, uint64_t delay)
{
    c->drew = true;
    c->drawn = delay;
}
