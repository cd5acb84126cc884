/*
 * Watching processes by their descriptors. One that could not be watched, for
 * lack of descriptors, is tried again: a child is never left unobserved.
 */
#include "host/watch.h"

#include "system/again.h"
#include "host/process.h"

#define RETRY_USEC 20000 /* until the next look at what does not end */

/* An adopted process has its descriptor already. */
void process_watch(struct process *process)
{
    struct host *host = process->host;

    if (process->pidfd < 0 && !process->adopted) /* there was no descriptor for it before */
        process->pidfd = again_pidfd(process->main_pid);
    process->pidfd = process->pidfd < 0 ? -1 : process->pidfd;
    process->watched = ends_watch(host->ends, process->pidfd, process) == 0;
    if (!process->watched) {
        host->unwatched = true;
        host_look_again(host);
    }
}

void process_unwatch(struct process *process)
{
    if (process->watched)
        ends_forget(process->host->ends, process->pidfd);
    process->watched = false;
}

/* All that are not watched, again. */
void host_watch_unwatched(struct host *host)
{
    if (!host->unwatched)
        return;
    host->unwatched = false;
    for (size_t i = 0; i < host->by_pid_size; i++)
        for (struct process *process = host->by_pid[i]; process; process = process->next_by_pid)
            if (process->state == PROCESS_RUNNING && !process->watched && !process->again_source)
                process_watch(process);
}

/* One timer for everything that has to be looked at again; the earliest moment
 * counts. */
void host_look_again_in(struct host *host, uint64_t usec)
{
    uint64_t now, due = 0;
    int enabled = SD_EVENT_OFF;

    sd_event_now(host->event, CLOCK_MONOTONIC, &now);
    sd_event_source_get_enabled(host->retry_source, &enabled);
    sd_event_source_get_time(host->retry_source, &due);
    if (enabled != SD_EVENT_OFF && due <= now + usec)
        return;
    sd_event_source_set_time(host->retry_source, now + usec);
    sd_event_source_set_enabled(host->retry_source, SD_EVENT_ONESHOT);
}

void host_look_again(struct host *host)
{
    host_look_again_in(host, RETRY_USEC);
}
