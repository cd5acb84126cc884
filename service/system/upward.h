/*
 * Upward: what proctord says to the service manager that has started it (sd_notify(3)).
 *
 * sd_notify() waits for a manager that does not read. So a word goes out at once where the manager
 * has room for it; else a thread beside the loop waits, and what is said after it waits behind it.
 */
#pragma once

#include <systemd/sd-event.h>

#define UPWARD_WAITING_MAX 4096 /* further words are lost */

/* fd: goes along, and stays the caller's; -1: none. Without a manager nothing happens. */
void upward_say(const char *text, int fd);
void upward_sayf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says now and then that the loop goes round, where the manager wants that. Returns 0 or a negative
 * errno. */
int upward_watchdog(sd_event *event, sd_event_source **source);
