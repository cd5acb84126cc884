/*
 * Reports of the executor and of the children. Each carries the attempt that it was made for; one
 * about another attempt is stale: it is reported and changes nothing.
 */
#pragma once

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct completion;
struct core;
struct notify_message;

void report_spawned(struct core *core, struct attempt_id id, uint32_t pid);
void report_spawn_failed(struct core *core, struct attempt_id id, int error, const char *reason);
void report_completed(struct core *core, struct attempt_id id, const struct completion *completion);
void report_start_delayed(struct core *core, struct attempt_id id, const char *reason);
void report_main_exited(struct core *core, struct attempt_id id,
                        const struct completion *completion);
void report_message(struct core *core, struct attempt_id id, const struct notify_message *message);
void report_commands(struct core *core, struct attempt_id id, enum child_commands commands,
                     bool passed, const char *why);
void report_checked(struct core *core, struct attempt_id id, uint32_t number, bool passed,
                    const char *why);
