/*
 * The journal as a whole: a segment begins with a checkpoint, and continues
 * with the inputs since; when it is long enough, the next one begins.
 */
#include "journal/journal.h"

#include "system/again.h"
#include "core/model/input_archive.h"
#include "core/vocabulary/invariant.h"
#include "journal/boot.h"
#include "journal/frame_buffer.h"
#include "journal/recovery.h"
#include "journal/segments.h"
#include "journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

static uint64_t now_usec(void)
{
    return boot_clocks().monotonic_usec;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* While a checkpoint is being built, frames belong to it. */
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

    INVARIANT((unsigned)input->kind < CORE_INPUTS && !journal->building);
    if (!is_open(journal))
        return;
    struct archive archive = frame_begin(&journal->frames);
    input_archive(&archive, &copy);
    append(journal, &archive, FRAME_INPUT);
}

void journal_process(struct journal *journal, const struct process_note *note)
{
    struct process_note copy = *note;

    INVARIANT(note->id.attempt > 0);
    if (!is_open(journal))
        return;
    struct archive archive = frame_begin(&journal->frames);
    process_note_archive(&archive, &copy);
    append(journal, &archive, FRAME_PROCESS);
}

/* An event that is replayed is there already. */
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
    struct two_clocks now = boot_clocks();
    struct boot boot = {
        .audited = journal->audited,
        .era = journal->era,
        .written = {era_time(&journal->era, now.monotonic_usec), now.realtime_usec}};

    memcpy(boot.id, journal->boot, BOOT_SIZE);
    boot_archive(archive, &boot);
}

/* Boot, instance, checkpoint: everything that the rest builds on. */
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

/* From here on, inputs are recorded. */
int journal_begin(struct journal *journal, struct core *core,
                  void (*notes)(void *userdata, struct journal *journal), void *userdata)
{
    uint64_t audited = journal->audited;

    INVARIANT(core && notes && !journal->core);
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

/* Between inputs: a new segment, or another try after an error. */
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

/* To read from: the folder may have been made again since. */
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

/* Nothing is written yet. */
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

/* 1: recovered; 0: there was nothing. */
int journal_recover(struct journal *journal, struct core *core, const struct journal_reader *reader,
                    struct recovery *recovery)
{
    INVARIANT(core && recovery);
    const struct recovery_source source = {.directory = journal->directory,
                                           .writer = journal->writer,
                                           .boot = journal->boot,
                                           .instance = journal->instance};
    struct recovery_find find = {};
    int r = recovery_run(&source, core, reader, recovery, &find);

    if (r <= 0)
        return r;
    journal->audited = find.audited;
    journal->instance = find.instance;
    journal->other_boot = find.other_boot;
    journal->era = find.era;
    return r;
}

/* ---- for others' eyes ------------------------------------------------------------------------ */

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

/* For a thread: only what it needs is copied. */
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
