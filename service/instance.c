#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int instance_make_directory(const char *path, unsigned mode)
{
    char partial[4096];

    for (const char *slash = path + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        snprintf(partial, sizeof(partial), "%.*s", (int)(slash - path), path);
        if (mkdir(partial, mode) < 0 && errno != EEXIST)
            return -errno;
        if (*slash == '\0')
            return 0;
    }
}

int instance_lock(const char *state_directory, struct error *error)
{
    char path[4200];

    snprintf(path, sizeof(path), "%s/lock", state_directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : 0;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        r = -errno;
        close(fd);
    }
    if (r == 0)
        return fd;
    snprintf(error->text, sizeof(error->text), "%.400s: %s", state_directory,
             r == -EWOULDBLOCK ? "another proctord is using this state folder" : strerror(-r));
    return r;
}

void instance_name(const char *state_directory, char name[16])
{
    uint32_t hash = UINT32_C(2166136261);
    char resolved[4096];
    const char *path = realpath(state_directory, resolved) ? resolved : state_directory;

    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT32_C(16777619);
    snprintf(name, 16, "%08x", hash);
}
