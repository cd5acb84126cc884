#include "checks/coverage.h"

void coverage_mark(struct world *world, const struct child *child)
{
    uint64_t state = (uint64_t)core_shutdown_phase(world->core);

    world->marks[1] |=
        UINT64_C(1) << child->last_exit->kind | UINT64_C(1) << (16 + child->last_exit->decision) |
        UINT64_C(1) << (26 + child->fence_phase) | UINT64_C(1) << (32 + child->failure->phase) |
        UINT64_C(1) << (40 + child->shutdown->result) |
        (uint64_t)(child->start == START_DEPENDENCY) << 48 | (uint64_t)child->on_trial << 49 |
        (uint64_t)(child->next_config != NULL) << 50 |
        (uint64_t)(child->start == START_QUEUED) << 51 | (uint64_t)(child->group != NULL) << 52;
    if (!world->states)
        return;
    state = state * 4 + child->operation;
    state = state * 6 + child_status(child);
    state = state * 5 + child->stop_state;
    state = state * 3 + child->readiness;
    state = state * 5 + child->fence_phase;
    state = state * 4 + child->failure->phase;
    state = state * 9 + child->last_exit->kind;
    state = state * 2 + child->pending.active;
    state = state * 2 + child->attempt.spawned;
    state = state * 2 + child->attempt.abort_requested;
    state = state * 2 + child->heartbeat_stale;
    state = state * 2 + (child->start == START_DEPENDENCY);
    state = state * 2 + child->wanted;
    state = state * 2 + child->gave_up;
    state = state * 2 + (child->timers[TIMER_START].deadline_usec > 0);
    state = (state * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - WORLD_STATE_BITS);
    world->states[state / 8] |= (unsigned char)(1 << (state % 8));
}
