/*
 * Outgoing: all that goes out on the bus passes here, whichever file has written it.
 *
 * sd-bus refuses a whole message for one byte that is no UTF-8, and one code point that is no
 * character: the caller of a method would wait in vain, and one child's status would hide all the
 * others. And what a client shows on a terminal must not act there. So nothing else in service/bus
 * appends a text or sets an error (tests/policy/doors.sh looks): texts go out with what is not
 * carried replaced by '?', and what acts on a terminal by blanks.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

/* Like sd_bus_message_append(), for all types but 'h'. */
int append_values(sd_bus_message *m, const char *types, ...);

/* One of our own words, which is known to be a text that the bus takes. */
int append_word(sd_bus_message *m, const char *word);

/* A text that has several lines, and keeps them: a manifest, metrics. */
int append_lines(sd_bus_message *m, const char *text);

/* Like sd_bus_message_open_container(). */
int append_open(sd_bus_message *m, char type, const char *contents);

/* From here on, what is appended is counted into *bytes, which is how long the message is so far;
 * NULL: no longer. The bus disconnects a client that sends more than it takes. */
void outgoing_count(size_t *bytes);

/* Refuse a call: both set the error, and return a negative errno for the handler to return. A text
 * that is too long is cut. refuse_errno(): where the name of the error is that of an errno. */
int refuse_call(sd_bus_error *error, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int refuse_errno(sd_bus_error *error, int r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a call whose handler has returned long ago. */
int refuse_late(sd_bus_message *call, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int refuse_late_errno(sd_bus_message *call, int r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
