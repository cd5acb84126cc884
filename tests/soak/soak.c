/*
 * Soak: a proctord with many children that crash at random, clients that look, command and
 * subscribe all the time, and a bus that is killed and started again every minute. Prints a line
 * for each minute, and in the end whether memory or descriptors have grown and whether every child
 * that ended was started again.
 *
 *   soak PROCTORD TEST_CHILD [--minutes N] [--children N] [--clients N]
 *
 * Exits with 1 where something is not as it should be.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define NAME         "org.proctor1"
#define MANAGER      "org.proctor1.Manager"
#define CLIENTS_MAX  100
#define LOOK_MSEC    1000
#define PATIENCE_SEC 60
#define WARM_MINUTES 3 /* until its memory is what it is */

/* What the clients have done, for all to see. */
struct tally {
    uint64_t answers, refusals, events, connections;
};

static struct {
    const char *proctord, *child;
    char folder[64], address[128];
    unsigned minutes, children, clients;
    pid_t daemon, bus, client[CLIENTS_MAX];
    struct tally *tally;
} t = {.minutes = 30, .children = 200, .clients = 20};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "soak: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pause_msec(long msec)
{
    nanosleep(&(struct timespec){.tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000}, NULL);
}

static uint64_t now_sec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* ---- the stage ------------------------------------------------------------------------------- */

static FILE *create(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", t.folder, name);
    FILE *out = fopen(path, "w");
    if (!out)
        die(path);
    return out;
}

static void write_tree(void)
{
    FILE *out = create("tree.yaml");

    fprintf(out, "children:\n");
    for (unsigned i = 0; i < t.children; i++)
        fprintf(out,
                "  - name: c%u\n    exec: [%s, ready, log=%s/starts.%u, live=%u, exit=1]\n"
                "    restart: permanent\n    restart_limit: {burst: 10000, interval: 1m}\n"
                "    backoff: {initial: 10ms, max: 50ms, jitter: full}\n    stdout: null\n",
                i, t.child, t.folder, i, 500 + rand() % 4000);
    fclose(out);
}

static void start_bus(void)
{
    char config[128];

    snprintf(config, sizeof(config), "--config-file=%s/bus.conf", t.folder);
    t.bus = fork();
    if (t.bus == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execlp("dbus-daemon", "dbus-daemon", config, "--nofork", "--nopidfile", NULL);
        _exit(127);
    }
}

static void write_bus(void)
{
    FILE *out = create("bus.conf");

    fprintf(out,
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
            " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
            "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>\n"
            "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>"
            "<allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>"
            "\n</busconfig>\n",
            t.address);
    fclose(out);
}

static void start_daemon(void)
{
    char address[160], tree[96], state[96], run[96], log[96];

    snprintf(address, sizeof(address), "--bus-address=%s", t.address);
    snprintf(tree, sizeof(tree), "--manifests=%s/tree.yaml", t.folder);
    snprintf(state, sizeof(state), "--state-dir=%s/state", t.folder);
    snprintf(run, sizeof(run), "--runtime-dir=%s/run", t.folder);
    snprintf(log, sizeof(log), "%s/log", t.folder);
    t.daemon = fork();
    if (t.daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(out, 2);
        execl(t.proctord, t.proctord, address, tree, state, run, "--log-level=warning", NULL);
        _exit(127);
    }
}

/* ---- a client -------------------------------------------------------------------------------- */

static sd_bus *connect_once(void)
{
    sd_bus *bus = NULL;

    if (sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, t.address) >= 0 &&
        sd_bus_set_bus_client(bus, 1) >= 0 && sd_bus_start(bus) >= 0)
        return bus;
    sd_bus_unref(bus);
    return NULL;
}

static int event_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)m;
    (void)error;
    ((struct tally *)userdata)->events++;
    return 0;
}

static int order(sd_bus *bus, const char *method, const char *child)
{
    sd_bus_message *reply = NULL;
    int r = sd_bus_call_method(bus, NAME, "/org/proctor1", MANAGER, method, NULL, &reply, "ssa{sv}",
                               child, "soak", 0);

    sd_bus_message_unref(reply);
    return r;
}

static int look(sd_bus *bus, const char *child)
{
    sd_bus_message *reply = NULL;
    char path[96];

    snprintf(path, sizeof(path), "/org/proctor1/child/%s", child);
    int r = sd_bus_call_method(bus, NAME, path, "org.freedesktop.DBus.Properties", "GetAll", NULL,
                               &reply, "s", "org.proctor1.Child");
    sd_bus_message_unref(reply);
    return r;
}

