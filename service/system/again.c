/*
 * System calls that are retried after transient errors. A security module, or a
 * lack of memory, may make a call fail once; a supervisor should not take that
 * for the state of the world.
 */
#include "system/again.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 4

bool again_may_help(int error)
{
    return error == -EINTR || error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
           error == -EIO || error == -EAGAIN || error == -ENOBUFS;
}

/* A permitted caller is denied now and then by what watches over the system; a forbidden one
 * always. */
static bool once_more(int result, int *tries)
{
    return (again_may_help(result) || result == -EACCES) && ++*tries < TRIES;
}

int again_open(int directory, const char *path, int flags)
{
    int fd, tries = 0;

    do {
        fd = openat(directory, path, flags | O_CLOEXEC);
        fd = fd < 0 ? -errno : fd;
    } while (once_more(fd, &tries));
    return fd;
}

int again_pidfd(pid_t pid)
{
    int fd, tries = 0;

    do {
        fd = (int)syscall(SYS_pidfd_open, pid, 0);
        fd = fd < 0 ? -errno : fd;
    } while (once_more(fd, &tries));
    return fd;
}

int again_copy(int fd, int lowest)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);

    if (copy >= 0)
        return copy;
    return errno == EINVAL ? -EMFILE : -errno;
}

/* A small file, in one read. */
static ssize_t read_once(int directory, const char *path, char *text, size_t size, int *fd)
{
    *fd = again_open(directory, path, O_RDONLY);
    if (*fd < 0)
        return *fd;
    ssize_t n = read(*fd, text, size - 1);
    if (n < 0) {
        int error = errno;
        close(*fd);
        return -error;
    }
    text[n] = '\0';
    return n;
}

ssize_t again_read_open(int directory, const char *path, char *text, size_t size, int *fd)
{
    ssize_t n;
    int tries = 0;

    do
        n = read_once(directory, path, text, size, fd);
    while (once_more((int)n, &tries));
    return n;
}

ssize_t again_read(int directory, const char *path, char *text, size_t size)
{
    int fd;
    ssize_t n = again_read_open(directory, path, text, size, &fd);

    if (n >= 0)
        close(fd);
    return n;
}

/* NULL with the error. */
DIR *again_folder(int directory, const char *path, int *error)
{
    DIR *folder = NULL;
    int tries = 0;

    do {
        int fd = again_open(directory, path, O_RDONLY | O_DIRECTORY);
        *error = fd < 0 ? fd : 0;
        if (fd < 0)
            break;
        folder = fdopendir(fd);
        if (folder)
            break;
        *error = -errno;
        close(fd);
    } while (once_more(*error, &tries));
    return folder;
}

struct dirent *again_next(DIR *folder, int *error)
{
    errno = 0;
    struct dirent *entry = readdir(folder);
    if (!entry && errno > 0)
        *error = -errno;
    return entry;
}
