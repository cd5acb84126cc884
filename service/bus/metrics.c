/*
 * Metrics in OpenMetrics' text. Child ids are labels only where the operator has asked for it: a
 * scrape of ten thousand children is not for everybody.
 */
#include "beside.h"
#include "log.h"
#include "private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct totals {
    uint64_t operations[4];
    uint64_t statuses[6];
    uint64_t restarts;
    uint64_t stale_reports;
    uint64_t exhausted;
};

static struct totals add_up(const struct service *service)
{
    struct totals totals = {};

    for (struct child *child = core_first(service->core); child; child = core_next(child)) {
        totals.operations[child->operation]++;
        totals.statuses[child_status(child)]++;
        totals.restarts += child->restart_count;
        totals.stale_reports += child->last_stale.count;
        totals.exhausted += restart_limit_view(&child->restart_limit).exhausted;
    }
    return totals;
}

static void family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# TYPE proctor_%s %s\n# HELP proctor_%s %s\n", name, type, name, help);
}

static void print_children(FILE *out, const struct totals *totals)
{
    family(out, "children", "gauge", "Declared children, by what the operator wants of them.");
    for (int i = 0; i < 4; i++)
        fprintf(out, "proctor_children{operation=\"%s\"} %" PRIu64 "\n",
                child_operation_to_string((enum child_operation)i), totals->operations[i]);
    family(out, "children_by_status", "gauge", "Declared children, by what they do.");
    for (int i = 0; i < 5; i++)
        fprintf(out, "proctor_children_by_status{status=\"%s\"} %" PRIu64 "\n",
                child_status_to_string((enum child_status)i), totals->statuses[i]);
    family(out, "restart_limit_exhausted_children", "gauge",
           "Children whose restart limit is used up.");
    fprintf(out, "proctor_restart_limit_exhausted_children %" PRIu64 "\n", totals->exhausted);
    /* No counters: they go with the children. */
    family(out, "children_restarts", "gauge", "Automatic restarts of the children that there are.");
    fprintf(out, "proctor_children_restarts %" PRIu64 "\n", totals->restarts);
    family(out, "children_stale_reports", "gauge",
           "Reports of attempts that were over, of the children that there are.");
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

/* An id has only characters that need no escape in a label. */
static void print_each_child(FILE *out, const struct service *service)
{
    static const struct {
        const char *name, *help;
        double (*value)(const struct service *service, const struct child *child);
    } families[] = {
        {"child_running", "Whether an attempt runs.", active},
        {"child_ready", "Whether it is ready.", ready},
        {"child_generation", "Its generation.", generation},
        {"child_restarts", "Its automatic restarts.", restarts},
        {"child_restart_limit_used", "Failures in the window of its restart limit.", failures},
        {"child_cpu_seconds", "CPU time of its present attempt.", cpu},
        {"child_memory_bytes", "Memory of its present attempt.", memory},
    };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        family(out, families[i].name, "gauge", families[i].help);
        for (struct child *child = core_first(service->core); child; child = core_next(child))
            fprintf(out, "proctor_%s{child=\"%s\"} %.15g\n", families[i].name, child->id,
                    families[i].value(service, child));
    }
}

static void print_events(FILE *out, const struct service *service)
{
    family(out, "events", "counter", "Events, by kind.");
    for (int i = 0; i < EVENT_KINDS; i++)
        fprintf(out, "proctor_events_total{kind=\"%s\"} %" PRIu64 "\n",
                event_kind_to_string((enum event_kind)i), service->events_by_kind[i]);
}

static void print_host(FILE *out, const struct service *service)
{
    uint64_t messages, refused, dropped, orphans, leftovers;

    service->hooks.counters(service->hooks.userdata, &messages, &refused, &dropped, &orphans,
                            &leftovers);
    family(out, "notify_messages", "counter", "Messages from children that counted.");
    fprintf(out, "proctor_notify_messages_total %" PRIu64 "\n", messages);
    family(out, "notify_refused", "counter", "Messages from processes that are nobody's.");
    fprintf(out, "proctor_notify_refused_total %" PRIu64 "\n", refused);
    family(out, "notify_dropped", "counter", "Messages beyond the share of who sent them.");
    fprintf(out, "proctor_notify_dropped_total %" PRIu64 "\n", dropped);
    family(out, "orphans_reaped", "counter", "Processes that came to proctord and were reaped.");
    fprintf(out, "proctor_orphans_reaped_total %" PRIu64 "\n", orphans);
    family(out, "leftovers_killed", "counter", "Times an attempt left processes that were killed.");
    fprintf(out, "proctor_leftovers_killed_total %" PRIu64 "\n", leftovers);
    family(out, "output_lost_bytes", "counter",
           "What children said and their output files did not take.");
    fprintf(out, "proctor_output_lost_bytes_total %" PRIu64 "\n", service->hooks.output_lost());
}

static void print_bus(FILE *out, const struct service *service)
{
    family(out, "subscribers", "gauge", "Clients that get events.");
    fprintf(out, "proctor_subscribers %zu\n", service->n_subscribers);
    family(out, "waiting_calls", "gauge", "Calls that wait for the effect of their command.");
    fprintf(out, "proctor_waiting_calls %zu\n", service->n_waiters);
    family(out, "start_time_seconds", "gauge", "When proctord was started, in Unix time.");
    fprintf(out, "proctor_start_time_seconds %" PRIu64 ".%06" PRIu64 "\n",
            service->started_usec / 1000000, service->started_usec % 1000000);
}

/* Whether a disk, a directory service or a reader is slow, or does not answer. */
static void print_waits(FILE *out, const struct service *service)
{
    struct beside_counters beside = beside_counters();

    family(out, "beside_running", "gauge", "Calls that are being made beside the loop.");
    fprintf(out, "proctor_beside_running %u\n", beside.running);
    family(out, "beside_waiting", "gauge", "Calls that wait to be made beside the loop.");
    fprintf(out, "proctor_beside_waiting %u\n", beside.waiting);
    family(out, "beside_oldest_seconds", "gauge",
           "How long the call that has been made for the longest has not come back.");
    fprintf(out, "proctor_beside_oldest_seconds %.6f\n", (double)beside.oldest_usec / 1e6);
    family(out, "beside_calls", "counter", "Calls that have been made beside the loop.");
    fprintf(out, "proctor_beside_calls_total %" PRIu64 "\n", beside.done);
    family(out, "held_answers", "gauge", "Answers that wait for the disk of the journal.");
    fprintf(out, "proctor_held_answers %zu\n", service->n_held);
    family(out, "log_lines_lost", "counter", "Lines of proctord's own log that nobody read.");
    fprintf(out, "proctor_log_lines_lost_total %" PRIu64 "\n", log_lost());
}

/* The caller frees the text. */
int metrics_text(const struct service *service, bool children, char **text)
{
    size_t size;
    FILE *out = open_memstream(text, &size);
    if (!out)
        return -ENOMEM;

    struct totals totals = add_up(service);
    print_children(out, &totals);
    print_events(out, service);
    print_host(out, service);
    print_bus(out, service);
    print_waits(out, service);
    if (children)
        print_each_child(out, service);
    fputs("# EOF\n", out);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}
