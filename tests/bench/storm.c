/*
 * A storm: a thousand children crash at once.
 */
#include "bench.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define STORM 1000
#define SLOTS 16 /* of the histogram */

struct storm {
    uint64_t begin_usec;      /* monotonic */
    double back_usec[STORM];  /* when each child runs again */
    double delay_usec[STORM]; /* what its backoff was */
    size_t n_back, n_delay, n_queued;
};

static int storm_event(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct storm *storm = userdata;
    uint64_t sequence, realtime, monotonic;
    const char *kind, *child, *cause;

    (void)error;
    if (sd_bus_message_read(m, "tttsss", &sequence, &realtime, &monotonic, &kind, &child, &cause) <
        0)
        return 0;
    if (strcmp(kind, "child-restarted") == 0 && storm->n_back < STORM)
        storm->back_usec[storm->n_back++] = (double)(monotonic - storm->begin_usec);
    storm->n_queued += strcmp(kind, "child-restart-queued") == 0;
    if (strcmp(kind, "child-backoff-scheduled") != 0 || storm->n_delay == STORM)
        return 0;
    sd_bus_message_enter_container(m, 'a', "{sv}");
    while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
        const char *key;
        uint64_t value;
        sd_bus_message_read(m, "s", &key);
        if (strcmp(key, "delay_usec") == 0 && sd_bus_message_read(m, "v", "t", &value) >= 0)
            storm->delay_usec[storm->n_delay++] = (double)value;
        else
            sd_bus_message_skip(m, "v");
        sd_bus_message_exit_container(m);
    }
    return 0;
}

static void histogram(const char *name, double *list, size_t n)
{
    size_t counts[SLOTS] = {}, most = 1;

    if (n == 0)
        return;
    percentile(list, n, 0); /* sorts them */
    double first = list[0], width = (list[n - 1] - first) / SLOTS + 1e-9;
    for (size_t i = 0; i < n; i++) {
        size_t slot = (size_t)((list[i] - first) / width);
        size_t count = ++counts[slot < SLOTS ? slot : SLOTS - 1];
        most = count > most ? count : most;
    }
    fprintf(stderr, "%s, ms\n", name);
    for (size_t i = 0; i < SLOTS; i++)
        fprintf(stderr, "%8.1f %5zu %.*s\n", (first + (double)i * width) / 1e3, counts[i],
                (int)(counts[i] * 50 / most), "##################################################");
}

static uint32_t root_number(struct daemon *d, const char *property)
{
    uint32_t value = 0;

    sd_bus_get_property_trivial(d->bus, NAME, "/org/proctor1/supervisor/root",
                                "org.proctor1.Supervisor", property, NULL, 'u', &value);
    return value;
}

/* A thousand crash at once: never more on their way than the cap, none forgotten, and commands
 * are answered all the while. */
void crash_storm(const char *program)
{
    enum { CALLS = 20000 };
    static double calls[CALLS], floor[CALLS];
    static struct storm storm;
    struct daemon d;
    char exec[4200];
    uint32_t most = 0;
    size_t n = 0;

    snprintf(exec, sizeof(exec), "%s, ready", program);
    write_manifest(STORM, exec, "    restart: permanent\n    readiness: explicit\n");
    start(&d, NULL);
    wait_for_children(&d, "bench-stamp", STORM);
    pid_t service = floor_service(&d);
    time_pause(&d);
    wait_for_children(&d, "bench-stamp", STORM - 1);
    sd_bus_match_signal(d.bus, NULL, NAME, "/org/proctor1", MANAGER, "Event", storm_event, &storm);
    sd_bus_message *reply = NULL;
    sd_bus_call_method(d.bus, NAME, "/org/proctor1", MANAGER, "Subscribe", NULL, &reply, "a{sv}", 1,
                       "kinds", "as", 3, "child-restarted", "child-backoff-scheduled",
                       "child-restart-queued");
    sd_bus_message_unref(reply);
    storm.begin_usec = now_nsec() / 1000;
    size_t killed = for_each_child(d.pid, "bench-stamp", SIGKILL);
    for (uint64_t deadline = now_nsec() + UINT64_C(30000000000);
         storm.n_back < killed && n < CALLS && now_nsec() < deadline;) {
        floor[n] = time_call(&d, "floor.Floor", "/floor", "floor.Floor", "Empty");
        calls[n++] = time_pause(&d);
        if (n % 4 > 0)
            continue;
        uint32_t flying = root_number(&d, "RestartsInFlight");
        most = flying > most ? flying : most;
        while (sd_bus_process(d.bus, NULL) > 0)
            ;
    }
    uint32_t cap = root_number(&d, "MaxRestartsInFlight");
    figure("storm-1000-all-back", "ms", (double)(now_nsec() / 1000 - storm.begin_usec) / 1e3, 0, 0);
    figure("storm-1000-forgotten", "", (double)(killed - storm.n_back), 0, 0);
    figure("storm-1000-queued", "", (double)storm.n_queued, 0, 0);
    figure("storm-1000-most-in-flight", "", (double)most, (double)cap, (double)cap);
    figure("storm-1000-command-p50", "us", percentile(calls, n, 0.5), percentile(floor, n, 0.5), 0);
    /* The floor answers nothing but the call: what it waits for is the machine. */
    figure("storm-1000-command-p99", "us", percentile(calls, n, 0.99), percentile(floor, n, 0.99),
           5000);
    histogram("storm-1000: the backoffs that were drawn", storm.delay_usec, storm.n_delay);
    histogram("storm-1000: when they run again, after the crash", storm.back_usec, storm.n_back);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
    stop(&d);
}