static int ask_manager(sd_bus *bus, const char *method)
{
    sd_bus_message *reply = NULL;
    int r = sd_bus_call_method(bus, NAME, "/org/proctor1", MANAGER, method, NULL, &reply, NULL);

    sd_bus_message_unref(reply);
    return r;
}

static int subscribe(sd_bus *bus)
{
    return sd_bus_call_method(bus, NAME, "/org/proctor1", MANAGER, "Subscribe", NULL, NULL, "a{sv}",
                              1, "kinds", "as", 1, "child-exited");
}

static int do_something(sd_bus *bus)
{
    char child[16];

    snprintf(child, sizeof(child), "c%u", (unsigned)rand() % t.children);
    switch (rand() % 10) {
    case 0:
        return order(bus, "RestartChild", child);
    case 1: {
        int r = order(bus, "PauseChild", child);
        int again = order(bus, "ResumeChild", child);
        return r < 0 ? r : again;
    }
    case 2:
        return ask_manager(bus, "ListChildren");
    case 3:
        return ask_manager(bus, "GetMetrics");
    default:
        return look(bus, child);
    }
}

/* A child that was paused when the bus went away would stay so: the next one to come resumes it. */
__attribute__((noreturn)) static void be_client(struct tally *tally, unsigned seed)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    srand(seed);
    for (;;) {
        sd_bus *bus = connect_once();
        if (!bus) {
            pause_msec(100);
            continue;
        }
        tally->connections++;
        sd_bus_match_signal(bus, NULL, NAME, "/org/proctor1", MANAGER, "Event", event_came, tally);
        for (bool subscribed = false; sd_bus_is_open(bus) > 0;) {
            /* The bus may be back earlier than proctord. */
            subscribed = subscribed || subscribe(bus) >= 0;
            if (do_something(bus) >= 0)
                tally->answers++;
            else
                tally->refusals++;
            while (sd_bus_process(bus, NULL) > 0)
                ;
            pause_msec(20 + rand() % 60);
        }
        sd_bus_close_unref(bus);
    }
}

/* ---- what is seen ---------------------------------------------------------------------------- */

static uint64_t memory_kb(void)
{
    char path[64], line[256];
    uint64_t value = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)t.daemon);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %" SCNu64, &value) == 1)
            break;
    if (file)
        fclose(file);
    return value;
}

static unsigned descriptors(void)
{
    char path[64];
    unsigned count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)t.daemon);
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count > 2 ? count - 2 : 0;
}

static struct tally sum(void)
{
    struct tally all = {};

    for (unsigned i = 0; i < t.clients; i++) {
        all.answers += t.tally[i].answers;
        all.refusals += t.tally[i].refusals;
        all.events += t.tally[i].events;
        all.connections += t.tally[i].connections;
    }
    return all;
}

static uint64_t count_starts(unsigned child)
{
    char path[96], buffer[4096];
    uint64_t lines = 0;

    snprintf(path, sizeof(path), "%s/starts.%u", t.folder, child);
    FILE *file = fopen(path, "r");
    for (size_t n; file && (n = fread(buffer, 1, sizeof(buffer), file)) > 0;)
        for (size_t i = 0; i < n; i++)
            lines += buffer[i] == '\n';
    if (file)
        fclose(file);
    return lines;
}

static bool daemon_lives(void)
{
    return waitpid(t.daemon, NULL, WNOHANG) == 0;
}

static void tell_minute(unsigned minute, uint64_t kb, unsigned fds)
{
    struct tally all = sum();
    uint64_t starts = 0;

    for (unsigned i = 0; i < t.children; i++)
        starts += count_starts(i);
    printf("minute %2u: %5" PRIu64 " KiB, %4u descriptors, %7" PRIu64 " starts, %7" PRIu64
           " answers, %5" PRIu64 " without, %8" PRIu64 " events, %4" PRIu64 " connections\n",
           minute, kb, fds, starts, all.answers, all.refusals, all.events, all.connections);
    fflush(stdout);
}

