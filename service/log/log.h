/*
 * Log: what proctord itself has to say, to journald where it was started by it, else to standard
 * error. It waits for neither of them (sink.h). Events of weight are logged too: a person who reads
 * only the log must see that a child was given up.
 */
#pragma once

#include "core/vocabulary/event.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

enum log_target { LOG_TARGET_AUTO, LOG_TARGET_JOURNAL, LOG_TARGET_STDERR };

/* level is one of syslog(3): messages that are less important are dropped. */
void log_setup(enum log_target target, int level);

/* "debug", "info", "notice", "warning", "err": 0 with the level, or -EINVAL. */
int log_level_from_string(const char *word, int *level);

/* From here on what could not be written at once is written when it can be. NULL: the loop ends. */
void log_attach(sd_event *event);

/* Waits until all is written, but not for long. */
void log_settle(void);

/* Lines that were dropped, because their reader could not keep up. */
uint64_t log_lost(void);

/* For the program that has started us, on standard error, whatever the target and the level are. */
void log_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

void log_print(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Which history's commands events are caused by (command_id.h). */
void log_name_commands(uint32_t instance);

void log_event(const struct event *event);
