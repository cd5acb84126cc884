/*
 * What a proctord writes down about a process, for the next one.
 */
#include "journal/process_note.h"
#include "core/vocabulary/invariant.h"

/* Later fields stand at the end. */
void process_note_archive(struct archive *archive, struct process_note *note)
{
    INVARIANT(archive_is_sound(archive));
    attempt_id_archive(archive, &note->id);
    ARCHIVE(archive, note->pid);
    ARCHIVE(archive, note->started);
    ARCHIVE(archive, note->in_cgroup);
    ARCHIVE(archive, note->output_inode);
    ARCHIVE(archive, note->result_inode);
    ARCHIVE(archive, note->doubt_cancel);
    ARCHIVE(archive, note->doubt_abort);
    if (!archive->reading || archive->used < archive->size) /* older journals end here */
        ARCHIVE(archive, note->stored);
    if (!archive->reading || archive->used < archive->size)
        ARCHIVE(archive, note->log_device);
    if (!archive->reading || archive->used < archive->size) {
        ARCHIVE(archive, note->stop_signal);
        ARCHIVE(archive, note->stop_ticks);
    }
}
