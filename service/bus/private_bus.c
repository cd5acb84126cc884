/*
 * A dbus-daemon of our own, for --private-bus. It is started, watched, and
 * started again after a pause if it ends; it outlives an upgrade of proctord. A
 * lock shows that only one runs in a directory, even if a proctord was killed.
 */
#include "bus/private_bus.h"
#include "bus/wait.h"

#include "system/again.h"
#include "system/aside.h"
#include "core/model/archive.h"
#include "core/vocabulary/invariant.h"
#include "system/handle.h"
#include "log/log.h"
#include "system/own_folder.h"
#include "log/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define REPORT_FD 3 /* of the dbus-daemon */
#define LOCK_FD   4
#define HIGH_FD   10 /* none of the two above */
#define END_MSEC  2000

#define LOOK_USEC      UINT64_C(2000)
#define PATIENCE_USEC  UINT64_C(10000000)
#define PAUSE_MIN_USEC UINT64_C(20000) /* then twice as long each time, up to */
#define PAUSE_MAX_USEC UINT64_C(1000000)
#define LASTED_USEC    UINT64_C(10000000)

extern char **environ;

static const char configuration[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig>\n"
    "  <type>session</type>\n"
    "  <keep_umask/>\n"
    "  <listen>%s</listen>\n"
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
    "  <limit name=\"max_connections_per_user\">2048</limit>\n"
    "</busconfig>\n";

enum state {
    PRIVATE_BUS_IDLE,
    PRIVATE_BUS_LOCKS,
    PRIVATE_BUS_STARTS,
    PRIVATE_BUS_UP,
    PRIVATE_BUS_PAUSES,
};

struct private_bus {
    sd_event *event;
    struct private_bus_hooks hooks;
    char directory[4096];
    char *address;
    enum state state;
    pid_t pid; /* 0: there is no process */
    int lock;
    int report; /* on which it tells its address */
    sd_event_source *report_source;
    sd_event_source *timer;
    uint64_t since_usec; /* in this state */
    uint64_t pause_usec;
    char trouble[512];
};

static const char *path_of(const struct private_bus *bus, const char *name, char path[4200])
{
    snprintf(path, 4200, "%s/%s", bus->directory, name);
    return path;
}

/* What stands in its place and is no file is none of ours. */
static int open_own(const struct private_bus *bus, const char *name, int flags, mode_t mode)
{
    char path[4200];
    int r = aside_put(AT_FDCWD, path_of(bus, name, path), S_IFREG);

    return r < 0 ? r : own_open(AT_FDCWD, path, flags, mode);
}

/* Everyone may connect; what they may do is proctord's decision. */
static int write_configuration(const struct private_bus *bus)
{
    int fd = open_own(bus, "bus.conf", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd >= 0 && !file)
        close(fd);
    if (!file)
        return fd < 0 ? fd : -ENOMEM;
    fprintf(file, configuration, bus->address);
    return fclose(file) == 0 ? 0 : -errno;
}

/* As the specification of D-Bus has it: all but a few characters are escaped, and none that are
 * left mean anything in XML. */
static char *address_of(const char *directory)
{
    static const char plain[] =
        "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz/.";
    char *address = malloc(sizeof("unix:path=/bus") + 3 * strlen(directory));
    char *end = address ? stpcpy(address, "unix:path=") : NULL;

    if (!address)
        return NULL;
    for (; *directory; directory++)
        if (strchr(plain, *directory))
            *end++ = *directory;
        else
            end += sprintf(end, "%%%02x", (unsigned char)*directory);
    strcpy(end, "/bus");
    return address;
}

/* Our service manager is none of its: it would talk to it, and wait for it. */
static char **without_manager(void)
{
    size_t n = 0, kept = 0;

    while (environ[n])
        n++;
    char **list = calloc(n + 1, sizeof(*list));
    for (size_t i = 0; list && i < n; i++)
        if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 &&
            strncmp(environ[i], "WATCHDOG_", 9) != 0)
            list[kept++] = environ[i];
    return list;
}

/* In a session of its own, with default signals, and without the variables of a
 * service manager. */
static int run(struct private_bus *bus, int report)
{
    char path[4200], file[4300], print[32];
    char *arguments[] = {"dbus-daemon", file, "--nofork", "--nopidfile", "--nosyslog", print, NULL};
    int errors = sink_open_another(STDERR_FILENO);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;

    snprintf(file, sizeof(file), "--config-file=%s", path_of(bus, "bus.conf", path));
    snprintf(print, sizeof(print), "--print-address=%d", REPORT_FD);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    if (errors >= 0) /* it must not wait for a reader of ours */
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, report, REPORT_FD);
    posix_spawn_file_actions_adddup2(&actions, bus->lock, LOCK_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    char **environment = without_manager();
    int r = environment ? posix_spawnp(&bus->pid, "dbus-daemon", &actions, &attributes, arguments,
                                       environment)
                        : ENOMEM;
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (errors >= 0)
        close(errors);
    return -r;
}

