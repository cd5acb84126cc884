/*
 * What can be read from a supervisor: its state in a word, its strategy, its
 * limits, all derived from the tally of what is below it.
 */
#include "core/model/supervisor.h"

#include "core/model/restart_limit.h"
#include "core/private.h"
#include "core/vocabulary/vocabulary.h"

/* ---- what it shows --------------------------------------------------------------------------- */

/* A shutdown hides the rest; a restart in progress hides a meltdown, which it
 * may be the end of. */
enum supervisor_state supervisor_state(const struct core *core, const struct supervisor *supervisor)
{
    const struct tally *tally = &supervisor->tally;

    if (core->shutdown_phase != SHUTDOWN_IDLE)
        return tally->attempts > 0 ? SUPERVISOR_STOPPING : SUPERVISOR_STOPPED;
    if (tally->scoped > 0)
        return SUPERVISOR_RESTARTING;
    if (supervisor->melted_down)
        return SUPERVISOR_MELTED_DOWN;
    if (tally->children > 0 && tally->held == tally->children)
        return tally->attempts > 0 ? SUPERVISOR_STOPPING : SUPERVISOR_STOPPED;
    return SUPERVISOR_RUNNING;
}

struct restart_limit_view supervisor_window(const struct core *core,
                                            const struct supervisor *supervisor)
{
    struct restart_limit limit = supervisor->limit;

    restart_limit_prune(&limit, core_now(core), core_realtime(core)); /* of the copy */
    return restart_limit_view(&limit);
}

struct restart_limit_view supervisor_limit(const struct core *core,
                                           const struct supervisor *supervisor)
{
    return supervisor->config->declaration.limited ? supervisor_window(core, supervisor)
                                                   : (struct restart_limit_view){};
}

uint32_t supervisor_cap(const struct core *core, const struct supervisor *supervisor)
{
    uint32_t cap = supervisor->config->declaration.max_restarts_in_flight;
    return cap > 0 ? cap : core->max_restarts_in_flight;
}
