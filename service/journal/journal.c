#include "journal/journal.h"

#include "again.h"
#include "input.h"
#include "journal/boot.h"
#include "journal/borrow.h"
#include "journal/frame_buffer.h"
#include "journal/segments.h"
#include "journal/writer.h"
#include "own_folder.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BEGIN_USEC 3600000000 /* a start waits for its disk */
#define RETRY_USEC 1000000

struct journal {
    char *path;
    int directory; /* to read from */
    enum durability durability;
    struct journal_writer *writer;
    struct core *core;
    uint64_t checkpoint_size;
    uint64_t failed_usec;
    int failure;   /* that failed_usec is about */
    bool building; /* the beginning of a segment */
    void (*notes)(void *userdata, struct journal *journal);
    void *userdata;
    bool other_boot;
    struct era era;
    uint64_t audited; /* sequence of the last event that the audit has */
    uint32_t instance, fresh_instance;
    char boot[BOOT_SIZE + 1];
    struct frame_buffer frames; /* what is to be written */
};

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t now_usec(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void append(struct journal *journal, const struct archive *archive, enum frame_kind kind)
{
    int r = frame_end(&journal->frames, archive, kind);

    if (journal->building)
        return;
    if (r < 0)
        journal_writer_fail(journal->writer, r);
    else
        journal_writer_append(journal->writer, journal->frames.data, journal->frames.used);
    journal->frames.used = 0;
}

static bool is_open(const struct journal *journal)
{
    return journal->building || journal_writer_takes(journal->writer);
}

void journal_input(struct journal *journal, const struct core_input *input)
{
    struct core_input copy = *input;

    if (!is_open(journal))
        return;
    struct archive archive = frame_begin(&journal->frames);
    input_archive(&archive, &copy);
    append(journal, &archive, FRAME_INPUT);
}

static void archive_note(struct archive *a, struct process_note *note)
{
    attempt_id_archive(a, &note->id);
    ARCHIVE(a, note->pid);
    ARCHIVE(a, note->started);
    ARCHIVE(a, note->in_cgroup);
    ARCHIVE(a, note->output_inode);
    ARCHIVE(a, note->result_inode);
    ARCHIVE(a, note->doubt_cancel);
    ARCHIVE(a, note->doubt_abort);
    if (!a->reading || a->used < a->size) /* older journals end here */
        ARCHIVE(a, note->stored);
}

void journal_process(struct journal *journal, const struct process_note *note)
{
    struct process_note copy = *note;

    if (!is_open(journal))
        return;
    struct archive archive = frame_begin(&journal->frames);
    archive_note(&archive, &copy);
    append(journal, &archive, FRAME_PROCESS);
}

/* An event that is lived through once more is there already. */
void journal_audit(struct journal *journal, const struct audit_note *note)
{
    struct audit_note copy = *note;

    if (!is_open(journal) || note->sequence <= journal->audited)
        return;
    journal->audited = note->sequence;
    copy.cause.instance = journal->instance;
    struct archive archive = frame_begin(&journal->frames);
    audit_archive(&archive, &copy);
    append(journal, &archive, FRAME_AUDIT);
}

uint64_t journal_mark(struct journal *journal)
{
    return journal_writer_want(journal->writer);
}

bool journal_is_past(const struct journal *journal, uint64_t mark)
{
    return journal_writer_is_past(journal->writer, mark);
}

int journal_error(const struct journal *journal)
{
    return journal_writer_error(journal->writer);
}

enum durability journal_durability(const struct journal *journal)
{
    return journal->durability;
}

/* ---- segments -------------------------------------------------------------------------------- */

static uint32_t random_stamp(void)
{
    uint32_t stamp;

    if (getrandom(&stamp, sizeof(stamp), GRND_NONBLOCK) != sizeof(stamp))
        stamp = (uint32_t)now_usec();
    return stamp;
}

/* Which boot this is, how its clock became the core's time, and when this was written. */
static void archive_boot(struct journal *journal, struct archive *archive)
{
    struct boot boot = {
        .audited = journal->audited,
        .era = journal->era,
        .written = {era_time(&journal->era, now_usec()), read_clock(CLOCK_REALTIME)}};

    memcpy(boot.id, journal->boot, BOOT_SIZE);
    boot_archive(archive, &boot);
}

static int write_beginning(struct journal *journal)
{
    int r = frame_buffer_begin(&journal->frames, random_stamp());

    if (r < 0)
        return r;
    struct archive archive = frame_begin(&journal->frames);
    archive_boot(journal, &archive);
    r = frame_end(&journal->frames, &archive, FRAME_BOOT);
    if (r == 0) {
        archive = frame_begin(&journal->frames);
        ARCHIVE(&archive, journal->instance);
        r = frame_end(&journal->frames, &archive, FRAME_INSTANCE);
    }
    if (r == 0) {
        archive = frame_begin(&journal->frames);
        r = core_archive(journal->core, &archive);
    }
    return r < 0 ? r : frame_end(&journal->frames, &archive, FRAME_CHECKPOINT);
}

/* A new segment, with the core as it is. */
static int begin_segment(struct journal *journal)
{
    uint64_t audited = journal->audited;

    journal->building = true;
    int r = write_beginning(journal);
    if (r == 0)
        journal->notes(journal->userdata, journal);
    journal->building = false;
    if (r < 0) {
        journal->audited = audited;
        journal->frames.used = 0;
        return r;
    }
    uint64_t size = journal->frames.used;
    r = journal_writer_begin(journal->writer, journal->frames.data, size);
    journal->frames.data = NULL;
    journal->frames.size = journal->frames.used = 0;
    if (r == 0)
        journal->checkpoint_size = size;
    else
        journal->audited = audited;
    return r;
}

int journal_begin(struct journal *journal, struct core *core,
                  void (*notes)(void *userdata, struct journal *journal), void *userdata)
{
    uint64_t audited = journal->audited;

    journal->core = core;
    journal->notes = notes;
    journal->userdata = userdata;
    int r = begin_segment(journal);
    if (r == 0)
        r = journal_writer_wait(journal->writer, BEGIN_USEC);
    if (r == 0)
        journal_writer_forget_tail(journal->writer); /* it is in the checkpoint */
    else
        journal->audited = audited; /* its notes are written with the next one */
    if (r < 0)
        journal_writer_fail(journal->writer, r);
    return r;
}

/* Whether it is time to try it again. */
static bool has_failed_for_long_enough(struct journal *journal)
{
    int error = journal_writer_error(journal->writer);

    if (error == 0 || journal_writer_takes(journal->writer)) {
        journal->failure = 0;
        return false;
    }
    if (journal->failure == 0) {
        journal->failure = error;
        journal->failed_usec = now_usec();
    }
    return now_usec() - journal->failed_usec >= RETRY_USEC;
}

static bool is_long_enough(const struct journal *journal)
{
    return journal_writer_takes(journal->writer) &&
           (journal_writer_is_gone(journal->writer) ||
            journal_writer_size(journal->writer) >= SEGMENT_BYTES + 2 * journal->checkpoint_size);
}

void journal_tidy(struct journal *journal)
{
    if (!journal->core)
        return;
    if (has_failed_for_long_enough(journal) || is_long_enough(journal)) {
        int r = begin_segment(journal);
        journal->failure = 0;
        if (r < 0 && r != -EBUSY)
            journal_writer_fail(journal->writer, r);
    }
    journal_writer_hand_over(journal->writer);
}

int journal_settle(struct journal *journal, uint64_t limit_usec)
{
    return journal_writer_wait(journal->writer, limit_usec);
}

int journal_checkpoint(struct journal *journal)
{
    int r = journal_error(journal);

    if (r == 0)
        r = begin_segment(journal);
    if (r == 0)
        journal_writer_hand_over(journal->writer);
    return r;
}

static int open_writer(struct journal *journal, const struct journal_settings *settings)
{
    struct journal_writer_settings writer = {
        .path = settings->directory,
        .tail_directory = settings->durability == DURABILITY_NONE ? NULL : settings->tail_directory,
        .syncs = settings->durability == DURABILITY_POWER,
        .keep_bytes = settings->keep_bytes,
        .userdata = settings->userdata,
        .moved = settings->moved};
    return journal_writer_open(&writer, &journal->writer);
}

/* To read from: the folder may have been made anew since. */
static int open_directory(struct journal *journal)
{
    int fd = again_open(AT_FDCWD, journal->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

    if (fd < 0)
        return fd;
    if (journal->directory >= 0)
        close(journal->directory);
    journal->directory = fd;
    return 0;
}

int journal_open(const struct journal_settings *settings, struct journal **journal)
{
    struct journal *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->instance = fresh->fresh_instance = settings->instance;
    fresh->directory = -1;
    fresh->durability = settings->durability;
    fresh->path = strdup(settings->directory);
    ssize_t n =
        again_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", fresh->boot, sizeof(fresh->boot));
    int r = !fresh->path ? -ENOMEM : again_may_help((int)n) ? (int)n : open_writer(fresh, settings);
    if (r == 0)
        r = open_directory(fresh);
    if (r < 0) {
        journal_writer_close(fresh->writer);
        free(fresh->path);
        free(fresh);
        return r;
    }
    *journal = fresh;
    return 0;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    journal_writer_close(journal->writer);
    close(journal->directory);
    free(journal->path);
    free(journal->frames.data);
    free(journal);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct segment {
    uint8_t *data;
    size_t size;
    size_t mapped; /* of the file; 0: it lies in memory */
    size_t late;   /* at its end: they are not in the file */
};

static int map_file(const struct journal *journal, uint64_t number, struct segment *segment)
{
    char name[32];
    struct stat status;

    *segment = (struct segment){};
    journal_segment_name(number, name);
    int fd = openat(journal->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
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
static int complete_segment(const struct journal *journal, uint64_t number, struct segment *segment)
{
    struct tail_segment which = {number, journal_header_stamp(segment->data, segment->size)};
    uint8_t *late;
    size_t size;
    int r = journal_writer_complete(journal->writer, &which, segment->size, &late, &size);

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

static int map_segment(const struct journal *journal, uint64_t number, bool newest,
                       struct segment *segment)
{
    int r = map_file(journal, number, segment);

    if (r == 0 && newest)
        r = complete_segment(journal, number, segment);
    if (r < 0)
        unmap_segment(segment);
    return r;
}

struct walk {
    struct journal *journal;
    struct core *core;
    const struct journal_reader *reader;
    struct recovery *recovery;
    struct boot boot; /* in which it was written */
    size_t good;      /* how far all could be used */
    size_t last;      /* where the last input stands */
    bool started;     /* the checkpoint has been read */
};

static int use_boot(struct walk *walk, struct archive *archive)
{
    struct journal *journal = walk->journal;

    walk->boot = (struct boot){};
    boot_archive(archive, &walk->boot);
    journal->audited = walk->boot.audited;
    journal->other_boot = boot_is_another(&walk->boot, journal->boot);
    return archive->failed ? -EBADMSG : 0;
}

static int use_input(struct walk *walk, struct archive *archive, bool last)
{
    struct core_input input = {};

    input_archive(archive, &input);
    if (archive->failed)
        return -EBADMSG;
    walk->reader->input(walk->reader->userdata, &input, last);
    core_replay(walk->core, &input);
    walk->recovery->inputs++;
    return 0;
}

static int use_frame(struct walk *walk, const struct frame *frame, bool last)
{
    struct borrowed *borrowed = NULL;
    struct archive archive = borrow_frame(frame, &borrowed);
    struct process_note note = {};
    struct audit_note audit = {};
    int r = 0;

    if (frame->kind == FRAME_CHECKPOINT && !walk->started) {
        r = core_archive(walk->core, &archive);
        walk->started = true;
    } else if (frame->kind == FRAME_INPUT && walk->started) {
        r = use_input(walk, &archive, last);
    } else if (frame->kind == FRAME_PROCESS && walk->started) {
        archive_note(&archive, &note);
        r = archive.failed ? -EBADMSG : 0;
        if (r == 0)
            walk->reader->process(walk->reader->userdata, &note);
    } else if (audit_read(&archive, frame->kind, &audit)) {
        r = archive.failed ? -EBADMSG : 0;
        if (r == 0)
            walk->journal->audited = audit.sequence;
    } else if (frame->kind == FRAME_INSTANCE) {
        ARCHIVE(&archive, walk->journal->instance);
        r = archive.failed ? -EBADMSG : 0;
    } else if (frame->kind == FRAME_BOOT) {
        r = use_boot(walk, &archive);
    }
    borrow_end(borrowed);
    return r;
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

static void put_aside(struct walk *walk, uint64_t number, const struct segment *segment)
{
    char name[32], aside[48];

    walk->recovery->damaged_bytes = segment->size - walk->good;
    if (walk->recovery->damaged_bytes == 0)
        return;
    journal_segment_name(number, name);
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    int fd = own_open(walk->journal->directory, aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return;
    journal_write_all(fd, segment->data + walk->good, segment->size - walk->good);
    close(fd);
}

static int walk_segment(struct walk *walk, const struct segment *segment)
{
    size_t offset = JOURNAL_HEADER_SIZE;
    struct frame frame;
    int r = 0;

    while (r == 0 && offset < walk->good) {
        size_t at = offset;
        frame_next(segment->data, segment->size, &offset, &frame);
        r = use_frame(walk, &frame, at == walk->last);
    }
    return r;
}

static void resume(struct walk *walk)
{
    struct two_clocks present = {now_usec(), read_clock(CLOCK_REALTIME)};
    walk->journal->era = boot_resume(&walk->boot, walk->journal->boot, walk->core, &present);
}

/* What was not in the file is put there: the audit reads it when the tail is long forgotten. */
static void bring_home(const struct walk *walk, uint64_t number, const struct segment *segment)
{
    char name[32];

    if (segment->late == 0 || walk->good != segment->size)
        return;
    journal_segment_name(number, name);
    int fd = openat(walk->journal->directory, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    journal_write_all(fd, segment->data + segment->size - segment->late, segment->late);
    close(fd);
}

static int recover_from(struct walk *walk, uint64_t number)
{
    struct segment segment;
    int r = map_segment(walk->journal, number, true, &segment);

    if (r == 0)
        r = survey(walk, &segment);
    if (r == 0) {
        put_aside(walk, number, &segment);
        r = walk_segment(walk, &segment);
        bring_home(walk, number, &segment);
    }
    if (r == 0)
        resume(walk);
    unmap_segment(&segment);
    return r;
}

/* What it says is of no use to us; anything else is that it could not be read just now. */
bool journal_is_unusable(int error)
{
    return error == -EBADMSG || error == -EPROTONOSUPPORT;
}

int journal_recover(struct journal *journal, struct core *core, const struct journal_reader *reader,
                    struct recovery *recovery)
{
    struct walk walk = {.journal = journal, .core = core, .reader = reader, .recovery = recovery};
    uint64_t *numbers;
    size_t count;
    int r = journal_segments_list(journal->directory, &numbers, &count);

    if (r < 0)
        return r;
    journal_writer_continue(journal->writer, count > 0 ? numbers[count - 1] : 0);
    /* One that is not even whole at its beginning is of no use: the one before it is. */
    for (size_t i = count; i-- > 0;) {
        r = recover_from(&walk, numbers[i]);
        if (r == 0 || walk.started || !journal_is_unusable(r))
            break;
        recovery->damaged_bytes++;
    }
    free(numbers);
    if (count == 0)
        return 0;
    return r < 0 ? r : 1;
}

/* ---- for others' eyes --------------------------------------------------------------------------
 */

void journal_forget(struct journal *journal)
{
    journal->audited = 0;
    journal->instance = journal->fresh_instance;
    journal->era = (struct era){};
}

uint32_t journal_instance(const struct journal *journal)
{
    return journal->instance;
}

const struct era *journal_era(const struct journal *journal)
{
    return &journal->era;
}

bool journal_is_of_another_boot(const struct journal *journal)
{
    return journal->other_boot;
}

/* Where nothing is written the newest file has all, but for what has been left in the tail. */
int journal_extent(const struct journal *journal, struct journal_extent *extent)
{
    *extent = (struct journal_extent){};
    return journal_writer_takes(journal->writer) ? journal_writer_extent(journal->writer, extent)
                                                 : 0;
}

const char *journal_folder(const struct journal *journal)
{
    return journal->path;
}

struct audit_walk *journal_walk_audit(struct journal *journal, uint64_t since_usec)
{
    struct audit_walk *walk = calloc(1, sizeof(*walk));

    if (!walk)
        return NULL;
    walk->since_usec = since_usec;
    walk->path = strdup(journal->path);
    if (walk->path && journal_extent(journal, &walk->newest) == 0)
        return walk;
    audit_walk_free(walk);
    return NULL;
}
