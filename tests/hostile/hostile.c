/*
 * Hostile: sixteen attackers of four kinds and a mount that never answers are at work, and a polite
 * client and a child that dies are served as if they were not there.
 *
 *   hostile PROCTORD STAMP
 *
 * Prints one JSON line for each figure, with the quiet figure of the same run as its floor, and
 * TAP. The bounds of the TAP lines are those of a person who waits; the ratios are for people to
 * read.
 */
#include "attackers.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OF_EACH_KIND 4
#define CALLS        600
#define DEATHS       150
#define PAUSE_NSEC   3000000
#define PATIENCE_MS  5000 /* below what any attack costs a loop that waits, on a busy machine */

static unsigned tests, failed;
static double worst_call, worst_restart;

static void figure(const char *name, double value, double floor)
{
    printf("# {\"figure\":\"%s\",\"unit\":\"us\",\"value\":%.0f,\"floor\":%.0f,\"ratio\":%.2f,"
           "\"goal\":3}\n",
           name, value, floor, value / floor);
}

static void verdict(bool good, const char *what)
{
    failed += !good;
    printf("%s %u - %s\n", good ? "ok" : "not ok", ++tests, what);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double *values, size_t n, double p)
{
    qsort(values, n, sizeof(*values), compare);
    return values[(size_t)((double)(n - 1) * p)];
}

/* ---- the tree -------------------------------------------------------------------------------- */

#define ALWAYS                                                                                     \
    "restart: permanent, restart_limit: {burst: 10000}, backoff: {initial: 0s, max: 0s, jitter: "  \
    "none}"
#define OFTEN                                                                                      \
    "restart: permanent, restart_limit: {burst: 10000}, start_timeout: 1s, "                       \
    "stop: {abort_timeout: 1s}, backoff: {initial: 500ms, max: 500ms, jitter: none}"

static void write_trees(const char *stamp)
{
    char text[3 * PATH_MAX];

    mkdir(path_of("main.d"), 0755);
    mkdir(path_of("other.d"), 0755);
    snprintf(text, sizeof(text),
             "children:\n"
             "  - {name: steady, exec: [/bin/sleep, \"1000\"], stdout: null}\n"
             "  - {name: dying, exec: [%s, %s], stdout: null, " ALWAYS "}\n",
             stamp, path_of("fifo"));
    write_file("main.d/tree.yaml", text);
    snprintf(text, sizeof(text), "{name: dying, exec: [%s, %s], stdout: null, " ALWAYS "}\n", stamp,
             path_of("fifo-silent"));
    write_file("other.d/dying.yaml", text);
    mkfifo(path_of("fifo"), 0600);
    mkfifo(path_of("fifo-silent"), 0600);
}

/* Children whose starts come to nothing: an attacker stops them, or the mount does not answer. They
 * have a supervisor of their own, and so its share of restarts in flight. */
static void write_hanging(bool fuse)
{
    static const char *const lost[][2] = {
        {"folder", "exec: [/bin/sleep, \"1\"], working_directory: %s/there"},
        {"program", "exec: [%s/program]"},
        {"log", "exec: [/bin/sleep, \"1\"], stdout: {file: %s/log}"},
        {"environment", "exec: [/bin/sleep, \"1\"], environment_file: %s/environment"},
    };
    char text[8192], part[512];
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "supervisor: lost\nchildren:\n"
                                "  - {name: stopped, exec: [/bin/sleep, \"1\"], user: \"%d\", "
                                "working_directory: %s, stdout: null, " OFTEN "}\n",
                                UID_STOPPING, path_of("maze/0/0/0/0/0/0/0/0"));

    for (size_t i = 0; fuse && i < sizeof(lost) / sizeof(lost[0]); i++) {
        snprintf(part, sizeof(part), lost[i][1], path_of("fuse"));
        n += (size_t)snprintf(text + n, sizeof(text) - n, "  - {name: lost-%s, %s, " OFTEN "}\n",
                              lost[i][0], part);
    }
    write_file("main.d/hanging.yaml", text);
}

/* A way to a folder that takes the kernel a while: each step is a link to itself through another.
 */
static void write_maze(void)
{
    mkdir(path_of("maze"), 0755);
    if (chown(path_of("maze"), UID_STOPPING, UID_STOPPING) < 0 ||
        symlink("../maze", path_of("maze/0")) < 0)
        die("maze");
}

/* ---- what is measured ------------------------------------------------------------------------ */

static pid_t read_stamp(int fifo, uint64_t *nsec)
{
    struct {
        uint64_t nsec;
        int pid;
        int pad;
    } record;
    struct pollfd ready = {.fd = fifo, .events = POLLIN};

    if (poll(&ready, 1, 20000) <= 0 || read(fifo, &record, sizeof(record)) != sizeof(record))
        return -1;
    *nsec = record.nsec;
    return record.pid;
}

/* Kills the child again and again: from the signal to the first moment of the next one, in us. */
static bool measure_restarts(int fifo, pid_t *pid, double *p50, double *p99)
{
    static double values[DEATHS];
    const struct timespec pause = {.tv_nsec = PAUSE_NSEC};

    for (size_t i = 0; i < DEATHS; i++) {
        uint64_t killed = now_nsec(), started;
        kill(*pid, SIGKILL);
        *pid = read_stamp(fifo, &started);
        if (*pid < 0)
            return false;
        values[i] = (double)(started - killed) / 1000;
        nanosleep(&pause, NULL);
    }
    *p50 = percentile(values, DEATHS, 0.5);
    *p99 = percentile(values, DEATHS, 0.99);
    worst_restart = values[DEATHS - 1];
    return true;
}

