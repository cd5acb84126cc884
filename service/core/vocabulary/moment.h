/*
 * Moments: points of the core's time, in microseconds. They are compared and subtracted all over
 * the core, so two promises are kept in one place: a moment plus a delay never wraps around,
 * however long the delay is, and nothing that has happened is later than now (input.c ensures that,
 * also for what a journal contains). Then `now - stamp` is never negative, and a deadline that is
 * armed never lies in the past.
 *
 * 0 is no moment: "not armed", "not yet".
 */
#pragma once

#include <stdint.h>

/* No journal, clock or declaration leads beyond it; it is 146,000 years away. */
#define MOMENT_MAX (UINT64_MAX / 4)

/* So much later, MOMENT_MAX at most. */
static inline uint64_t moment_after(uint64_t moment_usec, uint64_t delay_usec)
{
    if (moment_usec >= MOMENT_MAX || delay_usec > MOMENT_MAX - moment_usec)
        return MOMENT_MAX;
    return moment_usec + delay_usec;
}

/* The later of two. */
static inline uint64_t moment_later(uint64_t a_usec, uint64_t b_usec)
{
    return a_usec > b_usec ? a_usec : b_usec;
}
