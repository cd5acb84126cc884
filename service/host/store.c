/*
 * Stored descriptors of a child between its attempts (FDSTORE=1).
 */
#include "host/store.h"

#include "core/vocabulary/invariant.h"
#include "host/keep.h"
#include "log/log.h"
#include "system/number.h"
#include "host/notify.h"
#include "host/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* "proctor.stored.SLOT.SERIAL.NUMBER/NAME": in the order in which they came, as text, too. */
static void prefix_of(char prefix[KEEP_NAME_MAX], const struct process *process)
{
    snprintf(prefix, KEEP_NAME_MAX, "proctor.stored.%" PRIu32 ".%" PRIu32 ".", process->id.slot,
             process->id.serial);
}

static void name_of(char name[KEEP_NAME_MAX], const struct process *process,
                    const struct stored *stored)
{
    prefix_of(name, process);
    size_t length = strlen(name);
    snprintf(name + length, KEEP_NAME_MAX - length, "%020" PRIu64 "/%s", stored->number,
             stored->name);
}

static uint32_t most_of(const struct process *process)
{
    return process->child->config->declaration.process.fd_store_max;
}

static bool has_store(struct process *process)
{
    if (!process->store && most_of(process) > 0) {
        process->store = calloc(1, sizeof(*process->store));
        process->host->stores += process->store != NULL;
    }
    return process->store != NULL;
}

/* The next proctord is to know how many there were. */
static void note_count(struct process *process)
{
    INVARIANT(process->store->count <= FD_STORE_MAX);
    process->note.stored = (uint32_t)process->store->count;
    if (process->host->journal && process->note.pid > 0 &&
        process->note.id.attempt == process->id.attempt)
        journal_process(process->host->journal, &process->note);
}

/* Before a start: if fewer are allowed now, the newest are closed. */
void store_prepare(struct process *process)
{
    if (!has_store(process))
        return;
    if (process->store->count > most_of(process)) {
        store_unkeep(process);
        fd_store_trim(process->store, most_of(process));
    }
    process->note.stored = (uint32_t)process->store->count;
    notify_socket_let_in(process->host->notify);
}

size_t store_list(const struct fd_store *store, int fds[FD_STORE_MAX])
{
    size_t n = store ? store->count : 0;

    for (size_t i = 0; i < n; i++)
        fds[i] = store->list[i].fd;
    return n;
}

static void tell_full(struct process *process)
{
    if (!process->store_full_told)
        log_print(LOG_WARNING,
                  "%s: it stores more descriptors than its fd_store_max, %" PRIu32
                  ": the rest are closed",
                  process->child->id, most_of(process));
    process->store_full_told = true;
}

/* All descriptors of a message are taken here, stored or not. */
void store_take(struct process *process, const struct notify_asides *asides, int *fds, size_t n)
{
    const char *name = asides->fd_name ? asides->fd_name : FD_STORE_NAME;

    for (size_t i = 0; asides->stores && process->store && i < n; i++) {
        int r = fd_store_put(process->store, most_of(process), fds[i], name);
        fds[i] = -1;
        if (r == -EXFULL)
            tell_full(process);
    }
    if (!asides->stores || !process->store)
        return;
    store_keep(process);
    note_count(process);
}

void store_remove(struct process *process, const struct notify_asides *asides)
{
    if (!asides->removes || !process->store)
        return;
    store_unkeep(process);
    fd_store_remove(process->store, asides->fd_name ? asides->fd_name : FD_STORE_NAME);
    store_keep(process);
    note_count(process);
}

void store_keep(const struct process *process)
{
    char name[KEEP_NAME_MAX];

    for (size_t i = 0; process->store && i < process->store->count; i++) {
        name_of(name, process, &process->store->list[i]);
        keep_put(process->host->keep, name, process->store->list[i].fd);
    }
}

void store_unkeep(const struct process *process)
{
    char name[KEEP_NAME_MAX];

    for (size_t i = 0; process->store && i < process->store->count; i++) {
        name_of(name, process, &process->store->list[i]);
        keep_drop(process->host->keep, name);
    }
}

static void adopt_one(struct process *process, int fd, const char *rest)
{
    uint64_t number = 0;

    number_take(&rest, &number);
    fd_store_restore(process->store, number, fd, *rest == '/' ? rest + 1 : FD_STORE_NAME);
}

/* From what was kept. If some were lost with a proctord that died, that is
 * logged. */
void store_adopt(struct process *process)
{
    char prefix[KEEP_NAME_MAX], name[KEEP_NAME_MAX];

    if (!has_store(process))
        return;
    prefix_of(prefix, process);
    for (int fd; (fd = keep_take_next(process->host->keep, prefix, name)) >= 0;)
        adopt_one(process, fd, name + strlen(prefix));
    if (process->note.stored > process->store->count)
        log_print(LOG_WARNING, "%s: %zu of its stored descriptors were lost when proctord died",
                  process->child->id, process->note.stored - process->store->count);
    note_count(process);
}

void store_free(struct process *process)
{
    if (!process->store)
        return;
    fd_store_trim(process->store, 0);
    free(process->store);
    process->store = NULL;
    process->host->stores--;
}
