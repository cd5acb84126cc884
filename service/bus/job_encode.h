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

uint64_t job_wall_usec(const struct service *service, const struct job *job);
int32_t job_exit_code(const struct job *job);
bool job_is_truncated(const struct job *job);
int job_append_output(const struct service *service, sd_bus_message *m, const struct job *job);
int append_job(const struct service *service, sd_bus_message *m, const struct job *job, bool late);
