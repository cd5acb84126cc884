/*
 * History: the journal as the daemon uses it. It records inputs and audited
 * events, and brings the tree back at the start.
 */
#include "history.h"
#include "core/vocabulary/invariant.h"

#include "system/again.h"
#include "log/catalog.h"
#include "core/model/child.h"
#include "journal/borrow.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#define FIELDS_MAX 48
#define KEPT_MAX   65536 /* more than one input can bring about that is worth an audit */

struct kept_note {
    struct kept_note *next;
    struct frame frame; /* its payload is this one's alone */
};

static void journal_path(const char *state_directory, char *path, size_t size)
{
    snprintf(path, size, "%s/journal", state_directory);
}

/* Asked before anything is swept away: without a history, what runs in our
 * cgroup belongs to no child. */
int history_exists(const char *state_directory)
{
    char path[4200];
    int error = 0;
    bool found = false;

    journal_path(state_directory, path, sizeof(path));
    DIR *folder = again_folder(AT_FDCWD, path, &error);
    if (!folder)
        return error == -ENOENT ? 0 : error;
    while (!found) {
        const struct dirent *entry = again_next(folder, &error);
        if (!entry)
            break;
        found = strstr(entry->d_name, ".journal") != NULL;
    }
    closedir(folder);
    return found ? 1 : error;
}

/* The number that stands for the state directory in command ids is drawn here,
 * and is replaced by the one in the journal if there is one. */
int history_open(struct history *history, const struct history_settings *settings)
{
    char path[4200];
    struct journal_settings journal = {.directory = path,
                                       .durability = settings->durability,
                                       .keep_bytes = settings->audit_bytes,
                                       .tail_directory = settings->runtime_directory,
                                       .userdata = settings->userdata,
                                       .moved = settings->moved};

    if (getrandom(&journal.instance, sizeof(journal.instance), GRND_NONBLOCK) < 0)
        journal.instance = (uint32_t)getpid();
    journal_path(settings->state_directory, path, sizeof(path));
    return journal_open(&journal, &history->journal);
}

/* ---- audit ----------------------------------------------------------------------------------- */

static void free_note(struct kept_note *note)
{
    free((void *)(uintptr_t)note->frame.payload);
    free(note);
}

/* While the core lives through its past: what the last input brought about may be missing in the
 * audit; which of it is, is known at the end. */
static void keep(struct history *history, struct audit_note *told)
{
    struct archive archive = {.grow = archive_grow};
    struct kept_note *note = calloc(1, sizeof(*note));

    if (note)
        audit_archive(&archive, told);
    if (!note || archive.failed) {
        free(archive.data);
        free(note);
        return;
    }
    note->frame =
        (struct frame){.kind = FRAME_AUDIT, .payload = archive.data, .size = archive.used};
    *(history->kept_last ? &history->kept_last->next : &history->kept) = note;
    history->kept_last = note;
    if (++history->n_kept <= KEPT_MAX)
        return;
    note = history->kept;
    history->kept = note->next;
    history->n_kept--;
    free_note(note);
}

/* Which attempt an event is about stands among its fields, as on the bus. */
static size_t collect_fields(const struct event *event, struct event_field fields[FIELDS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < event->n_fields && count + 2 < FIELDS_MAX; i++)
        fields[count++] = event->fields[i];
    if (event->attempt > 0) {
        fields[count++] = (struct event_field)FIELD_NUMBER_OF("generation", event->generation);
        fields[count++] = (struct event_field)FIELD_NUMBER_OF("attempt", event->attempt);
    }
    return count;
}

/* During a recovery the notes are kept, since the journal cannot be written
 * yet. */
void history_event(struct history *history, const struct event *event)
{
    struct event_field fields[FIELDS_MAX];

    INVARIANT(event_is_sound(event));
    if (!history->journal || !catalog_is_audited(event->kind))
        return;
    struct audit_note note = {.sequence = event->sequence,
                              .realtime_usec = event->realtime_usec,
                              .cause.number = event->cause,
                              .kind = event_kind_to_string(event->kind),
                              .child = event->child ? event->child->id : "",
                              .fields = fields,
                              .n_fields = collect_fields(event, fields)};
    if (history->past)
        keep(history, &note);
    else
        journal_audit(history->journal, &note);
}

static void write_kept(struct history *history)
{
    for (const struct kept_note *kept = history->kept; kept; kept = kept->next) {
        struct borrower borrower = {};
        struct archive archive = borrow_frame(&kept->frame, &borrower);
        struct audit_note note;
        if (audit_read(&archive, kept->frame.kind, &note) && !archive.failed)
            journal_audit(history->journal, &note);
        borrow_end(&borrower);
    }
}

