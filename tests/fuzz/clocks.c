#include "clocks.h"

#include "journal/borrow.h"
#include "journal/frame.h"
#include "target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEC  UINT64_C(1000000)
#define HOUR (3600 * SEC)

uint64_t clocks_draw(struct random *random, uint64_t before_usec)
{
    const uint64_t choices[] = {before_usec,
                                before_usec + SEC,
                                before_usec - 10 * SEC,
                                before_usec + HOUR,
                                before_usec - HOUR,
                                0,
                                1,
                                2 * SEC,
                                UINT64_MAX,
                                UINT64_MAX - SEC,
                                UINT64_MAX / 2,
                                UINT64_MAX / 4,
                                UINT64_MAX / 8,
                                random_next(random)};
    return choices[random_between(random, 0, sizeof(choices) / sizeof(*choices) - 1)];
}

static struct archive begin_frame(const struct archive *whole)
{
    struct archive archive = *whole;
    uint8_t header[FRAME_HEADER_SIZE] = {};

    archive_bytes(&archive, header, sizeof(header));
    return archive;
}

static void end_frame(struct archive *whole, const struct archive *archive, enum frame_kind kind)
{
    if (archive->failed)
        found("no memory");
    uint8_t *header = archive->data + whole->used;
    frame_header_write(header, kind, header + FRAME_HEADER_SIZE,
                       archive->used - whole->used - FRAME_HEADER_SIZE);
    *whole = *archive;
}

static void this_boot(char id[BOOT_SIZE + 1])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, id, BOOT_SIZE) != BOOT_SIZE)
        memset(id, 0, BOOT_SIZE + 1);
    if (fd >= 0)
        close(fd);
}

static void write_boot(struct random *random, struct archive *whole)
{
    struct archive archive = begin_frame(whole);
    struct boot boot = {.era.origin_usec = clocks_draw(random, 0),
                        .written = {clocks_draw(random, HOUR), clocks_draw(random, HOUR)}};
    uint64_t which = random_between(random, 0, 2);

    if (which == 0)
        this_boot(boot.id);
    else if (which == 1)
        memset(boot.id, 'x', BOOT_SIZE);
    boot_archive(&archive, &boot);
    end_frame(whole, &archive, FRAME_BOOT);
}

/* The kind and the two times come first (input_archive()); the rest stays as it is. */
static void write_input(struct random *random, struct archive *whole, const struct frame *frame,
                        struct two_clocks *before)
{
    struct borrower borrower = {};
    struct archive from = borrow_frame(frame, &borrower), to = begin_frame(whole);
    uint64_t kind = 0, times[2] = {};

    ARCHIVE(&from, kind);
    ARCHIVE(&from, times[0]);
    ARCHIVE(&from, times[1]);
    borrow_end(&borrower);
    before->monotonic_usec = clocks_draw(random, before->monotonic_usec);
    before->realtime_usec = clocks_draw(random, before->realtime_usec);
    ARCHIVE(&to, kind);
    ARCHIVE(&to, before->monotonic_usec);
    ARCHIVE(&to, before->realtime_usec);
    archive_bytes(&to, (uint8_t *)(uintptr_t)frame->payload + from.used, frame->size - from.used);
    end_frame(whole, &to, FRAME_INPUT);
}

static void copy_frame(struct archive *whole, const struct frame *frame)
{
    struct archive to = begin_frame(whole);

    archive_bytes(&to, (uint8_t *)(uintptr_t)frame->payload, frame->size);
    end_frame(whole, &to, frame->kind);
}

uint8_t *clocks_scatter(struct random *random, const uint8_t *data, size_t size,
                        size_t *scattered_size)
{
    struct archive whole = {.grow = archive_grow};
    struct two_clocks before = {HOUR, HOUR};
    size_t offset = JOURNAL_HEADER_SIZE;
    struct frame frame;

    archive_bytes(&whole, (uint8_t *)(uintptr_t)data,
                  size < JOURNAL_HEADER_SIZE ? size : JOURNAL_HEADER_SIZE);
    if (size >= JOURNAL_HEADER_SIZE) {
        write_boot(random, &whole);
        while (frame_next(data, size, &offset, &frame) > 0)
            if (frame.kind == FRAME_INPUT)
                write_input(random, &whole, &frame, &before);
            else if (frame.kind != FRAME_BOOT)
                copy_frame(&whole, &frame);
    }
    *scattered_size = whole.used;
    return whole.data;
}
