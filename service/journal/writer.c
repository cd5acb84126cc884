/*
 * The journal is written by a thread; the loop only fills a batch. While one is
 * being written, the next is filled.
 */
#include "journal/writer.h"

#include "system/beside.h"
#include "core/vocabulary/invariant.h"
#include "journal/frame.h"
#include "journal/segments.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define LOOK_USEC  1000000 /* how often it is looked whether the segment is still there */
#define CLOSE_USEC 5000000
#define WAIT_USEC  10000
#define SMALL      (256u << 10) /* a buffer that has been larger is not kept */

struct bytes {
    uint8_t *data;
    size_t size, room;
};

/* What the thread is given. `before` goes into the present segment, then `beginning` and `after`
 * are a new one. */
struct batch {
    struct beside_work work;
    struct journal_writer *writer; /* NULL: it has gone, and the batch takes the rest along */
    struct journal_segments *segments;
    struct bytes before, beginning, after;
    bool sync, looks;
    uint64_t keep_bytes;
    uint64_t end; /* position behind it */
    int error;
    bool gone;
};

struct journal_writer {
    struct journal_writer_settings settings;
    struct journal_segments *segments; /* the thread's while a batch is under way */
    struct tail *tail;
    struct beside_queue *queue;
    struct batch *filling, *under_way, *spare;
    struct tail_place place; /* of what is appended next */
    uint64_t position;       /* bytes that were appended */
    uint64_t wanted;         /* up to here a caller waits for a sync */
    uint64_t written, synced;
    uint64_t looked_usec;
    bool begun, takes, gone;
    bool keeps; /* the tail has what the segment before a failure lacks: nothing is added to it */
    int error;
};

static uint64_t now_usec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Doubles. */
static bool add_bytes(struct bytes *bytes, const uint8_t *data, size_t size)
{
    size_t room = bytes->room > 0 ? bytes->room : 4096;

    while (room < bytes->size + size)
        room *= 2;
    if (room > bytes->room) {
        uint8_t *larger = realloc(bytes->data, room);
        if (!larger)
            return false;
        bytes->data = larger;
        bytes->room = room;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return true;
}

static void free_bytes(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){};
}

static void empty_bytes(struct bytes *bytes)
{
    bytes->size = 0;
    if (bytes->room > SMALL)
        free_bytes(bytes);
}

static void empty_batch(struct batch *batch)
{
    empty_bytes(&batch->before);
    free_bytes(&batch->beginning);
    empty_bytes(&batch->after);
    batch->sync = batch->gone = false;
    batch->error = 0;
}

static void free_batch(struct batch *batch)
{
    if (!batch)
        return;
    free_bytes(&batch->before);
    free_bytes(&batch->beginning);
    free_bytes(&batch->after);
    free(batch);
}

/* ---- in the thread --------------------------------------------------------------------------- */

static int begin_segment(struct batch *batch)
{
    struct iovec parts[] = {{batch->beginning.data, batch->beginning.size},
                            {batch->after.data, batch->after.size}};
    int r = journal_segments_begin(batch->segments, parts, 2, batch->sync);

    if (r == 0)
        journal_segments_prune(batch->segments, batch->keep_bytes);
    return r;
}

/* In the thread: what belongs before a new segment, then the segment. */
static void write_batch(void *data)
{
    struct batch *batch = data;
    int r = 0;

    if (batch->before.size > 0)
        r = journal_segments_append(batch->segments, batch->before.data, batch->before.size);
    if (r == 0 && batch->beginning.size > 0)
        r = begin_segment(batch);
    else if (r == 0 && batch->sync)
        r = journal_segments_sync(batch->segments);
    batch->error = r;
    batch->gone = batch->looks && journal_segments_are_gone(batch->segments);
}

/* ---- back in the loop ------------------------------------------------------------------------ */

/* Nothing is taken before a new segment has begun; what waits will never be written. */
void journal_writer_fail(struct journal_writer *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
    writer->takes = false;
    empty_batch(writer->filling);
    writer->place.segment.number = 0;
    writer->wanted = writer->position;
}

/* What was on its way is in the segment. A tail that was kept starts again, with what has come
 * since. Returns 0 or a negative errno. */
static int let_go_of_tail(struct journal_writer *writer)
{
    const struct bytes *late = &writer->filling->before;
    struct tail_place place = writer->place;

    if (!writer->keeps) {
        tail_arrived(writer->tail);
        return 0;
    }
    INVARIANT(writer->filling->beginning.size == 0 && place.offset >= late->size);
    writer->keeps = false;
    tail_reset(writer->tail);
    place.offset -= late->size;
    place.offset_before -= late->size;
    return late->size > 0 ? tail_append(writer->tail, &place, late->data, late->size) : 0;
}

