#include "attackers.h"

#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINGER_SECONDS 8
#define SOCKETS_MAX    400 /* that one attacker keeps */
#define UNDER_WAY      64

static void pause_msec(long msec)
{
    const struct timespec moment = {.tv_nsec = msec * 1000000};
    nanosleep(&moment, NULL);
}

static int notify_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("notify socket");
    return fd;
}

/* ---- descriptors whose close waits ----------------------------------------------------------- */

static int full_socket(const struct sockaddr_in *address)
{
    struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static char bytes[65536];

    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -1;
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return fd;
}

static int listen_anywhere(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    socklen_t size = sizeof(*address);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0)
        die("listen");
    return fd;
}

static void send_descriptor(int notify, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {};
    struct iovec part = {.iov_base = "WATCHDOG=1", .iov_len = 10};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};

    control.align = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
    sendmsg(notify, &header, MSG_DONTWAIT);
}

/* Not over the bus: dbus-daemon closes what its receiver does not take, and is held up by it. */
void attack_by_lingering(const struct target *target, int number)
{
    struct sockaddr_in address;

    (void)number;
    become(UID_LINGERING);
    listen_anywhere(&address);
    int notify = notify_connect(target->notify);
    for (int sent = 0; sent < SOCKETS_MAX; sent++) {
        int fd = full_socket(&address);
        if (fd >= 0) {
            send_descriptor(notify, fd);
            close(fd); /* not the last one, as long as it is on its way */
        }
        pause_msec(25);
    }
    for (;;)
        pause();
}

/* ---- processes that are stopped before they execute ------------------------------------------ */

static bool is_before_its_program(const char *pid)
{
    char path[300], name[32] = "";
    struct stat status;

    snprintf(path, sizeof(path), "/proc/%s", pid);
    if (stat(path, &status) < 0 || status.st_uid != UID_STOPPING)
        return false;
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, name, sizeof(name) - 1) < 0)
        name[0] = '\0';
    if (fd >= 0)
        close(fd);
    return strncmp(name, "proctor", 7) == 0;
}

void attack_by_stopping(const struct target *target, int number)
{
    (void)target;
    (void)number;
    become(UID_STOPPING);
    for (;;) {
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes && (entry = readdir(processes));)
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                is_before_its_program(entry->d_name))
                kill((pid_t)atoi(entry->d_name), SIGSTOP);
        if (processes)
            closedir(processes);
        pause_msec(2);
    }
}

/* ---- questions whose answers are not read ---------------------------------------------------- */

void attack_by_silence(const struct target *target, int number)
{
    sd_bus_message *reply = NULL;

    (void)number;
    become(UID_SILENT);
    sd_bus *bus = world_connect(target->address);
    sd_bus_call_method(bus, NAME, "/org/proctor1", MANAGER, "Subscribe", NULL, &reply, "a{sv}", 0);
    sd_bus_message_unref(reply);
    for (int asked = 0;; asked++) {
        if (asked < 20000)
            sd_bus_call_method_async(bus, NULL, NAME, "/org/proctor1",
                                     "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                     NULL, NULL, NULL);
        sd_bus_flush(bus);
        pause_msec(20);
    }
}

/* ---- floods ---------------------------------------------------------------------------------- */

static int ask_again(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    if (sd_bus_message_is_method_error(reply, NULL))
        return 1; /* refused: it does not try again at once */
    return sd_bus_call_method_async(userdata, NULL, NAME, "/org/proctor1/child/steady",
                                    "org.freedesktop.DBus.Properties", "GetAll", ask_again,
                                    userdata, "s", "org.proctor1.Child");
}

static void flood_with_calls(const struct target *target)
{
    sd_bus *bus = world_connect(target->address);

    for (int i = 0; i < UNDER_WAY; i++)
        sd_bus_call_method_async(bus, NULL, NAME, "/org/proctor1/child/steady",
                                 "org.freedesktop.DBus.Properties", "GetAll", ask_again, bus, "s",
                                 "org.proctor1.Child");
    while (sd_bus_process(bus, NULL) >= 0)
        sd_bus_wait(bus, 10000);
    for (;;)
        pause();
}

void attack_by_flood(const struct target *target, int number)
{
    become(UID_FLOODING);
    if (number % 2 == 0)
        flood_with_calls(target);
    int fd = notify_connect(target->notify);
    for (;;)
        if (send(fd, "READY=1\nSTATUS=mine now\nWATCHDOG=1", 33, 0) < 0)
            pause_msec(1);
}
