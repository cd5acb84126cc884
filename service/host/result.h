/*
 * Result: what a job writes to $PROCTOR_RESULT_FD, read along while it runs, so that a job which
 * writes much is not held up, and kept up to JOB_OUTPUT_MAX bytes.
 */
#pragma once

#include "job.h"

#include <systemd/sd-event.h>

struct result;

/* Opens the pipe. *write_end is the caller's, to be given to the job and closed. Returns 0 or a
 * negative errno. */
int result_open(sd_event *event, void (*came)(void *userdata), void *userdata,
                struct result **result, int *write_end);

/* What has come up to now; the data is the result's, and valid until more is read. */
struct job_output result_so_far(const struct result *result);

/* The reading end of a job that was started by another proctord: what it had read is lost. fd is
 * taken over. */
int result_adopt(sd_event *event, void (*came)(void *userdata), void *userdata, int fd,
                 struct result **result);

/* Reads what is still there, when all who could write are gone. The data is the result's. */
struct job_output result_take(struct result *result);
void result_free(struct result *result);
