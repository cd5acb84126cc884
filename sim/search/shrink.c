/*
 * Shrinks a schedule that fails: fewer choices, smaller numbers, more zeros.
 * Each candidate is run; it is kept if it fails in the same way.
 *
 * The strategies are those of delta debugging, since a schedule is a list in
 * which most entries do not matter.
 */
#include "search/shrink.h"

#include "search/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shrinker {
    const struct shrink_subject *subject;
    uint32_t *best, *candidate;
    size_t n_best, n_candidate;
    uint64_t tries;
    double until;
};

static size_t without_tail(const uint32_t *choices, size_t count)
{
    while (count > 0 && choices[count - 1] == 0)
        count--;
    return count;
}

/* A smaller weight is better, then a shorter list, then smaller numbers from the front. */
static bool better(const struct shrinker *s)
{
    size_t mine = schedule_weight(s->candidate, s->n_candidate);
    size_t best = schedule_weight(s->best, s->n_best);

    if (mine != best)
        return mine < best;
    if (s->n_candidate != s->n_best)
        return s->n_candidate < s->n_best;
    for (size_t i = 0; i < s->n_best; i++)
        if (s->candidate[i] != s->best[i])
            return s->candidate[i] < s->best[i];
    return false;
}

/* Keeps the candidate where it fails the same check and is better. */
static bool try_candidate(struct shrinker *s)
{
    struct schedule *schedule = s->subject->schedule;

    s->n_candidate = without_tail(s->candidate, s->n_candidate);
    if (!better(s) || clock_seconds() > s->until)
        return false;
    s->tries++;
    schedule_begin_given(schedule, s->candidate, s->n_candidate);
    if (!s->subject->fails(s->subject->userdata))
        return false;
    /* What it really used: choices that were out of range, or never asked for, are not of it. */
    if (schedule->count < s->n_candidate)
        s->n_candidate = schedule->count;
    memcpy(s->best, schedule->choices, s->n_candidate * sizeof(*s->best));
    s->n_best = without_tail(s->best, s->n_candidate);
    return true;
}

static void copy_best(struct shrinker *s)
{
    memcpy(s->candidate, s->best, s->n_best * sizeof(*s->best));
    s->n_candidate = s->n_best;
}

/* Choices at the end first: missing ones count as 0. */
static bool cut_tail(struct shrinker *s)
{
    bool any = false;

    for (size_t keep = s->n_best / 2; keep < s->n_best;) {
        copy_best(s);
        s->n_candidate = keep;
        if (try_candidate(s)) {
            any = true;
            keep = s->n_best / 2;
        } else {
            keep += (s->n_best - keep + 1) / 2;
        }
    }
    return any;
}

/* From long stretches to single choices. */
static bool zero_stretches(struct shrinker *s)
{
    bool any = false;

    for (size_t size = s->n_best; size > 0; size /= 2)
        for (size_t at = 0; at < s->n_best; at += size) {
            copy_best(s);
            for (size_t i = at; i < at + size && i < s->n_candidate; i++)
                s->candidate[i] = 0;
            any = try_candidate(s) || any;
        }
    return any;
}

/* What follows moves up, and means something else then, which often works. */
static bool take_stretches_out(struct shrinker *s)
{
    bool any = false;

    for (size_t size = 16; size > 0; size /= 2)
        for (size_t at = 0; at + size <= s->n_best;) {
            copy_best(s);
            memmove(s->candidate + at, s->candidate + at + size,
                    (s->n_candidate - at - size) * sizeof(*s->candidate));
            s->n_candidate -= size;
            if (try_candidate(s))
                any = true;
            else
                at++;
        }
    return any;
}

/* Single choices, to the smallest value that still fails. */
static bool lower(struct shrinker *s)
{
    bool any = false;

    for (size_t i = 0; i < s->n_best; i++)
        for (uint32_t value = 0; i < s->n_best && value < s->best[i] && value < 64; value++) {
            copy_best(s);
            s->candidate[i] = value;
            if (try_candidate(s)) {
                any = true;
                break;
            }
        }
    return any;
}

/* ---- out of a dead end ----------------------------------------------------------------------- */

