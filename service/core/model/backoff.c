/*
 * The delay is computed from the number of the restart each time, not from the
 * delay before, so that a checkpoint needs only that number; decorrelated
 * jitter is the exception, and keeps the last delay. Overflow ends at the cap.
 */
#include "core/model/backoff.h"

#include "core/model/random.h"
#include "core/vocabulary/invariant.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* a * milli / 1000 without overflow, at most limit. */
static uint64_t scaled(uint64_t a, uint32_t milli, uint64_t limit)
{
    if (a > UINT64_MAX / 1000000 || (milli > 0 && a > UINT64_MAX / milli))
        return limit;
    return smaller(a * milli / 1000, limit);
}

/* Multiplies step by step, as factors are not whole numbers and the result has
 * to be the same with every compiler. It ends at the cap, so a thousandth
 * restart costs no more than a tenth. */
static uint64_t without_jitter(const struct backoff_settings *settings, uint64_t n)
{
    uint64_t delay = smaller(settings->initial_usec, settings->max_usec);

    for (uint64_t i = 1; i < n && delay < settings->max_usec; i++) {
        uint64_t next = scaled(delay, settings->factor_milli, settings->max_usec);
        if (next == delay)
            break; /* 0, or a factor of 1: it will not grow any more */
        delay = next;
    }
    return delay;
}

/* The modes of jitter are those of the AWS article on exponential backoff;
 * `equal` spreads around the delay, where the article's spreads below it, so
 * that the mean stays what the manifest says. */
uint64_t backoff_delay(const struct backoff_settings *settings, uint64_t n, uint64_t previous_usec,
                       struct random *random)
{
    INVARIANT(n >= 1);
    uint64_t delay = without_jitter(settings, n);

    switch (settings->jitter) {
    case JITTER_NONE:
        return delay;
    case JITTER_EQUAL: {
        uint64_t spread = scaled(delay, settings->ratio_milli, delay);
        return random_between(random, delay - spread, delay + spread);
    }
    case JITTER_FULL:
        return random_between(random, 0, delay);
    case JITTER_DECORRELATED: {
        uint64_t low = smaller(settings->initial_usec, settings->max_usec);
        uint64_t high = scaled(previous_usec, 3000, settings->max_usec);
        return random_between(random, low, high > low ? high : low);
    }
    }
    __builtin_unreachable();
}
