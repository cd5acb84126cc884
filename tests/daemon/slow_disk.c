/*
 * slow_disk.so: to be preloaded into proctord. Each call that changes or syncs a file with
 * $SLOW_DISK in its path takes as long as the file $SLOW_DISK_MSEC says, in milliseconds, at that
 * moment.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *folder, *delay_file;

__attribute__((constructor)) static void begin(void)
{
    folder = getenv("SLOW_DISK");
    delay_file = getenv("SLOW_DISK_MSEC");
}

static void wait_for_disk(void)
{
    char text[16] = "";
    int fd = open(delay_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (read(fd, text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    close(fd);
    long msec = atol(text);
    struct timespec time = {msec / 1000, msec % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_for(int fd)
{
    char link[64], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = folder && delay_file ? readlink(link, path, sizeof(path) - 1) : -1;
    if (n < 0)
        return;
    path[n] = '\0';
    if (strstr(path, folder))
        wait_for_disk();
}

#define ORIGINAL(type, name, ...)                                                                  \
    static type (*original)(__VA_ARGS__);                                                          \
    if (!original)                                                                                 \
    original = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size)
{
    ORIGINAL(ssize_t, "write", int, const void *, size_t);
    wait_for(fd);
    return original(fd, data, size);
}

int fdatasync(int fd)
{
    ORIGINAL(int, "fdatasync", int);
    wait_for(fd);
    return original(fd);
}

int fsync(int fd)
{
    ORIGINAL(int, "fsync", int);
    wait_for(fd);
    return original(fd);
}

int renameat(int from, const char *old, int to, const char *fresh)
{
    ORIGINAL(int, "renameat", int, const char *, int, const char *);
    wait_for(to);
    return original(from, old, to, fresh);
}

int unlinkat(int at, const char *path, int flags)
{
    ORIGINAL(int, "unlinkat", int, const char *, int);
    wait_for(at);
    return original(at, path, flags);
}
