#include "journal.h"

#include "again.h"
#include "borrow.h"
#include "digest.h"
#include "input.h"
#include "moment.h"
#include "redact.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT_BYTES (4u << 20) /* then a new one begins */
#define LAZY_BYTES    (64u << 10)
#define RETRY_USEC    1000000
#define TRIES         4 /* at once, where what has failed may go well the next time */
#define BOOT_SIZE     36

struct journal {
    char *path;
    int directory;
    enum durability durability;
    uint64_t keep_bytes;
    struct core *core;
    uint64_t number; /* of the present segment */
    int fd;          /* -1: none */
    uint64_t size;   /* of what is whole on disk */
    uint64_t checkpoint_size;
    int error;
    uint64_t failed_usec, looked_usec;
    bool unsynced;
    bool building; /* the beginning of a segment */
    void (*notes)(void *userdata, struct journal *journal);
    void *userdata;
    bool other_boot;
    struct era era;
    uint64_t audited; /* sequence of the last event that the audit has */
    uint32_t instance, fresh_instance;
    char boot[BOOT_SIZE + 1];
    uint8_t *buffer; /* what is to be written */
    size_t buffer_size, buffer_used;
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

static void segment_name(uint64_t number, char name[32])
{
    snprintf(name, 32, "%012" PRIu64 ".journal", number);
}

/* ---- frames into the buffer ------------------------------------------------------------------ */

static bool grow(struct archive *archive, size_t size)
{
    struct journal *journal = archive->userdata;
    size_t larger = journal->buffer_size > 0 ? journal->buffer_size : 4096;

    while (larger < size)
        larger *= 2;
    uint8_t *data = realloc(journal->buffer, larger);
    if (!data)
        return false;
    archive->data = journal->buffer = data;
    archive->size = journal->buffer_size = larger;
    return true;
}

static struct archive begin_frame(struct journal *journal)
{
    struct archive archive = {.data = journal->buffer,
                              .size = journal->buffer_size,
                              .used = journal->buffer_used,
                              .grow = grow,
                              .userdata = journal};
    uint8_t header[FRAME_HEADER_SIZE] = {};

