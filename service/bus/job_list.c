/*
 * ListJobs, in steps. Jobs may be forgotten in between, so the place is the
 * number of the last one, not a pointer.
 */
#include "bus/job_list.h"

#include "bus/bulk.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>

/* Where the list has come to. Jobs are forgotten meanwhile: `at` is one of them still as long as
 * the service has counted none more. */
struct job_list {
    const struct job *at;
    uint64_t last;      /* number of the last row */
    uint64_t forgotten; /* as the service counted when `at` was found */
};

static int begin(struct service *service, sd_bus_message *m, void *data)
{
    (void)service;
    (void)data;
    return append_open(m, 'a', "(tsssttt)");
}

static const struct job *find_next(const struct service *service, const struct job_list *list)
{
    const struct job *job = core_first_job(service->core);

    if (list->at && list->forgotten == service->jobs_forgotten)
        return list->at->next;
    while (job && job->id <= list->last)
        job = job->next;
    return job;
}

/* A later time of a job, by the wall clock's reading of when it was queued: the two of one row keep
 * their order, though time passes. */
static uint64_t later(const struct job *job, uint64_t queued_usec, uint64_t usec)
{
    return usec > 0 ? queued_usec + (usec - job->queued_usec) : 0;
}

/* The next job by number. */
static int step(struct service *service, sd_bus_message *m, void *data)
{
    struct job_list *list = data;
    const struct job *job = find_next(service, list);

    if (!job)
        return 0;
    list->at = job;
    list->last = job->id;
    list->forgotten = service->jobs_forgotten;
    uint64_t queued_usec = core_realtime_of(service->core, job->queued_usec);
    int r = append_values(m, "(tsssttt)", job->id, job->name, job_state_to_string(job->state),
                          job_result_to_string(job->result), queued_usec,
                          later(job, queued_usec, job->started_usec),
                          later(job, queued_usec, job->finished_usec));
    return r < 0 ? r : 1;
}

static int end(struct service *service, sd_bus_message *m, void *data)
{
    (void)service;
    (void)data;
    return sd_bus_message_close_container(m);
}

int method_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    static const struct bulk_maker maker = {
        .begin = begin, .step = step, .end = end, .release = free};
    struct job_list *list = calloc(1, sizeof(*list));

    return list ? bulk_answer(userdata, m, &maker, list, error) : -ENOMEM;
}
