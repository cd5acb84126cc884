/*
 * Recovery: the newest segment whose beginning is whole is replayed, up to the
 * first frame that is not. What lies behind that is put aside, and never
 * overwritten.
 */
#include "journal/recovery.h"
#include "core/vocabulary/invariant.h"

#include "journal/audit.h"
#include "journal/boot.h"
#include "journal/replay.h"
#include "journal/segments.h"
#include "journal/writer.h"
#include "system/own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- segments -------------------------------------------------------------------------------- */

struct segment {
    uint8_t *data;
    size_t size;
    size_t mapped; /* of the file; 0: it is in memory */
    size_t late;   /* at its end: they are not in the file */
};

/* Only regular files; anything else with such a name is not ours. */
static int map_file(int directory, uint64_t number, struct segment *segment)
{
    char name[32];
    struct stat status;

    *segment = (struct segment){};
    journal_segment_name(number, name);
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) /* a link, or a socket: none of ours */
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    int r = fstat(fd, &status) < 0 ? -errno : S_ISREG(status.st_mode) ? 0 : -EBADMSG;
    if (r == 0 && status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            r = -errno;
        else
            *segment = (struct segment){
                .data = data, .size = (size_t)status.st_size, .mapped = (size_t)status.st_size};
    }
    close(fd);
    return r;
}

static void unmap_segment(struct segment *segment)
{
    if (segment->mapped > 0)
        munmap(segment->data, segment->mapped);
    else
        free(segment->data);
    *segment = (struct segment){};
}

/* The newest segment, with what has not come to its file yet. */
static int complete_segment(const struct recovery_source *source, uint64_t number,
                            struct segment *segment)
{
    struct tail_segment which = {number, journal_header_stamp(segment->data, segment->size)};
    uint8_t *late;
    size_t size;
    int r = journal_writer_complete(source->writer, &which, segment->size, &late, &size);

    if (r < 0 || size == 0)
        return r;
    uint8_t *whole = malloc(segment->size + size);
    if (whole) {
        memcpy(whole, segment->data, segment->size);
        memcpy(whole + segment->size, late, size);
        struct segment both = {.data = whole, .size = segment->size + size, .late = size};
        unmap_segment(segment);
        *segment = both;
    }
    free(late);
    return whole ? 0 : -ENOMEM;
}

static int map_segment(const struct recovery_source *source, uint64_t number,
                       struct segment *segment)
{
    int r = map_file(source->directory, number, segment);

