#include "watch.h"

#include "again.h"
#include "process.h"

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
