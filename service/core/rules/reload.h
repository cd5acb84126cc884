/*
 * Reloads of a child, by command or on its own word. The signal is sent, RELOADING=1 has to follow
 * within a second, and READY=1 then ends it. What the child says of a reload that it had begun
 * before the signal is about that one. Whatever happens, there is an end and it is reported.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct child;
struct core;

bool reload_may_begin(const struct child *child);

/* One that it is still in goes first. */
void reload_begin(struct core *core, struct child *child, uint64_t cause);

/* since_usec: by the child's word; 0: it does not say, and it is now. */
void reload_announced(struct core *core, struct child *child, uint64_t since_usec);
void reload_heard_ready(struct core *core, struct child *child);
void reload_interrupt(struct core *core, struct child *child);
void reload_late(struct core *core, struct child *child);

/* The signal that asks for one, or SIGNAL_RELOAD_COMMANDS. */
int reload_signal_of(const struct child *child);
void reload_commands_ended(struct core *core, struct child *child, bool passed);

/* No subscriber was there to hear it: its second starts again. Commands are run again. */
void reload_recovered(struct core *core);
