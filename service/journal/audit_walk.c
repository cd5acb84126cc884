/*
 * A walk through all segments for the audit, in a thread, with a window of
 * bounded size.
 */
#include "journal/audit_walk.h"

#include "system/again.h"
#include "journal/borrow.h"
#include "journal/frame.h"
#include "journal/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_SIZE 262144
#define NOTE_MAX    (1u << 20) /* bytes of an event; more is damaged */

/* One segment, as a row of bytes: those of the file, then those that are late. */
struct source {
    int fd;
    uint64_t size;
    const uint8_t *late;
    size_t late_size;
    uint8_t *window;
    uint64_t from; /* where the window stands */
    size_t filled;
};

static size_t read_late(const struct source *source, uint64_t at, uint8_t *data, size_t size)
{
    uint64_t offset = at - source->size;
    size_t left = offset < source->late_size ? source->late_size - (size_t)offset : 0;

    if (size > left)
        size = left;
    if (size > 0)
        memcpy(data, source->late + offset, size);
    return size;
}

static size_t read_some(const struct source *source, uint64_t at, uint8_t *data, size_t size)
{
    if (at >= source->size)
        return read_late(source, at, data, size);
    if (size > source->size - at)
        size = (size_t)(source->size - at);
    ssize_t n = pread(source->fd, data, size, (off_t)at);
    return n > 0 ? (size_t)n : 0;
}

/* So many bytes from there, in the window; NULL where there are not so many. */
static const uint8_t *look(struct source *source, uint64_t at, size_t size)
{
    if (at >= source->from && at + size <= source->from + source->filled)
        return source->window + (at - source->from);
    source->from = at;
    source->filled = 0;
    while (source->filled < size) {
        size_t n = read_some(source, at + source->filled, source->window + source->filled,
                             WINDOW_SIZE + NOTE_MAX - source->filled);
        if (n == 0)
            return NULL;
        source->filled += n;
    }
    return source->window;
}

/* Frames of other kinds are skipped. */
static bool visit_frame(const uint8_t *data, size_t size, uint64_t since_usec, audit_visit visit,
                        void *userdata, bool *damaged)
{
    struct borrower borrower = {};
    struct audit_note note;
    struct frame frame;
    size_t offset = 0;
    bool more = true;

    *damaged = frame_next(data, size, &offset, &frame) <= 0;
    if (*damaged)
        return true;
    struct archive archive = borrow_frame(&frame, &borrower);
    if (audit_read(&archive, frame.kind, &note) && !archive.failed &&
        note.realtime_usec >= since_usec)
        more = visit(userdata, &note, data, size);
    borrow_end(&borrower);
    return more;
}

/* What cannot be a frame ends it. */
static bool walk_source(struct source *source, uint64_t since_usec, audit_visit visit,
                        void *userdata)
{
    const uint8_t *header = look(source, 0, JOURNAL_HEADER_SIZE);
    bool more = true, damaged = !header || journal_header_check(header, JOURNAL_HEADER_SIZE) < 0;
    uint64_t at = JOURNAL_HEADER_SIZE;

    while (more && !damaged && (header = look(source, at, FRAME_HEADER_SIZE))) {
        uint8_t kind = header[FRAME_HEADER_SIZE - 1];
        size_t size = FRAME_HEADER_SIZE + frame_header_length(header);
        if (kind == FRAME_AUDIT || kind == FRAME_AUDIT_TEXT) {
            const uint8_t *data = size <= NOTE_MAX ? look(source, at, size) : NULL;
            if (!data)
                return true;
            more = visit_frame(data, size, since_usec, visit, userdata, &damaged);
        }
        at += size;
    }
    return more;
}

/* Nothing was written into it since then. */
static bool is_older(int fd, uint64_t since_usec)
{
    struct stat status;

    return fstat(fd, &status) == 0 && ((uint64_t)status.st_mtim.tv_sec + 1) * 1000000 < since_usec;
}

/* extent: NULL for all that the file has. */
static bool walk_file(int directory, uint64_t number, const struct journal_extent *extent,
                      uint64_t since_usec, uint8_t *window, audit_visit visit, void *userdata)
{
    struct source source = {.window = window, .fd = -1};
    struct stat status;
    char name[32];
    bool more = true;

    if (extent) {
        source.size = extent->size;
        source.late = extent->late;
        source.late_size = extent->late_size;
    }
    journal_segment_name(number, name);
    if (!extent || extent->size > 0)
        source.fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (source.fd < 0 && source.size == 0 && extent)
        return walk_source(&source, since_usec, visit, userdata);
    if (source.fd < 0)
        return true;
    if (fstat(source.fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (extent || !is_older(source.fd, since_usec))) {
        if (!extent)
            source.size = (uint64_t)status.st_size;
        more = walk_source(&source, since_usec, visit, userdata);
    }
    close(source.fd);
    return more;
}

/* Segments before the newest one, as they are on the disk. */
static bool walk_older(const struct audit_walk *walk, int directory, uint8_t *window,
                       audit_visit visit, void *userdata)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    bool more = true;

    if (journal_segments_list(directory, &numbers, &count) < 0)
        return true;
    for (size_t i = 0; more && i < count; i++)
        if (walk->newest.number == 0 || numbers[i] < walk->newest.number)
            more =
                walk_file(directory, numbers[i], NULL, walk->since_usec, window, visit, userdata);
    free(numbers);
    return more;
}

/* The newest one only up to where it reached when the walk was prepared. */
void audit_walk_run(struct audit_walk *walk, audit_visit visit, void *userdata)
{
    uint8_t *window = malloc(WINDOW_SIZE + NOTE_MAX);
    int directory = again_open(AT_FDCWD, walk->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

    if (window && (directory < 0 || walk_older(walk, directory, window, visit, userdata)) &&
        walk->newest.number > 0)
        walk_file(directory, walk->newest.number, &walk->newest, walk->since_usec, window, visit,
                  userdata);
    if (directory >= 0)
        close(directory);
    free(window);
}

void audit_walk_free(struct audit_walk *walk)
{
    if (!walk)
        return;
    free(walk->path);
    free(walk->newest.late);
    free(walk);
}
