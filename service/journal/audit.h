/*
 * Audit: an event that the audit keeps, as it stands in the journal.
 */
#pragma once

#include "archive.h"

struct audit_note {
    uint64_t sequence, realtime_usec, cause;
    const char *kind, *child;
    const char *text; /* "key=value" for people, as the log has it */
};

void audit_archive(struct archive *archive, struct audit_note *note);