static void free_kept(struct history *history)
{
    for (struct kept_note *note = history->kept, *next; note; note = next) {
        next = note->next;
        free_note(note);
    }
    history->kept = history->kept_last = NULL;
    history->n_kept = 0;
}

/* ---- living through it ----------------------------------------------------------------------- */

/* What the audit lacks goes into the same segment as the state that comes behind it: both are there
 * once the segment has its name, or none of them. */
static void write_notes(void *userdata, struct journal *journal)
{
    struct history *history = userdata;

    adopt_write_notes(history->host, journal);
    write_kept(history);
}

static void begin(struct history *history, struct core *core)
{
    int r = journal_begin(history->journal, core, write_notes, history);

    if (r == 0)
        free_kept(history);
    host_keep_journal(history->host, history->journal);
    if (r < 0)
        history_tidy(history); /* says so */
}

/* A shutdown by command that is under way is carried to its end, unless the machine was started
 * since; any other stop says nothing of this start. An upgrade in the middle of a stop is no start.
 */
static bool is_to_reopen(const struct history *history, const struct core *core)
{
    enum shutdown_phase phase = core_shutdown_phase(core);

    if (history->handed_over)
        return false;
    return phase == SHUTDOWN_COMPLETED ||
           (phase != SHUTDOWN_IDLE &&
            (core_shutdown_by_signal(core) || journal_is_of_another_boot(history->journal)));
}

/* The order: adopt what runs, report what does not, then start. */
static void take_over(struct history *history, struct core *core, struct recovery *recovery)
{
    history->recovered = true;
    history->past = false;
    begin(history, core);
    adopt_all(history->host, journal_is_of_another_boot(history->journal), recovery);
    core_recovered(core, recovery);
    bool reopens = is_to_reopen(history, core);
    if (reopens)
        core_reopen(core);
    host_settle(history->host);
    if (reopens)
        log_print(LOG_NOTICE, "the tree had been shut down; starting it again as it was");
    else
        log_print(
            LOG_NOTICE,
            "recovered: %llu inputs since the checkpoint, %llu attempts still running, %llu ended",
            (unsigned long long)recovery->inputs, (unsigned long long)recovery->adopted,
            (unsigned long long)recovery->lost);
    if (recovery->damaged_bytes > 0)
        log_print(
            LOG_WARNING,
            "the journal was damaged: %llu bytes were set aside, and the records in them are lost",
            (unsigned long long)recovery->damaged_bytes);
}

/* Returns 0 in three cases: recovered, nothing to recover, or a journal that
 * cannot be used, which is kept aside. */
int history_live(struct history *history, struct host *host, struct core **core,
                 int (*again)(void *userdata, struct core **core), void *userdata)
{
    struct journal_reader reader = {
        .userdata = host, .process = adopt_note_process, .input = adopt_note_input};
    struct recovery recovery = {};
    int r;

    INVARIANT(host && *core);
    history->host = host;
    history->past = true;
    adopt_begin(host);
    r = journal_recover(history->journal, *core, &reader, &recovery);
    if (r < 0 && !journal_is_unusable(r)) {
        log_print(LOG_ERR,
                  "the journal cannot be read (%s): refusing to start, so as not to lose it",
                  strerror(-r));
        return r;
    }
    if (r < 0)
        log_print(
            LOG_ERR,
            "the journal cannot be used (%s): starting with an empty one; the old one is kept",
            strerror(-r));
    if (r > 0) {
        take_over(history, *core, &recovery);
        return 0;
    }
    if (r < 0) { /* nothing of it continues */
        free_kept(history);
        journal_forget(history->journal);
        r = again(userdata, core);
        if (r < 0)
            return r;
    }
    history->past = false;
    adopt_nobody(host);
    begin(history, *core);
    return 0;
}

/* ---- while it runs ------------------------------------------------------------------------ */

/* A journal that fails is reported once, and once when it works again. */
void history_tidy(struct history *history)
{
    if (!history->journal)
        return;
    journal_tidy(history->journal);
    int error = journal_error(history->journal);
    if (error == history->told)
        return;
    if (error != 0)
        log_print(LOG_ERR,
                  "the journal cannot be written: %s. Supervision continues, but the next proctord "
                  "will not know what happens from now on",
                  strerror(-error));
    else
        log_print(LOG_NOTICE, "the journal can be written again");
    history->told = error;
}

const char *history_unwritten(const struct history *history)
{
    int error = journal_error(history->journal);
    return error < 0 ? strerror(-error) : NULL;
}

void history_close(struct history *history)
{
    free_kept(history);
    journal_close(history->journal);
    history->journal = NULL;
}
