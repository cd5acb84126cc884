/*
 * Time since the core was made, over all reboots. Each boot begins a new
 * monotonic clock at zero; the era's time continues where the last one ended,
 * plus what has passed by the wall clock meanwhile, so deadlines in a
 * checkpoint remain comparable.
 */
#include "core/model/era.h"

#include "core/vocabulary/moment.h"

uint64_t era_time(const struct era *era, uint64_t clock_usec)
{
    return moment_after(era->origin_usec, clock_usec);
}

uint64_t era_clock(const struct era *era, uint64_t time_usec)
{
    return time_usec > era->origin_usec ? time_usec - era->origin_usec : 0;
}

static uint64_t elapsed(uint64_t from_usec, uint64_t to_usec)
{
    if (from_usec < ERA_REALTIME_MIN || to_usec <= from_usec)
        return 0;
    return to_usec - from_usec < ERA_ELAPSED_MAX ? to_usec - from_usec : ERA_ELAPSED_MAX;
}

/* If the wall clock was set back meanwhile, no time has passed: the era's time
 * never goes back. */
void era_resume(struct era *era, bool same_boot, const struct two_clocks *past,
                const struct two_clocks *present)
{
    uint64_t last = past->monotonic_usec;

    if (same_boot && era_time(era, present->monotonic_usec) >= last)
        return;
    uint64_t now = moment_after(last, elapsed(past->realtime_usec, present->realtime_usec));
    era->origin_usec = now > present->monotonic_usec ? now - present->monotonic_usec : 0;
}
