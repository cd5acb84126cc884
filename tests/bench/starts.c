/*
 * Starts per second, and what a thousand running children cost.
 */
#include "bench.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double floor_starts(size_t n)
{
    char *arguments[] = {"/bin/sleep", "1000", NULL};
    pid_t *pids = calloc(n, sizeof(*pids));
    uint64_t begin = now_nsec();

    for (volatile size_t i = 0; i < n; i++) {
        pids[i] = vfork();
        if (pids[i] == 0) {
            execv(arguments[0], arguments);
            _exit(127);
        }
    }
    double seconds = (double)(now_nsec() - begin) / 1e9;
    for (size_t i = 0; i < n; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    free(pids);
    return (double)n / seconds;
}

static uint64_t switches(pid_t pid)
{
    char path[64], line[256];
    uint64_t value = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
            value = strtoull(line + 24, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

/* When the last changes have been signalled: then it has woken up as often as this. */
static uint64_t settle(pid_t pid)
{
    struct timespec moment = {.tv_nsec = 300000000};
    uint64_t before, now = switches(pid);

    do {
        before = now;
        nanosleep(&moment, NULL);
        now = switches(pid);
    } while (now != before);
    return now;
}

/* First and last start, by the events' own stamps. */
static double measured_starts(struct daemon *d)
{
    sd_bus_message *reply = NULL;
    uint64_t first = 0, last = 0, count = 0;

    sd_bus_call_method(d->bus, NAME, "/org/proctor1", MANAGER, "QueryEvents", NULL, &reply,
                       "tua{sv}", (uint64_t)0, (uint32_t)5000, 1, "kinds", "as", 1,
                       "child-running");
    sd_bus_message *begin = NULL;
    sd_bus_call_method(d->bus, NAME, "/org/proctor1", MANAGER, "QueryEvents", NULL, &begin,
                       "tua{sv}", (uint64_t)0, (uint32_t)5000, 1, "kinds", "as", 1,
                       "child-starting");
    uint64_t sequence, realtime, monotonic;
    sd_bus_message_enter_container(begin, 'a', "(tttsssa{sv})");
    if (sd_bus_message_enter_container(begin, 'r', "tttsssa{sv}") > 0) {
        sd_bus_message_read(begin, "ttt", &sequence, &realtime, &monotonic);
        first = monotonic;
    }
    sd_bus_message_unref(begin);
    sd_bus_message_enter_container(reply, 'a', "(tttsssa{sv})");
    while (sd_bus_message_enter_container(reply, 'r', "tttsssa{sv}") > 0) {
        sd_bus_message_read(reply, "ttt", &sequence, &realtime, &monotonic);
        last = monotonic;
        count++;
        sd_bus_message_skip(reply, "sssa{sv}");
        sd_bus_message_exit_container(reply);
    }
    sd_bus_message_unref(reply);
    return (double)count / ((double)(last - first) / 1e6);
}

void thousand_children(uint64_t empty_kb)
{
    double floor = floor_starts(1000);
    struct daemon d;

    write_manifest(1000, "/bin/sleep, \"1000\"", "");
    start(&d, NULL);
    wait_for_children(&d, "sleep", 1000);
    figure("starts-per-second-1000", "1/s", measured_starts(&d), floor, 0.8);

    figure("memory-per-running-child-1000", "KiB",
           (double)(kilobytes(d.pid, "Pss:") - empty_kb) / 1000, 0, 4);
    uint64_t before = settle(d.pid);
    struct timespec quiet = {.tv_sec = 6};
    nanosleep(&quiet, NULL); /* what is measured is that nothing happens */
    figure("idle-wakeups-per-minute-1000", "1/min", (double)(switches(d.pid) - before) * 10, 0, 0);

    sd_bus_message *reply = NULL;
    uint64_t begin = now_nsec();
    sd_bus_call_method(d.bus, NAME, "/org/proctor1", MANAGER, "Shutdown", NULL, &reply, "sa{sv}",
                       "bench", 1, "wait", "b", 1);
    figure("ordered-shutdown-1000", "ms", (double)(now_nsec() - begin) / 1e6, 0, 0);
    sd_bus_message_unref(reply);
    sd_bus_flush_close_unref(d.bus);
    waitpid(d.pid, NULL, 0);
}
