/*
 * A job's words.
 */
#include "core/model/job.h"

#include "core/private.h"
#include "core/vocabulary/invariant.h"

const char *job_state_to_string(enum job_state state)
{
    static const char *const words[] = {
        [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running", [JOB_FINISHED] = "finished"};
    INVARIANT(state <= JOB_FINISHED);
    return words[state];
}

/* These words are on the bus, in events and in scenarios. */
const char *job_result_to_string(enum job_result result)
{
    static const char *const words[] = {
        [JOB_NO_RESULT] = "",
        [JOB_SUCCEEDED] = "succeeded",
        [JOB_FAILED] = "failed",
        [JOB_PANICKED] = "panicked",
        [JOB_OOM_KILLED] = "oom-killed",
        [JOB_TIMED_OUT] = "timed-out",
        [JOB_UNHEALTHY] = "unhealthy",
        [JOB_CANCELLED] = "cancelled",
        [JOB_SPAWN_FAILED] = "spawn-failed",
        [JOB_SUPERVISOR_STOPPED] = "supervisor-stopped",
    };
    INVARIANT(result <= JOB_SUPERVISOR_STOPPED);
    return words[result];
}

struct job *core_first_job(const struct core *core)
{
    return core->jobs.first;
}

struct job *core_find_job(const struct core *core, uint64_t id)
{
    struct job *job = core->jobs.first;
    while (job && job->id != id)
        job = job->next;
    return job;
}

uint32_t core_max_jobs(const struct core *core)
{
    return core->jobs.most;
}
