/*
 * Turns between driver and guest: one writes a call and sleeps, the other
 * answers and wakes it. They share a page, and sleep on words in it.
 */
#include "seam/turn.h"

#include "seam/raw.h"

#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct wire_shared *turn_shared;
static struct wire_slot *current;

struct wire_slot *turn_slot(void)
{
    return current;
}

void turn_sleep(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load(word) == value)
        raw(SYS_futex, (long)word, FUTEX_WAIT, value, 0, 0, 0);
}

void turn_to_driver(void)
{
    atomic_store(&turn_shared->turn, 1);
    raw(SYS_futex, (long)&turn_shared->turn, FUTEX_WAKE, 1, 0, 0, 0);
}

void turn_wait(struct wire_slot *slot)
{
    turn_sleep(&slot->go, 0);
    current = slot;
}

uint64_t *turn_begin(struct wire_slot *slot)
{
    raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    turn_wait(slot);
    return slot->registers;
}

struct wire_slot *turn_ask(long number, const uint64_t arguments[6])
{
    struct wire_slot *slot = current;

    slot->number = number;
    memcpy(slot->arguments, arguments, sizeof(slot->arguments));
    atomic_store(&slot->go, 0);
    turn_to_driver();
    turn_wait(slot);
    return slot;
}
