#include "reference/tree.h"

#include <errno.h>

static bool is_blocked(const struct ref *r, uint32_t number)
{
    for (uint32_t i = 0; i < number; i++)
        if (r->jobs[i].state != JOB_FINISHED && strcmp(r->jobs[i].name, r->jobs[number].name) == 0)
            return true;
    return false;
}

static uint32_t running(const struct ref *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_jobs; i++)
        n += r->jobs[i].state == JOB_RUNNING;
    return n;
}

void jobs_start(struct ref *r)
{
    for (uint32_t i = 0; i < r->n_jobs && r->phase == SHUTDOWN_IDLE; i++) {
        struct ref_job *job = &r->jobs[i];
        if (job->state != JOB_QUEUED || running(r) >= r->max_jobs || is_blocked(r, i) ||
            !tree_may_start(r, job->child))
            continue;
        job->state = JOB_RUNNING;
        job->child->wanted = true;
        ref_start_or_wait(r, job->child, false);
    }
}

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
void jobs_end(struct ref *r, struct ref_child *c)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c && r->jobs[i].state != JOB_FINISHED) {
            r->jobs[i].state = JOB_FINISHED;
            r->jobs[i].result = result_of(r, c);
        }
}

void jobs_stop_waiting(struct ref *r)
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

void reference_run_job(struct ref *r, struct ref_child *c, const char *name,
                       enum same_name same_name)
{
    c->is_job = true;
    if (same_name == SAME_NAME_REPLACE)
        for (uint32_t i = r->n_jobs; i-- > 0;) {
            struct command command = {
                .verb = COMMAND_REMOVE, .child = r->jobs[i].child->id, .reason = "replaced"};
            struct outcome ignored;
            if (r->jobs[i].state != JOB_FINISHED && strcmp(r->jobs[i].name, name) == 0)
                reference_command(r, &command, &ignored);
        }
    r->jobs[r->n_jobs++] = (struct ref_job){.name = name, .child = c};
    tree_wake(r);
}

bool jobs_is_queued(const struct ref *r, const struct ref_child *c)
{
    for (uint32_t i = 0; i < r->n_jobs; i++)
        if (r->jobs[i].child == c)
            return r->jobs[i].state == JOB_QUEUED;
    return false;
}
