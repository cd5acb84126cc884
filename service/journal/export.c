/*
 * A trace: a copy of the newest segment without secrets. Environments,
 * manifests and results go; names of secrets are replaced by numbers, the same
 * each time, so that a replay takes the same way. At its end stands a digest of
 * the state.
 */
#include "journal/export.h"
#include "core/vocabulary/invariant.h"

#include "system/again.h"
#include "core/idle_ports.h"
#include "core/model/input_archive.h"
#include "journal/borrow.h"
#include "journal/digest.h"
#include "journal/frame_buffer.h"
#include "journal/journal.h"
#include "journal/redact.h"
#include "journal/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal_trace {
    char *path; /* of the folder */
    struct journal_extent newest;
    struct frame_buffer core; /* one frame: the core as it is */
    struct frame_buffer out;
};

/* ---- in the loop ----------------------------------------------------------------------------- */

static int write_core(struct journal_trace *trace, struct core *core)
{
    struct archive archive = frame_begin(&trace->core);
    int r = core_archive(core, &archive);

    return r < 0 ? r : frame_end(&trace->core, &archive, FRAME_CHECKPOINT);
}

/* In the loop: only what is not yet on the disk is copied. */
int journal_trace_begin(const struct journal *journal, struct core *core,
                        struct journal_trace **trace)
{
    INVARIANT(core);
    int r = journal_error(journal);
    struct journal_trace *fresh = r < 0 ? NULL : calloc(1, sizeof(*fresh));

    if (!fresh)
        return r < 0 ? r : -ENOMEM;
    fresh->path = strdup(journal_folder(journal));
    r = fresh->path ? journal_extent(journal, &fresh->newest) : -ENOMEM;
    if (r == 0)
        r = write_core(fresh, core);
    if (r < 0) {
        journal_trace_free(fresh);
        return r;
    }
    *trace = fresh;
    return 0;
}

void journal_trace_free(struct journal_trace *trace)
{
    if (!trace)
        return;
    frame_buffer_free(&trace->core);
    frame_buffer_free(&trace->out);
    free(trace->newest.late);
    free(trace->path);
    free(trace);
}

/* ---- beside the loop: the segment ------------------------------------------------------------ */

struct bytes {
    uint8_t *data;
    size_t size;
};

/* Only up to where it reached. */
static int read_file(int directory, uint64_t number, bool all, struct journal_extent *extent,
                     struct bytes *bytes)
{
    char name[32];
    struct stat status;

