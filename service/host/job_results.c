/* What the host has to do with the results of jobs (result.h). */
#include "core/vocabulary/invariant.h"
#include "system/own_folder.h"
#include "host/process.h"
#include "host/result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- of one that runs ------------------------------------------------------------------------ */

static void result_came(void *userdata)
{
    const struct process *process = userdata;
    const struct host *host = process->host;

    if (host->result_came && process->child->job)
        host->result_came(host->result_userdata, process->child->job);
}

static struct result_hooks result_hooks(struct process *process)
{
    return (struct result_hooks){
        .came = result_came, .ended = process->host->result_ended, .userdata = process};
}

/* A fresh pipe for each attempt of a job. */
int process_open_result(struct process *process, int *write_end)
{
    struct result_hooks hooks = result_hooks(process);

    INVARIANT(process->child->job && process->state == PROCESS_PREPARING);
    result_free(process->result);
    process->result = NULL;
    return result_open(process->host->event, &hooks, process->host->result_store,
                       process->child->job->id, &process->result, write_end);
}

int process_adopt_result(struct process *process, int fd)
{
    struct result_hooks hooks = result_hooks(process);

    return result_adopt(process->host->event, &hooks, process->host->result_store,
                        process->child->job->id, fd, &process->result);
}

/* The end of a job is reported when its output has been read to the end: the
 * result and the exit are one. */
bool process_waits_for_result(struct process *process)
{
    /* What it wrote last may be lost. */
    if (!process->result && process->adopted && process->child->job)
        process_adopt_result(process, -1);
    if (!process->result)
        return false;
    process_set_state(process, PROCESS_ENDING);
    if (result_end(process->result) == 0)
        return true;
    process->completion.output.truncated = true;
    return false;
}

/* The output belongs to the result; the completion only borrows it while it is
 * reported. */
void process_take_result(struct process *process, struct completion *completion)
{
    char name[KEEP_NAME_MAX];

    INVARIANT(completion);
    if (!process->result)
        return;
    bool cut = completion->output.truncated;
    completion->output = result_so_far(process->result);
    completion->output.truncated = completion->output.truncated || cut;
    keep_name(name, "result", &process->id, process->id.attempt);
    keep_drop(process->host->keep, name);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Output is kept in files of the state directory, so that it survives an
 * upgrade and a death. */
int host_open_results(struct host *host, const char *folder)
{
    char path[4200], why[OWN_FOLDER_WHY];
    int r = 0, results = -1;

    if (folder) {
        snprintf(path, sizeof(path), "%s/results", folder);
        r = own_folder_make(path, 0700, why);
        if (r == 0)
            results = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (r == 0 && results < 0)
            r = -errno;
    }
    if (r < 0)
        return r;
    host->result_store = result_store_new(results);
    return host->result_store ? 0 : -ENOMEM;
}

void host_on_result(struct host *host, void (*came)(void *userdata, struct job *job),
                    void *userdata)
{
    INVARIANT(came);
    host->result_came = came;
    host->result_userdata = userdata;
}

struct job_output host_result(struct host *host, const struct job *job)
{
    INVARIANT(job_is_sound(job));
    const struct process *process = job->child ? job->child->host : NULL;

    (void)host;
    return process && process->result ? result_so_far(process->result) : (struct job_output){};
}

/* At a start: jobs that have finished get their output back. */
static void result_was_read(void *userdata, uint64_t id, const struct job_output *output)
{
    struct host *host = userdata;
    struct job *job = host->core ? core_find_job(host->core, id) : NULL;

    INVARIANT(host->results_unread > 0);
    host->results_unread--;
    if (job && job->state == JOB_FINISHED)
        host->result_read(host->result_userdata, job, output);
}

/* Only finished jobs: those that run are adopted with their pipes. */
void host_read_results(struct host *host, void (*was_read)(void *userdata, struct job *job,
                                                           const struct job_output *output))
{
    INVARIANT(was_read);
    host->result_read = was_read;
    for (const struct job *job = core_first_job(host->core); job; job = job->next)
        if (job->state == JOB_FINISHED && job->output.size > 0 &&
            result_read(host->result_store, job->id, result_was_read, host) == 0)
            host->results_unread++;
}

size_t host_results_unread(const struct host *host)
{
    return host->results_unread;
}

void host_forget_result(struct host *host, const struct job *job)
{
    INVARIANT(job_is_sound(job));
    if (!host->past)
        result_remove(host->result_store, job->id);
}

/* Files of jobs that no longer exist. */
void host_tidy_results(const struct host *host)
{
    uint64_t *known = calloc(JOBS_MAX + JOBS_KEPT + 1, sizeof(*known));
    size_t n = 0;

    if (!known)
        return;
    for (const struct job *job = core_first_job(host->core); job && n <= JOBS_MAX + JOBS_KEPT;
         job = job->next)
        known[n++] = job->id;
    result_tidy(host->result_store, known, n);
}
