#include "reference/job.h"

#include <errno.h>
#include <string.h>

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

/* The one of this child is over: its process has ended, or it goes before it had one. */
void ref_end_job(struct ref *r, struct ref_child *c)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c && r->jobs[i].state != JOB_FINISHED) {
            r->jobs[i].state = JOB_FINISHED;
            r->jobs[i].result = result_of(r, c);
        }
}

void ref_withdraw_jobs(struct ref *r)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].state == JOB_QUEUED) {
            r->jobs[i].state = JOB_FINISHED;
            r->jobs[i].result = JOB_SUPERVISOR_STOPPED;
        }
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

bool ref_is_queued_job(const struct ref *r, const struct ref_child *c)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c)
            return r->jobs[i].state == JOB_QUEUED;
    return false;
}
