/*
 * OpenMetrics text. With many children it is made in steps, family by family:
 * the format demands that all samples of a family stand together, so the
 * children are walked once per family.
 */
#include "bus/metrics.h"

#include "bus/bulk.h"
#include "bus/cursor.h"
#include "system/beside.h"
#include "bus/job_metrics.h"
#include "log/log.h"
#include "bus/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct totals {
    uint64_t operations[4];
    uint64_t statuses[6];
    uint64_t restarts;
    uint64_t stale_reports;
    uint64_t exhausted;
};

/* One walk for all totals. */
static struct totals add_up(const struct service *service)
{
    struct totals totals = {};

    for (struct child *child = core_first(service->core); child; child = core_next(child)) {
        totals.operations[child->operation]++;
        totals.statuses[child_status(child)]++;
        totals.restarts += child->restart_count;
        totals.stale_reports += child->last_stale->count;
        totals.exhausted += restart_limit_view(&child->restart_limit).exhausted;
    }
    return totals;
}

static void family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# TYPE proctor_%s %s\n# HELP proctor_%s %s\n", name, type, name, help);
}

/* Sums over children that exist are gauges: they fall when a child is
 * removed. */
static void print_children(FILE *out, const struct totals *totals)
{
    family(out, "children", "gauge", "Declared children, by operation.");
    for (int i = 0; i < 4; i++)
        fprintf(out, "proctor_children{operation=\"%s\"} %" PRIu64 "\n",
                child_operation_to_string((enum child_operation)i), totals->operations[i]);
    family(out, "children_by_status", "gauge", "Declared children, by status.");
    for (int i = 0; i < 5; i++)
        fprintf(out, "proctor_children_by_status{status=\"%s\"} %" PRIu64 "\n",
                child_status_to_string((enum child_status)i), totals->statuses[i]);
    family(out, "restart_limit_exhausted_children", "gauge",
           "Children that have used up their restart limit.");
    fprintf(out, "proctor_restart_limit_exhausted_children %" PRIu64 "\n", totals->exhausted);
    /* No counters: they go with the children. */
    family(out, "children_restarts", "gauge", "Automatic restarts of the current children.");
    fprintf(out, "proctor_children_restarts %" PRIu64 "\n", totals->restarts);
    family(out, "children_stale_reports", "gauge",
           "Reports about attempts that were already over, for the current children.");
    fprintf(out, "proctor_children_stale_reports %" PRIu64 "\n", totals->stale_reports);
}

/* ---- child by child ----------------------------------------------------------------------------
 */

static double active(const struct service *service, const struct child *child)
{
    (void)service;
    return child->attempt.active && child->attempt.spawned;
}

static double ready(const struct service *service, const struct child *child)
{
    (void)service;
    return child_status(child) == CHILD_READY;
}

static double generation(const struct service *service, const struct child *child)
{
    (void)service;
    return (double)child->generation;
}

static double restarts(const struct service *service, const struct child *child)
{
    (void)service;
    return (double)child->restart_count;
}

static double failures(const struct service *service, const struct child *child)
{
    (void)service;
    return (double)restart_limit_view(&child->restart_limit).used;
}

static double cpu(const struct service *service, const struct child *child)
{
    uint64_t cpu_nsec, memory;

    service->hooks.usage(service->hooks.userdata, child, &cpu_nsec, &memory);
    return (double)cpu_nsec / 1e9;
}

static double memory(const struct service *service, const struct child *child)
{
    uint64_t cpu_nsec, bytes;

    service->hooks.usage(service->hooks.userdata, child, &cpu_nsec, &bytes);
    return (double)bytes;
}

static const struct child_family {
    const char *name, *help;
    double (*value)(const struct service *service, const struct child *child);
} child_families[] = {
    {"child_running", "Whether an attempt is running.", active},
    {"child_ready", "Whether it is ready.", ready},
    {"child_generation", "Its generation.", generation},
    {"child_restarts", "Its automatic restarts.", restarts},
    {"child_restart_limit_used", "Failures in the window of its restart limit.", failures},
    {"child_cpu_seconds", "CPU time of its current attempt.", cpu},
    {"child_memory_bytes", "Memory of its current attempt.", memory},
};

