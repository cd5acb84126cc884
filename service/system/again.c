#include "again.h"

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

/* Who may is denied now and then by what watches over the system; who may not is always. */
static bool is_worth_a_try(int error)
{
    return again_may_help(error) || error == -EACCES;
}

int again_open(int directory, const char *path, int flags)
{
    int fd;

    for (int i = 0; i < TRIES; i++) {
        fd = openat(directory, path, flags | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        fd = -errno;
        if (!is_worth_a_try(fd))
            break;
    }
    return fd;
}

int again_pidfd(pid_t pid)
{
    int fd;

    for (int i = 0; i < TRIES; i++) {
        fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (fd >= 0)
            return fd;
        fd = -errno;
        if (!again_may_help(fd))
            break;
    }
    return fd;
}

static ssize_t read_once(int directory, const char *path, char *text, size_t size)
{
    int fd = again_open(directory, path, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t n = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (n < 0)
        return -error;
    text[n] = '\0';
    return n;
}

ssize_t again_read(int directory, const char *path, char *text, size_t size)
{
    ssize_t n = -EIO;

    for (int i = 0; i < TRIES; i++) {
        n = read_once(directory, path, text, size);
        if (n >= 0 || !again_may_help((int)n))
            break;
    }
    return n;
}

DIR *again_folder(int directory, const char *path, int *error)
{
    for (int i = 0; i < TRIES; i++) {
        int fd = again_open(directory, path, O_RDONLY | O_DIRECTORY);
        *error = fd < 0 ? fd : 0;
        if (fd < 0)
            return NULL;
        DIR *folder = fdopendir(fd);
        if (folder)
            return folder;
        *error = -errno;
        close(fd);
        if (!again_may_help(*error))
            break;
    }
    return NULL;
}

struct dirent *again_next(DIR *folder, int *error)
{
    errno = 0;
    struct dirent *entry = readdir(folder);
    if (!entry && errno > 0)
        *error = -errno;
    return entry;
}
