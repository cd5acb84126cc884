/*
 * Jobs: children that run once. Their results are made from how they ended.
 */
#include "reference/job.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>

/* A job that was cancelled by a shutdown says so. */
static enum job_result result_of(const struct ref *r, const struct ref_child *c)
{
    static const enum job_result results[] = {[EXIT_NONE] = JOB_CANCELLED,
                                              [EXIT_SUCCEEDED] = JOB_SUCCEEDED,
                                              [EXIT_FAILED] = JOB_FAILED,
                                              [EXIT_SIGNALED] = JOB_PANICKED,
                                              [EXIT_TIMED_OUT] = JOB_TIMED_OUT,
                                              [EXIT_UNHEALTHY] = JOB_UNHEALTHY,
                                              [EXIT_OOM_KILLED] = JOB_OOM_KILLED,
                                              [EXIT_CANCELLED] = JOB_CANCELLED,
                                              [EXIT_SPAWN_FAILED] = JOB_SPAWN_FAILED};
    enum job_result result = results[c->exit];
    return result == JOB_CANCELLED && r->phase != SHUTDOWN_IDLE ? JOB_SUPERVISOR_STOPPED : result;
}

/* What came with the end of its process. */
void ref_note_result(struct ref *r, const struct ref_child *c, const struct completion *completion)
{
    INVARIANT(completion);
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c) {
            r->jobs[i].cpu = completion->cpu_usec;
            r->jobs[i].bytes = completion->output.size;
            r->jobs[i].truncated = completion->output.truncated;
        }
}

static void tell_end(struct ref *r, uint32_t i)
{
    TELL(r, r->jobs[i].child, EVENT_JOB_FINISHED, FIELD_NUMBER_OF("job", i + 1),
         FIELD_TEXT_OF("name", r->jobs[i].name),
         FIELD_TEXT_OF("result", job_result_to_string(r->jobs[i].result)),
         FIELD_SIGNED_OF("code", r->jobs[i].code), FIELD_SIGNED_OF("signal", r->jobs[i].signal),
         FIELD_NUMBER_OF("wall_usec", r->jobs[i].started > 0 ? r->now - r->jobs[i].started : 0),
         FIELD_NUMBER_OF("cpu_usec", r->jobs[i].cpu), FIELD_NUMBER_OF("bytes", r->jobs[i].bytes),
         FIELD_FLAG_OF("truncated", r->jobs[i].truncated));
}

static void finish(struct ref *r, uint32_t i, enum job_result result)
{
    r->jobs[i].state = JOB_FINISHED;
    r->jobs[i].result = result;
    r->jobs[i].code = r->jobs[i].child->how.code;
    r->jobs[i].signal = r->jobs[i].child->how.signal;
    r->jobs[i].finished = r->now;
    tell_end(r, i);
}

/* The one of this child is over: its process has ended, or it goes before it had one. */
void ref_end_job(struct ref *r, struct ref_child *c)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c && r->jobs[i].state != JOB_FINISHED)
            finish(r, i, result_of(r, c));
}

void ref_leave(struct ref *r, struct ref_child *c, enum child_status final)
{
    c->here = false;
    ref_end_job(r, c);
    TELL(r, c, EVENT_CHILD_RUNTIME_STATE_REMOVED,
         FIELD_TEXT_OF("final_status", child_status_to_string(final)),
         FIELD_TEXT_OF("path", c->id));
    ref_tell_cause(r, c->operation_command);
    ref_call(r, c, REF_CALL_FORGET);
}

void ref_withdraw_jobs(struct ref *r)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].state == JOB_QUEUED)
            finish(r, i, JOB_SUPERVISOR_STOPPED);
}

static bool is_under_way(const struct ref *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].state != JOB_FINISHED && strcmp(r->jobs[i].name, name) == 0)
            return true;
    return false;
}

int reference_may_run(struct ref *r, const char *name, enum same_name same_name)
{
    if (r->phase != SHUTDOWN_IDLE)
        return -ESHUTDOWN;
    return same_name == SAME_NAME_REJECT && is_under_way(r, name) ? -EEXIST : 0;
}

uint32_t ref_jobs(const struct ref *r, enum job_state state)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_jobs; i++)
        n += r->jobs[i].state == state;
    return n;
}

bool ref_is_queued_job(const struct ref *r, const struct ref_child *c)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c)
            return r->jobs[i].state == JOB_QUEUED;
    return false;
}