/* Back in the loop: what has been written. */
static void arrive(struct journal_writer *writer, const struct batch *batch)
{
    writer->written = batch->end;
    if (batch->sync)
        writer->synced = batch->end;
    if (batch->beginning.size > 0 && writer->takes)
        writer->error = 0;
    writer->gone = batch->gone;
    int r = writer->tail && writer->takes ? let_go_of_tail(writer) : 0;
    if (r < 0)
        journal_writer_fail(writer, r);
}

/* The batch is used again. */
static void batch_is_written(void *data)
{
    struct batch *batch = data;
    struct journal_writer *writer = batch->writer;

    if (batch->error < 0)
        journal_writer_fail(writer, batch->error);
    else
        arrive(writer, batch);
    writer->under_way = NULL;
    writer->spare = batch;
    empty_batch(batch);
    if (writer->settings.moved)
        writer->settings.moved(writer->settings.userdata);
}

/* Of a writer that has gone. */
static void release_batch(void *data)
{
    struct batch *batch = data;

    if (batch->writer)
        return;
    journal_segments_close(batch->segments);
    free_batch(batch);
}

/* At the end of each round: only if there is something to do, and the thread is
 * free. */
void journal_writer_hand_over(struct journal_writer *writer)
{
    struct batch *batch = writer->filling;
    bool wanted = writer->settings.syncs && writer->wanted > writer->synced;
    bool looks = now_usec() - writer->looked_usec >= LOOK_USEC;

    if (writer->under_way || !writer->takes ||
        (batch->before.size + batch->beginning.size == 0 && !wanted && !looks))
        return;
    batch->sync = wanted || (writer->settings.syncs && batch->beginning.size > 0);
    batch->end = writer->position;
    batch->looks = looks;
    if (looks)
        writer->looked_usec = now_usec();
    writer->filling = writer->spare;
    writer->spare = NULL;
    writer->under_way = batch;
    if (writer->tail && !writer->keeps)
        tail_switch(writer->tail);
    beside_do(writer->queue, &batch->work);
}

/* For a start and an upgrade: everything up to now. */
int journal_writer_wait(struct journal_writer *writer, uint64_t limit_usec)
{
    const char *what;
    uint64_t end_usec = now_usec() + limit_usec;

    journal_writer_hand_over(writer);
    while (writer->under_way && now_usec() < end_usec) {
        beside_wait(WAIT_USEC, 0, &what); /* for others, too: but not to their end */
        journal_writer_hand_over(writer);
    }
    return writer->under_way ? -EBUSY : writer->error;
}

/* ---- appending ------------------------------------------------------------------------------- */

bool journal_writer_takes(const struct journal_writer *writer)
{
    return writer->takes;
}

static int append(struct journal_writer *writer, const uint8_t *data, size_t size)
{
    struct batch *batch = writer->filling;
    struct bytes *bytes = batch->beginning.size > 0 ? &batch->after : &batch->before;

    if (bytes->size + size > WRITER_PENDING_MAX)
        return -EBUSY;
    int r =
        writer->tail && !writer->keeps ? tail_append(writer->tail, &writer->place, data, size) : 0;
    return r < 0 ? r : add_bytes(bytes, data, size) ? 0 : -ENOMEM;
}

