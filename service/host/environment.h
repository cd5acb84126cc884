/*
 * Environment of an attempt: a clean one, with what the manifest says, the attempt's identity
 * (PROCTOR_CHILD, PROCTOR_GENERATION, PROCTOR_ATTEMPT: a fencing token that the child can hand on)
 * and the variables that sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3) expect.
 */
#pragma once

#include "child.h"

struct environment {
    char **variables;   /* NULL-terminated */
    char *watchdog_pid; /* where the digits go, NULL without a heartbeat */
    char *listen_pid;   /* the same, NULL without sockets */
};

/* Returns 0, -ENOMEM, or the errno of the manifest's environment_file. */
int environment_make(const struct child *child, const char *notify_socket,
                     struct environment *environment);
void environment_free(struct environment *environment);
