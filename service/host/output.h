/*
 * Output: where a child's stdout and stderr go.
 *
 * journal: a stream of its own to journald, with the child's id as identifier; where there is no
 * journald, as inherit. file: a pipe from which it is written to the file, so that it can rotate by
 * size without losing a line; the pipe stays over the child's attempts. inherit:
 * proctord's own. null: nowhere.
 *
 * Files are written by processes outside (log_writer.h), those of one child in their order. A child
 * that writes faster than its disk waits, for a while: from a disk that does not answer at all it
 * is set free, what it says is dropped and counted, and the file tells of it when the disk is back.
 */
#pragma once

#include "core/model/process_spec.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct output;

/* The end of a pipe for a child, which reads, too, so that the pipe outlives proctord: what the
 * child writes waits there for the next one. Takes the writing end over. */
int pipe_keep_open(int write_end);

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

/* Takes what is in the pipe now before anything else that comes, for the last words of an attempt.
 */
void output_drain(struct output *output);

/* Of a child that another proctord has started: continues with the pipe that it writes to. fd, the
 * reading end, is taken over. device: as output_disk() has said. */
int output_adopt(sd_event *event, const struct process_output *settings, const char *child_id,
                 int fd, dev_t device, struct output **output);
