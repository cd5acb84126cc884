/*
 * Result: what a job writes to $PROCTOR_RESULT_FD, taken along while it runs, so that a job which
 * writes much is not held up, and kept up to JOB_OUTPUT_MAX bytes. It is moved from the pipe into a
 * file by splice(2): at no moment is a byte in neither of the two, whenever proctord dies.
 */
#pragma once

#include "job.h"

#include <systemd/sd-event.h>

struct result;

/* The file of a job in the folder, made anew or as it is. Where there is none, or no room for it:
 * one in memory. Returns a descriptor or a negative errno. */
int result_file(int folder, uint64_t job, bool fresh);

/* Opens the pipe; the file is taken over. *write_end is the caller's, to be given to the job and
 * closed. Returns 0 or a negative errno. */
int result_open(sd_event *event, void (*came)(void *userdata), void *userdata, int file,
                struct result **result, int *write_end);

/* The reading end and the file of a job that was started by another proctord; both are taken over.
 */
int result_adopt(sd_event *event, void (*came)(void *userdata), void *userdata, int fd, int file,
                 struct result **result);

/* The reading end of the pipe. */
int result_descriptor(const struct result *result);

/* What has come up to now; the data is the result's, and valid until it is asked again. */
struct job_output result_so_far(struct result *result);

/* Takes what is still there, when all who could write are gone. The data is the result's. */
struct job_output result_take(struct result *result);
void result_free(struct result *result);

/* What the folder has of a job. The data is the caller's, to be freed. */
struct job_output result_read(int folder, uint64_t job);
void result_remove(int folder, uint64_t job);

/* Removes the files of jobs that nobody knows any more. */
void result_tidy(int folder, bool (*is_known)(void *userdata, uint64_t job), void *userdata);
