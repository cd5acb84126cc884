/*
 * Journals: what a segment holds is lived through, its audit is read, and a trace is made of it, as
 * after the death of a daemon. The checksums are put right first: otherwise nothing would get past
 * them. Any input may come at any time, so the core must be able to continue after it. A checkpoint
 * is believed by its checksum: one that was changed is only read, written and freed. Each is
 * replayed with clocks that make no sense (clocks.h), and so is what comes after it.
 */
#include "target.h"

#include "core/model/archive.h"
#include "core/model/child.h"
#include "clocks.h"
#include "core/core.h"
#include "core/model/input_archive.h"
#include "journal/export.h"
#include "journal/frame.h"
#include "journal/journal.h"
#include "core/vocabulary/moment.h"
#include "ports.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT "000000000001.journal"

static char folder[] = "/dev/shm/proctor-fuzz-XXXXXX";

/* ---- the journal ----------------------------------------------------------------------------- */

/* Header and checksums as they should be, as far as the lengths let us. Returns how much is of use;
 * *genuine: the checkpoint is one that a core has written. */
static size_t put_right(uint8_t *data, size_t size, bool *genuine)
{
    *genuine = true;
    if (size < JOURNAL_HEADER_SIZE)
        return size;
    journal_header_write(data);
    for (size_t at = JOURNAL_HEADER_SIZE; size - at >= FRAME_HEADER_SIZE;) {
        size_t length = data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16 |
                        (size_t)data[at + 3] << 24;
        if (length > size - at - FRAME_HEADER_SIZE)
            return size;
        uint8_t before[FRAME_HEADER_SIZE];
        memcpy(before, data + at, sizeof(before));
        frame_header_write(data + at, (enum frame_kind)data[at + 8], data + at + FRAME_HEADER_SIZE,
                           length);
        bool changed = memcmp(before, data + at, sizeof(before)) != 0;
        at += FRAME_HEADER_SIZE + length;
        if (before[8] == FRAME_CHECKPOINT && changed) {
            *genuine = false;
            return at;
        }
    }
    return size;
}

static void write_segment(const uint8_t *data, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/" SEGMENT, folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        found("no place to write");
    close(fd);
}

static void note_process(void *userdata, const struct process_note *note)
{
    (void)userdata;
    (void)note;
}

static void note_input(void *userdata, const struct core_input *input, bool last)
{
    (void)userdata;
    (void)input;
    (void)last;
}

static bool visit(void *userdata, const struct audit_note *note, const uint8_t *frame, size_t size)
{
    if (!frame || size <= FRAME_HEADER_SIZE)
        found("a note without its frame");
    (void)userdata;
    for (size_t i = 0; i < note->n_fields; i++)
        if (!note->fields[i].key || (note->fields[i].type == FIELD_TEXT && !note->fields[i].text))
            found("a field without words");
    return note->kind && note->child ? true : (found("a note without words"), false);
}

static struct random clocks;
static uint64_t last_usec;

static uint64_t drawn_clock(void *userdata)
{
    (void)userdata;
    return last_usec = clocks_draw(&clocks, last_usec);
}

/* Whatever the clock says, time continues, and no wait has become longer than it can be. */
static void check_time(const struct core *core, uint64_t before_usec)
{
    struct two_clocks last; /* between two inputs the core's time is what the clock says */

    core_last(core, &last);
    if (last.monotonic_usec < before_usec || last.monotonic_usec > MOMENT_MAX)
        found("the time went back");
    for (const struct child *child = core_first(core); child; child = core_next(child))
        for (int i = 0; i < CHILD_TIMERS; i++)
            if (child->timers[i].deadline_usec > MOMENT_MAX)
                found("a deadline beyond all time");
}

static void live_on(struct core *core)
{
    struct recovery recovery = {};
    struct two_clocks last;

    core_last(core, &last);
    core_recovered(core, &recovery);
    for (int i = 0; i < 8; i++)
        core_timer(core);
    core_shutdown(core, "fuzz", "the end");
    core_timer(core);
    check_time(core, last.monotonic_usec);
}

/* What the core will see is never before what it has lived through. */
static void check_era(const struct journal *journal, const struct core *core)
{
    struct two_clocks last;

    core_last(core, &last);
    if (last.monotonic_usec > MOMENT_MAX)
        found("a past beyond all time");
    if (era_time(journal_era(journal), UINT64_C(1) << 40) < last.monotonic_usec)
        found("the new era begins before the end of the last one");
}

static void remove_folder(void)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/" SEGMENT, folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" SEGMENT ".damaged", folder);
    unlink(path);
    rmdir(folder);
}

static void make_folder(void)
{
    static bool begun;

    if (begun)
        return;
    if (!mkdtemp(folder))
        found("no place to write");
    atexit(remove_folder);
    begun = true;
}

static void live_through(bool genuine, bool odd_clocks)
{
    struct journal_settings settings = {.directory = folder, .keep_bytes = 1 << 20};
    struct journal_reader reader = {.process = note_process, .input = note_input};
    struct recovery recovery = {};
    struct journal *journal;
    struct core_ports ports = ports_of_nobody();
    struct core_settings of_core = {.seed = 1, .max_restarts_in_flight = 4};
    struct core *core;

    if (journal_open(&settings, &journal) < 0)
        found("no journal");
    if (odd_clocks)
        ports.monotonic = ports.realtime = drawn_clock;
    if (core_new(&ports, &of_core, &core) < 0)
        found("no core");
    int r = journal_recover(journal, core, &reader, &recovery);
    struct audit_walk *walk = journal_walk_audit(journal, 0);
    if (walk)
        audit_walk_run(walk, visit, NULL);
    audit_walk_free(walk);
    if (r > 0) {
        struct journal_trace *trace;
        if (journal_trace_begin(journal, core, &trace) == 0) {
            int fd = journal_trace_make(trace);
            if (fd >= 0)
                close(fd);
            journal_trace_free(trace);
        }
        check_era(journal, core);
        if (genuine)
            live_on(core);
    }
    core_free(core);
    journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    bool genuine;

    make_folder();
    memcpy(copy, data, size);
    size = put_right(copy, size, &genuine);
    write_segment(copy, size);
    live_through(genuine, false);

    clocks.state = size;
    for (size_t i = 0; i < size; i++)
        clocks.state = clocks.state * 31 + copy[i];
    uint8_t *scattered = clocks_scatter(&clocks, copy, size, &size);
    write_segment(scattered, size);
    live_through(genuine, true);
    free(scattered);
    free(copy);
    return 0;
}
