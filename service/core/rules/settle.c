/*
 * The end of an input. Whatever has become possible by it (queued starts,
 * members that wait for the last of a scope, jobs with a free place) is done
 * here, at one place and in a fixed order, instead of at each of the many
 * places that make it possible. It repeats until nothing changes.
 */
#include "core/rules/settle.h"

#include "core/model/timer.h"
#include "core/private.h"
#include "core/rules/jobs.h"
#include "core/rules/start.h"
#include "core/rules/stop.h"
#include "core/rules/strategy.h"

void settle_timer(struct core *core)
{
    const struct timer *first = timer_first(&core->timers);
    uint64_t deadline = first ? first->deadline_usec : 0;

    if (deadline == core->armed_usec)
        return;
    core->armed_usec = deadline;
    core->ports.set_timer(core->ports.userdata, deadline);
}

static void make_starts(struct core *core)
{
    strategy_look(core);
    restart_queue_look(core);
    dependency_wake(core);
    jobs_look(core);
}

void settle_waiting(struct core *core)
{
    stop_order_look(core);
    make_starts(core);
}

void settle_input(struct core *core)
{
    settle_waiting(core);
    settle_timer(core);
}
