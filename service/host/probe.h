/*
 * Probe: one health check under way: a command (errand.h), or a connection. The core says when, and
 * bounds how long; see core.h, check() and check_end().
 */
#pragma once

#include "core/core.h"

#include <sys/types.h>

struct host;
struct process;

/* For the core's ports. */
void probe_begin(void *userdata, struct child *child, struct attempt_id id, uint32_t number);
void probe_withdraw(void *userdata, struct child *child, struct attempt_id id);

/* Ends what is under way for a process, without an answer. All its processes go; the process waits
 * for them where it ends itself. */
void probe_free(struct process *process);
