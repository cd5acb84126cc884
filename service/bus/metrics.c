/*
 * Metrics in OpenMetrics' text. No child ids as labels: a scrape of ten thousand children is for
 * who asks for it, and ListChildren gives it.
 */
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
    family(out, "child_restarts", "counter", "Automatic restarts of the present children.");
    fprintf(out, "proctor_child_restarts_total %" PRIu64 "\n", totals->restarts);
    family(out, "stale_reports", "counter", "Reports of attempts that were over.");
    fprintf(out, "proctor_stale_reports_total %" PRIu64 "\n", totals->stale_reports);
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
    uint64_t messages, refused, orphans, leftovers;

    service->hooks.counters(service->hooks.userdata, &messages, &refused, &orphans, &leftovers);
    family(out, "notify_messages", "counter", "Messages from children that counted.");
    fprintf(out, "proctor_notify_messages_total %" PRIu64 "\n", messages);
    family(out, "notify_refused", "counter", "Messages from processes that are nobody's.");
    fprintf(out, "proctor_notify_refused_total %" PRIu64 "\n", refused);
    family(out, "orphans_reaped", "counter", "Processes that came to proctord and were reaped.");
    fprintf(out, "proctor_orphans_reaped_total %" PRIu64 "\n", orphans);
    family(out, "leftovers_killed", "counter", "Times an attempt left processes that were killed.");
    fprintf(out, "proctor_leftovers_killed_total %" PRIu64 "\n", leftovers);
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

/* The caller frees the text. */
int metrics_text(const struct service *service, char **text)
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
    fputs("# EOF\n", out);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}
