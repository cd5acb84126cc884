/*
 * Re-execution: another program takes proctord's place in the same process (handover.h), between
 * two turns of the loop, so that nothing is half done.
 *
 * All that runs beside the loop must have come back before, and the journal must have come to its
 * disk; the loop turns meanwhile. Where that takes too long nothing comes of it.
 *
 * Then the bus is asked, and not waited for: when its answer comes, no message has been read by
 * half, and then all that has come is handled and all that was handled is sent. What has not been
 * sent by then would be lost, so the bus is asked again.
 */
#pragma once

struct daemon;
struct error;
struct handover;

/* What is only the daemon's; the same walk in both programs. */
void reexecution_archive(struct daemon *daemon, struct handover *handover);

/* The hooks of the service (service.h). userdata is the daemon. */
int reexecution_check(void *userdata,
                      void (*done)(void *data, int r, const char *version, const char *why),
                      void *data);
int reexecution_order(void *userdata, const char *requester, const char *reason,
                      struct error *error);
void reexecution_by_signal(void *userdata);
