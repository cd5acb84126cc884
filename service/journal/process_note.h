/*
 * Process note: a process that was started, as the host notes it, for the proctord that comes next.
 */
#pragma once

#include "core/model/archive.h"
#include "core/core.h"
#include "core/model/input_archive.h"

struct process_note {
    struct attempt_id id;
    uint32_t pid;
    uint64_t started; /* in ticks since the boot, as /proc says */
    bool in_cgroup;
    uint64_t output_inode; /* of the pipe that is its standard output; 0: it has none of ours */
    uint64_t result_inode; /* of the pipe for its result, a job's */
    /* What proctord had been asked for when it died, and may not have done. */
    bool doubt_cancel, doubt_abort;
    uint32_t stored;     /* descriptors that it has given to be kept */
    uint64_t log_device; /* of the disk with its log; 0: not known */
    /* The last signal of its stop, and when all of it have had it: in ticks since the boot; 0: only
     * its main process has. */
    uint32_t stop_signal;
    uint64_t stop_ticks;
};

/* FRAME_PROCESS */
void process_note_archive(struct archive *archive, struct process_note *note);
