/*
 * Encoding: what goes out as a{sv}, and what several methods answer alike: outcomes, events, a
 * shutdown. A key stands in one place here, so that a method, a signal and the answer to a wait
 * cannot call it differently.
 *
 * The append functions return 0 or a negative errno; the message is the caller's.
 */
#pragma once

#include "core/vocabulary/command_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct child;
struct event;
struct event_field;
struct outcome;
struct service;

/* Each appends one entry {sv} to a dictionary that the caller has opened. Texts
 * must be UTF-8 already. */
int append_text(sd_bus_message *m, const char *key, const char *value);
int append_number(sd_bus_message *m, const char *key, uint64_t value);
int append_u32(sd_bus_message *m, const char *key, uint32_t value);
int append_signed(sd_bus_message *m, const char *key, int32_t value);
int append_flag(sd_bus_message *m, const char *key, bool value);
/* The whole answer to a command, as a dictionary. */
int append_outcome(const struct service *service, sd_bus_message *m, const struct outcome *outcome);
/* waits_for: what the child still waits for when the time is up (late), or in vain; NULL: nothing.
 */
int append_awaited_outcome(const struct service *service, sd_bus_message *m,
                           const struct outcome *outcome, const struct child *child,
                           const char *waits_for, bool late);
/* The outcomes of all children of a scope, in the order given. */
int append_outcomes(const struct service *service, sd_bus_message *m,
                    const struct outcome *outcomes, size_t count);
/* An event as signals and QueryEvents show it. child: the id, since the record
 * of the child may have gone. */
int append_event(const struct service *service, sd_bus_message *m, const struct event *event,
                 const char *child);
/* Of an answer whose command has been carried out: says so where it cannot be made, or is larger
 * than a bus takes. bytes: what was counted. Returns 0, or what a handler returns. */
int answer_is_sendable(sd_bus_message *call, int r, size_t bytes);
/* The answer to Reexecute: the new program gives it, or this one after a dry
 * run. */
int append_reexecution(sd_bus_message *m, const char *version);
/* The answer to Shutdown. It has the report only if the shutdown is complete.
 * late: the wait is over before that. */
int append_shutdown(const struct service *service, sd_bus_message *m, bool dry_run, bool idempotent,
                    bool late);
/* The number of a command as clients see it, with the history that it belongs
 * to. */
void command_text(const struct service *service, uint64_t number, char text[COMMAND_ID_SIZE]);
/* One field of an event, by its type. */
int append_field(sd_bus_message *m, const struct event_field *field);
