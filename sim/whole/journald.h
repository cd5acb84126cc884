/*
 * Journald: who reads the machine's journal socket, as far as proctord and its children can tell:
 * each entry is looked at, and forgotten. It may stop reading, so that its socket fills up, and it
 * may not be there.
 *
 * What is checked: each entry has the form of the native protocol, and the numbered lines of a
 * process (habit.h) come in their order, none twice.
 */
#pragma once

#include "machine/machine.h"

#include <stdbool.h>

struct journald;

struct journald *journald_new(struct machine *machine);
void journald_free(struct journald *journald);

/* With the machine, or when it comes back. */
void journald_start(struct journald *journald);
void journald_die(struct journald *journald);

/* The next of: it stops reading, it reads on, it dies, it is started. */
void journald_change(struct journald *journald);

/* Takes what has come. True: something has moved. */
bool journald_pump(struct journald *journald);
uint64_t journald_entries(const struct journald *journald);
