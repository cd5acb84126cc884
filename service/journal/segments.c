/*
 * Segments as files: numbered, made under another name, and renamed when they
 * are complete.
 */
#include "journal/segments.h"

#include "system/again.h"
#include "system/own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 4 /* at once, where what has failed may go well the next time */

void journal_segment_name(uint64_t number, char name[32])
{
    snprintf(name, 32, "%012" PRIu64 ".journal", number);
}

/* ---- the folder ------------------------------------------------------------------------------ */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* A directory that cannot be read to its end is an error: the newest may be
 * missing. */
int journal_segments_list(int directory, uint64_t **numbers, size_t *count)
{
    int error = 0;
    DIR *folder = again_folder(directory, ".", &error);
    size_t room = 0;

    *numbers = NULL;
    *count = 0;
    if (!folder)
        return error;
    for (struct dirent *entry; (entry = again_next(folder, &error));) {
        uint64_t number;
        char name[32];
        if (sscanf(entry->d_name, "%12" SCNu64, &number) != 1)
            continue;
        journal_segment_name(number, name);
        if (strcmp(name, entry->d_name) != 0)
            continue;
        if (*count == room) {
            room = room > 0 ? room * 2 : 16;
            uint64_t *larger = realloc(*numbers, room * sizeof(**numbers));
            if (!larger) {
                closedir(folder);
                free(*numbers);
                return -ENOMEM;
            }
            *numbers = larger;
        }
        (*numbers)[(*count)++] = number;
    }
    closedir(folder);
    if (error < 0) { /* what cannot be read may be the newest of all */
        free(*numbers);
        return error;
    }
    if (*count > 0)
        qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
    return 0;
}

static bool is_on_disk(const struct journal_segments *segments)
{
    return fdatasync(segments->fd) == 0 && fsync(segments->directory) == 0;
}

/* The present one is what a recovery needs. Until it is on the disk, those before it are. */
void journal_segments_prune(const struct journal_segments *segments, uint64_t keep_bytes)
{
    uint64_t *numbers, kept = 0;
    size_t count;
    bool safe = false;

    if (journal_segments_list(segments->directory, &numbers, &count) < 0)
        return;
    for (size_t i = count; i-- > 0;) {
        char name[32];
        struct stat status;
        journal_segment_name(numbers[i], name);
        if (fstatat(segments->directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        kept += (uint64_t)status.st_size;
        if (numbers[i] >= segments->number || kept <= keep_bytes + SEGMENT_BYTES)
            continue;
        if (!safe && !(safe = is_on_disk(segments)))
            break;
        unlinkat(segments->directory, name, 0);
    }
    free(numbers);
}

static bool is_gone(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_nlink == 0;
}

bool journal_segments_are_gone(const struct journal_segments *segments)
{
    return segments->fd >= 0 && is_gone(segments->fd);
}

/* A new folder outlives the loss of power once its name does. */
static void sync_parent(const char *path)
{
    char parent[PATH_MAX];

    snprintf(parent, sizeof(parent), "%s/..", path);
    int fd = again_open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* Makes the folder where it is not there, or not there any more. */
static int open_directory(struct journal_segments *segments)
{
    if (segments->directory >= 0 && !is_gone(segments->directory))
        return 0;
    if (mkdir(segments->path, 0700) == 0)
        sync_parent(segments->path);
    else if (errno != EEXIST)
        return -errno;
    if (segments->directory >= 0)
        close(segments->directory);
    segments->directory = again_open(AT_FDCWD, segments->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    return segments->directory < 0 ? segments->directory : 0;
}

/* Made if it is missing. */
int journal_segments_open(const char *path, struct journal_segments **segments)
{
    struct journal_segments *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->fd = fresh->directory = -1;
    fresh->path = strdup(path);
    int r = fresh->path ? open_directory(fresh) : -ENOMEM;
    if (r < 0) {
        journal_segments_close(fresh);
        return r;
    }
    *segments = fresh;
    return 0;
}

void journal_segments_close(struct journal_segments *segments)
{
    if (segments->fd >= 0)
        close(segments->fd);
    if (segments->directory >= 0)
        close(segments->directory);
    free(segments->path);
    free(segments);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Retried where that may help. */
int journal_write_all(int fd, const uint8_t *data, size_t size)
{
    for (int tries = 0; size > 0;) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && (errno == EINTR || (again_may_help(-errno) && ++tries < TRIES)))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENOSPC;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int journal_segments_append(struct journal_segments *segments, const uint8_t *data, size_t size)
{
    int r = journal_write_all(segments->fd, data, size);

    if (r == 0)
        segments->size += size;
    else if (ftruncate(segments->fd, (off_t)segments->size) < 0) {
        /* The torn end stays: a reader stops there. */
    }
    return r;
}

int journal_segments_sync(struct journal_segments *segments)
{
    return fdatasync(segments->fd) < 0 ? -errno : 0;
}

/* Synced before it gets its name. */
static int write_new(struct journal_segments *segments, const struct iovec *parts, int n_parts,
                     bool sync)
{
    int fd = own_open(segments->directory, "new", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int r = fd < 0 ? fd : 0;

    for (int i = 0; r == 0 && i < n_parts; i++)
        r = journal_write_all(fd, parts[i].iov_base, parts[i].iov_len);
    if (r == 0 && sync && fdatasync(fd) < 0)
        r = -errno;
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* With its directory synced, the name survives a loss of power. */
static int begin_once(struct journal_segments *segments, const struct iovec *parts, int n_parts,
                      bool sync)
{
    char name[32];
    int r = open_directory(segments);

    if (r < 0)
        return r;
    int fd = write_new(segments, parts, n_parts, sync);
    if (fd < 0)
        return fd;
    journal_segment_name(segments->number + 1, name);
    if (renameat(segments->directory, "new", segments->directory, name) < 0 ||
        (sync && fsync(segments->directory) < 0)) {
        r = -errno;
        close(fd);
        return r;
    }
    if (segments->fd >= 0)
        close(segments->fd);
    segments->fd = fd;
    segments->number++;
    segments->size = 0;
    for (int i = 0; i < n_parts; i++)
        segments->size += parts[i].iov_len;
    return 0;
}

int journal_segments_begin(struct journal_segments *segments, const struct iovec *parts,
                           int n_parts, bool sync)
{
    int r = begin_once(segments, parts, n_parts, sync);

    for (int i = 1; again_may_help(r) && i < TRIES; i++)
        r = begin_once(segments, parts, n_parts, sync);
    return r;
}
