/*
 * Trace: the journal as it is at one moment, for a client that reads it in pieces.
 *
 * One descriptor would carry it in one call. But a connection that can carry descriptors carries
 * those of every stranger to proctord, and closing a stranger's socket can take as long as its
 * owner likes. So proctord takes no descriptors from the bus, and can send none either.
 *
 * A trace is made beside the loop, one after the other, and the call waits for it. It is kept until
 * it has been read to its end, or has not been read for a minute. Each uid has room for a few; a
 * further one takes the place of the one that has not been read for the longest.
 */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define TRACES_MAX      8       /* at a time */
#define TRACES_PER_UID  4       /* of them, and of those that are being made */
#define TRACE_PIECE_MAX 1048576 /* bytes of one answer */
#define TRACE_LIFE_USEC (UINT64_C(60) * 1000000)

struct traces;

/* Returns 0 or a negative errno. */
int traces_new(sd_event *event, struct traces **traces);
void traces_free(struct traces *traces);

/* GetTrace() -> t trace, t size, and ReadTrace(t trace, t offset, u max) -> ay. */
int method_get_trace(sd_bus_message *m, void *userdata, sd_bus_error *error);
/* ReadTrace: answers with a piece of the trace; the last piece ends it. */
int method_read_trace(sd_bus_message *m, void *userdata, sd_bus_error *error);
