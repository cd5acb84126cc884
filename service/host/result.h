/*
 * Result: what a job writes to $PROCTOR_RESULT_FD, taken along while it runs, so that a job which
 * writes much is not held up, and kept up to JOB_OUTPUT_MAX bytes. It is moved from the pipe into a
 * file by splice(2): at no moment is a byte in neither of the two, whenever proctord dies.
 *
 * Files are opened, written, read and removed beside the loop, all of them in the order in which
 * that was asked for. What a job has written is in memory, too, as soon as its file has it: answers
 * wait for no disk. The end of a job waits until its file has all of it, but with a limit: from a
 * disk that does not answer at all it is set free, and its result is cut.
 */
#pragma once

#include "core/model/job.h"

#include <systemd/sd-event.h>

struct result;
struct result_store; /* the folder */

/* folder: -1 where there is none, and results are kept in memory; it is taken over. NULL without
 * memory. */
struct result_store *result_store_new(int folder);
void result_store_free(struct result_store *store);

struct result_hooks {
    void (*came)(void *userdata);  /* more of it */
    void (*ended)(void *userdata); /* as result_end() has asked for */
    void *userdata;
};

/* Opens the pipe, and creates the file again. *write_end is the caller's, to be given to the job
 * and closed. Returns 0 or a negative errno. */
int result_open(sd_event *event, const struct result_hooks *hooks, struct result_store *store,
                uint64_t job, struct result **result, int *write_end);

/* Of a job that was started by another proctord: the reading end, which is taken over, and the file
 * as it is. fd: -1 where the pipe is gone; what was in it is lost. */
int result_adopt(sd_event *event, const struct result_hooks *hooks, struct result_store *store,
                 uint64_t job, int fd, struct result **result);

/* The reading end of the pipe; -1: it is gone. */
int result_descriptor(const struct result *result);

/* What has come up to now; the data is the result's, and valid until the loop turns. */
struct job_output result_so_far(const struct result *result);

/* Takes what is still there, when all that could write are gone: then ended() is called. Returns 0
 * or a negative errno, then it is not. To be called once. */
int result_end(struct result *result);
void result_free(struct result *result);

/* Hands over what the folder has of a job, not from within this call. Returns 0 or a negative
 * errno. */
int result_read(struct result_store *store, uint64_t job,
                void (*came)(void *userdata, uint64_t job, const struct job_output *output),
                void *userdata);
void result_remove(struct result_store *store, uint64_t job);

/* Removes the files of all jobs but these, which are in order; the list is taken over. */
void result_tidy(struct result_store *store, uint64_t *known, size_t n);
