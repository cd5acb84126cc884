/*
 * Metrics of jobs by name. Names come from users, so their number is bounded:
 * the name that has been idle for longest makes room, and how many have been
 * dropped is a metric of its own.
 */
#include "bus/job_metrics.h"
#include "bus/wait.h"

#include "core/vocabulary/invariant.h"
#include "core/core.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS        512 /* of the index of names; a power of two */
#define NAME_MAX_BYTES 64
#define RESULTS        (JOB_SUPERVISOR_STOPPED + 1)

static const struct {
    uint64_t usec;
    const char *label;
} limits[] = {{10000, "0.01"},  {100000, "0.1"},    {1000000, "1"},      {10000000, "10"},
              {60000000, "60"}, {600000000, "600"}, {3600000000, "3600"}};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

struct histogram {
    uint64_t counts[LIMITS + 1]; /* the last: longer than all limits */
    uint64_t sum_usec;
};

struct name {
    struct name *next; /* in the same bucket */
    char text[NAME_MAX_BYTES + 1];
    uint64_t results[RESULTS];
    struct histogram wall, cpu;
    uint64_t ended; /* which end, of all jobs, was its last */
    uint32_t queued, running;
    bool is_new;
};

struct job_metrics {
    struct name *buckets[BUCKETS];
    uint32_t count;
    uint64_t ends;
    uint64_t forgotten;
    uint64_t others; /* under way, of names for which there is no room */
};

int job_metrics_new(struct job_metrics **metrics)
{
    *metrics = calloc(1, sizeof(**metrics));
    return *metrics ? 0 : -ENOMEM;
}

void job_metrics_free(struct job_metrics *metrics)
{
    for (size_t i = 0; metrics && i < BUCKETS; i++)
        for (struct name *name = metrics->buckets[i], *next; name; name = next) {
            next = name->next;
            free(name);
        }
    free(metrics);
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct name **bucket_of(struct job_metrics *metrics, const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return &metrics->buckets[hash % BUCKETS];
}

static struct name *find(struct job_metrics *metrics, const char *text)
{
    struct name *name = *bucket_of(metrics, text);

    while (name && strcmp(name->text, text) != 0)
        name = name->next;
    return name;
}

/* Makes room for one more name. False: jobs are under way of all. */
static bool forget_one(struct job_metrics *metrics)
{
    struct name **oldest = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct name **link = &metrics->buckets[i]; *link; link = &(*link)->next)
            if ((*link)->queued + (*link)->running == 0 &&
                (!oldest || (*link)->ended < (*oldest)->ended))
                oldest = link;
    if (!oldest)
        return false;
    struct name *name = *oldest;
    *oldest = name->next;
    free(name);
    metrics->count--;
    metrics->forgotten++;
    return true;
}

/* NULL if there is no room, and nothing can be dropped. */
static struct name *find_or_add(struct job_metrics *metrics, const char *text)
{
    struct name *name = find(metrics, text), **bucket;

    if (name || (metrics->count == JOB_METRICS_NAMES && !forget_one(metrics)))
        return name;
    name = calloc(1, sizeof(*name));
    if (!name)
        return NULL;
    strncpy(name->text, text, NAME_MAX_BYTES);
    bucket = bucket_of(metrics, text);
    name->next = *bucket;
    *bucket = name;
    metrics->count++;
    return name;
}

/* ---- counting -------------------------------------------------------------------------------- */

static void observe(struct histogram *histogram, uint64_t usec)
{
    size_t i = 0;

    while (i < LIMITS && usec > limits[i].usec)
        i++;
    histogram->counts[i]++;
    histogram->sum_usec += usec;
}

static void count_one(struct job_metrics *metrics, struct name *name, const struct job *job)
{
    if (name && job->state == JOB_QUEUED)
        name->queued++;
    else if (name)
        name->running++;
    else
        metrics->others++;
}

/* How many are under way of each name that has a place, by the core's own list. */
static void count_under_way(struct job_metrics *metrics, const struct core *core)
{
    metrics->others = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct name *name = metrics->buckets[i]; name; name = name->next)
            name->queued = name->running = 0;
    for (const struct job *job = core_first_job(core); job; job = job->next) {
        struct name *name = job->state == JOB_FINISHED ? NULL : find(metrics, job->name);
        if (name)
            count_one(metrics, name, job);
    }
}

