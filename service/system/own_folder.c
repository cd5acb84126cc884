#include "system/own_folder.h"

#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 16

struct walk {
    char rest[PATH_MAX]; /* what is still to be walked */
    char here[PATH_MAX]; /* for people */
    int at;              /* the folder that has been reached */
    unsigned links;
    bool make;
    mode_t mode;
    char *why;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct walk *walk, int error,
                                                        const char *format, ...)
{
    va_list arguments;
    int n = snprintf(walk->why, OWN_FOLDER_WHY, "%.300s ", walk->here[0] ? walk->here : "/");

    va_start(arguments, format);
    vsnprintf(walk->why + n, OWN_FOLDER_WHY - (size_t)n, format, arguments);
    va_end(arguments);
    return error;
}

static bool is_trusted(uid_t user)
{
    return user == 0 || user == geteuid();
}

/* A group that has the number of its user is that user's alone, by a wide-spread custom. */
static bool others_may_write(const struct stat *status)
{
    bool private_group = status->st_gid == status->st_uid && is_trusted(status->st_uid);

    return (status->st_mode & S_IWOTH) || ((status->st_mode & S_IWGRP) && !private_group);
}

static int judge(const struct walk *walk, const struct stat *status, bool own)
{
    if (!S_ISDIR(status->st_mode))
        return refuse(walk, -ENOTDIR, "is not a folder");
    if (own && status->st_uid != geteuid())
        return refuse(walk, -EPERM, "belongs to user %u, not to user %u that proctord runs as",
                      status->st_uid, geteuid());
    if (!is_trusted(status->st_uid))
        return refuse(walk, -EPERM, "belongs to user %u, who can replace its contents",
                      status->st_uid);
    if (others_may_write(status) && (own || !(status->st_mode & S_ISVTX)))
        return refuse(walk, -EPERM, "can be written to by others: its mode is %04o",
                      status->st_mode & 07777U);
    return 0;
}

/* Takes the next part off the front. Returns whether there was one. */
static bool next_part(struct walk *walk, char part[NAME_MAX + 1])
{
    char *start = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(start, "/");

    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(part, start, length);
    part[length] = '\0';
    memmove(walk->rest, start + length, strlen(start + length) + 1);
    return true;
}

static bool is_last(const struct walk *walk)
{
    return walk->rest[strspn(walk->rest, "/")] == '\0';
}

static void step_to(struct walk *walk, int fd, const char *part)
{
    size_t length = strlen(walk->here);

    if (walk->at >= 0)
        close(walk->at);
    walk->at = fd;
    snprintf(walk->here + length, sizeof(walk->here) - length, "/%s", part);
}

static int go_to_root(struct walk *walk)
{
    if (walk->at >= 0)
        close(walk->at);
    walk->here[0] = '\0';
    walk->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return walk->at < 0 ? -errno : 0;
}

static int follow(struct walk *walk, int link, const struct stat *status, const char *part)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

    if (!is_trusted(status->st_uid))
        return refuse(walk, -EPERM, "has a link of user %u, %.100s", status->st_uid, part);
    if (n <= 0)
        return n < 0 ? -errno : -ENOENT;
    target[n] = '\0';
    strcpy(rest, walk->rest);
    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    if ((size_t)n + strlen(rest) + 2 > sizeof(walk->rest))
        return -ENAMETOOLONG;
    strcpy(walk->rest, target);
    strcat(strcat(walk->rest, "/"), rest);
    return target[0] == '/' ? go_to_root(walk) : 0;
}

/* Else a loss of power may take it away with all that is in it, whatever was synced there. */
static bool make_part(const struct walk *walk, const char *part)
{
    if (mkdirat(walk->at, part, walk->mode) < 0)
        return errno == EEXIST;
    int above = openat(walk->at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above >= 0) {
        fsync(above); /* what cannot be synced cannot be helped */
        close(above);
    }
    return true;
}

static int open_part(const struct walk *walk, const char *part)
{
    int fd = openat(walk->at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && walk->make && make_part(walk, part))
        fd = openat(walk->at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The last one is ours where it is made; a link is reported, and not followed. */
static int step(struct walk *walk, const char *part)
{
    struct stat status;
    bool own = walk->make && is_last(walk);
    int fd = open_part(walk, part);
    int r = fd < 0 ? fd : fstat(fd, &status) < 0 ? -errno : 0;

    if (r == 0 && S_ISLNK(status.st_mode) && !own) {
        r = follow(walk, fd, &status, part);
        close(fd);
        return r;
    }
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        step_to(walk, -1, part);
        return refuse(walk, r, "cannot be used: %s", strerror(-r));
    }
    step_to(walk, fd, part);
    return S_ISLNK(status.st_mode) ? refuse(walk, -EPERM, "is a link, and not a folder")
                                   : judge(walk, &status, own);
}

static int walk_down(struct walk *walk)
{
    char part[NAME_MAX + 1];
    struct stat status;
    int r = go_to_root(walk);

    if (r == 0)
        r = fstat(walk->at, &status) < 0 ? -errno : judge(walk, &status, false);
    while (r == 0 && next_part(walk, part))
        r = step(walk, part);
    if (walk->at >= 0)
        close(walk->at);
    if (r < 0 && !walk->why[0])
        refuse(walk, r, "cannot be used: %s", strerror(-r));
    return r;
}

int own_folder_make(const char *path, mode_t mode, char why[OWN_FOLDER_WHY])
{
    struct walk walk = {.at = -1, .make = true, .mode = mode, .why = why};

    why[0] = '\0';
    if (path[0] != '/' || strlen(path) >= sizeof(walk.rest))
        return -EINVAL;
    strcpy(walk.rest, path);
    return walk_down(&walk);
}

int own_folder_of(const char *path, char why[OWN_FOLDER_WHY])
{
    struct walk walk = {.at = -1, .why = why};
    char here[PATH_MAX] = "";

    why[0] = '\0';
    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return -errno;
    int n = snprintf(walk.rest, sizeof(walk.rest), "%s/%s", here, path);
    if (n < 0 || (size_t)n >= sizeof(walk.rest))
        return -ENAMETOOLONG;
    *strrchr(walk.rest, '/') = '\0';
    return walk_down(&walk);
}

int own_open(int folder, const char *name, int flags, mode_t mode)
{
    struct stat status;
    int fd = open_regular(folder, name, (flags & ~O_TRUNC) | O_NOFOLLOW, mode);

    if (fd < 0)
        return fd;
    int r = fstat(fd, &status) < 0 ? -errno : 0;
    if (r == 0 && (status.st_uid != geteuid() || status.st_nlink > 1))
        r = -EPERM;
    if (r == 0 && (flags & O_TRUNC) && ftruncate(fd, 0) < 0)
        r = -errno;
    if (r == 0)
        return fd;
    close(fd);
    return r;
}
