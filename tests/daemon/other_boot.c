/*
 * Becomes a program that takes this machine for one that was started UPTIME seconds ago, in a boot
 * of its own: a time namespace, and another boot_id. Exit code 77 where that is not permitted.
 *
 *     UPTIME=2 BOOT_ID=00000000-0000-0000-0000-000000000002 other-boot PROGRAM ARGUMENT...
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

static void give_up(const char *what)
{
    perror(what);
    exit(77);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        give_up(path);
    close(fd);
}

static void change_clock(const char *uptime)
{
    struct timespec now;
    char offset[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (unshare(CLONE_NEWTIME) < 0)
        give_up("time namespace");
    long long seconds = strtoll(uptime, NULL, 10) - now.tv_sec;
    snprintf(offset, sizeof(offset), "monotonic %lld 0\n", seconds);
    write_file("/proc/self/timens_offsets", offset);
    int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
        give_up("time namespace");
    close(fd);
}

static void change_boot(const char *id)
{
    char path[] = "/tmp/other-boot-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || dprintf(fd, "%s\n", id) < 0)
        give_up(path);
    close(fd);
    int r = unshare(CLONE_NEWNS);
    if (r == 0)
        r = mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
    if (r == 0)
        r = mount(path, BOOT_ID_PATH, NULL, MS_BIND, NULL);
    unlink(path);
    if (r < 0)
        give_up("mount namespace");
}

int main(int argc, char **argv)
{
    const char *uptime = getenv("UPTIME"), *id = getenv("BOOT_ID");

    if (argc < 2 || !uptime || !id)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where it would hear no other signal */
    change_boot(id);
    change_clock(uptime);
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
