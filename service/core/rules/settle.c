#include "core/rules/settle.h"

#include "core/core.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/private.h"
#include "core/vocabulary/moment.h"
#include "core/vocabulary/text.h"

void settle_timer(struct core *core)
{
    const struct timer *first = timer_first(&core->timers);
    uint64_t deadline = first ? first->deadline_usec : 0;

    if (deadline == core->armed_usec)
        return;
    core->armed_usec = deadline;
    core->ports.set_timer(core->ports.userdata, deadline);
}

void settle_waiting(struct core *core)
{
    stop_order_look(core);
    start_settle(core);
}

void core_finish_input(struct core *core)
{
    settle_waiting(core);
    settle_timer(core);
}

void start_settle(struct core *core)
{
    strategy_look(core);
    restart_queue_look(core);
    dependency_wake(core);
    jobs_look(core);
}
