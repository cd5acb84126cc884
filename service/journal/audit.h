/*
 * Audit: an event that the audit keeps, as it stands in the journal: with its fields as fields, so
 * that nothing that is written into one of them can pass for another one.
 */
#pragma once

#include "core/model/archive.h"
#include "core/vocabulary/command_id.h"
#include "core/vocabulary/event.h"
#include "journal/frame.h"

struct audit_note {
    uint64_t sequence, realtime_usec;
    struct command_id cause;
    const char *kind, *child;
    const struct event_field *fields;
    size_t n_fields;
};

/* FRAME_AUDIT: writes it, or reads it into the archive's memory. */
void audit_archive(struct archive *archive, struct audit_note *note);

/* Reads a frame of either kind: of FRAME_AUDIT_TEXT, in which older journals have all fields in one
 * text, this is the only one, "text". Returns whether it is a frame of the audit at all; what
 * cannot be read sets the archive's `failed`. */
bool audit_read(struct archive *archive, enum frame_kind kind, struct audit_note *note);