#define CHILD_FAMILIES (sizeof(child_families) / sizeof(child_families[0]))

static void print_events(FILE *out, const struct service *service)
{
    family(out, "events", "counter", "Events, by kind.");
    for (int i = 0; i < EVENT_KINDS; i++)
        fprintf(out, "proctor_events_total{kind=\"%s\"} %" PRIu64 "\n",
                event_kind_to_string((enum event_kind)i), service->events_by_kind[i]);
}

static void print_starts(FILE *out, const struct service *service)
{
    uint64_t delayed, spawners;

    service->hooks.starts(service->hooks.userdata, &delayed, &spawners);
    family(out, "starts_delayed", "counter",
           "Starts delayed because proctord lacked descriptors, memory or processes.");
    fprintf(out, "proctor_starts_delayed_total %" PRIu64 "\n", delayed);
    family(out, "spawners_replaced", "counter", "Spawners replaced because they died or hung.");
    fprintf(out, "proctor_spawners_replaced_total %" PRIu64 "\n", spawners);
}

/* Counters of the host. */
static void print_host(FILE *out, const struct service *service)
{
    uint64_t messages, refused, dropped, orphans, leftovers;

    service->hooks.counters(service->hooks.userdata, &messages, &refused, &dropped, &orphans,
                            &leftovers);
    family(out, "notify_messages", "counter", "Notify messages accepted from children.");
    fprintf(out, "proctor_notify_messages_total %" PRIu64 "\n", messages);
    family(out, "notify_refused", "counter",
           "Notify messages refused because their sender belongs to no child.");
    fprintf(out, "proctor_notify_refused_total %" PRIu64 "\n", refused);
    family(out, "notify_dropped", "counter",
           "Notify messages dropped because their sender exceeded its share.");
    fprintf(out, "proctor_notify_dropped_total %" PRIu64 "\n", dropped);
    family(out, "orphans_reaped", "counter", "Orphaned processes adopted and reaped.");
    fprintf(out, "proctor_orphans_reaped_total %" PRIu64 "\n", orphans);
    family(out, "leftovers_killed", "counter", "Attempts whose leftover processes were killed.");
    fprintf(out, "proctor_leftovers_killed_total %" PRIu64 "\n", leftovers);
    family(out, "output_lost_bytes", "counter",
           "Bytes of children's output that could not be written.");
    fprintf(out, "proctor_output_lost_bytes_total %" PRIu64 "\n", service->hooks.output_lost());
    print_starts(out, service);
}

static void print_journal(FILE *out, const struct service *service)
{
    bool written = !service->hooks.unwritten(service->hooks.userdata);

    family(out, "journal_written", "gauge",
           "Whether changes are recorded: 0 when the journal cannot be written.");
    fprintf(out, "proctor_journal_written %d\n", written);
}

static void print_bus(FILE *out, const struct service *service)
{
    family(out, "subscribers", "gauge", "Clients subscribed to events.");
    fprintf(out, "proctor_subscribers %zu\n", service->n_subscribers);
    family(out, "waiting_calls", "gauge", "Calls waiting for their command to take effect.");
    fprintf(out, "proctor_waiting_calls %zu\n", service->n_waiters);
    family(out, "start_time_seconds", "gauge", "Start time of proctord, in Unix time.");
    fprintf(out, "proctor_start_time_seconds %" PRIu64 ".%06" PRIu64 "\n",
            service->started_usec / 1000000, service->started_usec % 1000000);
}

