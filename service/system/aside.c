/*
 * Putting aside what is in the way: a file under a name of ours that is not
 * what it should be.
 */
#include "system/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define KEPT_MAX 100

/* Never over another one. */
static int move(int at, const char *path)
{
    char aside[PATH_MAX];

    for (int i = 1; i <= KEPT_MAX; i++) {
        int n = i == 1 ? snprintf(aside, sizeof(aside), "%s.damaged", path)
                       : snprintf(aside, sizeof(aside), "%s.damaged-%d", path, i);
        if (n >= (int)sizeof(aside))
            return -ENAMETOOLONG;
        if (renameat2(at, path, at, aside, RENAME_NOREPLACE) == 0)
            return 1;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

int aside_put(int at, const char *path, mode_t type)
{
    struct stat status;

    if (fstatat(at, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (type == S_IFDIR && S_ISLNK(status.st_mode) && fstatat(at, path, &status, 0) < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? move(at, path) : -errno;
    return (status.st_mode & S_IFMT) == type ? 0 : move(at, path);
}
