/*
 * What an upgrade in place hands over and the journal does not know: main
 * processes that have ended while others of their attempt are left, and the
 * process groups of those.
 */
#include "host/inherit.h"

#include "handover/handover.h"
#include "core/model/input_archive.h"
#include "core/vocabulary/invariant.h"
#include "journal/journal.h"
#include "host/process.h"

#include <stdlib.h>

static void archive_gone(struct archive *archive, struct gone *gone)
{
    attempt_id_archive(archive, &gone->id);
    ARCHIVE(archive, gone->in_cgroup);
    completion_archive(archive, &gone->completion);
}

static bool is_draining(const struct child *child)
{
    const struct process *process = child->host;
    return process && process_is_draining(process);
}

/* The exit is known to us only, since the process has been reaped. */
static void write_gone(struct host *host, struct archive *archive)
{
    size_t count = 0;

    for (struct child *child = core_first(host->core); child; child = core_next(child))
        count += is_draining(child);
    archive_count(archive, &count, CORE_CHILDREN_MAX);
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        const struct process *process = child->host;
        if (!is_draining(child))
            continue;
        archive_gone(archive, &(struct gone){.id = process->id,
                                             .in_cgroup = process->in_cgroup,
                                             .completion = process->completion});
    }
}

/* The new program reports it as soon as the rest has gone. */
static void read_gone(struct host *host, struct archive *archive)
{
    size_t count = 0;

    archive_count(archive, &count, CORE_CHILDREN_MAX);
    host->gone = calloc(count + 1, sizeof(*host->gone));
    for (size_t i = 0; host->gone && i < count && !archive->failed; i++) {
        archive_gone(archive, &host->gone[i]);
        host->n_gone++;
    }
    if (!host->gone)
        archive->failed = true;
}

static void archive_kin(struct archive *archive, struct kin *kin)
{
    attempt_id_archive(archive, &kin->id);
    ARCHIVE(archive, kin->group);
    told_archive(archive, &kin->told);
}

static bool has_kin(const struct child *child)
{
    const struct process *process = child->host;

    return process && (process->state == PROCESS_RUNNING || process_is_draining(process)) &&
           (process->old_group > 0 || process->tree.told.signal > 0);
}

/* Groups whose leader has ended: their number could be given away otherwise. */
static void write_kin(struct host *host, struct archive *archive)
{
    size_t count = 0;

    for (struct child *child = core_first(host->core); child; child = core_next(child))
        count += has_kin(child);
    archive_count(archive, &count, CORE_CHILDREN_MAX);
    for (struct child *child = core_first(host->core); child; child = core_next(child)) {
        const struct process *process = child->host;
        if (!has_kin(child))
            continue;
        archive_kin(archive, &(struct kin){.id = process->id,
                                           .group = process->old_group,
                                           .told = process->tree.told});
    }
}

/* The descriptors come with the handover. */
static void read_kin(struct host *host, struct archive *archive)
{
    size_t count = 0;

    archive_count(archive, &count, CORE_CHILDREN_MAX);
    host->kin = calloc(count + 1, sizeof(*host->kin));
    for (size_t i = 0; host->kin && i < count && !archive->failed; i++) {
        archive_kin(archive, &host->kin[i]);
        host->n_kin++;
    }
    if (!host->kin)
        archive->failed = true;
}

void inherit_hand_over(struct host *host, struct handover *handover)
{
    INVARIANT(handover);
    write_gone(host, handover_archive(handover));
    write_kin(host, handover_archive(handover));
}

/* If it cannot be read, the new program finds its children as after a death. */
void inherit_read(struct host *host, struct handover *handover)
{
    INVARIANT(handover);
    struct archive *archive = handover_archive(handover);

    read_gone(host, archive);
    read_kin(host, archive);
    if (archive->failed)
        inherit_forget(host);
}

/* What was not taken by anyone. */
void inherit_forget(struct host *host)
{
    for (size_t i = 0; i < host->n_kin; i++)
        told_forget(&host->kin[i].told);
    free(host->kin);
    free(host->gone);
    host->kin = NULL;
    host->gone = NULL;
    host->n_kin = host->n_gone = 0;
}

/* A signal that was sent before counts for those that were there then. */
void inherit_kin(struct process *process)
{
    struct host *host = process->host;
    const struct process_note *note = &process->note;

    if (note->stop_ticks > 0 && note->id.attempt == process->id.attempt)
        told_assume(&process->tree.told, (int)note->stop_signal, note->stop_ticks);
    for (size_t i = 0; i < host->n_kin; i++) {
        struct kin *kin = &host->kin[i];
        if (kin->id.slot != process->id.slot || kin->id.serial != process->id.serial ||
            kin->id.attempt != process->id.attempt)
            continue;
        process->old_group = kin->group;
        told_forget(&process->tree.told);
        process->tree.told = kin->told;
        kin->told = (struct told){};
        return;
    }
}
