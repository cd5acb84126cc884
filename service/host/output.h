/*
 * Output: where a child's stdout and stderr go.
 *
 * journal: a stream of its own to journald, with the child's id as identifier; where there is no
 * journald, as inherit. file: a pipe that proctord reads and writes to the file, so that it can
 * rotate by size without losing a line; the pipe stays over the child's attempts, and a child that
 * writes faster than the disk waits. inherit: proctord's own. null: nowhere.
 */
#pragma once

#include "process_spec.h"

#include <systemd/sd-event.h>

struct output;

/* The end of a pipe for a child, which reads, too, so that the pipe outlives proctord: what the
 * child writes waits there for the next one. Takes the writing end over. */
int pipe_keep_open(int write_end);

/* Returns 0 or a negative errno (the folder of the file is missing, ...). */
int output_new(sd_event *event, const struct process_output *settings, const char *child_id,
               struct output **output);
void output_free(struct output *output);

/* A descriptor for one attempt, to be closed by the caller, or a negative errno. */
int output_open(struct output *output);

/* The reading end of the pipe; -1: there is none. */
int output_descriptor(const struct output *output);

/* Takes what is in the pipe now, so that the last words of an attempt are in the file. */
void output_drain(struct output *output);

/* Of a child that another proctord has started: goes on with the pipe that it writes to. fd, the
 * reading end, is taken over. */
int output_adopt(sd_event *event, const struct process_output *settings, const char *child_id,
                 int fd, struct output **output);
