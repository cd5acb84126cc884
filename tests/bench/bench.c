/*
 * Benchmark: one JSON line for each figure, with the floor measured in the same run and the ratio
 * to it. Never fails by time.
 *
 *   bench PROCTORD [flood]
 *   bench PROCTORD against OTHER    starts alone, of both in turn, in one run
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3 /* of a comparison */

static char folder[] = "/tmp/proctor-bench-XXXXXX";
static const char *proctord;

uint64_t now_nsec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void figure(const char *name, const char *unit, double value, double floor, double goal)
{
    printf("{\"figure\":\"%s\",\"unit\":\"%s\",\"value\":%.3f", name, unit, value);
    if (floor > 0)
        printf(",\"floor\":%.3f,\"ratio\":%.3f", floor, value / floor);
    printf(",\"goal\":%.3f}\n", goal);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double percentile(double *values, size_t n, double p)
{
    qsort(values, n, sizeof(*values), compare);
    return values[(size_t)((double)(n - 1) * p)];
}

void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

char *path_of(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, 512, "%s/%s", folder, name);
    return path;
}

/* ---- the daemon ------------------------------------------------------------------------------ */

void write_manifest(size_t children, const char *exec, const char *more)
{
    FILE *out = fopen(path_of("tree.yaml"), "w");
    fprintf(out, "children:\n");
    for (size_t i = 0; i < children; i++)
        fprintf(out, "  - name: child-%zu\n    exec: [%s]\n    stdout: null\n%s", i, exec, more);
    if (children == 0)
        fprintf(out, "  []\n");
    fclose(out);
}

void start(struct daemon *d, const char *option)
{
    char manifests[600], state[600], run[600], line[300];
    int out[2];

    snprintf(manifests, sizeof(manifests), "--manifests=%s/tree.yaml", folder);
    snprintf(state, sizeof(state), "--state-dir=%s/state", folder);
    snprintf(run, sizeof(run), "--runtime-dir=%s/run", folder);
    if (pipe(out) < 0)
        die("pipe");
    d->pid = fork();
    if (d->pid == 0) {
        dup2(out[1], 1);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execl(proctord, proctord, "--private-bus", manifests, state, run, "--log-level=err", option,
              NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *stream = fdopen(out[0], "r");
    if (!fgets(line, sizeof(line), stream))
        die("proctord did not start");
    fclose(stream);
    line[strcspn(line, "\n")] = '\0';
    snprintf(d->address, sizeof(d->address), "%.250s", line + 5);
    sd_bus_new(&d->bus);
    sd_bus_set_address(d->bus, d->address);
    sd_bus_set_bus_client(d->bus, true);
    sd_bus_set_method_call_timeout(d->bus, 120000000);
    if (sd_bus_start(d->bus) < 0)
        die("bus");
}

void stop(struct daemon *d)
{
    sd_bus_flush_close_unref(d->bus);
    kill(d->pid, SIGTERM);
    waitpid(d->pid, NULL, 0);
}

sd_bus_message *call(struct daemon *d, const char *interface, const char *method)
{
    sd_bus_message *reply = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r =
        sd_bus_call_method(d->bus, NAME, "/org/proctor1", interface, method, &error, &reply, NULL);
    if (r < 0)
        fprintf(stderr, "bench: %s: %s\n", method, error.message ? error.message : strerror(-r));
    sd_bus_error_free(&error);
    return reply;
}

uint64_t kilobytes(pid_t pid, const char *key)
{
    char path[64], line[256];
    uint64_t value = 0;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoull(line + strlen(key), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

size_t for_each_child(pid_t daemon, const char *program, int signal)
{
    char path[64];
    unsigned pid;
    size_t count = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", daemon, daemon);
    FILE *list = fopen(path, "r");
    while (list && fscanf(list, "%u", &pid) == 1) {
        char name[64] = "", file[64];
        snprintf(file, sizeof(file), "/proc/%u/comm", pid);
        FILE *comm = fopen(file, "r");
        if (comm && fgets(name, sizeof(name), comm) && strncmp(name, program, strlen(program)) == 0)
            count += signal == 0 || kill((pid_t)pid, signal) == 0;
        if (comm)
            fclose(comm);
    }
    if (list)
        fclose(list);
    return count;
}

void wait_for_children(const struct daemon *d, const char *program, size_t wanted)
{
    struct timespec moment = {.tv_nsec = 50000000}; /* looking all the time slows the starts down */

    while (for_each_child(d->pid, program, 0) != wanted)
        nanosleep(&moment, NULL);
}

/* ---- the figures ----------------------------------------------------------------------------- */

static uint64_t empty_daemon(void)
{
    struct daemon d;

    write_manifest(0, "", "");
    start(&d, NULL);
    sd_bus_message_unref(call(&d, MANAGER, "ListChildren"));
    uint64_t kb = kilobytes(d.pid, "Pss:");
    figure("memory-empty-daemon", "KiB", (double)kb, 0, 4096);
    stop(&d);
    return kb;
}

static void clean_up(void)
{
    char command[600];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "bench: %s is left\n", folder);
}

static void compare_starts(const char *stamp, const char *one, const char *other)
{
    const char *const programs[] = {one, other};

    for (int i = 0; i < 2 * ROUNDS; i++) {
        proctord = realpath(programs[i % 2], NULL);
        printf("{\"program\":\"%s\"}\n", proctord);
        death_to_start(stamp);
        thousand_children(empty_daemon());
    }
}

int main(int argc, char **argv)
{
    char stamp[4096];
    bool against = argc == 4 && strcmp(argv[2], "against") == 0;

    if (argc < 2 || (argc > 3 && !against) || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench PROCTORD [flood | against OTHER]\n");
        return 1;
    }
    proctord = realpath(argv[1], NULL);
    if (argc == 3 && strcmp(argv[2], "flood") == 0) {
        flood();
        clean_up();
        return 0;
    }
    ssize_t n = readlink("/proc/self/exe", stamp, sizeof(stamp) - 16);
    stamp[n > 0 ? n : 0] = '\0';
    strcat(stamp, "-stamp");
    if (against) {
        compare_starts(stamp, argv[1], argv[3]);
        clean_up();
        return 0;
    }
    death_to_start(stamp);
    uint64_t empty = empty_daemon();
    thousand_children(empty);
    crash_storm(stamp);
    method_calls();
    many_objects(1000, empty);
    many_objects(10000, empty);
    flood();
    acknowledgements();
    recovery();
    upgrade();
    clean_up();
    return 0;
}
