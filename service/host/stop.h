/*
 * Stop: the core's ports that end an attempt, or signal it, whatever state its process is in. What
 * is asked while the core lives through its past has been done, but perhaps for the last of it.
 */
#pragma once

#include "core/core.h"

struct host;

/* The core's ports. */
void host_cancel(void *userdata, struct child *child, struct attempt_id id);
void host_escalate(void *userdata, struct child *child, struct attempt_id id, int signal);
void host_abort(void *userdata, struct child *child, struct attempt_id id);
int host_kill(void *userdata, struct child *child, struct attempt_id id, int signal, bool whole);

/* What was in doubt, for the attempt that continues. */
void host_cancel_again(struct host *host, struct child *child);
void host_escalate_again(struct host *host, struct child *child, int signal);