/* The process of ours that listens at the socket, if there is one and can be asked without waiting.
 */
static pid_t listener(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {};
    socklen_t size = sizeof(peer);
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", directory);
    int fd = n < (int)sizeof(address.sun_path)
                 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
                 : -1;

    if (fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0))
        peer.pid = 0;
    if (peer.uid != geteuid())
        peer.pid = 0;
    if (fd >= 0)
        close(fd);
    return peer.pid;
}

/* What a proctord that died has left, and only that: it still listens when its pidfd is open. */
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

/* The bus holds this lock as long as it lives. Returns 0 or a negative errno. */
static int open_lock(struct private_bus *bus)
{
    if (bus->lock >= 0)
        return 0;
    int fd = open_own(bus, "bus.lock", O_RDWR | O_CREAT, 0600);
    bus->lock = fd < 0 ? fd : again_copy(fd, HIGH_FD);
    int r = bus->lock < 0 ? bus->lock : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

static void close_lock(struct private_bus *bus)
{
    if (bus->lock >= 0)
        close(bus->lock);
    bus->lock = -1;
}

/* ---- from one state to the next -------------------------------------------------------------- */

static uint64_t now_usec(const struct private_bus *bus)
{
    uint64_t now = 0;

    sd_event_now(bus->event, CLOCK_MONOTONIC, &now);
    return now;
}

static void arm(struct private_bus *bus, uint64_t after_usec)
{
    sd_event_source_set_time(bus->timer, now_usec(bus) + after_usec);
    sd_event_source_set_enabled(bus->timer, SD_EVENT_ONESHOT);
}

static void enter(struct private_bus *bus, enum state state)
{
    bus->state = state;
    bus->since_usec = now_usec(bus);
}

static void forget_report(struct private_bus *bus)
{
    bus->report_source = sd_event_source_disable_unref(bus->report_source);
    if (bus->report >= 0)
        close(bus->report);
    bus->report = -1;
}

/* Pauses double, and begin again after it has run well for a while. */
static void fail(struct private_bus *bus, const char *trouble)
{
    uint64_t pause = bus->pause_usec * 2;

    if (strcmp(bus->trouble, trouble) != 0)
        log_print(LOG_ERR, "the private bus: %s; starting it again", trouble);
    snprintf(bus->trouble, sizeof(bus->trouble), "%s", trouble);
    if (pause < PAUSE_MIN_USEC ||
        (bus->state == PRIVATE_BUS_UP && now_usec(bus) - bus->since_usec > LASTED_USEC))
        pause = PAUSE_MIN_USEC;
    bus->pause_usec = pause < PAUSE_MAX_USEC ? pause : PAUSE_MAX_USEC;
    forget_report(bus);
    close_lock(bus);
    enter(bus, PRIVATE_BUS_PAUSES);
    arm(bus, bus->pause_usec);
}

static void is_up(struct private_bus *bus)
{
    sd_event_source_set_enabled(bus->timer, SD_EVENT_OFF);
    forget_report(bus);
    bus->trouble[0] = '\0';
    enter(bus, PRIVATE_BUS_UP);
    bus->hooks.up(bus->hooks.userdata);
}

/* It tells its address, which we know, when it can be used. */
static int report_came(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct private_bus *bus = userdata;
    char words[512];
    ssize_t n = read(fd, words, sizeof(words));

    (void)source;
    (void)events;
    if (n > 0 && memchr(words, '\n', (size_t)n))
        is_up(bus);
    else if (n == 0) /* private_bus_ended() says the rest */
        forget_report(bus);
    return 0;
}

/* The lock goes to the process, which holds it as long as it lives. */
static void spawn(struct private_bus *bus)
{
    char text[128];
    int report[2];
    int r = write_configuration(bus);

    if (r >= 0 && pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
        r = -errno;
    if (r >= 0) {
        r = run(bus, report[1]);
        close(report[1]);
        bus->report = report[0];
    }
    if (r >= 0)
        bus->hooks.spawned(bus->hooks.userdata, bus->pid);
    if (r >= 0)
        r = sd_event_add_io(bus->event, &bus->report_source, bus->report, EPOLLIN, report_came,
                            bus);
    if (r < 0) {
        snprintf(text, sizeof(text), "dbus-daemon could not be started: %s", strerror(-r));
        fail(bus, text);
        if (bus->pid > 0) /* it runs, and would hold the lock */
            handle_signal_child(bus->pid, SIGKILL);
        return;
    }
    close_lock(bus); /* the process has it */
    enter(bus, PRIVATE_BUS_STARTS);
    arm(bus, PATIENCE_USEC);
}

/* One of an earlier proctord that could not tell its address any more ends by itself; one that
 * listens is ended. */
static void try_lock(struct private_bus *bus)
{
    char path[4200], text[128];
    int r = open_lock(bus);

    if (r >= 0 && flock(bus->lock, LOCK_EX | LOCK_NB) < 0)
        r = -errno;
    if (r >= 0) {
        unlink(path_of(bus, "bus", path));
        spawn(bus);
    } else if (r != -EWOULDBLOCK) {
        snprintf(text, sizeof(text), "its lock cannot be taken: %s", strerror(-r));
        fail(bus, text);
    } else if (now_usec(bus) - bus->since_usec > PATIENCE_USEC) {
        fail(bus, "the dbus-daemon of an earlier proctord does not exit");
    } else {
        end_left_over(bus->directory);
        arm(bus, LOOK_USEC);
    }
}

/* Each state has its own meaning of the timer. */
static int time_has_come(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct private_bus *bus = userdata;

    (void)source;
    (void)usec;
    switch (bus->state) {
    case PRIVATE_BUS_PAUSES:
        private_bus_begin(bus);
        break;
    case PRIVATE_BUS_LOCKS:
        try_lock(bus);
        break;
    case PRIVATE_BUS_STARTS:
        private_bus_replace(bus);
        break;
    case PRIVATE_BUS_IDLE:
    case PRIVATE_BUS_UP:
        break;
    }
    return 0;
}

/* ---- the door -------------------------------------------------------------------------------- */

/* Nothing is started yet. */
int private_bus_new(sd_event *event, const char *directory, const struct private_bus_hooks *hooks,
                    struct private_bus **bus)
{
    struct private_bus *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->event = sd_event_ref(event);
    fresh->hooks = *hooks;
    fresh->lock = fresh->report = -1;
    snprintf(fresh->directory, sizeof(fresh->directory), "%s", directory);
    fresh->address = address_of(fresh->directory);
    int r = fresh->address ? 0 : -ENOMEM;
    if (r >= 0)
        r = sd_event_add_time(event, &fresh->timer, CLOCK_MONOTONIC, 0, 1, time_has_come, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r < 0) {
        private_bus_free(fresh);
        return r;
    }
    *bus = fresh;
    return 0;
}

void private_bus_archive(struct private_bus *bus, struct archive *archive)
{
    bool up = bus->state == PRIVATE_BUS_UP;

    INVARIANT(archive_is_sound(archive));
    ARCHIVE(archive, bus->pid);
    ARCHIVE(archive, up);
    if (archive->reading && (archive->failed || !up))
        bus->pid = 0; /* one that is only starting is ended as one that was left over */
}

/* A bus that was handed over is up already. */
void private_bus_begin(struct private_bus *bus)
{
    if (bus->pid > 0 && bus->state == PRIVATE_BUS_IDLE) {
        bus->hooks.spawned(bus->hooks.userdata, bus->pid);
        is_up(bus);
        return;
    }
    if (bus->pid > 0) { /* it is on its way out: private_bus_ended() follows */
        arm(bus, PAUSE_MAX_USEC);
        return;
    }
    enter(bus, PRIVATE_BUS_LOCKS);
    try_lock(bus);
}

const char *private_bus_address(const struct private_bus *bus)
{
    return bus->address;
}

bool private_bus_is_up(const struct private_bus *bus)
{
    return bus->state == PRIVATE_BUS_UP;
}

const char *private_bus_trouble(const struct private_bus *bus)
{
    return bus->trouble[0] ? bus->trouble : NULL;
}

void private_bus_ended(struct private_bus *bus)
{
    bus->pid = 0;
    if (bus->state == PRIVATE_BUS_UP || bus->state == PRIVATE_BUS_STARTS)
        fail(bus, bus->state == PRIVATE_BUS_UP ? "the dbus-daemon has ended"
                                               : "the dbus-daemon ended before it could be used");
}

void private_bus_replace(struct private_bus *bus)
{
    if (bus->pid > 0 && (bus->state == PRIVATE_BUS_UP || bus->state == PRIVATE_BUS_STARTS)) {
        fail(bus, "the dbus-daemon does not answer");
        handle_signal_child(bus->pid, SIGKILL);
    }
}

/* One that holds out, or cannot be reached, is not waited for without end. */
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

/* Ends it only if it is ours. */
void private_bus_free(struct private_bus *bus)
{
    static const char *const files[] = {"bus.lock", "bus", "bus.conf"};
    char path[4200];

    if (!bus)
        return;
    /* Where none has been begun, what is there may be another proctord's. */
    if (bus->pid > 0 && !ends_by(bus->pid, SIGTERM))
        ends_by(bus->pid, SIGKILL);
    for (size_t i = 0; bus->state != PRIVATE_BUS_IDLE && i < sizeof(files) / sizeof(files[0]); i++)
        unlink(path_of(bus, files[i], path));
    forget_report(bus);
    close_lock(bus);
    sd_event_source_disable_unref(bus->timer);
    sd_event_unref(bus->event);
    free(bus->address);
    free(bus);
}