/* Whether a disk, a directory service or a reader is slow, or does not answer. */
static void print_waits(FILE *out, const struct service *service)
{
    struct beside_counters beside = beside_counters();

    family(out, "beside_running", "gauge", "Blocking calls running outside the event loop.");
    fprintf(out, "proctor_beside_running %u\n", beside.running);
    family(out, "beside_waiting", "gauge", "Blocking calls waiting for a thread.");
    fprintf(out, "proctor_beside_waiting %u\n", beside.waiting);
    family(out, "beside_oldest_seconds", "gauge",
           "Age of the oldest blocking call that has not returned.");
    fprintf(out, "proctor_beside_oldest_seconds %.6f\n", (double)beside.oldest_usec / 1e6);
    family(out, "beside_calls", "counter", "Blocking calls made outside the event loop.");
    fprintf(out, "proctor_beside_calls_total %" PRIu64 "\n", beside.done);
    family(out, "held_answers", "gauge", "Replies waiting for the journal to reach the disk.");
    fprintf(out, "proctor_held_answers %zu\n", service->n_held);
    family(out, "log_lines_lost", "counter",
           "Lines of proctord's own log dropped because nothing read them.");
    fprintf(out, "proctor_log_lines_lost_total %" PRIu64 "\n", log_lost());
}

/* ---- line by line ---------------------------------------------------------------------------- */

struct metrics {
    FILE *out;
    char *text;
    size_t size;
    bool begun;
    size_t family; /* of those child by child, which is written now */
    size_t families;
    struct cursor cursor;
};

/* The text grows in a memory stream. */
int metrics_begin(const struct service *service, bool children, struct metrics **metrics)
{
    struct metrics *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->families = children ? CHILD_FAMILIES : 0;
    fresh->out = open_memstream(&fresh->text, &fresh->size);
    if (!fresh->out || (children && cursor_begin(&fresh->cursor, service->core) < 0)) {
        metrics_free(fresh);
        return -ENOMEM;
    }
    *metrics = fresh;
    return 0;
}

/* Everything that does not depend on the number of children. */
static void print_head(FILE *out, const struct service *service)
{
    struct totals totals = add_up(service);

    print_children(out, &totals);
    print_events(out, service);
    print_host(out, service);
    print_journal(out, service);
    print_bus(out, service);
    print_waits(out, service);
    job_metrics_print(service->job_metrics, service->core, out);
}

/* An id has only characters that need no escape in a label. */
static void print_next_child(const struct service *service, struct metrics *metrics)
{
    const struct child_family *kind = &child_families[metrics->family];

    if (metrics->cursor.at == 0)
        family(metrics->out, kind->name, "gauge", kind->help);
    struct child *child = cursor_next(&metrics->cursor, service->core);
    if (child)
        fprintf(metrics->out, "proctor_%s{child=\"%s\"} %.15g\n", kind->name, child->id,
                kind->value(service, child));
    if (metrics->cursor.at < metrics->cursor.count)
        return;
    metrics->cursor.at = 0;
    metrics->family++;
}

static int end(struct metrics *metrics)
{
    FILE *out = metrics->out;

    metrics->out = NULL;
    fputs("# EOF\n", out);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

/* Returns 0 when the text is complete. */
int metrics_step(const struct service *service, struct metrics *metrics)
{
    if (!metrics->begun) {
        metrics->begun = true;
        print_head(metrics->out, service);
        return 1;
    }
    if (metrics->family < metrics->families) {
        print_next_child(service, metrics);
        return 1;
    }
    return end(metrics);
}

char *metrics_take(struct metrics *metrics, size_t *size)
{
    char *text = metrics->text;

    *size = metrics->size;
    metrics->text = NULL;
    return text;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics->out)
        fclose(metrics->out);
    cursor_end(&metrics->cursor);
    free(metrics->text);
    free(metrics);
}

/* ---- GetMetrics ------------------------------------------------------------------------------ */

static int bulk_step(struct service *service, sd_bus_message *m, void *data)
{
    struct metrics *metrics = data;
    int r = metrics_step(service, metrics);

    if (r == 0 && metrics->size > BULK_BYTES_MAX)
        return -EMSGSIZE;
    if (r == 0 && (r = append_lines(m, metrics->text)) > 0)
        r = 0;
    return r;
}

static void bulk_release(void *data)
{
    metrics_free(data);
}

int method_get_metrics(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    static const struct bulk_maker maker = {.step = bulk_step, .release = bulk_release};
    struct service *service = userdata;
    struct metrics *metrics;
    int r = metrics_begin(service, service->settings.metrics_of_children, &metrics);

    return r < 0 ? r : bulk_answer(service, m, &maker, metrics, error);
}