/* Each child ends again and again: a child that has not been started for so long was forgotten. */
static unsigned count_forgotten(sd_bus *bus)
{
    uint64_t *before = calloc(t.children, sizeof(*before));
    unsigned forgotten = t.children;

    for (unsigned i = 0; i < t.children; i++) {
        char child[16];
        snprintf(child, sizeof(child), "c%u", i);
        order(bus, "ResumeChild", child);
        before[i] = count_starts(i);
    }
    for (uint64_t end = now_sec() + PATIENCE_SEC; forgotten > 0 && now_sec() < end;) {
        pause_msec(LOOK_MSEC);
        forgotten = 0;
        for (unsigned i = 0; i < t.children; i++)
            forgotten += count_starts(i) == before[i];
    }
    free(before);
    return forgotten;
}

static int tell_end(uint64_t warm_kb, uint64_t kb, unsigned warm_fds, unsigned fds)
{
    for (unsigned i = 0; i < t.clients; i++) {
        kill(t.client[i], SIGKILL);
        waitpid(t.client[i], NULL, 0);
    }
    sd_bus *bus = connect_once();
    unsigned forgotten = bus ? count_forgotten(bus) : t.children;
    sd_bus_close_unref(bus);
    /* A descriptor may be open just now; memory may be fragmented. */
    bool grew = kb > warm_kb + warm_kb / 10 + 512, leaked = fds > warm_fds + t.children / 4 + 20;
    printf("memory %" PRIu64 " -> %" PRIu64
           " KiB%s, descriptors %u -> %u%s, children that were not "
           "started again: %u\n",
           warm_kb, kb, grew ? " (GREW)" : "", warm_fds, fds, leaked ? " (LEAKED)" : "", forgotten);
    return grew || leaked || forgotten > 0;
}

static int soak(void)
{
    uint64_t warm_kb = 0, kb = 0;
    unsigned warm_fds = 0, fds = 0;

    for (unsigned minute = 1; minute <= t.minutes; minute++) {
        for (uint64_t end = now_sec() + 60; now_sec() < end;) {
            pause_msec(LOOK_MSEC);
            if (!daemon_lives()) {
                printf("proctord has ended in minute %u\n", minute);
                return 1;
            }
        }
        kb = memory_kb();
        fds = descriptors();
        tell_minute(minute, kb, fds);
        if (minute <= WARM_MINUTES) {
            warm_kb = kb;
            warm_fds = fds;
        }
        kill(t.bus, SIGKILL);
        waitpid(t.bus, NULL, 0);
        start_bus();
        pause_msec(3 * LOOK_MSEC);
    }
    return tell_end(warm_kb, kb, warm_fds, fds);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {{"minutes", required_argument, NULL, 'm'},
                                            {"children", required_argument, NULL, 'c'},
                                            {"clients", required_argument, NULL, 'k'},
                                            {}};

    for (int code; (code = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned number = (unsigned)strtoul(optarg ? optarg : "0", NULL, 10);
        if (code == 'm')
            t.minutes = number;
        else if (code == 'c')
            t.children = number;
        else if (code == 'k')
            t.clients = number < CLIENTS_MAX ? number : CLIENTS_MAX;
    }
    if (argc - optind != 2 || t.minutes == 0 || t.children == 0) {
        fputs("usage: soak PROCTORD TEST_CHILD [--minutes N] [--children N] [--clients N]\n",
              stderr);
        exit(1);
    }
    t.proctord = argv[optind];
    t.child = argv[optind + 1];
}

int main(int argc, char **argv)
{
    char command[96];

    read_options(argc, argv);
    snprintf(t.folder, sizeof(t.folder), "/tmp/proctor-soak-XXXXXX");
    if (!mkdtemp(t.folder))
        die(t.folder);
    snprintf(t.address, sizeof(t.address), "unix:path=%s/bus", t.folder);
    t.tally = mmap(NULL, CLIENTS_MAX * sizeof(*t.tally), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t.tally == MAP_FAILED)
        die("memory");
    write_tree();
    write_bus();
    start_bus();
    for (int i = 0; i < PATIENCE_SEC && access(t.address + strlen("unix:path="), F_OK) < 0; i++)
        pause_msec(LOOK_MSEC / 10);
    start_daemon();
    for (unsigned i = 0; i < t.clients; i++)
        if ((t.client[i] = fork()) == 0)
            be_client(&t.tally[i], i);
    int r = soak();
    kill(t.daemon, SIGTERM);
    waitpid(t.daemon, NULL, 0);
    kill(t.bus, SIGKILL);
    snprintf(command, sizeof(command), "rm -rf '%s'", t.folder);
    if (r == 0 && system(command) != 0)
        r = 1;
    puts(r == 0 ? "as it should be" : "NOT as it should be");
    return r;
}
