/*
 * Sink: where lines go that proctord says, without ever waiting for their reader.
 *
 * Standard error may be a pipe without a reader, a terminal that was stopped, or shared with a
 * process that fills it. A sink has an end of its own, which does not block: O_NONBLOCK on the end
 * that was given would be set for all that share it. What cannot be written at once is kept, up to
 * SINK_MAX bytes, and written as the reader comes along. What does not fit is dropped, counted, and
 * reported with its number when there is room again. If no end of its own can be opened, and for
 * files, which wait for a disk, it is written beside the loop (beside.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <systemd/sd-event.h>

#define SINK_MAX (1u << 20)

struct sink;

#define SINK_JOURNAL "/run/systemd/journal/socket"

/* Of a descriptor, which stays the caller's; of journald, in datagrams, by its socket's path, which
 * must live as long. NULL without memory. */
struct sink *sink_open(int fd);
struct sink *sink_open_journal(const char *path);
void sink_close(struct sink *sink); /* NULL is allowed */

/* Another end of a pipe or a terminal, which does not block, for a process of proctord's own that
 * could not be used any more when it waited for the reader. A negative errno: it has to do with the
 * one that it inherits. */
int sink_open_another(int fd);

/* Without a loop, before this and after the loop is NULL again, what is kept is tried again with
 * each further line. */
void sink_attach(struct sink *sink, sd_event *event);

/* One line, or one datagram. `notice` makes what is put when `lost` ones have been dropped. */
void sink_put(struct sink *sink, const void *data, size_t size);
void sink_on_loss(struct sink *sink, void (*notice)(struct sink *sink, uint64_t lost));

/* Waits until all is written, but not longer. */
void sink_settle(struct sink *sink, unsigned limit_msec);

uint64_t sink_lost(const struct sink *sink);
