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
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define NAME    "org.proctor1"
#define MANAGER "org.proctor1.Manager"
#define ROUNDS  3 /* of a comparison */

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

static sd_bus_message *call(struct daemon *d, const char *interface, const char *method)
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

/* ---- death to next start --------------------------------------------------------------------- */

/*
 * The child writes its first moment into a FIFO and dies by itself; the time of its death is taken
 * by its killer: the bench, with the clock read right before the signal.
 */
static uint64_t read_stamp(int fifo, int *pid)
{
    struct {
        uint64_t nsec;
        int pid;
        int pad;
    } record;
    struct pollfd ready = {.fd = fifo, .events = POLLIN};

    if (poll(&ready, 1, 10000) <= 0 || read(fifo, &record, sizeof(record)) != sizeof(record))
        die("no child");
    *pid = record.pid;
    return record.nsec;
}

static void floor_start(const char *program, const char *fifo, int *pidfd, pid_t *pid)
{
    char *arguments[] = {(char *)program, (char *)fifo, NULL};
    *pid = vfork();
    if (*pid == 0) {
        execv(program, arguments);
        _exit(127);
    }
    *pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
}

static void floor_latency(const char *program, double *values, size_t n)
{
    int fifo = open(path_of("fifo"), O_RDWR), pidfd, stamped;
    char name[512];
    pid_t pid;

    strcpy(name, path_of("fifo"));
    floor_start(program, name, &pidfd, &pid);
    read_stamp(fifo, &stamped);
    for (size_t i = 0; i < n; i++) {
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        siginfo_t info;
        uint64_t killed = now_nsec();
        kill(pid, SIGKILL);
        poll(&ended, 1, -1);
        waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
        close(pidfd);
        floor_start(program, name, &pidfd, &pid);
        values[i] = (double)(read_stamp(fifo, &stamped) - killed) / 1e6;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pidfd);
    close(fifo);
}

static void proctor_latency(const char *program, double *values, size_t n)
{
    char exec[1100];
    struct daemon d;
    int fifo = open(path_of("fifo"), O_RDWR), pid;

    snprintf(exec, sizeof(exec), "%s, %s", program, path_of("fifo"));
    write_manifest(1, exec,
                   "    restart: permanent\n    restart_limit: {burst: 10000}\n"
                   "    backoff: {initial: 0s, max: 0s, jitter: none}\n");
    start(&d, NULL);
    read_stamp(fifo, &pid);
    for (size_t i = 0; i < n; i++) {
        uint64_t killed = now_nsec();
        kill(pid, SIGKILL);
        values[i] = (double)(read_stamp(fifo, &pid) - killed) / 1e6;
    }
    stop(&d);
    close(fifo);
}

static void death_to_start(const char *program)
{
    enum { N = 500 };
    static double floor[N], proctor[N];

    mkfifo(path_of("fifo"), 0600);
    floor_latency(program, floor, N);
    proctor_latency(program, proctor, N);
    figure("death-to-start-p50", "ms", percentile(proctor, N, 0.5), percentile(floor, N, 0.5),
           1.25);
    figure("death-to-start-p99", "ms", percentile(proctor, N, 0.99), percentile(floor, N, 0.99), 2);
}

/* ---- starts per second ----------------------------------------------------------------------- */

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

static uint64_t kilobytes(pid_t pid, const char *key)
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

/* The processes of that name that proctord has started: counts them, or ends them. */
static size_t for_each_child(pid_t daemon, const char *program, int signal)
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

static void thousand_children(uint64_t empty_kb)
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

/* ---- the bus --------------------------------------------------------------------------------- */

static int empty_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)userdata;
    (void)error;
    return sd_bus_reply_method_return(m, NULL);
}

/*
 * The floor of the two lists encodes as many values of the same types, from memory, with nothing
 * to look up: the first entry of the real answer, over and over.
 */
#define VALUES_MAX 64

struct value {
    char name[64];
    char signature[8];
    char text[256];
    uint64_t number;
};

static struct value values[VALUES_MAX];
static size_t n_values;
static size_t n_entries;

static void learn_value(sd_bus_message *m, struct value *value, const char *signature)
{
    union {
        uint64_t u64;
        uint32_t u32;
        int flag;
        const char *text;
    } read = {};

    snprintf(value->signature, sizeof(value->signature), "%s", signature);
    if (strlen(signature) > 1) {
        sd_bus_message_skip(m, signature);
        return;
    }
    sd_bus_message_read_basic(m, *signature, &read);
    if (strchr("so", *signature))
        snprintf(value->text, sizeof(value->text), "%s", read.text);
    else
        value->number = *signature == 't' ? read.u64 : read.u32;
}

