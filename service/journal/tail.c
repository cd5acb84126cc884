/*
 * The tail: inputs on their way to the disk, in shared memory, so that they
 * survive the death of proctord while the disk hangs. Two files take turns.
 */
#include "journal/tail.h"

#include "system/again.h"
#include "system/aside.h"
#include "core/vocabulary/invariant.h"
#include "journal/frame.h"
#include "system/own_folder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define TAIL_MAGIC 0x6C696154u /* "Tail" */
#define TAIL_MAX   (256u << 20)

/* In memory of this machine only, but perhaps read by another version of the program. */
struct record {
    uint32_t magic;
    uint32_t checksum; /* of all that follows, and of the bytes */
    uint32_t size;     /* of the bytes behind it */
    uint32_t stamp, stamp_before;
    uint32_t zero;
    uint64_t position; /* in the order of all records */
    uint64_t number, offset, number_before, offset_before;
};

static_assert(sizeof(struct record) == 64, "another program has to read it");

#define CHECKED offsetof(struct record, size)

struct tail {
    int fd[2];
    uint64_t end[2]; /* where the next record comes */
    unsigned present;
    uint64_t position;
    uint64_t damaged; /* bytes that tail_complete() could not use */
};

/* What stands in its place and is no file is none of ours. */
static int open_file(int folder, const char *name)
{
    int r = aside_put(folder, name, S_IFREG);

    return r < 0 ? r : own_open(folder, name, O_RDWR | O_CREAT, 0600);
}