#define DICE_TRIES      20000  /* without any gain, before it gives up */
#define DICE_TRIES_LONG 600000 /* ... where a schedule is still too long for people */
#define TOO_LONG        12     /* choices */
#define GOOD_ENOUGH     6      /* choices: it need not be shorter */

static uint32_t dice(uint64_t *state, uint32_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

/* When nothing systematic helps any more, a change by chance. */
static void change_somewhere(struct shrinker *s, uint64_t *state, size_t room)
{
    uint32_t at = dice(state, (uint32_t)s->n_candidate);
    size_t behind = s->n_candidate - at;

    switch (dice(state, 5)) {
    case 0:
    case 1:
        s->candidate[at] = 0;
        return;
    case 2:
        s->candidate[at] = dice(state, s->candidate[at] + 2);
        return;
    case 3:
        memmove(s->candidate + at, s->candidate + at + 1, (behind - 1) * sizeof(*s->candidate));
        s->n_candidate--;
        return;
    case 4:
        if (s->n_candidate == room)
            return;
        memmove(s->candidate + at + 1, s->candidate + at, behind * sizeof(*s->candidate));
        s->candidate[at] = 0;
        s->n_candidate++;
        return;
    }
}

/* Several changes at once, drawn by lot, where no single one helps any more. */
static bool throw_dice(struct shrinker *s, uint64_t *state, size_t room)
{
    int tries = schedule_weight(s->best, s->n_best) > TOO_LONG ? DICE_TRIES_LONG : DICE_TRIES;

    for (int i = 0; i < tries; i++) {
        if (schedule_weight(s->best, s->n_best) <= GOOD_ENOUGH || clock_seconds() > s->until)
            return false;
        copy_best(s);
        for (uint32_t k = 1 + dice(state, 5); k > 0 && s->n_candidate > 0; k--)
            change_somewhere(s, state, room);
        if (try_candidate(s))
            return true;
    }
    return false;
}

/* Until nothing helps or the time is over. The caller frees `choices`. */
uint64_t shrink_schedule(const struct shrink_subject *subject, const uint32_t *given,
                         size_t n_given, double seconds, uint32_t **choices, size_t *count)
{
    struct shrinker s = {.subject = subject, .until = clock_seconds() + seconds};
    uint64_t state = 1;

    s.best = malloc((n_given + 1) * sizeof(*s.best));
    s.candidate = malloc((n_given + 1) * sizeof(*s.candidate));
    if (!s.best || !s.candidate) {
        perror("proctor-sim: shrink");
        exit(EXIT_FAILURE);
    }
    memcpy(s.best, given, n_given * sizeof(*s.best));
    s.n_best = without_tail(s.best, n_given);
    while (clock_seconds() < s.until) {
        bool any = cut_tail(&s);
        any = zero_stretches(&s) || any;
        any = take_stretches_out(&s) || any;
        any = lower(&s) || any;
        if (!any && !throw_dice(&s, &state, n_given))
            break;
    }
    free(s.candidate);
    *choices = s.best;
    *count = s.n_best;
    return s.tries;
}

/* ---- runs of the core ------------------------------------------------------------------------ */

struct failing_run {
    const struct run *run;
    enum check check;
    struct result result; /* of the best */
};

static bool run_fails(void *userdata)
{
    struct failing_run *failing = userdata;
    struct result result;

    run_once(failing->run, &result);
    if (result.verdict.check != failing->check)
        return false;
    failing->result = result;
    return true;
}

/* A failure counts only if the same check fails. */
void shrink(const struct run *run, const uint32_t *choices, size_t count, double seconds,
            struct shrunk *shrunk)
{
    struct failing_run failing = {.run = run};
    const struct shrink_subject subject = {run->schedule, &failing, run_fails};

    *shrunk = (struct shrunk){};
    schedule_begin_given(run->schedule, choices, count);
    run_once(run, &failing.result);
    failing.check = failing.result.verdict.check;
    shrunk->tries =
        shrink_schedule(&subject, choices, count, failing.check == CHECK_NONE ? 0 : seconds,
                        &shrunk->choices, &shrunk->count);
    shrunk->result = failing.result;
}
