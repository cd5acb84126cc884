/*
 * Journal: the core's inputs on disk, behind a checkpoint of its state (frame.h has the format).
 *
 * A folder of numbered segments, each of which begins with a checkpoint: the newest is all that a
 * recovery needs, the older ones are kept for the audit. A segment is made whole under another name
 * first, so that there is always one that can be read. An input is in memory that survives the
 * death of the daemon before the core handles it (tail.h); it comes into its segment beside
 * the loop (writer.h), so that a disk that is slow or hangs holds up nothing. Only
 * fdatasync(2) survives the loss of power; it is made once for all that is to be acknowledged
 * together.
 *
 * Where the disk is full or fails, supervision continues without a journal, this is said, and a new
 * segment is tried now and then.
 */
#pragma once

#include "core/model/archive.h"
#include "core/core.h"
#include "journal/audit.h"
#include "journal/audit_walk.h"
#include "journal/extent.h"
#include "journal/process_note.h"
#include "journal/recovery.h"
#include "journal/frame.h"

#include <sys/types.h>

struct journal;
struct core_input;

enum durability {
    DURABILITY_NONE,  /* written now and then: the last moments may be lost with the daemon */
    DURABILITY_CRASH, /* survives the death of the daemon */
    DURABILITY_POWER, /* and the loss of power */
};

struct journal_settings {
    const char *directory; /* made where it is not there */
    enum durability durability;
    uint64_t keep_bytes;        /* of older segments, for the audit */
    uint32_t instance;          /* of a history that begins now (command_id.h) */
    const char *tail_directory; /* in memory, if possible: NULL: there is no tail */
    void *userdata;
    void (*moved)(void *userdata); /* a mark may be past now; may be NULL */
};

/* Returns 0 or a negative errno. */
int journal_open(const struct journal_settings *settings, struct journal **journal);
void journal_close(struct journal *journal);

/*
 * Brings a new core to the state that the journal tells of (recovery.h). Returns 1; 0 where there
 * is no history; a negative errno where it cannot be read at all.
 */
int journal_recover(struct journal *journal, struct core *core, const struct journal_reader *reader,
                    struct recovery *recovery);

/* A new segment now: the next reader of the journal has nothing to replay. -EBUSY while another
 * one waits to be written. */
int journal_checkpoint(struct journal *journal);

/* Waits until all is written, and synced where a mark asks for it; but not for longer: -EBUSY. */
int journal_settle(struct journal *journal, uint64_t limit_usec);

/* What was recovered is not used: the events of the core that comes now count from 1 again. */
void journal_forget(struct journal *journal);

/* Of the history that was recovered, or of the one that begins now. */
uint32_t journal_instance(const struct journal *journal);

/* How the machine's clock becomes the core's time, once it has been recovered (era.h). */
const struct era *journal_era(const struct journal *journal);

/* Whether the journal was written before the machine was started. */
bool journal_is_of_another_boot(const struct journal *journal);

/* From here on the core's inputs are written: a new segment, with the core as it is. At the
 * beginning of each segment notes() notes the processes that are alive, and what the audit lacks
 * of the time before. */
int journal_begin(struct journal *journal, struct core *core,
                  void (*notes)(void *userdata, struct journal *journal), void *userdata);

void journal_input(struct journal *journal, const struct core_input *input);
void journal_process(struct journal *journal, const struct process_note *note);
/* The note's cause is a command of this history. */
void journal_audit(struct journal *journal, const struct audit_note *note);

/*
 * An answer that must not be sent before all that was written up to now is durable, as far as the
 * settings ask for it, keeps a mark: it is past when that is so, or will not be any more
 * (journal_error()). The sync is under way after the turn of the loop at the latest.
 */
uint64_t journal_mark(struct journal *journal);
bool journal_is_past(const struct journal *journal, uint64_t mark);

/* Hands over what was written to the writer, for the disk; a new segment, where the present one is
 * long enough or has failed. To be called between inputs, after each turn of the loop. */
void journal_tidy(struct journal *journal);

/* 0, or why nothing is written at present. */
int journal_error(const struct journal *journal);
enum durability journal_durability(const struct journal *journal);

/* What the newest segment has by now. Returns 0 or -ENOMEM. */
int journal_extent(const struct journal *journal, struct journal_extent *extent);
const char *journal_folder(const struct journal *journal);

/* A walk through the audit as it is now; the caller frees it. NULL: no memory. */
struct audit_walk *journal_walk_audit(struct journal *journal, uint64_t since_usec);
