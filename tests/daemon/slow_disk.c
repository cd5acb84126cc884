/*
 * slow_disk.so: to be preloaded into proctord. Each call that reads, changes or syncs a file with
 * $SLOW_DISK in its path, a name or several with a colon between them, takes as long as the file
 * $SLOW_DISK_MSEC says, in milliseconds, at that moment.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
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

static bool is_slow(const char *path)
{
    char names[PATH_MAX];
    char *rest = names;

    snprintf(names, sizeof(names), "%s", folder);
    for (char *name; (name = strsep(&rest, ":"));)
        if (strstr(path, name))
            return true;
    return false;
}

static void wait_for(int fd)
{
    char link[64], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = folder && delay_file ? readlink(link, path, sizeof(path) - 1) : -1;
    if (n < 0)
        return;
    path[n] = '\0';
    if (is_slow(path))
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

ssize_t pread64(int fd, void *data, size_t size, off_t offset)
{
    ORIGINAL(ssize_t, "pread64", int, void *, size_t, off_t);
    wait_for(fd);
    return original(fd, data, size, offset);
}

/* Making a file changes its folder. */
int openat64(int at, const char *path, int flags, ...)
{
    ORIGINAL(int, "openat64", int, const char *, int, ...);
    va_list rest;

    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (flags & O_CREAT)
        wait_for(at);
    return original(at, path, flags, mode);
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size,
               unsigned flags)
{
    ORIGINAL(ssize_t, "splice", int, off64_t *, int, off64_t *, size_t, unsigned);
    wait_for(to);
    return original(from, from_offset, to, to_offset, size, flags);
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
