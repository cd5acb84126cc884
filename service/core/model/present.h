/*
 * Present: the input that is being handled. It came at one time, which holds until it has been
 * handled to its end; commands and events are numbered in it; and what it changes is remembered,
 * so that the shell need not look at everything.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stddef.h>
#include <stdint.h>

struct child;
struct core;
struct event_field;
struct supervisor;

void event_emit(struct core *core, enum event_kind kind, struct child *child, uint64_t cause,
                const struct event_field *fields, size_t n_fields);
uint64_t core_after(const struct core *core, uint64_t delay_usec); /* so much later than now */
uint64_t core_new_command(struct core *core);
void core_changed(struct core *core, struct child *child);
void core_forget_changed(struct core *core, struct child *child); /* it goes away */
void core_changed_supervisor(struct core *core, struct supervisor *supervisor);
