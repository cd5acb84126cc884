/*
 * Backoff: how long to wait before the n-th restart in a row.
 *
 *     delay(n) = min(max, initial * factor^(n-1)), then jitter
 *
 * All in whole numbers: the factor and the jitter's ratio are given in thousandths. The jitter is
 * drawn from the core's generator. `equal` spreads by +-ratio, at the cap too; `full` draws from
 * 0 to the delay; `decorrelated` draws from initial to three times the delay before, capped (the
 * names are those of AWS's "Exponential Backoff And Jitter").
 */
#pragma once

#include "core/model/random.h"
#include "core/vocabulary/vocabulary.h"

#include <stdint.h>

struct backoff_settings {
    uint64_t initial_usec;
    uint64_t max_usec;
    uint32_t factor_milli; /* at least 1000 */
    uint32_t ratio_milli;  /* 0 to 1000, used by JITTER_EQUAL */
    enum jitter jitter;
    uint64_t reset_after_usec; /* ready for this long: n is reset */
};

/* n counts from 1; previous_usec is the delay before this one, 0 where there was none. */
uint64_t backoff_delay(const struct backoff_settings *settings, uint64_t n, uint64_t previous_usec,
                       struct random *random);