static int write_value(sd_bus_message *m, const struct value *value)
{
    uint32_t number = (uint32_t)value->number;

    if (value->signature[0] == '(') { /* (ss) */
        int r = sd_bus_message_open_container(m, 'r', "ss");
        r = r < 0 ? r : sd_bus_message_append(m, "ss", "", "");
        return r < 0 ? r : sd_bus_message_close_container(m);
    }
    if (strlen(value->signature) > 1) {
        int r = sd_bus_message_open_container(m, 'a', value->signature + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
    }
    if (strchr("so", *value->signature))
        return sd_bus_message_append_basic(m, *value->signature, value->text);
    if (*value->signature == 't')
        return sd_bus_message_append_basic(m, 't', &value->number);
    return sd_bus_message_append_basic(m, *value->signature, &number);
}

static void learn_objects(sd_bus_message *m)
{
    const char *path, *interface, *name, *contents;
    char type;

    n_values = 0;
    sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
    for (;;) { /* the first child: supervisors are few */
        sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}");
        sd_bus_message_read(m, "o", &path);
        if (strncmp(path, "/org/proctor1/child/", 20) == 0)
            break;
        sd_bus_message_skip(m, "a{sa{sv}}");
        sd_bus_message_exit_container(m);
    }
    sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
    while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
        sd_bus_message_read(m, "s", &interface);
        sd_bus_message_enter_container(m, 'a', "{sv}");
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
            struct value *value = &values[n_values++];
            sd_bus_message_read(m, "s", &name);
            snprintf(value->name, sizeof(value->name), "%s", name);
            sd_bus_message_peek_type(m, &type, &contents);
            sd_bus_message_enter_container(m, 'v', contents);
            learn_value(m, value, contents);
            sd_bus_message_exit_container(m);
            sd_bus_message_exit_container(m);
        }
        sd_bus_message_exit_container(m);
        sd_bus_message_exit_container(m);
    }
}

static int write_object(sd_bus_message *m)
{
    static const char *const empty[] = {"org.freedesktop.DBus.Peer",
                                        "org.freedesktop.DBus.Introspectable",
                                        "org.freedesktop.DBus.Properties"};
    int r = sd_bus_message_open_container(m, 'e', "oa{sa{sv}}");

    r |= sd_bus_message_append(m, "o", "/org/proctor1/child/child_2d1234");
    r |= sd_bus_message_open_container(m, 'a', "{sa{sv}}");
    for (int i = 0; i < 3; i++)
        r |= sd_bus_message_append(m, "{sa{sv}}", empty[i], 0);
    r |= sd_bus_message_open_container(m, 'e', "sa{sv}");
    r |= sd_bus_message_append(m, "s", "org.proctor1.Child");
    r |= sd_bus_message_open_container(m, 'a', "{sv}");
    for (size_t i = 0; i < n_values; i++) {
        r |= sd_bus_message_open_container(m, 'e', "sv");
        r |= sd_bus_message_append_basic(m, 's', values[i].name);
        r |= sd_bus_message_open_container(m, 'v', values[i].signature);
        r |= write_value(m, &values[i]);
        r |= sd_bus_message_close_container(m);
        r |= sd_bus_message_close_container(m);
    }
    for (int i = 0; i < 4; i++)
        r |= sd_bus_message_close_container(m);
    return r;
}

