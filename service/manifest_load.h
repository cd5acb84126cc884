/*
 * Manifest load: the manifests of the command line, read beside the loop.
 *
 * One after the other: what was asked for later is read later, so that an old state of the files
 * never comes after a new one. A load that has not come to the next file in
 * MANIFEST_PATIENCE_USEC has failed, with the name of the one that it hangs at.
 * The thread that hangs there is left behind; while several are, there is no other try.
 */
#pragma once

#include "manifest/manifest_set.h"

#include <stdint.h>
#include <systemd/sd-event.h>

#define MANIFEST_PATIENCE_USEC UINT64_C(5000000)
#define MANIFEST_LOADS_MAX     64 /* that wait */
#define MANIFEST_STUCK_MAX     4

struct manifest_loads;

/* The set is the loads', and valid until done() returns; why: where r is negative. */
typedef void (*manifest_loaded)(void *data, int r, const struct manifest_set *set, const char *why);

/* The paths must stay. Returns 0 or -ENOMEM. */
int manifest_loads_new(sd_event *event, const char *const *paths, size_t count, bool optional,
                       struct manifest_loads **loads);
/* Nothing is reported any more. NULL is allowed. */
void manifest_loads_free(struct manifest_loads *loads);

/* done() is called later, from the loop. Returns 0, -EBUSY where too many wait, or -ENOMEM, and
 * then it never is. */
int manifest_load(struct manifest_loads *loads, manifest_loaded done, void *data);

/* Before the loop runs: waits for those that are under way, but not for longer. */
void manifest_loads_wait(const struct manifest_loads *loads, uint64_t limit_usec);
