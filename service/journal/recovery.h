/*
 * Recovery: the newest segment that can be used, with what its tail has beyond it, becomes a core
 * again (replay.h). What is damaged is put aside, in a file beside its segment, and its bytes are
 * counted.
 */
#pragma once

#include "core/core.h"
#include "journal/process_note.h"

struct journal_writer;

struct journal_reader {
    void *userdata;
    void (*process)(void *userdata, const struct process_note *note);
    /* An input is about to be handled again; `last`: none follows. */
    void (*input)(void *userdata, const struct core_input *input, bool last);
};

/* Where it is read from. */
struct recovery_source {
    int directory;
    struct journal_writer *writer; /* which knows the tail, and continues behind the last segment */
    const char *boot;              /* the one that the machine is in */
    uint32_t instance;             /* of a history whose journal does not say */
};

/* What was found besides the core. */
struct recovery_find {
    uint64_t audited; /* sequence of the last event that the audit has */
    uint32_t instance;
    bool other_boot; /* it was written in */
    struct era era;  /* in which the core continues */
};

/* Returns 1; 0 where there is no history; a negative errno where it cannot be read at all. */
int recovery_run(const struct recovery_source *source, struct core *core,
                 const struct journal_reader *reader, struct recovery *recovery,
                 struct recovery_find *find);

/* Whether an error is the journal's fault, and not that it could not be read just now. */
bool journal_is_unusable(int error);