/* In a process of its own, as another user; the answers' times come back through a pipe. */
static bool measure_calls(const char *address, double *p50, double *p99)
{
    static double values[CALLS];
    const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
    int ends[2];

    if (pipe(ends) < 0)
        die("pipe");
    pid_t pid = world_fork();
    if (pid == 0) {
        setsid();
        become(UID_POLITE);
        sd_bus *bus = world_connect(address);
        sd_bus_set_method_call_timeout(bus, 20000000);
        for (size_t i = 0; i < CALLS; i++) {
            sd_bus_message *reply = NULL;
            uint64_t began = now_nsec();
            int r = sd_bus_call_method(bus, NAME, "/org/proctor1/child/steady",
                                       "org.freedesktop.DBus.Properties", "GetAll", NULL, &reply,
                                       "s", "org.proctor1.Child");
            if (r < 0) {
                fprintf(stderr, "# call %zu: %s\n", i, strerror(-r));
                _exit(1);
            }
            values[i] = (double)(now_nsec() - began) / 1000;
            sd_bus_message_unref(reply);
            nanosleep(&pause, NULL);
        }
        percentile(values, CALLS, 0.5);
        double result[3] = {percentile(values, CALLS, 0.5), percentile(values, CALLS, 0.99),
                            values[CALLS - 1]};
        _exit(write(ends[1], result, sizeof(result)) != sizeof(result));
    }
    close(ends[1]);
    double result[3];
    bool good = read(ends[0], result, sizeof(result)) == sizeof(result);
    close(ends[0]);
    world_kill(pid);
    if (good) {
        *p50 = result[0];
        *p99 = result[1];
        worst_call = result[2];
    }
    return good;
}

/* Those of a kind are one user, and of one session: the kernel gives them one share of the
 * processors together (sched_autogroup, or the cgroup of a login), not one each. */
static void begin_attack(const struct target *target)
{
    static void (*const kinds[])(const struct target *, int) = {
        attack_by_lingering, attack_by_stopping, attack_by_silence, attack_by_flood};

    for (int kind = 0; kind < 4; kind++) {
        int number = 0;
        if (world_fork() != 0)
            continue;
        setsid();
        while (number < OF_EACH_KIND - 1 && world_fork() == 0)
            number++;
        kinds[kind](target, number);
        _exit(0);
    }
}

static pid_t first_start(int fifo, const char *of)
{
    uint64_t started;
    pid_t pid = read_stamp(fifo, &started);

    if (pid < 0)
        fprintf(stderr, "# %s: no child\n", of);
    return pid;
}

static void compare_restarts(const char *name, int fifo, pid_t *pid, const double quiet[2])
{
    char text[128];
    double p50, p99;
    bool good = *pid > 0 && measure_restarts(fifo, pid, &p50, &p99);

    if (good) {
        snprintf(text, sizeof(text), "%s-p50", name);
        figure(text, p50, quiet[0]);
        snprintf(text, sizeof(text), "%s-p99", name);
        figure(text, p99, quiet[1]);
        fprintf(stderr, "# %s: slowest %.1f ms\n", name, worst_restart / 1e3);
    }
    snprintf(text, sizeof(text), "%s: each of %d deaths is followed by a start within %d ms", name,
             DEATHS, PATIENCE_MS);
    verdict(good && worst_restart < PATIENCE_MS * 1e3, text);
}

static void compare_calls(const char *address, const double quiet[2])
{
    double p50, p99;
    bool good = measure_calls(address, &p50, &p99);

    if (good) {
        figure("hostile-call-p50", p50, quiet[0]);
        figure("hostile-call-p99", p99, quiet[1]);
        fprintf(stderr, "# slowest answer: %.1f ms\n", worst_call / 1e3);
    }
    verdict(good && worst_call < PATIENCE_MS * 1e3,
            "a polite client is answered while sixteen attackers are at work");
}

int main(int argc, char **argv)
{
    double restarts[2], calls[2];
    pid_t pid, other_pid;

    if (argc != 3) {
        fprintf(stderr, "usage: hostile PROCTORD STAMP\n");
        return 1;
    }
    if (geteuid() != 0) {
        printf("1..0 # SKIP only root can become sixteen others\n");
        return 0;
    }
    static char program[PATH_MAX], stamp[PATH_MAX];
    if (!realpath(argv[1], program) || !realpath(argv[2], stamp))
        die("realpath");
    world_begin();
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool fuse = world_fuse();
    write_maze();
    write_trees(stamp);
    int fifo = open(path_of("fifo"), O_RDWR | O_CLOEXEC),
        other = open(path_of("fifo-silent"), O_RDWR | O_CLOEXEC);
    const char *address = world_bus(), *silent = world_silent_bus();
    char notify[512];
    snprintf(notify, sizeof(notify), "%s/notify", path_of("main.run"));
    struct target target = {address, notify};

    pid_t proctord = world_proctord(program, "main", address);
    pid = first_start(fifo, "in peace");
    if (pid < 0 || !measure_restarts(fifo, &pid, &restarts[0], &restarts[1]) ||
        !measure_calls(address, &calls[0], &calls[1]))
        die("not even in peace");

    world_proctord(program, "other", silent);
    other_pid = first_start(other, "with a silent bus");
    write_hanging(fuse);
    kill(proctord, SIGHUP);
    begin_attack(&target);
    compare_restarts("hostile-restart", fifo, &pid, restarts);
    compare_calls(address, calls);
    compare_restarts("silent-bus-restart", other, &other_pid, restarts);
    if (!fuse)
        printf("ok %u - a mount that never answers # SKIP no /dev/fuse\n", ++tests);
    printf("1..%u\n", tests);
    return failed > 0;
}
