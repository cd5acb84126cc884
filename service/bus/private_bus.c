#include "private_bus.h"

#include "again.h"
#include "archive.h"
#include "error.h"
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_FD     3 /* of the dbus-daemon */
#define LOCK_FD       4
#define HIGH_FD       10 /* none of the two above */
#define LOOK_MSEC     2
#define PATIENCE_MSEC 10000
#define END_MSEC      2000

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

static int run(struct private_bus *bus, const char *path, int report, int lock)
{
    char file[4200], print[32];
    char *arguments[] = {"dbus-daemon", file, "--nofork", "--nopidfile", "--nosyslog", print, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    snprintf(file, sizeof(file), "--config-file=%s", path);
    snprintf(print, sizeof(print), "--print-address=%d", REPORT_FD);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, report, REPORT_FD);
    posix_spawn_file_actions_adddup2(&actions, lock, LOCK_FD);
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

/* The process that listens at the socket, if there is one. */
static pid_t listener(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {};
    socklen_t size = sizeof(peer);
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", directory);
    int fd =
        n < (int)sizeof(address.sun_path) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

    if (fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0))
        peer.pid = 0;
    if (fd >= 0)
        close(fd);
    return peer.pid;
}

/* What a proctord that died has left, and nobody else: it still listens when its pidfd is open. */
static void end_left_over(const char *directory)
{
    pid_t pid = listener(directory);
    int pidfd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (pidfd < 0)
        return;
    if (listener(directory) == pid)
        handle_signal(pidfd, SIGKILL);
    close(pidfd);
}

/* The bus holds this lock as long as it lives. One that could not tell its address any more ends by
 * itself; one that listens is ended. Returns the lock's descriptor or a negative errno. */
static int take_over(const char *directory)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/bus.lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    int r = high < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (r < 0)
        return r;
    fd = high;
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += LOOK_MSEC) {
        if (errno != EWOULDBLOCK || waited > PATIENCE_MSEC) {
            close(fd);
            return -ETIMEDOUT;
        }
        end_left_over(directory);
        poll(NULL, 0, LOOK_MSEC);
    }
    snprintf(path, sizeof(path), "%s/bus", directory);
    unlink(path);
    return fd;
}

static int start_locked(struct private_bus *bus, const char *path, int lock)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    int r = run(bus, path, report[1], lock);
    close(report[1]);
    if (r == 0)
        r = read_address(bus, report[0]);
    close(report[0]);
    return r;
}

int private_bus_start(struct private_bus *bus, const char *directory, struct error *error)
{
    char path[4096];

    *bus = (struct private_bus){};
    int lock = take_over(directory);
    if (lock < 0) {
        snprintf(error->text, sizeof(error->text),
                 "%.400s: the dbus-daemon of an earlier proctord does not go away", directory);
        return lock;
    }
    snprintf(path, sizeof(path), "%s/bus.conf", directory);
    int r = write_configuration(directory, path);
    if (r < 0)
        snprintf(error->text, sizeof(error->text), "%.400s: %s", path, strerror(-r));
    else
        r = start_locked(bus, path, lock);
    close(lock);
    if (r < 0 && !error->text[0])
        snprintf(error->text, sizeof(error->text), "dbus-daemon could not be started: %s",
                 strerror(-r));
    if (r < 0)
        private_bus_stop(bus, directory);
    return r;
}

void private_bus_archive(struct private_bus *bus, struct archive *archive)
{
    const char *address = bus->address;

    ARCHIVE(archive, bus->pid);
    archive_string(archive, &address);
    if (!archive->reading)
        return;
    bus->address = address ? strdup(address) : NULL;
    if (!bus->address || archive->failed)
        bus->pid = 0;
}

/* Who holds out, or can not be reached, is not waited for without end. */
static bool ends_by(pid_t pid, int signal)
{
    int pidfd = again_pidfd(pid);
    struct pollfd end = {.fd = pidfd, .events = POLLIN};

    if (handle_signal_child(pid, signal) == 0)
        for (int i = 0; i < 4 && poll(&end, 1, END_MSEC) < 0; i++)
            ;
    if (pidfd >= 0)
        close(pidfd);
    return waitpid(pid, NULL, WNOHANG) == pid;
}

void private_bus_stop(struct private_bus *bus, const char *directory)
{
    char path[4096];

    if (bus->pid <= 0)
        return; /* what is there may be another proctord's */
    if (!ends_by(bus->pid, SIGTERM))
        ends_by(bus->pid, SIGKILL);
    snprintf(path, sizeof(path), "%s/bus.lock", directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bus", directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bus.conf", directory);
    unlink(path);
    free(bus->address);
    *bus = (struct private_bus){};
}
