/*
 * Reap: children of proctord that have ended, whatever they were: main processes, health checks,
 * the spawner and what it has sent on its way, and orphans, which have come to us because their
 * parents died.
 */
#pragma once

struct host;

void orphans_reap(struct host *host);

/* Looks again at what could not be reaped, at what is draining, and at processes without an exit
 * watch. */
int host_prepare_retry(struct host *host);
