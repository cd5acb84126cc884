/*
 * Output: where a child's stdout and stderr go.
 *
 * journal, inherit, file: a pipe of proctord's, which stays over the child's attempts, so that no
 * end of its reader ends the child. From it, the lines go to journald with the child's id as
 * identifier, to proctord's standard error with the id before each, or into the file, which can
 * rotate by size without losing a line. Where there is no journald, journal is as inherit. raw:
 * proctord's standard error itself. null: nowhere.
 *
 * All is written by processes outside (log_writer.h), in order for one child. A child that writes
 * faster than its disk or journald waits, for a while: from one that does not answer at all it is
 * set free, what it says is dropped and counted, and a line tells of it when it is back.
 */
#pragma once

#include "core/model/process_spec.h"
#include "core/report.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct output;

/* The end of a pipe for a child, which reads, too, so that the pipe outlives proctord: what the
 * child writes waits there for the next one. Takes the writing end over. */
int pipe_keep_open(int write_end);

bool output_has_pipe(const struct process_output *settings);

/* Returns 0 or a negative errno. The file is not opened yet. */
int output_new(sd_event *event, const struct process_output *settings, const char *child_id,
               struct output **output);
void output_free(struct output *output);

/* Whether it is what these settings ask for. */
bool output_is(const struct output *output, const struct process_output *settings);

/* A descriptor for one attempt, to be closed by the caller, or a negative errno. */
int output_open(struct output *output);

/* The file that has to be opened before the next attempt, as open_regular_guarded() does, where
 * waiting for the disk that it is on harms nothing else, to know the disk. NULL: there is none, or
 * it is known. */
const char *output_wanted_file(const struct output *output);
void output_know_disk(struct output *output, dev_t device);
dev_t output_disk(const struct output *output); /* 0: not known */

/* Before the next write it is looked whether the path still leads to the file. */
void output_reopen(struct output *output);

/* Bytes of all children that could not be written, since the start of proctord. */
uint64_t output_lost_bytes(void);

/* The reading end of the pipe; -1: there is none. */
int output_descriptor(const struct output *output);

/* An attempt has ended: what is in the pipe now is taken before anything else that comes. Returns
 * whether there is something, which may become its last words: then done() is called when they are
 * known, or after OUTPUT_WORDS_USEC. NULL is allowed, and has nothing. */
#define OUTPUT_WORDS_USEC 50000
bool output_end_attempt(struct output *output, void (*done)(void *userdata), void *userdata);

/* The last line that was written, as far as it fits; "" where there is none. */
void output_last_words(const struct output *output, char words[LAST_WORDS_MAX + 1]);

/* Of a child that another proctord has started: continues with the pipe that it writes to. fd, the
 * reading end, is taken over. device: as output_disk() has said. */
int output_adopt(sd_event *event, const struct process_output *settings, const char *child_id,
                 int fd, dev_t device, struct output **output);