    journal_segment_name(number, name);
    int fd = again_open(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return fd;
    int r = fstat(fd, &status) < 0 ? -errno : S_ISREG(status.st_mode) ? 0 : -EBADMSG;
    if (r == 0 && all)
        extent->size = (uint64_t)status.st_size;
    bytes->data = r < 0 ? NULL : malloc((size_t)extent->size + extent->late_size + 1);
    if (r == 0 && !bytes->data)
        r = -ENOMEM;
    for (ssize_t n = 1; r == 0 && n > 0 && bytes->size < extent->size; bytes->size += (size_t)n) {
        n = pread(fd, bytes->data + bytes->size, (size_t)extent->size - bytes->size,
                  (off_t)bytes->size);
        if (n < 0)
            r = -errno;
    }
    close(fd);
    return r == 0 && bytes->size < extent->size ? -EIO : r;
}

static int newest_number(int directory, uint64_t *number)
{
    uint64_t *numbers = NULL;
    size_t count;
    int r = journal_segments_list(directory, &numbers, &count);

    if (r == 0 && count > 0)
        *number = numbers[count - 1];
    free(numbers);
    return r < 0 ? r : count > 0 ? 0 : -ENOENT;
}

/* What is on the disk, and what was still in memory. */
static int read_segment(struct journal_trace *trace, struct bytes *bytes)
{
    struct journal_extent *extent = &trace->newest;
    bool all = extent->number == 0;

    if (!all && extent->size == 0) {
        *bytes = (struct bytes){extent->late, extent->late_size};
        extent->late = NULL;
        return 0;
    }
    int directory = again_open(AT_FDCWD, trace->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    int r = directory < 0 ? directory : all ? newest_number(directory, &extent->number) : 0;
    if (r == 0)
        r = read_file(directory, extent->number, all, extent, bytes);
    if (directory >= 0)
        close(directory);
    if (r == 0 && extent->late_size > 0) {
        memcpy(bytes->data + bytes->size, extent->late, extent->late_size);
        bytes->size += extent->late_size;
    }
    return r;
}

/* ---- without secrets ------------------------------------------------------------------------- */

/* The same checkpoint without secrets: read into a core of its own, and written again. */
static int copy_checkpoint(struct archive *from, struct archive *to)
{
    struct core_ports ports = core_ports_idle();
    struct core_settings settings = {};
    struct core *core;
    int r = core_new(&ports, &settings, &core);

    if (r < 0)
        return r;
    r = core_archive(core, from);
    if (r == 0)
        r = core_archive(core, to);
    core_free(core);
    return r;
}

/* Each frame is read and written again, with its secrets replaced. */
static int copy_frame(struct frame_buffer *out, struct redactor *redactor,
                      const struct frame *frame)
{
    struct borrower borrower = {};
    struct archive from = borrow_frame(frame, &borrower), to = frame_begin(out);
    struct audit_note note = {};
    struct core_input input = {};
    int r = 0;

    to.redact = redactor_replace;
    to.redactor = redactor;
    if (frame->kind == FRAME_CHECKPOINT) {
        r = copy_checkpoint(&from, &to);
    } else if (audit_read(&from, frame->kind, &note)) {
        r = from.failed ? -EBADMSG : 0;
        if (r == 0)
            audit_archive(&to, &note);
    } else {
        input_archive(&from, &input);
        input.completion.output.data = NULL; /* a job's result belongs to the job alone */
        input_archive(&to, &input);
        r = from.failed ? -EBADMSG : 0;
    }
    borrow_end(&borrower);
    enum frame_kind kind = frame->kind == FRAME_AUDIT_TEXT ? FRAME_AUDIT : frame->kind;
    return r < 0 ? r : frame_end(out, &to, kind);
}

/* Processes and boots say nothing to a replay. */
static int copy_segment(const struct bytes *segment, struct frame_buffer *out,
                        struct redactor *redactor)
{
    size_t offset = JOURNAL_HEADER_SIZE;
    struct frame frame;
    int r = journal_header_check(segment->data, segment->size);

    if (r == 0)
        r = frame_buffer_begin(out, 0);
    while (r == 0 && frame_next(segment->data, segment->size, &offset, &frame) > 0)
        if (frame.kind == FRAME_CHECKPOINT || frame.kind == FRAME_INPUT ||
            frame.kind == FRAME_AUDIT || frame.kind == FRAME_AUDIT_TEXT)
            r = copy_frame(out, redactor, &frame);
    return r;
}

/* ---- the core behind it ---------------------------------------------------------------------- */

/* The digest of the state, read back from its own bytes. */
static int sum_up(const struct frame_buffer *image, struct redactor *redactor, uint64_t *digest)
{
    struct core_ports ports = core_ports_idle();
    struct core_settings settings = {};
    struct borrower borrower = {};
    struct core *core;
    struct frame frame;
    size_t offset = 0;

    if (frame_next(image->data, image->used, &offset, &frame) <= 0)
        return -EBADMSG;
    int r = core_new(&ports, &settings, &core);
    if (r < 0)
        return r;
    struct archive archive = borrow_frame(&frame, &borrower);
    r = core_archive(core, &archive);
    if (r == 0 && !digest_core(core, redactor_replace, redactor, digest))
        r = -ENOMEM;
    core_free(core);
    borrow_end(&borrower);
    return r;
}

/* The replay ends in the same state, byte for byte, or says so. */
static int end_with_state(const struct journal_trace *trace, struct frame_buffer *out,
                          struct redactor *redactor)
{
    uint64_t digest;
    int r = sum_up(&trace->core, redactor, &digest);

    if (r < 0)
        return r;
    struct archive archive = frame_begin(out);
    ARCHIVE(&archive, digest);
    return frame_end(out, &archive, FRAME_STATE);
}

/* Nobody can change what others read. */
static int seal(const struct frame_buffer *out)
{
    int fd = memfd_create("proctor-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : journal_write_all(fd, out->data, out->used);

    if (r == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        r = -errno;
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* In a thread. */
int journal_trace_make(struct journal_trace *trace)
{
    struct redactor *redactor = redactor_new();
    struct bytes segment = {};
    int r = redactor ? read_segment(trace, &segment) : -ENOMEM;

    if (r == 0)
        r = copy_segment(&segment, &trace->out, redactor);
    free(segment.data);
    if (r == 0)
        r = end_with_state(trace, &trace->out, redactor);
    redactor_free(redactor);
    return r < 0 ? r : seal(&trace->out);
}
