/*
 * Flood by other users: a polite client of root's beside processes of other uids that make a new
 * connection for each call about all objects, or for the audit, or that never read their answers,
 * subscribe without end, or try keys without end. flood PROCTORD; prints one JSON line for each
 * figure, with the quiet one of the same run as its floor, and TAP. The bounds of the TAP lines are
 * well below what it was before there were shares by uid; the ratios are for people to read.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN   3000
#define CALLS      500
#define PAUSE_NSEC 3000000
#define EACH       2 /* processes of a kind */
/* What half of the calls take at most: 84 and 160 ms where each connection has new credit. */
#define BOUND_RATIO 20    /* times the quiet figure, */
#define BOUND_USEC  10000 /* and so much for a busy machine */

static char folder[] = "/tmp/proctor-flood-XXXXXX";
static char address[128];
static pid_t bus_daemon, proctord, attackers[EACH];
static unsigned tests, failed;

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void end(pid_t *pid, int signal)
{
    if (*pid <= 0)
        return;
    kill(*pid, signal);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

static void clean_up(void)
{
    char command[128];

    for (int i = 0; i < EACH; i++)
        end(&attackers[i], SIGKILL);
    end(&proctord, SIGTERM);
    end(&bus_daemon, SIGTERM);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "flood: %s is left\n", folder);
}

__attribute__((noreturn)) static void die(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    clean_up();
    exit(1);
}

static FILE *create(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    if (!out)
        die(name);
    return out;
}

/* ---- the world ------------------------------------------------------------------------------- */

/* Everybody may call, and the limits are those of the system bus. */
static void write_files(void)
{
    FILE *out = create("bus.conf");

    fprintf(out,
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
            " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
            "<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>\n"
            "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
            "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>\n",
            folder);
    fclose(out);
    out = create("tree.yaml");
    fprintf(out, "children:\n");
    for (int i = 0; i < CHILDREN; i++)
        fprintf(out, "  - {name: c%d, kind: async_worker, autostart: false}\n", i);
    fclose(out);
}

static pid_t run(const char *program, const char *a, const char *b, const char *c, const char *d)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    execlp(program, program, a, b, c, d, (char *)NULL);
    _exit(127);
}

static sd_bus *connect_to_bus(void)
{
    sd_bus *bus = NULL;

    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 ||
        sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0)
        return sd_bus_unref(bus);
    sd_bus_set_method_call_timeout(bus, 60000000);
    return bus;
}

static int call_child(sd_bus *bus, sd_bus_message **reply)
{
    return sd_bus_call_method(bus, "org.proctor1", "/org/proctor1/child/c1",
                              "org.freedesktop.DBus.Properties", "GetAll", NULL, reply, "s",
                              "org.proctor1.Child");
}

static bool is_up(void)
{
    sd_bus_message *reply = NULL;
    sd_bus *bus = connect_to_bus();
    bool up = bus && call_child(bus, &reply) >= 0;

    sd_bus_message_unref(reply);
    sd_bus_flush_close_unref(bus);
    return up;
}

static void begin(const char *program)
{
    char words[4][160];

    if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
        die("mkdtemp");
    snprintf(address, sizeof(address), "unix:path=%s/bus", folder);
    write_files();
    snprintf(words[0], sizeof(words[0]), "--config-file=%s/bus.conf", folder);
    bus_daemon = run("dbus-daemon", words[0], "--nofork", NULL, NULL);
    snprintf(words[0], sizeof(words[0]), "--bus-address=%s", address);
    snprintf(words[1], sizeof(words[1]), "--manifests=%s/tree.yaml", folder);
    snprintf(words[2], sizeof(words[2]), "--state-dir=%s/state", folder);
    snprintf(words[3], sizeof(words[3]), "--runtime-dir=%s/run", folder);
    proctord = run(program, words[0], words[1], words[2], words[3]);
    for (uint64_t until = now_usec() + 30000000; !is_up();)
        if (now_usec() > until)
            die("proctord is not up");
}

/* ---- clients that call too much -------------------------------------------------------------- */

