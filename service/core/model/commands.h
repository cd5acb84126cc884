/*
 * Commands: the encoding of the lists of commands that a declaration carries. What they are run for
 * is in process_spec.h; the core never looks inside.
 */
#pragma once

#include "core/model/process_spec.h"

struct archive;

/* One that has a command without a program is unreadable. */
void commands_archive(struct archive *archive, struct command_list *list);

/* Whether it has commands for a reload, for a stop or after one. */
bool commands_follow_a_start(const struct process_spec *spec);
