/*
 * Probe: one health check under way: a command among the child's own processes, or a connection.
 * The core says when, and bounds how long; see core.h, check() and check_end().
 */
#pragma once

#include "core.h"

#include <sys/types.h>

struct host;
struct process;

/* For the core's ports. */
void probe_begin(void *userdata, struct child *child, struct attempt_id id, uint32_t number);
void probe_withdraw(void *userdata, struct child *child, struct attempt_id id);

/* Ends what is under way for a process, without an answer. */
void probe_free(struct process *process);

/* Our child of this PID has ended: true where it was a probe's, which takes it from there. */
bool probe_exited(struct host *host, pid_t pid);
