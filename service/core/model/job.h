/*
 * Job: bounded one-shot work. It runs once, has a typed result, and waits in a queue until one of
 * at most max_jobs places is free (semantics.md section 10).
 *
 * A job is a child below the supervisor `jobs`, which is never restarted and whose record goes away
 * with its end; what stays, for later questions, is the job. What starts, cancels, aborts and
 * reaps it is what does so with every child. While it waits it costs its declaration, and nothing
 * else: no timer, no place in any list that is looked at without a reason.
 *
 * The shell may read all of this between inputs; only the core writes it (but for `observer`).
 */
#pragma once

#include "core/model/declaration.h"
#include "core/vocabulary/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct child;
struct declaration_problem;

#define JOB_SUPERVISOR   "jobs"
#define JOBS_MAX         20000 /* that are not finished */
#define JOBS_KEPT        1000  /* finished ones; then the oldest is forgotten */
#define JOBS_DEFAULT     8     /* at once */
#define JOBS_AT_ONCE_MAX 10000
#define JOB_OUTPUT_MAX   65536 /* bytes of a result that are kept */

enum job_state { JOB_QUEUED = 0, JOB_RUNNING = 1, JOB_FINISHED = 2 };

enum job_result {
    JOB_NO_RESULT = 0, /* not finished */
    JOB_SUCCEEDED = 1,
    JOB_FAILED = 2,   /* an exit code */
    JOB_PANICKED = 3, /* a signal */
    JOB_OOM_KILLED = 4,
    JOB_TIMED_OUT = 5,
    JOB_UNHEALTHY = 6,
    JOB_CANCELLED = 7,
    JOB_SPAWN_FAILED = 8,
    JOB_SUPERVISOR_STOPPED = 9, /* the tree was shut down */
};

/* The result as the executor hands it over, valid while job-finished is emitted. */
struct job_output {
    const void *data;
    size_t size;    /* at most JOB_OUTPUT_MAX */
    bool truncated; /* there was more */
};

struct job {
    uint64_t id; /* from 1 */
    const char *name;
    struct child *child; /* NULL once its record is gone */
    enum job_state state;
    enum job_result result;
    int code, signal;
    uint64_t queued_usec, started_usec, finished_usec; /* monotonic; 0: not yet */
    uint64_t cpu_usec;
    uint64_t cause; /* command */
    struct job_output output;

    struct job *next, *previous;             /* all of them, by id */
    struct job *queue_next, *queue_previous; /* those that wait for a place */
    struct job *after, *before; /* the same name: the one before it, the one behind it */
    struct job *name_next;      /* under way, in the same bucket of names: the latest first */
    void *observer;
};

/* What every room may rely on, of a job that is handed to it. */
static inline bool job_is_sound(const struct job *job)
{
    return job && job->id > 0 && job->name &&
           (job->state == JOB_FINISHED) == (job->result != JOB_NO_RESULT);
}

/* What core_run_job() would do. Those of the same name that would be cancelled for it are the ones
 * that are under way, where `replaces`. */
struct job_plan {
    bool runs;     /* at once; else it waits for its turn */
    bool starts;   /* now, or as soon as what it requires is ready and it has its turn */
    bool replaces; /* same_name says so */
};

uint32_t core_max_jobs(const struct core *core);

struct job *core_find_job(const struct core *core, uint64_t id);
struct job *core_first_job(const struct core *core); /* by id */

const char *job_state_to_string(enum job_state state);
const char *job_result_to_string(enum job_result result);
