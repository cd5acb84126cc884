/*
 * Job list: ListJobs, one row for each job that is queued, runs, or has been finished and not been
 * forgotten, by number. A name is what people know a job by, and a name may stand in many rows.
 *
 * The answer is made over several turns of the loop (bulk.h): each row is of one moment.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

int method_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error);
