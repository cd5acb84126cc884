/*
 * A log file in the process that writes it: rotation, a path that changes under
 * it, and disks that are full. A line is never cut by a rotation, and what
 * could not be written leaves a line that says how much is missing.
 */
#include "host/log_file.h"

#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NSEC UINT64_C(1000000000)
#define FLAGS     (O_WRONLY | O_APPEND | O_CREAT)
#define MODE      0640
#define SPARE     (64 * 1024) /* beyond its size, for the rest of a line that has begun in it */

struct log_file {
    char *path;
    uint64_t max_size;
    uint32_t keep;
    int fd; /* -1: not open */
    uint64_t size;
    dev_t device;
    ino_t inode;
    uint64_t looked_nsec; /* 0: look before the next write */
    bool in_line;         /* the last byte that was written was no end of a line */
    uint64_t missing;     /* bytes that no line in the file tells of yet, */
    const char *why;      /* and what kept them out */
    uint64_t lost;        /* bytes that the owner has not asked for yet */
};

static uint64_t now_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Opened with the first write. */
struct log_file *log_file_new(const char *path, uint64_t max_size, uint32_t keep)
{
    struct log_file *file = calloc(1, sizeof(*file));

    if (!file)
        return NULL;
    *file = (struct log_file){.path = strdup(path), .max_size = max_size, .keep = keep, .fd = -1};
    if (file->path)
        return file;
    free(file);
    return NULL;
}