/* Names of which none has ended yet get a place, too, as long as there is one. */
static void count_new_names(struct job_metrics *metrics, const struct core *core)
{
    bool full = false;

    for (const struct job *job = core_first_job(core); job; job = job->next) {
        if (job->state == JOB_FINISHED)
            continue;
        struct name *name = find(metrics, job->name);
        if (name && !name->is_new)
            continue;
        if (!name && !full) {
            name = find_or_add(metrics, job->name);
            full = name == NULL;
            if (name)
                name->is_new = true;
        }
        count_one(metrics, name, job);
    }
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct name *name = metrics->buckets[i]; name; name = name->next)
            name->is_new = false;
}

/* A job has finished. */
void job_metrics_count(struct job_metrics *metrics, const struct core *core, const struct job *job)
{
    struct name *name = find(metrics, job->name);

    INVARIANT(job->state == JOB_FINISHED && job->finished_usec >= job->started_usec);
    if (!name && metrics->count == JOB_METRICS_NAMES)
        count_under_way(metrics, core); /* none of which something is goes */
    if (!name)
        name = find_or_add(metrics, job->name);
    if (!name)
        return;
    name->ended = ++metrics->ends;
    name->results[job->result]++;
    if (job->started_usec == 0)
        return; /* it never ran */
    observe(&name->wall, job->finished_usec - job->started_usec);
    observe(&name->cpu, job->cpu_usec);
}

/* ---- printing -------------------------------------------------------------------------------- */

static void family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# TYPE proctor_%s %s\n# HELP proctor_%s %s\n", name, type, name, help);
}

/* A name has only characters that need no escape in a label. */
static void for_each(const struct job_metrics *metrics, FILE *out,
                     void (*print)(FILE *out, const struct name *name))
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct name *name = metrics->buckets[i]; name; name = name->next)
            print(out, name);
}

static void print_under_way(FILE *out, const struct name *name)
{
    fprintf(out, "proctor_jobs{name=\"%s\",state=\"queued\"} %" PRIu32 "\n", name->text,
            name->queued);
    fprintf(out, "proctor_jobs{name=\"%s\",state=\"running\"} %" PRIu32 "\n", name->text,
            name->running);
}

static void print_results(FILE *out, const struct name *name)
{
    for (int i = JOB_SUCCEEDED; i < RESULTS; i++)
        if (name->results[i] > 0)
            fprintf(out, "proctor_job_results_total{name=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                    name->text, job_result_to_string((enum job_result)i), name->results[i]);
}

/* OpenMetrics wants cumulative buckets. */
static void print_histogram(FILE *out, const char *family, const char *name,
                            const struct histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i < LIMITS; i++) {
        count += histogram->counts[i];
        fprintf(out, "proctor_%s_bucket{name=\"%s\",le=\"%s\"} %" PRIu64 "\n", family, name,
                limits[i].label, count);
    }
    count += histogram->counts[LIMITS];
    fprintf(out, "proctor_%s_bucket{name=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", family, name, count);
    fprintf(out, "proctor_%s_count{name=\"%s\"} %" PRIu64 "\n", family, name, count);
    fprintf(out, "proctor_%s_sum{name=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n", family, name,
            histogram->sum_usec / 1000000, histogram->sum_usec % 1000000);
}

static void print_wall(FILE *out, const struct name *name)
{
    print_histogram(out, "job_wall_seconds", name->text, &name->wall);
}

static void print_cpu(FILE *out, const struct name *name)
{
    print_histogram(out, "job_cpu_seconds", name->text, &name->cpu);
}

/* All families of a name together, as the format demands. */
void job_metrics_print(struct job_metrics *metrics, const struct core *core, FILE *out)
{
    INVARIANT(core && out);
    count_under_way(metrics, core);
    count_new_names(metrics, core);
    family(out, "jobs", "gauge", "Queued and running jobs, by name.");
    for_each(metrics, out, print_under_way);
    family(out, "jobs_of_other_names", "gauge",
           "Queued and running jobs whose names are not tracked individually.");
    fprintf(out, "proctor_jobs_of_other_names %" PRIu64 "\n", metrics->others);
    family(out, "job_results", "counter", "Finished jobs, by name and result.");
    for_each(metrics, out, print_results);
    family(out, "job_wall_seconds", "histogram", "Run time of jobs, by name.");
    for_each(metrics, out, print_wall);
    family(out, "job_cpu_seconds", "histogram", "CPU time of jobs, by name.");
    for_each(metrics, out, print_cpu);
    family(out, "job_names_forgotten", "counter",
           "Job names dropped from these metrics to make room for others.");
    fprintf(out, "proctor_job_names_forgotten_total %" PRIu64 "\n", metrics->forgotten);
}
