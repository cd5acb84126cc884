/*
 * Turn: who runs. A thread that asks the driver hands it the turn, and waits until it gets it back.
 */
#pragma once

#include "seam/wire.h"

extern struct wire_shared *turn_shared;

/* The slot of the thread that runs: the same variable for all that share the memory, as only one of
 * them does. */
struct wire_slot *turn_slot(void);

/* Waits to be told to go on with this slot. */
void turn_wait(struct wire_slot *slot);

/* The same for a thread that has just been made: the registers that it continues with. It does not
 * outlive the first process. */
uint64_t *turn_begin(struct wire_slot *slot);

/* Asks the driver; what it says is in the slot afterwards. */
struct wire_slot *turn_ask(long number, const uint64_t arguments[6]);

void turn_to_driver(void);
void turn_sleep(_Atomic uint32_t *word, uint32_t value);