/* Also into the tail, at once. */
void journal_writer_append(struct journal_writer *writer, const uint8_t *data, size_t size)
{
    if (!writer->takes)
        return;
    int r = append(writer, data, size);
    if (r < 0) {
        journal_writer_fail(writer, r);
        return;
    }
    writer->position += size;
    writer->place.offset += size;
    writer->place.offset_before += size;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* What comes next stands behind the beginning, and until that has its name in the segment before,
 * where there is one that has all up to here. */
static void move_place(struct journal_writer *writer, const uint8_t *beginning, size_t size)
{
    struct tail_place *place = &writer->place;

    place->before = place->segment;
    place->offset_before = place->offset;
    place->segment.number =
        writer->takes ? place->segment.number + 1 : writer->segments->number + 1;
    place->segment.stamp = journal_header_stamp(beginning, size);
    place->offset = size;
}

/* The tail knows two segments, so a third has to wait. */
int journal_writer_begin(struct journal_writer *writer, uint8_t *beginning, size_t size)
{
    bool goes_on = writer->takes;

    /* The tail knows two segments: until one has its name there is no third. */
    if (writer->filling->beginning.size > 0 ||
        (writer->under_way && (!goes_on || writer->under_way->beginning.size > 0))) {
        free(beginning);
        return -EBUSY;
    }
    INVARIANT(size >= JOURNAL_HEADER_SIZE && writer->synced <= writer->position);
    move_place(writer, beginning, size);
    /* Until the new segment is there, the old one and the tail are what a recovery has. */
    if (!goes_on && writer->begun)
        writer->keeps = writer->tail != NULL;
    writer->begun = true;
    writer->filling->beginning = (struct bytes){.data = beginning, .size = size, .room = size};
    writer->takes = true;
    writer->gone = false;
    return 0;
}

void journal_writer_continue(struct journal_writer *writer, uint64_t number)
{
    INVARIANT(!writer->begun);
    writer->segments->number = number;
}

uint64_t journal_writer_want(struct journal_writer *writer)
{
    writer->wanted = writer->position;
    return writer->position;
}

bool journal_writer_is_past(const struct journal_writer *writer, uint64_t position)
{
    return !writer->settings.syncs || !writer->takes || writer->synced >= position;
}

int journal_writer_error(const struct journal_writer *writer)
{
    return writer->error;
}

uint64_t journal_writer_size(const struct journal_writer *writer)
{
    return writer->place.offset;
}

bool journal_writer_is_gone(const struct journal_writer *writer)
{
    return writer->gone;
}

int journal_writer_complete(struct journal_writer *writer, const struct tail_segment *segment,
                            uint64_t segment_size, uint8_t **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    return writer->tail ? tail_complete(writer->tail, segment, segment_size, data, size) : 0;
}

uint64_t journal_writer_damaged(const struct journal_writer *writer)
{
    return writer->tail ? tail_damaged(writer->tail) : 0;
}

/* Bytes that may not be in the file yet, in their order: of the batch that is under way, and of the
 * one behind it. The present segment begins with the last beginning. */
static size_t list_late(const struct journal_writer *writer, const struct bytes *late[4])
{
    const struct batch *of[] = {writer->under_way, writer->filling};
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        if (!of[i])
            continue;
        if (of[i]->beginning.size > 0)
            n = 0;
        else
            late[n++] = &of[i]->before;
        if (of[i]->beginning.size > 0) {
            late[n++] = &of[i]->beginning;
            late[n++] = &of[i]->after;
        }
    }
    return n;
}

/* Where the newest segment ends: on the disk, and in memory. */
int journal_writer_extent(const struct journal_writer *writer, struct journal_extent *extent)
{
    const struct bytes *late[4];
    size_t n = list_late(writer, late), at = 0;

    *extent = (struct journal_extent){.number = writer->place.segment.number};
    for (size_t i = 0; i < n; i++)
        extent->late_size += late[i]->size;
    extent->size = writer->place.offset - extent->late_size;
    extent->late = malloc(extent->late_size + 1);
    if (!extent->late)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (late[i]->size > 0)
            memcpy(extent->late + at, late[i]->data, late[i]->size);
        at += late[i]->size;
    }
    return 0;
}

void journal_writer_forget_tail(struct journal_writer *writer)
{
    if (writer->tail)
        tail_reset(writer->tail);
}

/* ---- its life -------------------------------------------------------------------------------- */

/* Two exist, and are used in turn. */
static struct batch *new_batch(struct journal_writer *writer)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        return NULL;
    batch->writer = writer;
    batch->segments = writer->segments;
    batch->keep_bytes = writer->settings.keep_bytes;
    batch->work = (struct beside_work){.what = "write the journal",
                                       .work = write_batch,
                                       .done = batch_is_written,
                                       .release = release_batch,
                                       .data = batch};
    return batch;
}

/* The thread is reserved: the journal never waits for other work. */
int journal_writer_open(const struct journal_writer_settings *settings,
                        struct journal_writer **writer)
{
    struct journal_writer *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->settings = *settings;
    int r = journal_segments_open(settings->path, &fresh->segments);
    if (r == 0 && settings->tail_directory)
        r = tail_open(settings->tail_directory, &fresh->tail);
    if (r == 0) {
        fresh->filling = new_batch(fresh);
        fresh->spare = new_batch(fresh);
        fresh->queue = beside_queue_new();
        r = fresh->filling && fresh->spare && fresh->queue ? 0 : -ENOMEM;
    }
    if (r < 0) {
        journal_writer_close(fresh);
        return r;
    }
    beside_reserve(fresh->queue); /* whatever else hangs */
    *writer = fresh;
    return 0;
}

/* Waits a moment for the last batch. */
void journal_writer_close(struct journal_writer *writer)
{
    if (!writer)
        return;
    if (writer->takes && writer->error == 0 && journal_writer_wait(writer, CLOSE_USEC) == 0)
        journal_writer_forget_tail(writer);
    tail_close(writer->tail);
    if (writer->under_way)
        writer->under_way->writer = NULL;
    else if (writer->segments)
        journal_segments_close(writer->segments);
    beside_cancel(writer->queue);
    free_batch(writer->filling);
    free_batch(writer->spare);
    free(writer);
}
