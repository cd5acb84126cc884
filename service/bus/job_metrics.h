/*
 * Job metrics: what became of jobs, by their names, for GetMetrics and the metrics socket.
 *
 * Names are the clients' to choose, so only so many are kept: where there is no room for another
 * one, that whose last job ended first is forgotten, and the number of names that were is a metric
 * of its own. A name of which a job is under way is never forgotten.
 */
#pragma once

#include "core/model/job.h"

#include <stdio.h>

#define JOB_METRICS_NAMES 256

struct core;
struct job_metrics;

/* 0 or -ENOMEM. */
int job_metrics_new(struct job_metrics **metrics);
void job_metrics_free(struct job_metrics *metrics);

/* Counts a job that is finished. */
void job_metrics_count(struct job_metrics *metrics, const struct core *core, const struct job *job);

/* Writes the families; how many are queued and run is looked up in the core. */
void job_metrics_print(struct job_metrics *metrics, const struct core *core, FILE *out);
