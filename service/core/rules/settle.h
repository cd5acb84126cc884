/*
 * Settle: the end of each input. Stops and starts that became possible are made, and the shell is
 * given the earliest deadline.
 */
#pragma once

struct core;

/* Tells the shell about the earliest deadline, where it has moved. */
void settle_timer(struct core *core);

/* Stops, then starts, that became possible. */
void settle_waiting(struct core *core);

/* The end of each input (input.c): those, and the shell's timer. */
void settle_input(struct core *core);