    archive_bytes(&archive, header, sizeof(header));
    return archive;
}

static int end_frame(struct journal *journal, const struct archive *archive, enum frame_kind kind)
{
    if (archive->failed)
        return -ENOMEM;
    uint8_t *header = journal->buffer + journal->buffer_used;
    frame_header_write(header, kind, header + FRAME_HEADER_SIZE,
                       archive->used - journal->buffer_used - FRAME_HEADER_SIZE);
    journal->buffer_used = archive->used;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void fail(struct journal *journal, int error)
{
    if (journal->error == 0)
        journal->error = error;
    journal->failed_usec = now_usec();
    journal->buffer_used = 0;
    if (journal->fd >= 0 && ftruncate(journal->fd, (off_t)journal->size) < 0) {
        /* The torn end stays: a reader stops there. */
    }
}

static int write_all(int fd, const uint8_t *data, size_t size)
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

static void flush(struct journal *journal)
{
    if (journal->buffer_used == 0 || journal->fd < 0)
        return;
    int r = write_all(journal->fd, journal->buffer, journal->buffer_used);
    if (r < 0) {
        fail(journal, r);
        return;
    }
    journal->size += journal->buffer_used;
    journal->buffer_used = 0;
    journal->unsynced = true;
}

static void append(struct journal *journal, const struct archive *archive, enum frame_kind kind)
{
    int r = end_frame(journal, archive, kind);

    if (r < 0)
        fail(journal, r);
    else if (journal->building)
        return;
    else if (journal->durability != DURABILITY_NONE || journal->buffer_used > LAZY_BYTES)
        flush(journal);
}

static bool is_open(const struct journal *journal)
{
    return journal->building || (journal->fd >= 0 && journal->error == 0);
}

void journal_input(struct journal *journal, const struct core_input *input)
{
    struct core_input copy = *input;

    if (!is_open(journal))
        return;
    struct archive archive = begin_frame(journal);
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
}

void journal_process(struct journal *journal, const struct process_note *note)
{
    struct process_note copy = *note;

    if (!is_open(journal))
        return;
    struct archive archive = begin_frame(journal);
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
    struct archive archive = begin_frame(journal);
    audit_archive(&archive, &copy);
    append(journal, &archive, FRAME_AUDIT);
}

int journal_sync(struct journal *journal)
{
    if (journal->durability != DURABILITY_POWER || journal->fd < 0 || !journal->unsynced)
        return journal->error;
    flush(journal);
    if (journal->error == 0 && fdatasync(journal->fd) < 0)
        fail(journal, -errno);
    journal->unsynced = false;
    return journal->error;
}

int journal_error(const struct journal *journal)
{
    return journal->error;
}

enum durability journal_durability(const struct journal *journal)
{
    return journal->durability;
}

/* ---- segments -------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The numbers of the segments, the oldest first; the caller frees them. */
static int list_segments(const struct journal *journal, uint64_t **numbers, size_t *count)
{
    int error = 0;
    DIR *folder = again_folder(journal->directory, ".", &error);
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
        segment_name(number, name);
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
    if (error < 0) { /* what can not be read may be the newest of all */
        free(*numbers);
        return error;
    }
    if (*count > 0)
        qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
    return 0;
}

/* Lets go of the oldest ones, as far as the audit need not have them. */
static void prune(struct journal *journal)
{
    uint64_t *numbers, kept = 0;
    size_t count;

    if (list_segments(journal, &numbers, &count) < 0)
        return;
    for (size_t i = count; i-- > 0;) {
        char name[32];
        struct stat status;
        segment_name(numbers[i], name);
        if (fstatat(journal->directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        kept += (uint64_t)status.st_size;
        if (numbers[i] < journal->number && kept > journal->keep_bytes + SEGMENT_BYTES)
            unlinkat(journal->directory, name, 0);
    }
    free(numbers);
}

/* Which boot this is, how its clock became the core's time, and when this was written. */
static void archive_boot(struct journal *journal, struct archive *archive)
{
    struct two_clocks now = {era_time(&journal->era, now_usec()), read_clock(CLOCK_REALTIME)};

    archive_bytes(archive, journal->boot, BOOT_SIZE);
    ARCHIVE(archive, journal->audited);
    ARCHIVE(archive, journal->era.origin_usec);
    ARCHIVE(archive, now.monotonic_usec);
    ARCHIVE(archive, now.realtime_usec);
}

static int write_beginning(struct journal *journal)
{
    uint8_t header[JOURNAL_HEADER_SIZE];
    struct archive archive = {.grow = grow, .userdata = journal};

    journal_header_write(header);
    journal->buffer_used = 0;
    archive.data = journal->buffer;
    archive.size = journal->buffer_size;
    archive_bytes(&archive, header, sizeof(header));
    if (archive.failed)
        return -ENOMEM;
    journal->buffer_used = archive.used;
    archive = begin_frame(journal);
    archive_boot(journal, &archive);
    int r = end_frame(journal, &archive, FRAME_BOOT);
    if (r == 0) {
        archive = begin_frame(journal);
        ARCHIVE(&archive, journal->instance);
        r = end_frame(journal, &archive, FRAME_INSTANCE);
    }
    if (r == 0) {
        archive = begin_frame(journal);
        r = core_archive(journal->core, &archive);
    }
    return r < 0 ? r : end_frame(journal, &archive, FRAME_CHECKPOINT);
}

static bool is_gone(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_nlink == 0;
}

/* Makes the folder where it is not there, or not there any more. */
static int open_directory(struct journal *journal)
{
    if (journal->directory >= 0 && !is_gone(journal->directory))
        return 0;
    if (mkdir(journal->path, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (journal->directory >= 0)
        close(journal->directory);
    journal->directory = again_open(AT_FDCWD, journal->path, O_RDONLY | O_DIRECTORY);
    return journal->directory < 0 ? journal->directory : 0;
}

static int make_segment_once(struct journal *journal)
{
    char name[32];
    int fd, r = open_directory(journal);

    if (r < 0)
        return r;
    fd = openat(journal->directory, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND,
                0600);
    if (fd < 0)
        return -errno;
    journal->building = true;
    uint64_t audited = journal->audited;
    r = write_beginning(journal);
    if (r == 0)
        journal->notes(journal->userdata, journal);
    journal->building = false;
    if (r == 0)
        r = write_all(fd, journal->buffer, journal->buffer_used);
    if (r == 0 && journal->durability == DURABILITY_POWER && fdatasync(fd) < 0)
        r = -errno;
    segment_name(journal->number + 1, name);
    if (r == 0 && renameat(journal->directory, "new", journal->directory, name) < 0)
        r = -errno;
    if (r == 0 && journal->durability == DURABILITY_POWER && fsync(journal->directory) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        journal->buffer_used = 0;
        journal->audited = audited;
        return r;
    }
    if (journal->fd >= 0)
        close(journal->fd);
    journal->fd = fd;
    journal->number++;
    journal->size = journal->checkpoint_size = journal->buffer_used;
    journal->buffer_used = 0;
    journal->error = 0;
    return 0;
}

static int make_segment(struct journal *journal)
{
    int r = make_segment_once(journal);

    for (int i = 1; again_may_help(r) && i < TRIES; i++)
        r = make_segment_once(journal);
    return r;
}

int journal_begin(struct journal *journal, struct core *core,
                  void (*notes)(void *userdata, struct journal *journal), void *userdata)
{
    journal->core = core;
    journal->notes = notes;
    journal->userdata = userdata;
    int r = make_segment(journal);
    if (r < 0)
        fail(journal, r);
    else
        prune(journal);
    return r;
}

/* Somebody has deleted the segment, or the whole folder: it is made anew. Looked at now and then.
 */
static bool was_removed(struct journal *journal)
{
    uint64_t now = now_usec();

    if (journal->fd < 0 || now - journal->looked_usec < RETRY_USEC)
        return false;
    journal->looked_usec = now;
    return is_gone(journal->fd);
}

void journal_tidy(struct journal *journal)
{
    if (!journal->core)
        return;
    if (journal->durability == DURABILITY_NONE && journal->error == 0)
        flush(journal);
    if (journal->error != 0 && now_usec() - journal->failed_usec < RETRY_USEC)
        return;
    if (journal->error == 0 && journal->size < SEGMENT_BYTES + 2 * journal->checkpoint_size &&
        !was_removed(journal))
        return;
    int r = make_segment(journal);
    if (r < 0)
        fail(journal, r);
    else
        prune(journal);
}

int journal_checkpoint(struct journal *journal)
{
    if (journal->error != 0)
        return journal->error;
    flush(journal);
    int r = make_segment(journal);
    if (r < 0)
        fail(journal, r);
    return r;
}

int journal_open(const struct journal_settings *settings, struct journal **journal)
{
    struct journal *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->fd = -1;
    fresh->durability = settings->durability;
    fresh->keep_bytes = settings->keep_bytes;
    fresh->instance = fresh->fresh_instance = settings->instance;
    fresh->directory = -1;
    fresh->path = strdup(settings->directory);
    ssize_t n =
        again_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", fresh->boot, sizeof(fresh->boot));
    int r = !fresh->path ? -ENOMEM : again_may_help((int)n) ? (int)n : open_directory(fresh);
    if (r < 0) {
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
    if (journal->error == 0)
        flush(journal);
    if (journal->fd >= 0)
        close(journal->fd);
    close(journal->directory);
    free(journal->path);
    free(journal->buffer);
    free(journal);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct segment {
    uint8_t *data;
    size_t size;
};

static int map_segment(const struct journal *journal, uint64_t number, struct segment *segment)
{
    char name[32];
    struct stat status;

    *segment = (struct segment){};
    segment_name(number, name);
    int fd = openat(journal->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &status) < 0 ? -errno : 0;
    if (r == 0 && status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            r = -errno;
        else
            *segment = (struct segment){.data = data, .size = (size_t)status.st_size};
    }
    close(fd);
    return r;
}

static void unmap_segment(struct segment *segment)
{
    if (segment->data)
        munmap(segment->data, segment->size);
    *segment = (struct segment){};
}

struct walk {
    struct journal *journal;
    struct core *core;
    const struct journal_reader *reader;
    struct recovery *recovery;
    struct two_clocks past; /* when what it tells of was over */
    size_t good;            /* how far all could be used */
    size_t last;            /* where the last input stands */
    bool started;           /* the checkpoint has been read */
};

/* Journals of before there were eras end behind `audited`: they have the machine's own times. */
static int use_boot(struct walk *walk, struct archive *archive)
{
    struct journal *journal = walk->journal;
    char boot[BOOT_SIZE + 1] = "";

    archive_bytes(archive, boot, BOOT_SIZE);
    ARCHIVE(archive, journal->audited);
    journal->era = (struct era){};
    if (archive->used < archive->size) {
        ARCHIVE(archive, journal->era.origin_usec);
        archive_stamp(archive, &walk->past.monotonic_usec);
        ARCHIVE(archive, walk->past.realtime_usec);
    }
    /* Where either is not known, what runs is looked at: start times tell strangers, too. */
    journal->other_boot = boot[0] && journal->boot[0] && strcmp(boot, journal->boot) != 0;
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
    segment_name(number, name);
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    int fd =
        openat(walk->journal->directory, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    write_all(fd, segment->data + walk->good, segment->size - walk->good);
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

/* The core has lived through the past by the clock of then, and goes on by ours. */
static void resume(struct walk *walk)
{
    struct journal *journal = walk->journal;
    struct two_clocks last, present = {now_usec(), read_clock(CLOCK_REALTIME)};

    core_last(walk->core, &last);
    if (last.realtime_usec == 0) /* there was no input */
        last.realtime_usec = walk->past.realtime_usec;
    last.monotonic_usec = moment_later(last.monotonic_usec, walk->past.monotonic_usec);
    era_resume(&journal->era, !journal->other_boot, &last, &present);
}

static int recover_from(struct walk *walk, uint64_t number)
{
    struct segment segment;
    int r = map_segment(walk->journal, number, &segment);

    if (r == 0)
        r = survey(walk, &segment);
    if (r == 0) {
        put_aside(walk, number, &segment);
        r = walk_segment(walk, &segment);
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
    int r = list_segments(journal, &numbers, &count);

    if (r < 0)
        return r;
    journal->number = count > 0 ? numbers[count - 1] : 0;
    r = 0;
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

/* ---- for others' eyes ------------------------------------------------------------------------ */

static void *port_allocate(void *userdata, size_t size)
{
    (void)userdata;
    return calloc(1, size);
}

static void port_release(void *userdata, void *memory)
{
    (void)userdata;
    free(memory);
}

/* The same checkpoint without secrets: read into a core of its own, and written again. */
static int copy_checkpoint(struct archive *from, struct archive *to)
{
    struct core_ports ports = {.allocate = port_allocate, .release = port_release};
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

static int copy_frame(struct journal *scratch, struct redactor *redactor, const struct frame *frame)
{
    struct borrowed *borrowed = NULL;
    struct archive from = borrow_frame(frame, &borrowed), to = begin_frame(scratch);
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
        input.completion.output.data = NULL; /* a job's result is nobody else's */
        input_archive(&to, &input);
        r = from.failed ? -EBADMSG : 0;
    }
    borrow_end(borrowed);
    enum frame_kind kind = frame->kind == FRAME_AUDIT_TEXT ? FRAME_AUDIT : frame->kind;
    return r < 0 ? r : end_frame(scratch, &to, kind);
}

static int end_with_state(struct journal *scratch, struct redactor *redactor, struct core *core)
{
    uint64_t digest;

    if (!digest_core(core, redactor_replace, redactor, &digest))
        return -ENOMEM;
    struct archive archive = begin_frame(scratch);
    ARCHIVE(&archive, digest);
    return end_frame(scratch, &archive, FRAME_STATE);
}

static int export_segment(const struct segment *segment, struct journal *scratch,
                          struct redactor *redactor)
{
    uint8_t header[JOURNAL_HEADER_SIZE];
    struct archive archive = {.grow = grow, .userdata = scratch};
    size_t offset = JOURNAL_HEADER_SIZE;
    struct frame frame;
    int r = journal_header_check(segment->data, segment->size);

    journal_header_write(header);
    archive_bytes(&archive, header, sizeof(header));
    scratch->buffer_used = archive.used;
    while (r == 0 && frame_next(segment->data, segment->size, &offset, &frame) > 0)
        if (frame.kind == FRAME_CHECKPOINT || frame.kind == FRAME_INPUT ||
            frame.kind == FRAME_AUDIT || frame.kind == FRAME_AUDIT_TEXT)
            r = copy_frame(scratch, redactor, &frame);
    return r < 0 ? r : archive.failed ? -ENOMEM : 0;
}

int journal_export(struct journal *journal, struct core *core)
{
    struct redactor *redactor = redactor_new();
    struct journal scratch = {.fd = -1};
    struct segment segment;
    int fd = -1;

    if (journal->error != 0 || !redactor) {
        redactor_free(redactor);
        return journal->error != 0 ? journal->error : -ENOMEM;
    }
    flush(journal);
    int r = map_segment(journal, journal->number, &segment);
    if (r == 0)
        r = export_segment(&segment, &scratch, redactor);
    unmap_segment(&segment);
    if (r == 0)
        r = end_with_state(&scratch, redactor, core);
    redactor_free(redactor);
    if (r == 0 && (fd = memfd_create("proctor-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
        r = -errno;
    if (r == 0)
        r = write_all(fd, scratch.buffer, scratch.buffer_used);
    if (r == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        r = -errno;
    free(scratch.buffer);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

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

/* Nothing was written into it since then. */
static bool is_older(const struct journal *journal, uint64_t number, uint64_t since_usec)
{
    struct stat status;
    char name[32];

    segment_name(number, name);
    return fstatat(journal->directory, name, &status, 0) == 0 &&
           ((uint64_t)status.st_mtim.tv_sec + 1) * 1000000 < since_usec;
}

int journal_visit_audit(struct journal *journal, uint64_t since_usec,
                        bool (*visit)(void *userdata, const struct audit_note *note),
                        void *userdata)
{
    uint64_t *numbers;
    size_t count;
    bool more = true;
    int r = list_segments(journal, &numbers, &count);

    if (r < 0)
        return r;
    if (journal->error == 0)
        flush(journal);
    for (size_t i = 0; more && i < count; i++) {
        struct segment segment;
        struct frame frame;
        size_t offset = JOURNAL_HEADER_SIZE;
        if (is_older(journal, numbers[i], since_usec) ||
            map_segment(journal, numbers[i], &segment) < 0)
            continue;
        while (more && journal_header_check(segment.data, segment.size) == 0 &&
               frame_next(segment.data, segment.size, &offset, &frame) > 0) {
            struct borrowed *borrowed = NULL;
            struct archive archive = borrow_frame(&frame, &borrowed);
            struct audit_note note = {};
            if (audit_read(&archive, frame.kind, &note) && !archive.failed &&
                note.realtime_usec >= since_usec)
                more = visit(userdata, &note);
            borrow_end(borrowed);
        }
        unmap_segment(&segment);
    }
    free(numbers);
    return 0;
}