static int objects_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    sd_bus_message *reply;
    int r = sd_bus_message_new_method_return(m, &reply);

    (void)userdata;
    (void)error;
    r |= sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}");
    for (size_t i = 0; i < n_entries; i++)
        r |= write_object(reply);
    r |= sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static int list_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    sd_bus_message *reply;
    int r = sd_bus_message_new_method_return(m, &reply);

    (void)userdata;
    (void)error;
    r |= sd_bus_message_open_container(reply, 'a', "(sosssttbsub)");
    for (size_t i = 0; i < n_entries; i++)
        r |= sd_bus_message_append(reply, "(sosssttbsub)", "child-1234",
                                   "/org/proctor1/child/child_2d1234", "active", "none",
                                   "unreported", (uint64_t)0, (uint64_t)0, 0, "no-active-attempt",
                                   (uint32_t)10, 0);
    r |= sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static const sd_bus_vtable floor_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Empty", "", "", empty_method, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Objects", "", "a{oa{sa{sv}}}", objects_method, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("List", "", "a(sosssttbsub)", list_method, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* A service on the same bus that only encodes: nothing, or as many bytes as the real one. */
static pid_t floor_service(const struct daemon *d)
{
    int ready[2];
    char byte;

    if (pipe(ready) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        sd_bus *bus;
        sd_bus_new(&bus);
        sd_bus_set_address(bus, d->address);
        sd_bus_set_bus_client(bus, true);
        sd_bus_start(bus);
        sd_bus_add_object_vtable(bus, NULL, "/floor", "floor.Floor", floor_vtable, NULL);
        sd_bus_request_name(bus, "floor.Floor", 0);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;) {
            int r = sd_bus_process(bus, NULL);
            if (r < 0)
                _exit(0);
            if (r == 0)
                sd_bus_wait(bus, UINT64_MAX);
        }
    }
    if (read(ready[0], &byte, 1) != 1)
        die("floor service");
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static double time_call(struct daemon *d, const char *name, const char *path, const char *interface,
                        const char *method)
{
    sd_bus_message *reply = NULL;
    uint64_t begin = now_nsec();
    int r = sd_bus_call_method(d->bus, name, path, interface, method, NULL, &reply, NULL);
    double usec = (double)(now_nsec() - begin) / 1e3;

    if (r < 0)
        fprintf(stderr, "bench: %s.%s: %s\n", interface, method, strerror(-r));
    sd_bus_message_unref(reply);
    return usec;
}

static double time_pause(struct daemon *d)
{
    sd_bus_message *reply = NULL;
    uint64_t begin = now_nsec();
    sd_bus_call_method(d->bus, NAME, "/org/proctor1/child/child_2d0", "org.proctor1.Child", "Pause",
                       NULL, &reply, "sa{sv}", "bench", 0);
    double usec = (double)(now_nsec() - begin) / 1e3;
    sd_bus_message_unref(reply);
    return usec;
}

static void method_calls(void)
{
    enum { N = 2000 };
    static double floor[N], proctor[N];
    struct daemon d;

    write_manifest(1, "/bin/sleep, \"1000\"", "");
    start(&d, NULL);
    pid_t service = floor_service(&d);
    time_pause(&d);
    for (int i = 0; i < N; i++) {
        floor[i] = time_call(&d, "floor.Floor", "/floor", "floor.Floor", "Empty");
        proctor[i] = time_pause(&d);
    }
    figure("method-call-p50", "us", percentile(proctor, N, 0.5), percentile(floor, N, 0.5), 1.5);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
    stop(&d);
}

static void against_same_bytes(struct daemon *d, size_t children, const char *interface,
                               const char *method, const char *floor_method)
{
    enum { N = 9 };
    double floor[N], proctor[N];
    char name[64];
    sd_bus_message *reply = call(d, interface, method);
    if (!reply)
        return;
    n_entries = children;
    if (strcmp(floor_method, "Objects") == 0)
        learn_objects(reply);
    pid_t service = floor_service(d);

    for (int i = 0; i < N; i++) {
        floor[i] = time_call(d, "floor.Floor", "/floor", "floor.Floor", floor_method) / 1e3;
        proctor[i] = time_call(d, NAME, "/org/proctor1", interface, method) / 1e3;
    }
    snprintf(name, sizeof(name), "%s-%zu", method, children);
    figure(name, "ms", percentile(proctor, N, 0.5), percentile(floor, N, 0.5), 1.5);
    sd_bus_message_unref(reply);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
}

static void many_objects(size_t children, uint64_t empty_kb)
{
    char name[64];
    struct daemon d;

    /* Not started: what is measured is the object, not ten thousand processes. */
    write_manifest(children, "/bin/sleep, \"1000\"", "    autostart: false\n");
    start(&d, NULL);
    snprintf(name, sizeof(name), "memory-per-declared-child-%zu", children);
    figure(name, "KiB", (double)(kilobytes(d.pid, "Pss:") - empty_kb) / (double)children, 0, 4);
    against_same_bytes(&d, children, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                       "Objects");
    if (children == 10000)
        against_same_bytes(&d, children, MANAGER, "ListChildren", "List");
    stop(&d);
}

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

/* ---- a storm --------------------------------------------------------------------------------- */

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
    qsort(list, n, sizeof(*list), compare);
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
static void crash_storm(const char *program)
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
