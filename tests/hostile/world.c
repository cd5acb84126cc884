#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64

static char folder[64] = "/tmp/proctor-hostile-XXXXXX";
static pid_t processes[PROCESSES_MAX];
static size_t n_processes;
static pid_t owner; /* what cleans up: not one of its copies */
static int fuse = -1;

static const char configuration[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig>\n"
    "  <type>system</type>\n"
    "  <listen>unix:path=%s</listen>\n"
    "  <auth>EXTERNAL</auth>\n"
    "  <policy context=\"default\">\n"
    "    <allow user=\"*\"/>\n"
    "    <allow send_destination=\"*\" eavesdrop=\"false\"/>\n"
    "    <allow eavesdrop=\"false\"/>\n"
    "    <allow own=\"*\"/>\n"
    "  </policy>\n"
    "  <limit name=\"max_connections_per_user\">512</limit>\n"
    "</busconfig>\n";

uint64_t now_nsec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void die(const char *what)
{
    fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
    exit(1);
}

char *path_of(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, 512, "%s/%s", folder, name);
    return path;
}

void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        die(name);
}

/* ---- processes ------------------------------------------------------------------------------- */

pid_t world_fork(void)
{
    pid_t pid = fork();

    if (pid < 0 || n_processes == PROCESSES_MAX)
        die("fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    else
        processes[n_processes++] = pid;
    return pid;
}

void world_kill(pid_t pid)
{
    for (size_t i = 0; i < n_processes; i++)
        if (processes[i] == pid) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            processes[i] = processes[--n_processes];
        }
}

void become(uid_t uid)
{
    if (setgid(uid) < 0 || setuid(uid) < 0)
        die("setuid");
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of identity ends it */
}

/* What a dead proctord has left comes to us, the subreaper: it is ours to end. */
static void reap_all(void)
{
    uint64_t deadline = now_nsec() + UINT64_C(20000000000);
    const struct timespec moment = {.tv_nsec = 10000000};
    char path[64];
    unsigned pid;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    while (now_nsec() < deadline) {
        FILE *list = fopen(path, "r");
        size_t count = 0;
        while (list && fscanf(list, "%u", &pid) == 1) {
            count++;
            kill((pid_t)pid, SIGKILL);
        }
        if (list)
            fclose(list);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (count == 0)
            return;
        nanosleep(&moment, NULL);
    }
    fprintf(stderr, "hostile: a process does not end\n");
}

void world_end(void)
{
    char command[128];

    if (getpid() != owner)
        return;
    owner = 0;
    if (fuse >= 0) {
        close(fuse); /* a client that waits for an answer has an error now */
        umount2(path_of("fuse"), MNT_DETACH);
    }
    while (n_processes > 0)
        world_kill(processes[0]);
    reap_all();
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "hostile: %s is left\n", folder);
}

static void end_early(int signal)
{
    world_end();
    _exit(128 + signal);
}

void world_begin(void)
{
    owner = getpid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGTERM, end_early);
    signal(SIGINT, end_early);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
        die("folder");
    atexit(world_end);
}

/* ---- buses ----------------------------------------------------------------------------------- */

static bool accepts(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    bool accepted = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return accepted;
}

static void wait_for_socket(const char *path)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    uint64_t deadline = now_nsec() + UINT64_C(10000000000);

    while (!accepts(path) && now_nsec() < deadline)
        nanosleep(&moment, NULL);
}

const char *world_bus(void)
{
    static char address[600];
    char text[2048], option[600];

    snprintf(text, sizeof(text), configuration, path_of("bus"));
    write_file("bus.conf", text);
    snprintf(option, sizeof(option), "--config-file=%s", path_of("bus.conf"));
    if (world_fork() == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC); /* it tells of each refusal */
        dup2(null, 2);
        setsid();
        execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile", "--nosyslog", NULL);
        die("dbus-daemon");
    }
    wait_for_socket(path_of("bus"));
    snprintf(address, sizeof(address), "unix:path=%s", path_of("bus"));
    return address;
}

const char *world_silent_bus(void)
{
    static char text[600];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path_of("silent"));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
        die("silent bus");
    if (world_fork() == 0) {
        become(UID_SILENT);
        while (accept(fd, NULL, NULL) >= 0)
            ; /* the connections stay open, and nothing is ever read or written */
        _exit(0);
    }
    close(fd);
    snprintf(text, sizeof(text), "unix:path=%s", path_of("silent"));
    return text;
}

sd_bus *world_connect(const char *address)
{
    sd_bus *bus;

    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 ||
        sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_negotiate_fds(bus, 1) < 0 ||
        sd_bus_start(bus) < 0)
        die("connection");
    return bus;
}

/* ---- a mount that never answers -------------------------------------------------------------- */

bool world_fuse(void)
{
    char options[128];

    if (mkdir(path_of("fuse"), 0755) < 0)
        die("fuse");
    fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0)
        return false;
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
             fuse);
    if (mount("never", path_of("fuse"), "fuse", MS_NOSUID | MS_NODEV, options) == 0)
        return true;
    close(fuse);
    fuse = -1;
    return false;
}

/* ---- proctord -------------------------------------------------------------------------------- */

pid_t world_proctord(const char *proctord, const char *name, const char *address)
{
    char manifests[600], state[600], runtime[600], bus[700];

    snprintf(manifests, sizeof(manifests), "--manifests=%s/%s.d", path_of(""), name);
    snprintf(state, sizeof(state), "--state-dir=%s/%s.state", path_of(""), name);
    snprintf(runtime, sizeof(runtime), "--runtime-dir=%s/%s.run", path_of(""), name);
    snprintf(bus, sizeof(bus), "--bus-address=%s", address);
    pid_t pid = world_fork();
    if (pid > 0)
        return pid;
    setsid();                                /* as a service */
    const char *wrapper = getenv("WRAPPER"); /* a program that watches its calls */
    int null = open("/dev/null", O_WRONLY);
    if (!wrapper && !getenv("VERBOSE"))
        dup2(null, 2);
    const char *arguments[] = {wrapper,
                               proctord,
                               bus,
                               manifests,
                               state,
                               runtime,
                               "--log-level=err",
                               getenv("NO_CGROUPS") ? "--no-cgroups" : NULL,
                               NULL};
    const char **first = wrapper ? arguments : arguments + 1;
    execv(*first, (char **)(uintptr_t)first);
    die(proctord);
}
