/*
 * Audit walk: the audit of all segments, read beside the loop.
 *
 * Tens of megabytes are on a disk, which may take its time. A walk is begun by the loop
 * (journal_walk_audit()), which notes what has not arrived in the newest segment yet; from then on
 * it needs nothing of the journal's, and one thread may go through it. What is no part of the audit
 * is not read at all. A segment that has been let go of meanwhile is left out.
 */
#pragma once

#include "journal/audit.h"
#include "journal/extent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame, with what stands in it. */
typedef bool (*audit_visit)(void *userdata, const struct audit_note *note, const uint8_t *frame,
                            size_t size);

struct audit_walk {
    char *path; /* of the folder */
    struct journal_extent newest;
    uint64_t since_usec; /* realtime */
};

/* Visits the audit since then, the oldest first, until visit() returns false. */
void audit_walk_run(struct audit_walk *walk, audit_visit visit, void *userdata);

/* NULL is allowed. */
void audit_walk_free(struct audit_walk *walk);
