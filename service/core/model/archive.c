/*
 * Numbers are LEB128: seven bits in a byte, the lowest first, the eighth bit
 * set while more follow. Small numbers are the common ones, and the bytes are the same on every
 * machine.
 *
 * An error is remembered in the archive instead of being returned by each call,
 * so that what reads and writes can be one line per field; the caller asks
 * once, at the end. After an error everything that is read is zero.
 */
#include "core/model/archive.h"

#include "core/vocabulary/moment.h"

#include <string.h>

/* An archive that is written may grow; one that is read has all its bytes from
 * the beginning. */
static bool has_room(struct archive *archive, size_t size)
{
    if (archive->failed)
        return false;
    if (size > archive->size - archive->used && !archive->reading && archive->grow &&
        archive->grow(archive, archive->used + size))
        return true;
    if (size > archive->size - archive->used)
        archive->failed = true;
    return !archive->failed;
}

/* Zeroes after an error, so that no caller ever sees memory that was not in the
 * file. */
void archive_bytes(struct archive *archive, void *bytes, size_t size)
{
    bool room = has_room(archive, size);

    if (size == 0)
        return;
    if (archive->reading && !room)
        memset(bytes, 0, size);
    else if (archive->reading)
        memcpy(bytes, archive->data + archive->used, size);
    else if (room)
        memcpy(archive->data + archive->used, bytes, size);
    if (room)
        archive->used += size;
}

/* More than ten bytes, or bits beyond the 64th, are damage. */
static void read_number(struct archive *archive, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = 0;
        archive_bytes(archive, &byte, 1);
        *number |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return;
    }
    archive->failed = true;
    *number = 0;
}

void archive_number(struct archive *archive, uint64_t *number)
{
    uint8_t bytes[10];
    size_t n = 0;

    if (archive->reading) {
        read_number(archive, number);
        return;
    }
    for (uint64_t rest = *number; n == 0 || rest > 0; rest >>= 7)
        bytes[n++] = (uint8_t)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
    archive_bytes(archive, bytes, n);
}

void archive_text(struct archive *archive, char *buffer, size_t size)
{
    size_t length = archive->reading ? 0 : strlen(buffer);

    archive_count(archive, &length, size - 1);
    if (archive->reading)
        memset(buffer, 0, size);
    archive_bytes(archive, buffer, length);
}

static void *take(struct archive *archive, size_t size)
{
    void *memory = archive->failed ? NULL : archive->allocate(archive, size);

    if (!memory)
        archive->failed = true;
    return memory;
}

/* A string is its size plus one, so that 0 can stand for NULL; the end is not
 * written. The size is compared with what is left of the file before memory is
 * taken for it: a damaged number must not ask for gigabytes. */
void archive_string(struct archive *archive, const char **string)
{
    size_t size = !archive->reading && *string ? strlen(*string) + 1 : 0;
    char *copy;

    archive_count(archive, &size, SIZE_MAX);
    if (!archive->reading) {
        if (size > 1)
            archive_bytes(archive, (char *)(uintptr_t)*string, size - 1);
        return;
    }
    *string = NULL;
    if (size == 0 || size - 1 > archive->size - archive->used) {
        archive->failed = archive->failed || size > 0;
        return;
    }
    copy = take(archive, size);
    if (copy)
        archive_bytes(archive, copy, size - 1);
    *string = copy;
}

/* A list that ends with NULL. Whether there is one at all is written first, as
 * an empty list is something else than none. */
void archive_strings(struct archive *archive, const char ***strings)
{
    bool there = !archive->reading && *strings;
    size_t count = 0;

    while (there && (*strings)[count])
        count++;
    ARCHIVE(archive, there);
    archive_count(archive, &count, SIZE_MAX);
    if (archive->reading && count > archive->size - archive->used)
        archive->failed = true; /* each takes a byte at least */
    if (archive->reading)
        *strings = there ? take(archive, (count + 1) * sizeof(**strings)) : NULL;
    for (size_t i = 0; !archive->failed && *strings && i < count; i++)
        archive_string(archive, &(*strings)[i]);
}

/* A number that something is allocated by, so it has a bound, and is 0 after
 * any error: the loop behind it does not run. */
void archive_count(struct archive *archive, size_t *count, size_t max)
{
    uint64_t number = *count;

    archive_number(archive, &number);
    if (number > max) {
        archive->failed = true;
        number = 0;
    }
    *count = archive->failed ? 0 : (size_t)number;
}

#define LONG_AGO 1

void archive_stamp(struct archive *archive, uint64_t *usec)
{
    archive_number(archive, usec);
    if (!archive->reading)
        return;
    if (*usec > MOMENT_MAX / 2) /* there must be time left to continue in */
        *usec = LONG_AGO;
    archive->latest_usec = moment_later(archive->latest_usec, *usec);
}

void archive_deadline(struct archive *archive, uint64_t *usec)
{
    archive_number(archive, usec);
    if (archive->reading && *usec > MOMENT_MAX)
        *usec = LONG_AGO;
}
