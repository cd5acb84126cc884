/*
 * Environment of an attempt: a clean one, with what the manifest says, the attempt's identity
 * (PROCTOR_CHILD, PROCTOR_GENERATION, PROCTOR_ATTEMPT: a fencing token that the child can hand on)
 * and the variables that sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3) expect.
 */
#pragma once

#include "system/account.h"
#include "core/model/child.h"
#include "host/directories.h"
#include "host/fd_store.h"

struct environment {
    char **variables;   /* NULL-terminated */
    size_t before;      /* of these may be replaced by what the environment file says */
    char *watchdog_pid; /* where the digits go, NULL without a heartbeat */
    char *listen_pid;   /* the same, NULL without sockets */
    struct directories directories;
};

/* account: of its user; NULL: it has none of its own. check: the number of an errand, 0 for the
 * attempt itself. The environment file is read by the child itself: it may be anywhere. Returns
 * 0, -ENOMEM, -E2BIG, or -ENXIO: there is no place for a directory. */
int environment_make(const struct child *child, const struct account *account, uint32_t check,
                     const char *notify_socket, const struct fd_store *store,
                     struct environment *environment);

/* What a command that is run beside a program learns of it. */
struct environment_program {
    pid_t main_pid;   /* 0: there is none */
    const char *exit; /* how it ended; NULL: it has not */
    bool unknown;     /* nobody saw with what: */
    int code, signal; /* signal is 0 where it exited */
};

/* Returns 0, -ENOMEM or -E2BIG. */
int environment_add_program(struct environment *environment,
                            const struct environment_program *program);
void environment_free(struct environment *environment);