static void close_file(struct log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

void log_file_free(struct log_file *file)
{
    close_file(file);
    free(file->path);
    free(file);
}

/* Whether the last line in it has no end yet; false where it cannot be read. */
static bool ends_in_line(int fd, off_t size)
{
    char last;

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* The child's birth has opened it as its own user; a file that ends in the
 * middle of a line is continued in that line. */
void log_file_take(struct log_file *file, int fd)
{
    struct stat status = {};

    close_file(file);
    file->fd = fd;
    if (fstat(fd, &status) < 0)
        status.st_size = 0;
    file->size = (uint64_t)status.st_size;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->looked_nsec = now_nsec();
    file->in_line = ends_in_line(fd, status.st_size);
}

void log_file_reopen(struct log_file *file)
{
    file->looked_nsec = 0;
}

/* To write, and to read how its last line ends, if that is allowed. */
static int open_path(const struct log_file *file, int *folder)
{
    int fd = open_regular_guarded(file->path, (FLAGS & ~O_ACCMODE) | O_RDWR, MODE, folder);

    return fd == -EACCES ? open_regular_guarded(file->path, FLAGS, MODE, folder) : fd;
}

/* Opens it again. What is open stays open where that does not work. */
static int open_file(struct log_file *file)
{
    int folder, fd = open_path(file, &folder);

    if (fd < 0) {
        file->why = open_regular_explain(AT_FDCWD, file->path, fd);
        return fd;
    }
    close(folder);
    log_file_take(file, fd);
    return 0;
}

/* Whether the path still leads to what is open. */
static bool is_the_same(const struct log_file *file, struct stat *status)
{
    return lstat(file->path, status) == 0 && status->st_dev == file->device &&
           status->st_ino == file->inode;
}

/* What was removed takes what is written to it along. */
static bool is_removed(const struct log_file *file)
{
    struct stat status;

    return file->fd >= 0 && fstat(file->fd, &status) == 0 && status.st_nlink == 0;
}

/* At most once a second: whether the path still is this file. If it is gone, it
 * is made again. */
static void look(struct log_file *file)
{
    uint64_t now = now_nsec();
    struct stat status;

    if (file->fd >= 0 && file->looked_nsec != 0 && now - file->looked_nsec < LOOK_NSEC)
        return;
    file->looked_nsec = now;
    if (file->fd >= 0 && is_the_same(file, &status))
        file->size = (uint64_t)status.st_size; /* it may have been truncated */
    else if (open_file(file) < 0 && is_removed(file))
        close_file(file);
}

/* FILE becomes FILE.1, FILE.1 becomes FILE.2 and so on; the last one goes. */
static void rename_all(const struct log_file *file, int folder)
{
    const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
    char from[NAME_MAX + 16], to[NAME_MAX + 16];

    for (uint32_t i = file->keep; i > 0; i--) {
        if (i == 1)
            snprintf(from, sizeof(from), "%s", name);
        else
            snprintf(from, sizeof(from), "%s.%u", name, i - 1);
        snprintf(to, sizeof(to), "%s.%u", name, i);
        renameat(folder, from, folder, to);
    }
    if (file->keep == 0)
        unlinkat(folder, name, 0);
}

/* By the folder that its own path leads to now, which is looked at like the path itself. */
static void rotate(struct log_file *file)
{
    struct stat status;
    int folder, fd = open_regular_guarded(file->path, FLAGS, MODE, &folder);

    if (fd < 0) {
        file->size = 0; /* it cannot be rotated: rather too large than lost */
        return;
    }
    if (fstat(fd, &status) == 0 && status.st_ino == file->inode && status.st_dev == file->device)
        rename_all(file, folder);
    close(fd);
    close(folder);
    open_file(file);
    if (is_the_same(file, &status))
        file->size = (uint64_t)status.st_size;
}

/* A line that was written in parts stays together, too: its rest goes behind its beginning, unless
 * it is very long. */
static size_t rest_of_line(const struct log_file *file, const char *data, size_t length)
{
    const char *end = memchr(data, '\n', length);
    size_t rest = end ? (size_t)(end - data) + 1 : length;

    return file->in_line && file->size + rest <= file->max_size + SPARE ? rest : 0;
}

/* How much of the data goes into the present file: whole lines that fit, 0 where none does. A line
 * that is longer than a whole file goes into one of its own. */
static size_t portion(const struct log_file *file, const char *data, size_t length)
{
    uint64_t room = file->max_size > file->size ? file->max_size - file->size : 0;
    const char *end;

    if (length <= room)
        return length;
    end = room > 0 ? memrchr(data, '\n', (size_t)room) : NULL;
    if (!end && file->size > 0)
        return rest_of_line(file, data, length);
    if (!end)
        end = memchr(data, '\n', length);
    return end ? (size_t)(end - data) + 1 : length;
}

/* Returns how much was written. */
static size_t write_all(struct log_file *file, const char *data, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = write(file->fd, data + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            file->why = strerrordesc_np(n < 0 ? errno : EIO);
            break;
        }
        done += (size_t)n;
    }
    file->size += done;
    if (done > 0)
        file->in_line = data[done - 1] != '\n';
    return done;
}

static void lose(struct log_file *file, uint64_t bytes)
{
    file->missing += bytes;
    file->lost += bytes;
}

/* Returns whether writing works. */
static bool tell_missing(struct log_file *file)
{
    char line[256];

    if (file->missing == 0)
        return true;
    int n = snprintf(line, sizeof(line), "%sproctord: %ju bytes are missing here: %s\n",
                     file->in_line ? "\n" : "", (uintmax_t)file->missing,
                     file->why ? file->why : "they could not be written");
    size_t written = write_all(file, line, (size_t)n);
    if (written > 0)
        file->missing = 0;
    return written == (size_t)n;
}

/* In portions that end with a line where the file is full. If a rotation does
 * not help, the file grows beyond its limit: rather too large than lost. */
static void write_out(struct log_file *file, const char *data, size_t length)
{
    while (length > 0) {
        size_t part = file->fd >= 0 ? portion(file, data, length) : length;
        if (part == 0) {
            rotate(file);
            if (portion(file, data, length) == 0)
                part = length; /* it is as large as before: rather too large than lost */
            else
                continue;
        }
        size_t written = file->fd >= 0 && tell_missing(file) ? write_all(file, data, part) : 0;
        if (written < part) {
            lose(file, length - written);
            return;
        }
        data += part;
        length -= part;
    }
}

void log_file_write(struct log_file *file, const char *data, size_t length, uint64_t missing,
                    const char *why)
{
    lose(file, missing);
    if (missing > 0)
        file->why = why;
    look(file);
    write_out(file, data, length);
}

dev_t log_file_device(const struct log_file *file)
{
    return file->device;
}

uint64_t log_file_lost(struct log_file *file, const char **why)
{
    uint64_t lost = file->lost;

    file->lost = 0;
    *why = lost > 0 ? file->why : NULL;
    return lost;
}