    if (r == 0)
        r = complete_segment(source, number, segment);
    if (r < 0)
        unmap_segment(segment);
    return r;
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct walk {
    const struct recovery_source *source;
    const struct journal_reader *reader;
    struct recovery *recovery;
    struct recovery_find *find;
    struct replay replay;
    struct boot boot; /* in which it was written */
    size_t good;      /* how far all could be used */
    size_t last;      /* where the last input stands */
    size_t at;        /* where the present frame does */
};

static void note_input(void *userdata, const struct core_input *input)
{
    struct walk *walk = userdata;
    walk->reader->input(walk->reader->userdata, input, walk->at == walk->last);
}

static int use_boot(struct walk *walk, struct archive *archive)
{
    walk->boot = (struct boot){};
    boot_archive(archive, &walk->boot);
    walk->find->audited = walk->boot.audited;
    walk->find->other_boot = boot_is_another(&walk->boot, walk->source->boot);
    return archive->failed ? -EBADMSG : 0;
}

static int use_process(struct walk *walk, struct archive *archive)
{
    struct process_note note = {};

    process_note_archive(archive, &note);
    if (archive->failed)
        return -EBADMSG;
    walk->reader->process(walk->reader->userdata, &note);
    return 0;
}

static int use_audit(struct walk *walk, const struct audit_note *note,
                     const struct archive *archive)
{
    if (archive->failed)
        return -EBADMSG;
    walk->find->audited = note->sequence;
    return 0;
}

/* Frames that are not inputs. */
static int use_other(void *userdata, const struct frame *frame, struct archive *archive)
{
    struct walk *walk = userdata;
    struct audit_note audit = {};

    if (frame->kind == FRAME_BOOT)
        return use_boot(walk, archive);
    if (frame->kind == FRAME_PROCESS)
        return walk->replay.begun ? use_process(walk, archive) : 0;
    if (audit_read(archive, frame->kind, &audit))
        return use_audit(walk, &audit, archive);
    if (frame->kind == FRAME_INSTANCE)
        ARCHIVE(archive, walk->find->instance);
    return archive->failed ? -EBADMSG : 0;
}

/* Looks at a segment without using it: how far it is whole, and where its last input stands. */
static int survey(struct walk *walk, const struct segment *segment)
{
    size_t offset = JOURNAL_HEADER_SIZE;
    struct frame frame;
    int r = journal_header_check(segment->data, segment->size);
    bool checkpoint = false;

    if (r < 0)
        return r;
    for (size_t at = offset; frame_next(segment->data, segment->size, &offset, &frame) > 0;
         at = offset) {
        walk->good = offset;
        checkpoint = checkpoint || frame.kind == FRAME_CHECKPOINT;
        if (frame.kind == FRAME_INPUT)
            walk->last = at;
    }
    return checkpoint ? 0 : -EBADMSG;
}

/* For people: nothing reads it again. */
static void put_aside(struct walk *walk, uint64_t number, const struct segment *segment)
{
    char name[32], aside[48];

    walk->recovery->damaged_bytes = segment->size - walk->good;
    if (walk->recovery->damaged_bytes == 0)
        return;
    journal_segment_name(number, name);
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    int fd = own_open(walk->source->directory, aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return;
    journal_write_all(fd, segment->data + walk->good, segment->size - walk->good);
    close(fd);
}

/* Every input, in order. */
static int walk_segment(struct walk *walk, const struct segment *segment)
{
    size_t offset = JOURNAL_HEADER_SIZE;
    struct frame frame;
    int r = 0;

    while (r == 0 && offset < walk->good) {
        walk->at = offset;
        frame_next(segment->data, segment->size, &offset, &frame);
        r = replay_frame(&walk->replay, &frame);
    }
    return r;
}

/* What was not in the file is put there: the audit reads it when the tail is long forgotten. */
static void bring_home(const struct walk *walk, uint64_t number, const struct segment *segment)
{
    char name[32];

    if (segment->late == 0 || walk->good != segment->size)
        return;
    journal_segment_name(number, name);
    int fd = openat(walk->source->directory, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    journal_write_all(fd, segment->data + segment->size - segment->late, segment->late);
    close(fd);
}

/* The tail brings what was not yet on the disk. */
static int recover_from(struct walk *walk, uint64_t number)
{
    const struct recovery_source *source = walk->source;
    struct two_clocks present;
    struct segment segment;
    int r = map_segment(source, number, &segment);

    if (r == 0)
        r = survey(walk, &segment);
    if (r == 0) {
        put_aside(walk, number, &segment);
        r = walk_segment(walk, &segment);
        bring_home(walk, number, &segment);
    }
    unmap_segment(&segment);
    if (r < 0)
        return r;
    present = boot_clocks();
    walk->find->era = boot_resume(&walk->boot, source->boot, walk->replay.core, &present);
    return 0;
}

/* What it says is of no use to us; anything else is that it could not be read just now. */
bool journal_is_unusable(int error)
{
    return error == -EBADMSG || error == -EPROTONOSUPPORT;
}

/* From the newest to the oldest, until one can be used. */
int recovery_run(const struct recovery_source *source, struct core *core,
                 const struct journal_reader *reader, struct recovery *recovery,
                 struct recovery_find *find)
{
    INVARIANT(core && recovery);
    struct walk walk = {.source = source, .reader = reader, .recovery = recovery, .find = find};
    uint64_t *numbers;
    size_t count;
    int r = journal_segments_list(source->directory, &numbers, &count);

    if (r < 0)
        return r;
    walk.replay =
        (struct replay){.core = core, .userdata = &walk, .input = note_input, .other = use_other};
    find->instance = source->instance;
    journal_writer_continue(source->writer, count > 0 ? numbers[count - 1] : 0);
    /* One that is not even whole at its beginning is of no use: the one before it is. */
    for (size_t i = count; i-- > 0;) {
        r = recover_from(&walk, numbers[i]);
        if (r == 0 || walk.replay.begun || !journal_is_unusable(r))
            break;
        recovery->damaged_bytes++;
    }
    recovery->inputs = walk.replay.inputs;
    if (count > 0)
        recovery->damaged_bytes += journal_writer_damaged(source->writer);
    free(numbers);
    if (count == 0)
        return 0;
    return r < 0 ? r : 1;
}
