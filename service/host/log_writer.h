/*
 * Log writer: what a child says is taken out of its pipe and written to its file by a process
 * outside (outside.h). The file may be on a disk that does not answer any more: nothing of
 * proctord hangs in it, neither a thread nor a descriptor of the file, which it would have to
 * close when it ends.
 *
 * Lines for journald and for standard error (log_lines.h) go the same way, as their readers may
 * stop, too.
 *
 * The process keeps the file (log_file.h) from one order to the next where it is asked to, by the
 * number of the output. A process that continues with the last order of a proctord that has been
 * killed has its turn at the pipe first, so that what follows comes behind it in the file; but it
 * is not waited for long.
 */
#pragma once

#include "system/outside.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where it goes. What follows in the order is the path of the file, or the child's name. */
enum log_place { LOG_TO_FILE, LOG_TO_JOURNALD, LOG_TO_STREAM };

enum log_task {
    LOG_CHUNK,  /* what is in the pipe, one chunk of it: a loud child must not starve others */
    LOG_ALL,    /* all that is in it now */
    LOG_REOPEN, /* before the next write it is looked whether the path still leads to the file */
    LOG_END,    /* as LOG_ALL, and the file is forgotten */
};

#define LOG_TASKS (LOG_END + 1)

struct log_order {
    uint64_t output;
    enum log_task task;
    enum log_place place;
    bool keeps; /* the file stays open for the next order */
    uint64_t max_size_bytes;
    uint32_t keep;
    uint64_t dropped; /* bytes before these that were not kept, as the disk did not answer */
};

#define LOG_WHY_MAX   96
#define LOG_WORDS_MAX 256 /* bytes that come back of what was written last */

struct log_report {
    uint64_t lost; /* bytes that could not be written, those that were dropped before included */
    char why[LOG_WHY_MAX];
    dev_t device; /* that the file is on; 0: not known */
    uint32_t n_words;
    char words[LOG_WORDS_MAX]; /* what came out of the pipe last */
};

/* In a thread beside the loop, for one output in one thread at a time. target: the path of its
 * file, or its name. pipe: its reading end. For LOG_TO_STREAM, the stream is standard error.
 * process: NULL: any. Returns false if a process has died over it: up to a chunk may be lost. */
bool log_writer_order(struct outside_process *process, const struct log_order *order,
                      const char *target, int pipe, struct log_report *report);

extern const struct outside_job log_writer_job;
