/*
 * Chance in the model is a choice of the schedule: whether a fault strikes,
 * which of two orders happens. A chance without a schedule always takes the
 * plain way, for tests that want no faults.
 */
#include "kernel/chance.h"

uint32_t chance_choose(const struct chance *chance, uint32_t n)
{
    return chance && chance->choose && n > 1 ? chance->choose(chance->userdata, n) : 0;
}

bool chance_strikes(const struct chance *chance, unsigned per_mille)
{
    return per_mille > 0 && chance_choose(chance, 1000) + per_mille > 999;
}
