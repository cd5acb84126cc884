/*
 * Where frames are put together.
 */
#include "journal/frame_buffer.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>

/* By doubling, in memory that is returned to the system after a large
 * checkpoint. */
static bool grow(struct archive *archive, size_t size)
{
    struct frame_buffer *buffer = archive->userdata;
    size_t larger = buffer->size > 0 ? buffer->size : 4096;

    while (larger < size)
        larger *= 2;
    uint8_t *data = frame_memory_resize(buffer->memory, buffer->data, buffer->size, larger);
    if (!data)
        return false;
    archive->data = buffer->data = data;
    archive->size = buffer->size = larger;
    return true;
}

static struct archive behind(struct frame_buffer *buffer)
{
    return (struct archive){.data = buffer->data,
                            .size = buffer->size,
                            .used = buffer->used,
                            .grow = grow,
                            .userdata = buffer};
}

struct archive frame_begin(struct frame_buffer *buffer)
{
    struct archive archive = behind(buffer);
    uint8_t header[FRAME_HEADER_SIZE] = {};

    archive_bytes(&archive, header, sizeof(header));
    return archive;
}

int frame_end(struct frame_buffer *buffer, const struct archive *archive, enum frame_kind kind)
{
    INVARIANT(archive_is_sound(archive));
    if (archive->failed)
        return -ENOMEM;
    uint8_t *header = buffer->data + buffer->used;
    frame_header_write(header, kind, header + FRAME_HEADER_SIZE,
                       archive->used - buffer->used - FRAME_HEADER_SIZE);
    buffer->used = archive->used;
    return 0;
}

/* With the header of a segment. */
int frame_buffer_begin(struct frame_buffer *buffer, uint32_t stamp)
{
    uint8_t header[JOURNAL_HEADER_SIZE];

    buffer->used = 0;
    struct archive archive = behind(buffer);
    journal_header_write(header);
    if (stamp)
        journal_header_set_stamp(header, stamp);
    archive_bytes(&archive, header, sizeof(header));
    if (archive.failed)
        return -ENOMEM;
    buffer->used = archive.used;
    return 0;
}

void frame_buffer_free(struct frame_buffer *buffer)
{
    frame_memory_resize(buffer->memory, buffer->data, buffer->size, 0);
    *buffer = (struct frame_buffer){.memory = buffer->memory};
}
