/*
 * Only one proctord per state directory and per runtime directory.
 */
#include "instance.h"
#include "core/vocabulary/invariant.h"

#include "system/aside.h"
#include "system/own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIGH_FD    64
#define LOOK_MSEC  2
#define DYING_MSEC 500

/* Children's sockets and pipes have low numbers, and this must not be in their way. */
static int open_high(const char *path)
{
    int low = own_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    int error = low < 0 ? -low : errno;

    if (low < 0 || (fd < 0 && (error == EINVAL || error == EMFILE))) /* so few are allowed */
        return low;
    close(low);
    return fd < 0 ? -error : fd;
}

/* One that was killed just now may still be on its way out. */
static int take(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    for (int waited = 0; fcntl(fd, F_SETLK, &whole) < 0; waited += LOOK_MSEC) {
        if (errno != EACCES && errno != EAGAIN)
            return -errno;
        if (waited > DYING_MSEC)
            return -EAGAIN;
        poll(NULL, 0, LOOK_MSEC);
    }
    return 0;
}

/* The lock goes with the process, also if it is killed. */
int instance_lock(const char *directory, const char *what, struct error *error)
{
    char path[4200];

    INVARIANT(error);
    snprintf(path, sizeof(path), "%s/lock", directory);
    int r = aside_put(AT_FDCWD, path, S_IFREG);
    int fd = r < 0 ? r : open_high(path);
    r = fd < 0 ? fd : 0;
    if (r >= 0)
        r = take(fd);
    if (r == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    if (r == -EAGAIN)
        snprintf(error->text, sizeof(error->text),
                 "%.400s: another proctord is using this %s folder", directory, what);
    else
        snprintf(error->text, sizeof(error->text), "%.400s: %s", directory, strerror(-r));
    return r;
}

/* What is not a file or directory of ours is put aside, so that a start never
 * fails for it. */
int instance_clear_state(const char *directory, void (*moved)(const char *path))
{
    static const struct {
        const char *name;
        mode_t type;
    } ours[] = {
        {"journal", S_IFDIR}, {"journal/new", S_IFREG}, {"results", S_IFDIR}, {"starts", S_IFREG}};
    char path[4200];

    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, ours[i].name);
        int r = aside_put(AT_FDCWD, path, ours[i].type);
        if (r < 0)
            return r;
        if (r > 0)
            moved(path);
    }
    return 0;
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
