/*
 * What can be read from a child without knowing how its state came about.
 * Nothing here changes it.
 */
#include "core/model/child.h"

#include "core/private.h"
#include "core/vocabulary/vocabulary.h"

enum child_status child_status(const struct child *child)
{
    return child->attempt.active ? child->attempt.status : CHILD_STATUS_NONE;
}

uint64_t child_next_generation(const struct child *child)
{
    return child->born || child->has_past ? child->generation + 1 : 0;
}

uint64_t child_attempt(const struct child *child)
{
    return child->attempt.active ? child->attempt.number : 0;
}

uint64_t child_next_restart_usec(const struct core *core, const struct child *child)
{
    return core_realtime_of(core, child->timers[TIMER_START].deadline_usec);
}

uint64_t child_stop_deadline_usec(const struct core *core, const struct child *child)
{
    return core_realtime_of(core, child->timers[TIMER_STOP].deadline_usec);
}

struct attempt_id child_attempt_id(const struct child *child)
{
    return (struct attempt_id){
        .slot = child->slot,
        .serial = child->serial,
        .generation = child->attempt.generation,
        .attempt = child->attempt.number,
    };
}
