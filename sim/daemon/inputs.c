/*
 * What every input has in common, whatever it is: it is counted, and the checks
 * are told that it begins.
 */
#include "daemon/inputs.h"

#include "checks/causes.h"
#include "checks/told.h"

/* A world that never comes to rest ends with a failure after a number of inputs
 * that no sound run needs. */
void inputs_begin(struct world *world, enum input_kind kind, struct actor *actor)
{
    world->inputs++;
    world->input = kind;
    world->input_actor = actor;
    world->melting = false;
    causes_begin(world);
    told_begin(world);
    struct two_clocks clocks = world_clocks(world);
    reference_clock(&world->reference, clocks.monotonic_usec, clocks.realtime_usec);
    if (world->inputs > WORLD_INPUTS_MAX)
        world_fail(world, CHECK_ENDLESS, "more than %ju inputs", (uintmax_t)WORLD_INPUTS_MAX);
}