static void call_objects(sd_bus *bus)
{
    sd_bus_message *reply = NULL;

    sd_bus_call_method(bus, "org.proctor1", "/org/proctor1", "org.freedesktop.DBus.ObjectManager",
                       "GetManagedObjects", NULL, &reply, NULL);
    sd_bus_message_unref(reply);
}

static void call_audit(sd_bus *bus)
{
    sd_bus_message *reply = NULL;

    sd_bus_call_method(bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager", "QueryAudit",
                       NULL, &reply, "tua{sv}", (uint64_t)0, 0, 0);
    sd_bus_message_unref(reply);
}

/* Asks, and never reads: until it is killed. */
static void call_and_be_silent(sd_bus *bus)
{
    for (int i = 0; i < 64; i++)
        sd_bus_call_method_async(bus, NULL, "org.proctor1", "/org/proctor1",
                                 "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
                                 NULL, NULL);
    sd_bus_flush(bus);
    pause();
}

static void subscribe(sd_bus *bus)
{
    sd_bus_call_method(bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager", "Subscribe",
                       NULL, NULL, "a{sv}", 0);
}

static void try_keys(sd_bus *bus)
{
    char key[32];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        sd_bus_call_method(bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                           "PauseChild", NULL, NULL, "ssa{sv}", "c0", "flood", 1, "idempotency-key",
                           "s", key);
    }
}

static pid_t attacker(uid_t uid, void (*attack)(sd_bus *bus))
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setgid(uid) < 0 || setuid(uid) < 0)
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() has taken it away */
    for (;;) {
        sd_bus *bus = connect_to_bus();
        if (bus)
            attack(bus);
        sd_bus_flush_close_unref(bus);
    }
}

/* ---- the polite one -------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool polite(double *p50, double *p99)
{
    static double values[CALLS];
    const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
    sd_bus *bus = connect_to_bus();
    bool good = bus != NULL;

    for (size_t i = 0; good && i < CALLS; i++) {
        sd_bus_message *reply = NULL;
        uint64_t began = now_usec();
        good = call_child(bus, &reply) >= 0;
        values[i] = (double)(now_usec() - began);
        sd_bus_message_unref(reply);
        nanosleep(&pause, NULL);
    }
    sd_bus_flush_close_unref(bus);
    qsort(values, CALLS, sizeof(*values), compare);
    *p50 = values[CALLS / 2];
    *p99 = values[CALLS * 99 / 100];
    return good;
}

static void figure(const char *name, const char *what, double value, double floor)
{
    printf("# {\"figure\":\"flood-%s-%s\",\"unit\":\"us\",\"value\":%.0f,\"floor\":%.0f,"
           "\"ratio\":%.2f,\"goal\":%.0f}\n",
           name, what, value, floor, value / floor, floor * 3);
}

static void try_one(const char *name, uid_t uid, void (*attack)(sd_bus *bus), double quiet50,
                    double quiet99)
{
    double p50 = 0, p99 = 0;

    for (int i = 0; i < EACH; i++)
        attackers[i] = attacker(uid, attack);
    bool good = polite(&p50, &p99);
    for (int i = 0; i < EACH; i++)
        end(&attackers[i], SIGKILL);
    figure(name, "p50", p50, quiet50);
    figure(name, "p99", p99, quiet99);
    good = good && p50 < BOUND_RATIO * quiet50 + BOUND_USEC;
    failed += !good;
    printf("%s %u - a polite client is answered beside %s\n", good ? "ok" : "not ok", ++tests,
           name);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    double quiet50, quiet99;

    if (argc != 2 || geteuid() != 0) {
        printf("1..0 # SKIP needs root, who can be others\n");
        return 0;
    }
    printf("1..5\n");
    begin(argv[1]);
    if (!polite(&quiet50, &quiet99))
        die("the polite client");
    try_one("reconnecting-for-objects", 65534, call_objects, quiet50, quiet99);
    try_one("reconnecting-for-audit", 65533, call_audit, quiet50, quiet99);
    try_one("silent-readers", 65532, call_and_be_silent, quiet50, quiet99);
    try_one("subscriptions", 65531, subscribe, quiet50, quiet99);
    try_one("keys", 65530, try_keys, quiet50, quiet99);
    clean_up();
    return failed > 0;
}
