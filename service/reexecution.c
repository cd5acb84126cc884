#include "reexecution.h"

#include "beside.h"
#include "core.h"
#include "daemon.h"
#include "error.h"
#include "handover.h"
#include "host.h"
#include "journal.h"
#include "log.h"
#include "metrics_socket.h"
#include "private_bus.h"
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define TRIES       8
#define BESIDE_USEC 5000000 /* what runs beside the loop must have come back until then */
#define LOOK_USEC   20000   /* how often it is looked whether it has */
#define LAST_USEC   1000000 /* how long the loop stands still for the very last of it */

/* What is only the daemon's; the same walk in both programs. */
void reexecution_archive(struct daemon *daemon, struct handover *handover)
{
    for (int i = 0; i < 2; i++)
        handover_descriptor(handover, &daemon->locks[i]);
    ARCHIVE(handover_archive(handover), daemon->descriptors);
    private_bus_archive(daemon->bus, handover_archive(handover));
    handover_descriptor(handover, &daemon->metrics_descriptor);
}

static int hand_over(struct daemon *daemon)
{
    struct handover *handover;
    const char *what;
    int r = beside_wait(LAST_USEC, &what);

    if (r >= 0)
        r = service_prepare_handover(daemon->service);
    if (r >= 0)
        r = journal_checkpoint(daemon->history.journal);
    if (r >= 0)
        r = journal_settle(daemon->history.journal, LAST_USEC);
    if (r >= 0)
        r = handover_new(&handover);
    if (r < 0)
        return r;
    daemon->metrics_descriptor = metrics_socket_descriptor(daemon->metrics);
    reexecution_archive(daemon, handover);
    host_hand_over(daemon->host, handover);
    r = service_hand_over(daemon->service, handover);
    log_settle();
    if (r >= 0)
        r = handover_execute(handover, daemon->program.path, daemon->program.arguments);
    handover_free(handover);
    return r;
}

static void begin_reexecution(struct daemon *daemon);
static void wait_for_what_is_beside(struct daemon *daemon);

static const char *explain(int r)
{
    return r == -EBUSY ? "a call that waits for a disk does not come back (try again later)"
                       : strerror(-r);
}

static void stay(struct daemon *daemon, int r)
{
    daemon->reexecutes = false;
    log_print(LOG_ERR, "%s cannot take over: %s", daemon->program.path, explain(r));
    service_stay(daemon->service, explain(r));
}

/* Between two turns of the loop, so that nothing is half done. Returns where it came to nothing. */
static int reexecute_now(sd_event_source *source, void *userdata)
{
    struct daemon *daemon = userdata;
    int r = hand_over(daemon);

    (void)source;
    if (r == -EAGAIN && ++daemon->handovers < TRIES) /* not all is sent */
        begin_reexecution(daemon);
    else if (r == -EBUSY) /* something has come up meanwhile */
        wait_for_what_is_beside(daemon);
    else
        stay(daemon, r);
    return 0;
}

/* Before any other source is looked at. */
static int schedule_reexecution(struct daemon *daemon)
{
    if (daemon->reexecution)
        return sd_event_source_set_enabled(daemon->reexecution, SD_EVENT_ONESHOT);
    int r = sd_event_add_defer(daemon->event, &daemon->reexecution, reexecute_now, daemon);
    return r < 0 ? r
                 : sd_event_source_set_priority(daemon->reexecution, SD_EVENT_PRIORITY_IMPORTANT);
}

static void bus_is_ready(void *userdata, int r)
{
    struct daemon *daemon = userdata;

    if (r >= 0 || r == -ENOTCONN)
        r = schedule_reexecution(daemon);
    if (r < 0)
        stay(daemon, r);
}

static void begin_reexecution(struct daemon *daemon)
{
    int r = service_begin_handover(daemon->service, bus_is_ready, daemon);

    if (r < 0)
        stay(daemon, r);
}

static uint64_t now_usec(const struct daemon *daemon)
{
    uint64_t now = 0;
    sd_event_now(daemon->event, CLOCK_MONOTONIC, &now);
    return now;
}

static int look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *daemon = userdata;

    (void)source;
    (void)usec;
    daemon->beside_timer = sd_event_source_disable_unref(daemon->beside_timer);
    wait_for_what_is_beside(daemon);
    return 0;
}

/* execve(2) would wait for a thread that hangs, and with it all children. The loop turns until all
 * have come back. */
static void wait_for_what_is_beside(struct daemon *daemon)
{
    const char *what;
    int r = beside_wait(0, &what);

    if (r == 0) {
        begin_reexecution(daemon);
        return;
    }
    if (now_usec(daemon) < daemon->beside_until_usec)
        r = sd_event_add_time_relative(daemon->event, &daemon->beside_timer, CLOCK_MONOTONIC,
                                       LOOK_USEC, 0, look_again, daemon);
    else
        log_print(LOG_ERR, "a call does not come back: %s", what);
    if (r < 0)
        stay(daemon, r);
}

int reexecution_order(void *userdata, const char *requester, const char *reason, bool dry_run,
                      char version[64], struct error *error)
{
    struct daemon *daemon = userdata;
    int r = program_check(&daemon->program, version, error);

    if (r < 0 || dry_run)
        return r;
    const char *unwritten = daemon_unwritten(daemon);
    if (unwritten) {
        snprintf(error->text, sizeof(error->text),
                 "the journal cannot be written (%s), and the new program would know nothing",
                 unwritten);
        return -EIO;
    }
    core_reexecute(daemon->core, requester, reason);
    if (daemon->reexecutes)
        return 0;
    daemon->reexecutes = true;
    daemon->handovers = 0;
    daemon->beside_until_usec = now_usec(daemon) + BESIDE_USEC;
    journal_checkpoint(
        daemon->history.journal); /* whether the disk answers: the last one is short */
    wait_for_what_is_beside(daemon);
    return 0;
}

void reexecution_by_signal(void *userdata)
{
    char version[PROGRAM_VERSION_MAX];
    struct daemon *daemon = userdata;
    struct error error = {};

    if (core_shutdown_phase(daemon->core) != SHUTDOWN_IDLE)
        log_print(LOG_ERR, "the program is not replaced: the tree is shutting down");
    else if (reexecution_order(daemon, "signal", "SIGUSR1", false, version, &error) < 0)
        log_print(LOG_ERR, "the program is not replaced: %s", error.text);
}
