/*
 * Opening a file that has to be a regular one, without being held up by a FIFO
 * or a device.
 */
#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */

static void close_file(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static int steal(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

/* ENXIO: a FIFO without a reader, or a socket. */
static int explain_open(int error)
{
    return error == ENXIO || error == EISDIR ? -EMEDIUMTYPE : -error;
}

/* Truncated only after it was checked. */
int open_regular(int at, const char *path, int flags, mode_t mode)
{
    int truncate = flags & O_TRUNC;
    struct stat status;
    __attribute__((cleanup(close_file))) int fd =
        openat(at, path, (flags & ~O_TRUNC) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);

    if (fd < 0)
        return explain_open(errno);
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EMEDIUMTYPE;
    if (truncate && ftruncate(fd, 0) < 0)
        return -errno;
    return steal(&fd);
}

/* ---- the way to a file ----------------------------------------------------------------------- */

/* What is left of a path that is walked part by part; links that were followed stand before it. */
struct way {
    char rest[2 * PATH_MAX];
    unsigned links;
    bool takes_strangers; /* their links are followed, */
    bool strange;         /* one has been, */
    uid_t stranger;       /* of this user */
};

/* Takes the next part off the front. Returns whether it is the last one. */
static bool next_part(struct way *way, char part[NAME_MAX + 1], int *error)
{
    char *at = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(at, "/");
    char *after = at + length + strspn(at + length, "/");
    bool last = *after == '\0';

    *error = length == 0 ? -EMEDIUMTYPE : length > NAME_MAX ? -ENAMETOOLONG : 0;
    if (*error == 0) {
        memcpy(part, at, length);
        part[length] = '\0';
        memmove(way->rest, after, strlen(after) + 1);
    }
    return last;
}

/* Puts what a link says before the rest of the way. */
static int follow(struct way *way, int link, int *folder)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

    if (n <= 0)
        return n < 0 ? -errno : -ENOENT;
    target[n] = '\0';
    if (++way->links > LINKS_MAX)
        return -ELOOP;
    size_t length = (size_t)n, rest = strlen(way->rest);
    if (length + rest + 2 > sizeof(way->rest))
        return -ENAMETOOLONG;
    memmove(way->rest + length + 1, way->rest, rest + 1);
    memcpy(way->rest, target, length);
    way->rest[length] = '/';
    if (target[0] == '/') {
        close(*folder);
        *folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return *folder < 0 ? -errno : 0;
}

static bool may_follow(struct way *way, uid_t owner)
{
    if (owner == 0 || owner == geteuid())
        return true;
    if (!way->takes_strangers || (way->strange && way->stranger != owner))
        return false;
    way->strange = true;
    way->stranger = owner;
    return true;
}

/* One step down. Another user's link can lead to any place. */
static int enter(struct way *way, const char *part, int *folder)
{
    struct stat status;
    __attribute__((cleanup(close_file))) int next =
        openat(*folder, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (next < 0 || fstat(next, &status) < 0)
        return -errno;
    if (S_ISLNK(status.st_mode))
        return may_follow(way, status.st_uid) ? follow(way, next, folder) : -ELOOP;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    close(*folder);
    *folder = steal(&next);
    return 0;
}

int open_regular_guarded(const char *path, int flags, mode_t mode, int *folder)
{
    struct way way = {};
    char part[NAME_MAX + 1];
    int r = 0;

    *folder = -1;
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return path[0] != '/' ? -EINVAL : -ENAMETOOLONG;
    strcpy(way.rest, path);
    __attribute__((cleanup(close_file))) int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return -errno;
    while (!next_part(&way, part, &r) && r == 0 && (r = enter(&way, part, &at)) == 0)
        ;
    if (r < 0)
        return r;
    r = open_regular(at, part, flags | O_NOFOLLOW, mode);
    if (r >= 0)
        *folder = steal(&at);
    return r;
}

static bool is_link(int folder, const char *part)
{
    struct stat status;
    return fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

/* The folder of what the way leads to in the end, and its name there. */
static int walk_to_the_end(struct way *way, int *at, char part[NAME_MAX + 1])
{
    int r = 0;

    for (;;) {
        bool last = next_part(way, part, &r);
        if (r < 0 || (last && !is_link(*at, part)))
            return r;
        r = enter(way, part, at);
        if (r < 0)
            return r;
    }
}

/* From the root, as far as the last part of an absolute path. `at` is the caller's to close. */
static int walk(struct way *way, const char *path, int *at, char part[NAME_MAX + 1])
{
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return path[0] != '/' ? -EINVAL : -ENAMETOOLONG;
    strcpy(way->rest, path);
    *at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *at < 0 ? -errno : walk_to_the_end(way, at, part);
}

int open_regular_reading(const char *path)
{
    struct way way = {.takes_strangers = true};
    char part[NAME_MAX + 1];
    struct stat status;

    __attribute__((cleanup(close_file))) int at = -1;
    int r = walk(&way, path, &at, part);
    if (r < 0)
        return r;
    __attribute__((cleanup(close_file))) int fd = open_regular(at, part, O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd;
    if (way.strange && (fstat(fd, &status) < 0 || status.st_uid != way.stranger))
        return -ELOOP;
    return steal(&fd);
}

int open_place_guarded(const char *path)
{
    struct way way = {};
    char part[NAME_MAX + 1];

    __attribute__((cleanup(close_file))) int at = -1;
    int r = walk(&way, path, &at, part);
    if (r < 0)
        return r;
    int fd = openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* ---- whole files ----------------------------------------------------------------------------- */

int read_regular(int at, const char *path, size_t max, char **text, size_t *length)
{
    __attribute__((cleanup(close_file))) int fd = open_regular(at, path, O_RDONLY, 0);
    struct stat status;
    size_t n = 0;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return -errno;
    if ((uint64_t)status.st_size > max)
        return -EFBIG;
    size_t size = (size_t)status.st_size > 0 ? (size_t)status.st_size : max; /* as files of /proc */
    char *memory = malloc(size + 1);
    if (!memory)
        return -ENOMEM;
    for (ssize_t got = 1; n < size && got != 0; n += got > 0 ? (size_t)got : 0) {
        got = read(fd, memory + n, size - n);
        if (got < 0 && errno != EINTR) {
            int r = -errno;
            free(memory);
            return r;
        }
    }
    memory[n] = '\0';
    *text = memory;
    *length = n;
    return 0;
}

const char *open_regular_explain(int at, const char *path, int error)
{
    struct stat status;

    if (error == -EFBIG)
        return "is too large";
    if (error == -ELOOP)
        return "is a symbolic link that is not followed";
    if (error != -EMEDIUMTYPE)
        return strerror(-error);
    if (fstatat(at, path, &status, 0) < 0)
        return "is not a file";
    switch (status.st_mode & S_IFMT) {
    case S_IFIFO:
        return "is a FIFO, not a file";
    case S_IFDIR:
        return "is a folder, not a file";
    case S_IFSOCK:
        return "is a socket, not a file";
    case S_IFCHR:
    case S_IFBLK:
        return "is a device, not a file";
    default:
        return "is not a file";
    }
}
