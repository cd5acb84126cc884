/*
 * A token bucket as one number (GCRA, the generic cell rate algorithm): the
 * time at which the bucket would be full again. Taking a token moves it by the
 * price of one; how far it lies ahead of now is what has been taken.
 */
#include "core/model/budget.h"

#include "core/vocabulary/moment.h"

#include <stddef.h>

void budget_init(struct budget *budget, uint32_t tokens, uint64_t interval_usec)
{
    *budget = (struct budget){};
    if (tokens == 0)
        return;
    budget->interval_usec = interval_usec;
    budget->token_usec = interval_usec / tokens;
}

/* Returns how long this restart has to wait. The token is taken in any case:
 * restarts that wait are queued in time, and none is dropped. */
uint64_t budget_take(struct budget *budget, uint64_t now_usec)
{
    if (budget->interval_usec == 0)
        return 0;
    if (budget->full_usec < now_usec)
        budget->full_usec = now_usec;
    budget->full_usec = moment_after(budget->full_usec, budget->token_usec);

    uint64_t level = budget->full_usec - now_usec; /* of what is taken, in time */
    return level > budget->interval_usec ? level - budget->interval_usec : 0;
}
