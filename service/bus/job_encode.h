/*
 * What is shown of a job: by the properties of its object, by the answers to RunJob and Wait.
 */
#pragma once

#include "bus/private.h"

/* What a job wrote, kept for callers who ask later: its observer. While it runs, only whether it
 * was announced. */
struct kept_output {
    bool told; /* that there is more, since a caller last asked */
    size_t size;
    bool truncated;
    char data[];
};

/* How long it ran, or has run by now, in microseconds; 0 before it starts. */
uint64_t job_wall_usec(const struct service *service, const struct job *job);
/* 128 plus the signal if a signal ended it, as shells count. */
int32_t job_exit_code(const struct job *job);
/* Whether it wrote more than is kept. */
bool job_is_truncated(const struct job *job);
/* What it wrote, as bytes: it need not be text. */
int job_append_output(const struct service *service, sd_bus_message *m, const struct job *job);
/* The whole answer. late: the wait is over before the job is. */
int append_job(const struct service *service, sd_bus_message *m, const struct job *job, bool late);
