/*
 * The states of a process, and which may follow which. One setter, one table: a
 * transition that is not in it ends the program in a test.
 */
#include "host/process_state.h"

#include "core/vocabulary/invariant.h"
#include "host/process.h"

/* Rows are from, columns are to; the comments say what the unusual ones are. */
static bool may_follow(enum process_state from, enum process_state to)
{
    static const bool table[PROCESS_ENDING + 1][PROCESS_ENDING + 1] = {
        [PROCESS_IDLE] = {[PROCESS_QUEUED] = true,
                          [PROCESS_LAUNCHED] = true, /* by the program that was here before */
                          [PROCESS_RUNNING] = true,  /* adopted */
                          [PROCESS_UNTOLD] = true},  /* its end was not seen */
        [PROCESS_QUEUED] = {[PROCESS_PREPARING] = true},
        [PROCESS_PREPARING] = {[PROCESS_LAUNCHED] = true,
                               [PROCESS_QUEUED] = true,
                               [PROCESS_CALLED_OFF] = true,
                               [PROCESS_IDLE] = true},
        [PROCESS_CALLED_OFF] = {[PROCESS_IDLE] = true},
        [PROCESS_LAUNCHED] = {[PROCESS_RUNNING] = true,
                              [PROCESS_PREPARING] = true, /* something lacks */
                              [PROCESS_QUEUED] = true,
                              [PROCESS_IDLE] = true},
        [PROCESS_RUNNING] = {[PROCESS_UNTOLD] = true},
        [PROCESS_UNTOLD] =
            {[PROCESS_DRAINING] = true, [PROCESS_ENDING] = true, [PROCESS_IDLE] = true},
        [PROCESS_DRAINING] = {[PROCESS_ENDING] = true, [PROCESS_IDLE] = true},
        [PROCESS_ENDING] = {[PROCESS_ENDING] = true, /* the one, and then the other */
                            [PROCESS_IDLE] = true},
    };
    return table[from][to];
}

/* What it holds says the same as its state. */
static bool holds_what_it_should(const struct process *process, enum process_state state)
{
    /* A main process may be known by its number alone, while there is no descriptor. */
    return (state == PROCESS_RUNNING ? process->main_pid > 0 : process->pidfd < 0) &&
           (state == PROCESS_LAUNCHED) == (process->launch != NULL);
}

void process_set_state(struct process *process, enum process_state state)
{
    INVARIANT(may_follow(process->state, state));
    INVARIANT(holds_what_it_should(process, state));
    process->state = state;
}

bool process_is_there(const struct process *process)
{
    return process->state != PROCESS_IDLE && process->state != PROCESS_QUEUED;
}

bool process_is_starting(const struct process *process)
{
    return process->state == PROCESS_PREPARING || process->state == PROCESS_CALLED_OFF ||
           process->state == PROCESS_LAUNCHED;
}

bool process_is_draining(const struct process *process)
{
    return process->state == PROCESS_UNTOLD || process->state == PROCESS_DRAINING ||
           process->state == PROCESS_ENDING;
}
