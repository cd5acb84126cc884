#include "private_bus.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char configuration[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig>\n"
    "  <type>session</type>\n"
    "  <keep_umask/>\n"
    "  <listen>unix:path=%s/bus</listen>\n"
    "  <auth>EXTERNAL</auth>\n"
    "  <policy context=\"default\">\n"
    "    <allow send_destination=\"*\" eavesdrop=\"false\"/>\n"
    "    <allow eavesdrop=\"false\"/>\n"
    "    <allow own=\"*\"/>\n"
    "  </policy>\n"
    "  <limit name=\"max_incoming_bytes\">1000000000</limit>\n"
    "  <limit name=\"max_outgoing_bytes\">1000000000</limit>\n"
    "  <limit name=\"max_message_size\">134217728</limit>\n"
    "  <limit name=\"max_replies_per_connection\">50000</limit>\n"
    "</busconfig>\n";

static int write_configuration(const char *directory, const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return -errno;
    fprintf(file, configuration, directory);
    return fclose(file) == 0 ? 0 : -errno;
}

static int run(struct private_bus *bus, const char *path, int report)
{
    char file[4200], print[32];
    char *arguments[] = {"dbus-daemon", file, "--nofork", "--nopidfile", "--nosyslog", print, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    snprintf(file, sizeof(file), "--config-file=%s", path);
    snprintf(print, sizeof(print), "--print-address=%d", 3);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, report, 3);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    int r = posix_spawnp(&bus->pid, "dbus-daemon", &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

/* The address comes when the bus can be used. */
static int read_address(struct private_bus *bus, int report)
{
    char line[4096];
    size_t used = 0;
    struct pollfd ready = {.fd = report, .events = POLLIN};

    while (used < sizeof(line) - 1 && !memchr(line, '\n', used)) {
        if (poll(&ready, 1, 10000) <= 0)
            return -ETIMEDOUT;
        ssize_t n = read(report, line + used, sizeof(line) - 1 - used);
        if (n <= 0)
            return -ECONNREFUSED;
        used += (size_t)n;
    }
    line[used] = '\0';
    line[strcspn(line, "\n")] = '\0';
    line[strcspn(line, ",")] = '\0'; /* the guid is of no use to people */
    bus->address = strdup(line);
    return bus->address ? 0 : -ENOMEM;
}

/* "PID STARTED" of the bus in this folder: whoever comes after a proctord that died must be able to
 * end it, and nobody else. */
static uint64_t started(pid_t pid)
{
    char path[64], text[512];
    uint64_t ticks = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    if (!end || sscanf(end + 1,
                       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                       "%*d %" SCNu64,
                       &ticks) != 1)
        return 0;
    return ticks;
}

static void note_bus(const struct private_bus *bus, const char *directory)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/bus.pid", directory);
    FILE *file = fopen(path, "we");
    if (!file)
        return;
    fprintf(file, "%d %" PRIu64 "\n", (int)bus->pid, started(bus->pid));
    fclose(file);
}

static void end_left_over(const char *directory)
{
    char path[4096];
    int pid = 0;
    uint64_t ticks = 0;

    snprintf(path, sizeof(path), "%s/bus.pid", directory);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    int n = fscanf(file, "%d %" SCNu64, &pid, &ticks);
    fclose(file);
    if (n == 2 && pid > 1 && ticks > 0 && started(pid) == ticks)
        kill(pid, SIGTERM);
    unlink(path);
}

int private_bus_start(struct private_bus *bus, const char *directory, struct error *error)
{
    char path[4096];
    int report[2];

    *bus = (struct private_bus){};
    end_left_over(directory);
    snprintf(path, sizeof(path), "%s/bus.conf", directory);
    int r = write_configuration(directory, path);
    if (r == 0 && pipe2(report, O_CLOEXEC) < 0)
        r = -errno;
    if (r < 0) {
        snprintf(error->text, sizeof(error->text), "%.400s: %s", path, strerror(-r));
        return r;
    }
    r = run(bus, path, report[1]);
    close(report[1]);
    if (r == 0)
        r = read_address(bus, report[0]);
    close(report[0]);
    if (r == 0)
        note_bus(bus, directory);
    if (r < 0) {
        snprintf(error->text, sizeof(error->text), "dbus-daemon could not be started: %s",
                 strerror(-r));
        private_bus_stop(bus, directory);
    }
    return r;
}

void private_bus_stop(struct private_bus *bus, const char *directory)
{
    char path[4096];

    if (bus->pid > 0) {
        kill(bus->pid, SIGTERM);
        while (waitpid(bus->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    snprintf(path, sizeof(path), "%s/bus.pid", directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bus", directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bus.conf", directory);
    unlink(path);
    free(bus->address);
    *bus = (struct private_bus){};
}
