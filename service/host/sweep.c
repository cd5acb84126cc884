/*
 * Sweep: what an earlier proctord has left, and no attempt that continues can account for.
 */
#include "system/again.h"
#include "host/claim.h"
#include "system/clock.h"
#include "system/handle.h"
#include "host/listing.h"
#include "host/process.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define LISTINGS   8                 /* of all processes, until no new one is there */
#define SWEEP_USEC UINT64_C(2000000) /* until what was killed is gone, */
#define SWEEP_MSEC 20                /* with so long for each process */
#define UNTOLD_USEC                                                                                \
    UINT64_C(300000) /* an exec is waited for; a process that hangs in its exit is not */

struct sweep {
    int wait_msec;
    size_t count;  /* of those that were killed, or could not be looked at */
    size_t untold; /* of those that are in an exec, or on their way out */
};

/* Whether a process of that attempt may be there: it continues, also without its main process, or
 * it has left what is to be kept. */
static bool is_accounted_for(const struct host *host, const struct attempt_id *id, uint64_t check)
{
    const struct child *child = core_child_of(host->core, *id);

    if (!child || check > 0) /* a check is asked again */
        return false;
    if (child->attempt.active && child->attempt.number == id->attempt)
        return true;
    return child->config->declaration.leftovers == LEFTOVERS_KEEP && id->attempt <= child->attempts;
}

/* Left by an attempt of a child that is not there any more: the kernel says that it was to stay. */
static bool is_in_marked_leaf(const struct host *host, pid_t pid)
{
    struct attempt_id id;
    uint64_t mark;

    return host->cgroups.fd >= 0 && cgroup_child_of(&host->cgroups, pid, &id, &mark) == 0 &&
           mark > 0;
}

/* Names our notify socket, and belongs to no child. */
static bool is_meant(const struct host *host, pid_t pid, enum claim_kind kind,
                     const struct claim *claim)
{
    if (kind == CLAIM_GIVEN)
        return !is_in_marked_leaf(host, pid);
    return kind == CLAIM_NAMED && !is_accounted_for(host, &claim->id, claim->check);
}

/* Killed only if it names a child of this proctord that has no such attempt.
 * One that cannot be asked yet is counted, and asked again. */
static void sweep_one(struct host *host, pid_t pid, int pidfd, struct sweep *sweep)
{
    struct claim claim;
    enum claim_kind kind = claim_ask(host, pid, pidfd, CLAIM_STRICT, &claim);

    if (!is_meant(host, pid, kind, &claim)) {
        sweep->untold += kind == CLAIM_UNTOLD;
        return;
    }
    sweep->count++;
    handle_signal(pidfd, SIGKILL);
    host->counters.leftovers_killed += sweep->wait_msec == 0;
    if (sweep->wait_msec > 0)
        poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, sweep->wait_msec);
}

/* The pidfd comes first: what is looked at afterwards is the same process, or none. */
static void look_at(struct host *host, pid_t pid, struct sweep *sweep)
{
    int pidfd = again_pidfd(pid);

    if (pidfd < 0) {
        sweep->count += again_may_help(pidfd);
        return;
    }
    if (!handle_has_ended(pidfd))
        sweep_one(host, pid, pidfd, sweep);
    close(pidfd);
}

/* Looks at those that were not there before, and are no main processes of attempts that continue.
 */
static size_t look_at_new(struct host *host, const struct listing *now,
                          const struct listing *before, struct sweep *sweep)
{
    size_t fresh = 0;

    for (size_t i = 0, old = 0; i < now->n; i++) {
        while (old < before->n && before->listed[old].pid < now->listed[i].pid)
            old++;
        if (old < before->n && before->listed[old].pid == now->listed[i].pid)
            continue;
        fresh++;
        if (!process_of_pid(host, now->listed[i].pid))
            look_at(host, now->listed[i].pid, sweep);
    }
    return fresh;
}

/* A process that forks and exits while this lasts has another number by then: those that have come
 * meanwhile are looked at, too. */
static struct sweep look_at_all(struct host *host, int wait_msec)
{
    struct listing now = {}, before = {};
    struct sweep sweep = {.wait_msec = wait_msec};
    size_t fresh = 1;

    for (int i = 0; i < LISTINGS && fresh > 0; i++) {
        struct listing last = before;
        before = now;
        now = last;
        sweep.count += again_may_help(listing_of_all(&now));
        fresh = look_at_new(host, &now, &before, &sweep);
    }
    listing_free(&now);
    listing_free(&before);
    return sweep;
}

/* Nothing has been started yet: nothing else waits for it. */
void strays_sweep(struct host *host)
{
    uint64_t began = clock_now_usec(), took = 0;
    struct sweep sweep = look_at_all(host, 0);

    while ((sweep.count > 0 && took < SWEEP_USEC) || (sweep.untold > 0 && took < UNTOLD_USEC)) {
        sweep = look_at_all(host, SWEEP_MSEC);
        took = clock_now_usec() - began;
    }
}