/* In the runtime directory, which is memory. */
int tail_open(const char *directory, struct tail **tail)
{
    struct tail *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->fd[0] = fresh->fd[1] = -1;
    int folder = again_open(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
    int r = folder < 0 ? folder : 0;
    for (int i = 0; r >= 0 && i < 2; i++)
        r = fresh->fd[i] = open_file(folder, i == 0 ? "journal.tail" : "journal.tail2");
    if (folder >= 0)
        close(folder);
    if (r < 0) {
        tail_close(fresh);
        return r;
    }
    *tail = fresh;
    return 0;
}

void tail_close(struct tail *tail)
{
    if (!tail)
        return;
    for (int i = 0; i < 2; i++)
        if (tail->fd[i] >= 0)
            close(tail->fd[i]);
    free(tail);
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint32_t checksum(const struct record *record, const uint8_t *data)
{
    uint32_t crc = crc32c(0, (const uint8_t *)record + CHECKED, sizeof(*record) - CHECKED);
    return crc32c(crc, data, record->size);
}

/* Where it belongs, in this segment and in the one before. */
static struct record make_record(const struct tail *tail, const struct tail_place *place,
                                 const uint8_t *data, size_t size)
{
    struct record record = {.magic = TAIL_MAGIC,
                            .size = (uint32_t)size,
                            .stamp = place->segment.stamp,
                            .stamp_before = place->before.stamp,
                            .position = tail->position,
                            .number = place->segment.number,
                            .offset = place->offset,
                            .number_before = place->before.number,
                            .offset_before = place->offset_before};

    record.checksum = checksum(&record, data);
    return record;
}

/* One write: it is there, or it is not. */
int tail_append(struct tail *tail, const struct tail_place *place, const uint8_t *data, size_t size)
{
    unsigned at = tail->present;

    if (size > TAIL_MAX)
        return -EFBIG;
    struct record record = make_record(tail, place, data, size);
    struct iovec parts[] = {{&record, sizeof(record)}, {(void *)data, size}};
    ssize_t n;
    do
        n = pwritev(tail->fd[at], parts, 2, (off_t)tail->end[at]);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if ((size_t)n != sizeof(record) + size)
        return -ENOSPC;
    tail->end[at] += (size_t)n;
    tail->position += size;
    return 0;
}

/* If it cannot be emptied, it is recognized as old when it is read. */
static void empty_file(struct tail *tail, unsigned which)
{
    uint32_t nothing = 0;

    if (tail->end[which] == 0)
        return;
    tail->end[which] = 0;
    if (ftruncate(tail->fd[which], 0) < 0 &&
        pwrite(tail->fd[which], &nothing, sizeof(nothing), 0) < 0) {
        /* It stays, and comes before what a reader lacks. */
    }
}

void tail_switch(struct tail *tail)
{
    tail->present = !tail->present;
    INVARIANT(tail->end[tail->present] == 0);
}

void tail_arrived(struct tail *tail)
{
    empty_file(tail, !tail->present);
}

void tail_reset(struct tail *tail)
{
    for (unsigned i = 0; i < 2; i++) {
        tail->end[i] = 1; /* whatever another proctord has left */
        empty_file(tail, i);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* One of the files, whole. */
struct content {
    uint8_t *data;
    size_t size;
    size_t at; /* of the next record */
};

/* Bounded. */
static int read_content(int fd, struct content *content)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size > 2 * (off_t)TAIL_MAX)
        return -EFBIG;
    content->data = malloc((size_t)status.st_size + 1);
    if (!content->data)
        return -ENOMEM;
    while (content->size < (size_t)status.st_size) {
        ssize_t n = pread(fd, content->data + content->size, (size_t)status.st_size - content->size,
                          (off_t)content->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        content->size += (size_t)n;
    }
    return 0;
}

/* The record that is next, with its bytes behind it; false at the end of what is whole. */
static bool peek(const struct content *content, struct record *record)
{
    size_t left = content->size - content->at;

    if (left < sizeof(*record))
        return false;
    memcpy(record, content->data + content->at, sizeof(*record));
    return record->magic == TAIL_MAGIC && record->size <= left - sizeof(*record) &&
           record->checksum == checksum(record, content->data + content->at + sizeof(*record));
}

struct missing {
    const struct tail_segment *segment;
    uint64_t end; /* how far the segment goes by now */
    uint8_t *data;
    size_t size;
};

/* Where the record's bytes stand in the segment, whichever of the two it is. */
static bool find_offset(const struct missing *missing, const struct record *record,
                        uint64_t *offset)
{
    const struct tail_segment *segment = missing->segment;

    if (record->number == segment->number && record->stamp == segment->stamp)
        *offset = record->offset;
    else if (record->number_before == segment->number && record->stamp_before == segment->stamp)
        *offset = record->offset_before;
    else
        return false;
    return true;
}

/* Adds what the segment lacks of it. */
static int use_record(struct missing *missing, const struct record *record, const uint8_t *bytes)
{
    uint64_t offset;

    if (!find_offset(missing, record, &offset) || offset > missing->end ||
        offset + record->size <= missing->end)
        return 0;
    size_t known = (size_t)(missing->end - offset), more = record->size - known;
    uint8_t *larger = realloc(missing->data, missing->size + more);
    if (!larger)
        return -ENOMEM;
    memcpy(larger + missing->size, bytes + known, more);
    missing->data = larger;
    missing->size += more;
    missing->end += more;
    return 0;
}

/* Where no record could be written any more to empty a file, it begins with a zero. */
static uint64_t damaged_bytes(const struct content *content)
{
    size_t left = content->size - content->at;
    uint32_t first = 0;

    if (left > 0)
        memcpy(&first, content->data + content->at, left < sizeof(first) ? left : sizeof(first));
    return first == 0 ? 0 : left;
}

/* Both files in the order in which they were written. */
static int use_contents(struct missing *missing, struct content contents[2])
{
    struct record records[2];
    int r = 0;

    while (r == 0) {
        bool have[2] = {peek(&contents[0], &records[0]), peek(&contents[1], &records[1])};
        if (!have[0] && !have[1])
            return 0;
        int i = !have[0] || (have[1] && records[1].position < records[0].position);
        r = use_record(missing, &records[i], contents[i].data + contents[i].at + sizeof(*records));
        contents[i].at += sizeof(*records) + records[i].size;
    }
    return r;
}

/* What the segment lacks, from both files, in order. */
int tail_complete(struct tail *tail, const struct tail_segment *segment, uint64_t segment_size,
                  uint8_t **data, size_t *size)
{
    struct content contents[2] = {};
    struct missing missing = {.segment = segment, .end = segment_size};
    int r = read_content(tail->fd[0], &contents[0]);

    if (r == 0)
        r = read_content(tail->fd[1], &contents[1]);
    if (r == 0)
        r = use_contents(&missing, contents);
    tail->damaged = r < 0 ? 0 : damaged_bytes(&contents[0]) + damaged_bytes(&contents[1]);
    free(contents[0].data);
    free(contents[1].data);
    if (r < 0) {
        free(missing.data);
        missing = (struct missing){};
    }
    *data = missing.data;
    *size = missing.size;
    return r;
}

uint64_t tail_damaged(const struct tail *tail)
{
    return tail->damaged;
}
