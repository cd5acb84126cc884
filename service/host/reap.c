/*
 * Reaping: as a subreaper, or as PID 1, proctord inherits every orphan. Each
 * zombie is looked at before it is reaped, as it may be something that another
 * part of this program waits for.
 */
#include "host/reap.h"

#include "host/burst.h"
#include "host/errand.h"
#include "system/outside.h"
#include "host/process.h"
#include "host/watch.h"

#include <errno.h>
#include <sys/wait.h>

/* A thread that waits for a process of its own may have reaped it meanwhile. */
static void reap_orphan(struct host *host, pid_t pid)
{
    siginfo_t info;

    process_forget_leader(host, pid);
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0)
        host->counters.orphans_reaped++;
}

static void spared_has_ended(struct host *host)
{
    host->spared = 0;
    host->spared_ended(host->spared_userdata);
}

/* WNOWAIT leaves the zombie: its number stays taken while we find out whose it
 * was. */
void orphans_reap(struct host *host)
{
    for (;;) {
        siginfo_t info = {};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        census_forget(host->census, info.si_pid);
        struct process *process = process_of_pid(host, info.si_pid);
        if (process && process->state == PROCESS_RUNNING) {
            process_main_exited(process);
            host_breathe(host);
            continue;
        }
        if (errand_exited(host, info.si_pid) || spawner_exited(host->spawner, info.si_pid))
            continue;
        int outside = outside_exited(info.si_pid);
        if (outside > 0)
            continue;
        struct launch *launch = spawner_launch_of_pid(host->spawner, info.si_pid);
        if (launch && launch_child_exited(launch))
            continue;
        if (launch || outside == -EAGAIN) { /* the one behind it is reaped in a moment */
            host->unreaped = true;
            host_look_again(host);
            return;
        }
        bool spared = info.si_pid == host->spared;
        reap_orphan(host, info.si_pid);
        if (spared)
            spared_has_ended(host);
    }
}

/* What could not be done at the time: descriptors that were missing, zombies
 * that were in the way, trees that had not emptied. */
static int retry(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    struct host *host = userdata;

    host_watch_unwatched(host);
    if (host->unreaped) {
        host->unreaped = false;
        orphans_reap(host);
    }
    trees_look(host, true);
    return 0;
}

/* Made before it is needed: it helps where there is no memory. */
int host_prepare_retry(struct host *host)
{
    int r =
        sd_event_add_time(host->event, &host->retry_source, CLOCK_MONOTONIC, 0, 1000, retry, host);
    return r < 0 ? r : sd_event_source_set_enabled(host->retry_source, SD_EVENT_OFF);
}
