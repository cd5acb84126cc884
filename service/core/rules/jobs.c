/*
 * Jobs: a queue in order of arrival, and a number of places. A job is a child
 * of a supervisor of its own (jobs/17), so starting, stopping, fencing and the
 * limits are those of any child; this file only decides when it may start, what
 * its end is called, and how long it is remembered.
 *
 * Lists of the same job by name order those that must not run side by side.
 */
#include "core/rules/jobs.h"

#include "core/model/job.h"
#include "core/model/registry.h"
#include "core/private.h"
#include "core/rules/dependency.h"
#include "core/rules/start.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/vocabulary.h"

#include <errno.h>
#include <string.h>

/* ---- words ----------------------------------------------------------------------------------- */

/* A job's words for the kinds of exits; they are on the bus and in the journal,
 * so they do not follow a renaming of the kinds. */
static enum job_result result_of_exit(enum exit_kind kind)
{
    switch (kind) {
    case EXIT_SUCCEEDED:
        return JOB_SUCCEEDED;
    case EXIT_FAILED:
        return JOB_FAILED;
    case EXIT_SIGNALED:
        return JOB_PANICKED;
    case EXIT_OOM_KILLED:
        return JOB_OOM_KILLED;
    case EXIT_TIMED_OUT:
        return JOB_TIMED_OUT;
    case EXIT_UNHEALTHY:
        return JOB_UNHEALTHY;
    case EXIT_SPAWN_FAILED:
        return JOB_SPAWN_FAILED;
    case EXIT_NONE: /* it never ran: it was no longer wanted */
    case EXIT_CANCELLED:
        return JOB_CANCELLED;
    }
    __builtin_unreachable();
}

/* ---- lists ----------------------------------------------------------------------------------- */

void job_enter_queue(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    job->queue_previous = jobs->queue_last;
    *(jobs->queue_last ? &jobs->queue_last->queue_next : &jobs->queue_first) = job;
    jobs->queue_last = job;
    jobs->queued++;
}

/* Order of the others does not change. */
static void leave_queue(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    *(job->queue_previous ? &job->queue_previous->queue_next : &jobs->queue_first) =
        job->queue_next;
    *(job->queue_next ? &job->queue_next->queue_previous : &jobs->queue_last) = job->queue_previous;
    job->queue_next = job->queue_previous = NULL;
    jobs->queued--;
}

/* ---- the index of names, of those that are under way ------------------------------------------
 */

/* ---- going away -------------------------------------------------------------------------------
 */

/* The executor is informed, as it still holds the output. */
static void forget(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    *(job->previous ? &job->previous->next : &jobs->first) = job->next;
    *(job->next ? &job->next->previous : &jobs->last) = job->previous;
    jobs->finished--;
    if (job->child)
        job->child->job = NULL;
    if (core->ports.forget_job)
        core->ports.forget_job(core->ports.sink, job);
    core->ports.release(core->ports.userdata, job);
}

int job_let_go(struct core *core, struct job *job)
{
    if (job->state != JOB_FINISHED)
        return -EBUSY;
    forget(core, job);
    return 0;
}

/* ---- its end --------------------------------------------------------------------------------- */

/* Bounded memory: of the finished ones only the last thousand are kept, by the
 * order in which they were queued, which costs no list of its own. */
static void forget_the_oldest(struct core *core)
{
    struct job *job = core->jobs.first;

    while (core->jobs.finished > JOBS_KEPT && job) {
        struct job *next = job->next;
        if (job->state == JOB_FINISHED)
            forget(core, job);
        job = next;
    }
}

/* Its places are given back, and the next of its name may start. The output
 * belongs to the executor, and is copied by those that get the event, while it
 * is sent. */
