/*
 * A job as D-Bus values.
 */
#include "bus/job_encode.h"
#include "bus/encode.h"
#include "core/vocabulary/invariant.h"

uint64_t job_wall_usec(const struct service *service, const struct job *job)
{
    INVARIANT(job_is_sound(job));
    if (job->started_usec == 0)
        return 0;
    return (job->state == JOB_FINISHED ? job->finished_usec : core_now(service->core)) -
           job->started_usec;
}

/* As a shell has it: 128 and the signal where there was one. */
int32_t job_exit_code(const struct job *job)
{
    INVARIANT(job_is_sound(job));
    return job->signal > 0 ? 128 + job->signal : job->code;
}

/* Of a running job, what has been read so far; reading it arms the next signal
 * that there is more. */
int job_append_output(const struct service *service, sd_bus_message *m, const struct job *job)
{
    struct kept_output *output = job->observer;
    struct job_output so_far;

    INVARIANT(job_is_sound(job));
    if (job->state == JOB_RUNNING) {
        so_far = service->hooks.result(service->hooks.userdata, job);
        if (output)
            output->told = false;
        return sd_bus_message_append_array(m, 'y', so_far.size > 0 ? so_far.data : "", so_far.size);
    }
    return sd_bus_message_append_array(m, 'y', output ? output->data : "",
                                       output ? output->size : 0);
}

/* Also where its file lacks some, or a proctord that came after its end has not read it yet. */
bool job_is_truncated(const struct job *job)
{
    const struct kept_output *output = job->observer;
    size_t kept = output ? output->size : 0;

    INVARIANT(job_is_sound(job));
    return job->state == JOB_FINISHED && (job->output.truncated || kept < job->output.size);
}

/* As a value of a dictionary. */
static int append_boxed_output(const struct service *service, sd_bus_message *m,
                               const struct job *job)
{
    int r = append_open(m, 'e', "sv");

    if (r >= 0)
        r = append_values(m, "s", "Output");
    if (r >= 0)
        r = append_open(m, 'v', "ay");
    if (r >= 0)
        r = job_append_output(service, m, job);
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_close_container(m);
    return r;
}

/* What RunJob and Wait return. `late` says that the time limit passed first. */
int append_job(const struct service *service, sd_bus_message *m, const struct job *job, bool late)
{
    int r = append_open(m, 'a', "{sv}");

    INVARIANT(job_is_sound(job));
    if (r >= 0)
        r = append_number(m, "Id", job->id);
    if (r >= 0)
        r = append_text(m, "Name", job->name);
    if (r >= 0)
        r = append_text(m, "State", job_state_to_string(job->state));
    if (r >= 0)
        r = append_text(m, "Result", job_result_to_string(job->result));
    if (r >= 0)
        r = append_signed(m, "ExitCode", job_exit_code(job));
    if (r >= 0)
        r = append_number(m, "WallUSec", job_wall_usec(service, job));
    if (r >= 0)
        r = append_number(m, "CPUUSec", job->cpu_usec);
    if (r >= 0)
        r = append_boxed_output(service, m, job);
    if (r >= 0)
        r = append_flag(m, "OutputTruncated", job_is_truncated(job));
    if (r >= 0 && late)
        r = append_flag(m, "TimedOut", true);
    return r < 0 ? r : sd_bus_message_close_container(m);
}
