/*
 * What a campaign has reached: bits for events, exits, decisions, draws of the
 * swarm, and a bitmap of the states that a child was seen in. A campaign that
 * never draws something tests nothing about it, so `--complete` fails if a bit
 * stays empty.
 */
#include "checks/coverage.h"
#include "core/vocabulary/invariant.h"

_Static_assert(COVERAGE_DRAWS <= 64, "each has a bit");

/* The name of one draw, for the report of what was never drawn. */
const char *coverage_draw_to_string(int draw)
{
    static const char *const names[] = {
        [DRAW_KILL_WHOLE - DRAW_KILL_WHOLE] = "kill of a whole child",
        [DRAW_KILL_RELOAD - DRAW_KILL_WHOLE] = "kill with the signal of a reload",
        [DRAW_DRY_RUN - DRAW_KILL_WHOLE] = "dry run",
        [DRAW_BLANK_REASON - DRAW_KILL_WHOLE] = "blank reason",
        [DRAW_LONG_REASON - DRAW_KILL_WHOLE] = "reason that is too long",
        [DRAW_NO_SUCH_CHILD - DRAW_KILL_WHOLE] = "command on no child",
        [DRAW_NO_SUCH_SCOPE - DRAW_KILL_WHOLE] = "command on no supervisor",
        [DRAW_REFUSED_ID - DRAW_KILL_WHOLE] = "set with an id that is taken",
        [DRAW_REFUSED_DEPENDENCY - DRAW_KILL_WHOLE] = "set with an unknown dependency",
        [DRAW_REFUSED_CYCLE - DRAW_KILL_WHOLE] = "set with a cycle",
        [DRAW_REFUSED_GROUP - DRAW_KILL_WHOLE] = "set with an unknown group",
        [DRAW_REFUSED_PRIMARY - DRAW_KILL_WHOLE] = "set with a sidecar of none",
        [DRAW_REFUSED_REDECLARATION - DRAW_KILL_WHOLE] = "redeclaration that is refused",
        [DRAW_TWO_REDECLARED - DRAW_KILL_WHOLE] = "two children redeclared at once",
        [DRAW_DRY_ADD - DRAW_KILL_WHOLE] = "dry run of a declaration",
    };
    static const char *const tenths[] = {"tenth of jitter equal", "tenth of jitter full",
                                         "tenth of jitter decorrelated"};

    if (draw < DRAW_VERB)
        return tenths[draw / 10];
    if (draw < DRAW_KILL_WHOLE)
        return command_verb_to_string(
            (enum command_verb)(draw - (draw < DRAW_SCOPE ? DRAW_VERB : DRAW_SCOPE)));
    return names[draw - DRAW_KILL_WHOLE];
}

void coverage_drew(struct world *world, int draw)
{
    world->marks[2] |= UINT64_C(1) << draw;
}

/* The state is hashed into a bitmap: collisions make the count a little too
 * small, and never too large. */
void coverage_mark(struct world *world, const struct child *child)
{
    uint64_t state = (uint64_t)core_shutdown_phase(world->core);

    INVARIANT(!child || child_is_sound(child));
    world->marks[2] |= world->reference.tenths;
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
