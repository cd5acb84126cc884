/*
 * Claim: the attempt that a process says it belongs to, by what it was started with.
 *
 * An environment proves nothing. A process that lies about it dies with the attempt that it names,
 * and that is all: only processes of the attempt's own user are waited for (owner_user.h).
 *
 * The kernel shows the environment of a process's memory, and at two moments there is none to show:
 * during an exec the old memory has gone while the new one has no environment yet, and on
 * its way out a process has lost its memory before its children are handed to us. That a process
 * says nothing must not be concluded from either. What was read is conclusive if there is
 * something in it, or if the kernel says that the memory has an environment and that it is empty.
 */
#pragma once

#include "core/core.h"

#include <sys/types.h>

struct host;

enum claim_kind {
    CLAIM_NONE,   /* it says none of ours, or is none that we may look at */
    CLAIM_NAMED,  /* one of a child that is declared */
    CLAIM_GIVEN,  /* it was given our notify socket, and names no child that is declared */
    CLAIM_UNTOLD, /* it cannot say just now */
};

struct claim {
    struct attempt_id id;
    uint64_t check; /* number of the health check that it is of; 0: of none */
};

/* Whether a process that was given no notify socket may name an attempt, too: it has removed that
 * from its environment. A proctord that runs as the child of another one has the other's in its
 * own, so that is only believed of our own children. */
enum claim_trust { CLAIM_STRICT, CLAIM_OF_OURS };

/* pidfd: of the process, opened before. *claim is set if one is named. */
enum claim_kind claim_ask(const struct host *host, pid_t pid, int pidfd, enum claim_trust trust,
                          struct claim *claim);

/* Only a hint, to record a report as stale. Returns 0; -ENOENT if it names none, -ESRCH if it
 * cannot say, another negative errno where that could not be read just now. */
int claim_hint(const struct host *host, pid_t pid, enum claim_trust trust, struct attempt_id *id);