static void finish(struct core *core, struct job *job, enum job_result result)
{
    struct jobs *jobs = &core->jobs;

    if (job->state == JOB_FINISHED)
        return;
    if (job->state == JOB_QUEUED)
        leave_queue(core, job);
    else
        jobs->running--;
    registry_unindex_job(core, job);
    if (job->before)
        job->before->after = job->after;
    if (job->after)
        job->after->before = job->before;
    job->after = job->before = NULL;
    job->state = JOB_FINISHED;
    job->result = result;
    job->finished_usec = core_now(core);
    job->code = job->child->last_exit->code;
    job->signal = job->child->last_exit->signal;
    jobs->finished++;
    EMIT(core, EVENT_JOB_FINISHED, job->child, 0, FIELD_NUMBER_OF("job", job->id),
         FIELD_TEXT_OF("name", job->name), FIELD_TEXT_OF("result", job_result_to_string(result)),
         FIELD_SIGNED_OF("code", job->code), FIELD_SIGNED_OF("signal", job->signal),
         FIELD_NUMBER_OF("wall_usec",
                         job->started_usec > 0 ? job->finished_usec - job->started_usec : 0),
         FIELD_NUMBER_OF("cpu_usec", job->cpu_usec), FIELD_NUMBER_OF("bytes", job->output.size),
         FIELD_FLAG_OF("truncated", job->output.truncated));
    job->output.data = NULL; /* the executor's, and only until here */
    forget_the_oldest(core);
}

void job_note_completion(struct child *child, const struct completion *completion)
{
    if (!child->job)
        return;
    child->job->cpu_usec = completion->cpu_usec;
    child->job->output = completion->output;
}

/* A job that the shutdown of the tree has ended is told apart from one that was
 * cancelled, as its caller may want to run it again. */
void job_child_gone(struct core *core, struct child *child)
{
    struct job *job = child->job;

    if (!job)
        return;
    enum job_result result = result_of_exit(child->last_exit->kind);
    if (result == JOB_CANCELLED && core->shutdown_phase != SHUTDOWN_IDLE)
        result = JOB_SUPERVISOR_STOPPED;
    finish(core, job, result);
}

void job_child_forgotten(struct child *child)
{
    if (child->job)
        child->job->child = NULL;
}

/* ---- its beginning --------------------------------------------------------------------------- */

void jobs_stop(struct core *core)
{
    while (core->jobs.queue_first)
        finish(core, core->jobs.queue_first, JOB_SUPERVISOR_STOPPED);
}

static bool may_start(const struct job *job)
{
    bool removed;
    return !job->after && !child_unmet_dependency(job->child, &removed);
}

/* Strictly by arrival, except that one that must wait for its own name or for a
 * requirement does not hold up those behind it. */
void jobs_look(struct core *core)
{
    struct jobs *jobs = &core->jobs;

    if (core->muted || core->shutdown_phase != SHUTDOWN_IDLE)
        return;
    for (struct job *job = jobs->queue_first, *next; job && jobs->running < jobs->most;
         job = next) {
        next = job->queue_next;
        if (!may_start(job))
            continue;
        leave_queue(core, job);
        jobs->running++;
        job->state = JOB_RUNNING;
        job->started_usec = core_now(core);
        job->child->wanted = true;
        start_request(core, job->child, job->cause, false);
    }
}

/* One piece of memory with its name behind it: it lives and goes as one. */
struct job *job_new(struct core *core, const char *name, uint64_t id)
{
    size_t size = strlen(name) + 1;
    struct job *job = core->ports.allocate(core->ports.userdata, sizeof(*job) + size);

    if (!job)
        return NULL;
    job->name = memcpy((char *)(job + 1), name, size);
    job->id = id;
    return job;
}

/* In the list of all jobs, and among the unfinished of its name. */
void job_link(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    job->previous = jobs->last;
    *(jobs->last ? &jobs->last->next : &jobs->first) = job;
    jobs->last = job;
    if (job->state != JOB_FINISHED)
        registry_index_job(core, job);
}

int job_restore(struct core *core, const char *name, uint64_t id, struct job **job)
{
    *job = job_new(core, name, id);
    return *job ? 0 : -ENOMEM;
}

/* From a checkpoint, in the order of the list, so that each job waits for the same one
 * as before. */
void job_restored(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    if (job->state != JOB_FINISHED)
        job->after = registry_last_job(core, job->name);
    if (job->after)
        job->after->before = job;
    job_link(core, job);
    if (job->state == JOB_QUEUED)
        job_enter_queue(core, job);
    else if (job->state == JOB_RUNNING)
        jobs->running++;
    else
        jobs->finished++;
}
