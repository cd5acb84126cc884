/*
 * Era: the core's time continues over reboots.
 *
 * The machine's monotonic clock starts again at 0 with each boot. What the core remembers
 * (deadlines, restart windows, cool-downs) was written down by the clock of the last boot, and must
 * never be compared with the clock of this one. So the core does not live by the machine's clock,
 * but by a time of its own: the clock's reading and an origin, which is chosen once for each boot.
 * The time continues where the journal ends, as much later as the wall clock says. Nothing that is
 * remembered has to be translated, and no moment comes twice.
 *
 *     era_resume(&era, same_boot, &past, &present);   // once, when the journal has been read
 *     now = era_time(&era, clock);                     // what the core reads
 *     arm(era_clock(&era, deadline));                  // what the machine's timer is set to
 *
 * The machine's first boot has the origin 0: there both are the same. The idea: the epochs of
 * logical clocks in databases that outlive their machines (CockroachDB's hybrid clocks).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct era {
    uint64_t origin_usec; /* the core's time when the machine's clock was 0 */
};

/* The same moment by two clocks: the core's time or the machine's, and the wall's. */
struct two_clocks {
    uint64_t monotonic_usec, realtime_usec;
};

/* Before this no clock that has been set can be: a machine without a battery begins in 1970. */
#define ERA_REALTIME_MIN UINT64_C(1577836800000000) /* 2020-01-01 */
/* As much as a wall clock is believed to have gone on while the machine was off. */
#define ERA_ELAPSED_MAX (UINT64_C(100) * 365 * 24 * 3600 * 1000000)

/* The core's time at this reading of the machine's clock, and the other way round; 0 for a moment
 * of an earlier boot. */
uint64_t era_time(const struct era *era, uint64_t clock_usec);
uint64_t era_clock(const struct era *era, uint64_t time_usec);

/*
 * Continues after the last moment in the journal. `past`: the last moment of it, by the core's
 * time; `present`: by the machine's clock. In the same boot the era stays as it was, unless the
 * clock has gone back (another time namespace, a restored checkpoint). Otherwise the time continues
 * by the wall clock; where that was set back or is not set, none has passed.
 */
void era_resume(struct era *era, bool same_boot, const struct two_clocks *past,
                const struct two_clocks *present);
