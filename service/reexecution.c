/*
 * Upgrade in place: the program on disk replaces this one in the same process.
 * Everything that is open is written down, then execv(2). If that fails, this
 * program continues as if nothing had happened.
 */
#include "reexecution.h"
#include "core/vocabulary/invariant.h"

#include "system/beside.h"
#include "core/core.h"
#include "daemon.h"
#include "core/vocabulary/error.h"
#include "handover/handover.h"
#include "host/host.h"
#include "journal/journal.h"
#include "log/log.h"
#include "bus/metrics_socket.h"
#include "bus/private_bus.h"
#include "bus/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define TRIES        8
#define BESIDE_USEC  5000000 /* what runs beside the loop must have come back until then */
#define LOOK_USEC    20000   /* how often it is looked whether it has */
#define LAST_USEC    1000000 /* how long the loop stands still for the very last of it */
#define LEFT_USEC    500000  /* and for what a signal ends wherever it hangs */
#define INQUIRIES    8       /* into the program on disk, at the same time, */
#define INQUIRY_USEC 5000000 /* and for one of them */

/* What is only the daemon's; the same walk in both programs. */
void reexecution_archive(struct daemon *daemon, struct handover *handover)
{
    INVARIANT(handover);
    for (int i = 0; i < 2; i++)
        handover_descriptor(handover, &daemon->locks[i]);
    ARCHIVE(handover_archive(handover), daemon->descriptors);
    private_bus_archive(daemon->bus, handover_archive(handover));
    handover_descriptor(handover, &daemon->metrics_descriptor);
}

/* Nothing may be in progress: threads end, replies are sent, the journal is on
 * the disk. */
static int hand_over(struct daemon *daemon)
{
    struct handover *handover;
    const char *what;
    int r = beside_wait(LAST_USEC, LEFT_USEC, &what);

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
static void look_soon(struct daemon *daemon, const char *what);

static const char *explain(int r)
{
    return r == -EBUSY ? "a blocking call on a disk has not returned (try again later)"
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
    else if (r == -EBUSY) /* something has come up, or has come back and is not told yet */
        look_soon(daemon, "write the journal");
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

/* The loop turns meanwhile, and tells what has come back beside it. */
static void look_soon(struct daemon *daemon, const char *what)
{
    int r = -EBUSY;

    if (now_usec(daemon) < daemon->beside_until_usec)
        r = sd_event_add_time_relative(daemon->event, &daemon->beside_timer, CLOCK_MONOTONIC,
                                       LOOK_USEC, 0, look_again, daemon);
    else
        log_print(LOG_ERR, "a blocking call has not returned: %s", what);
    if (r < 0)
        stay(daemon, r);
}

/* execve(2) would wait for a thread that hangs, and with it all children. The loop turns until all
 * have come back. */
static void wait_for_what_is_beside(struct daemon *daemon)
{
    const char *what;

    if (beside_may_be_left(&what))
        begin_reexecution(daemon);
    else
        look_soon(daemon, what);
}

/* Refused if the journal cannot be written, since the new program reads the
 * tree from it. */
int reexecution_order(void *userdata, const char *requester, const char *reason,
                      struct error *error)
{
    struct daemon *daemon = userdata;
    const char *unwritten = history_unwritten(&daemon->history);

    INVARIANT(error);
    if (unwritten) {
        snprintf(error->text, sizeof(error->text),
                 "the journal cannot be written (%s), so the new program would not know the tree",
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

/* ---- the program on disk --------------------------------------------------------------------- */

struct inquiry {
    struct daemon *daemon;
    struct program program;
    struct beside_work work;
    sd_event_source *patience;
    void (*done)(void *data, int r, const char *version,
                 const char *why); /* NULL: it was reported */
    void *data;
    int r;
    char version[PROGRAM_VERSION_MAX];
    struct error error;
};

static void look(void *data)
{
    struct inquiry *inquiry = data;
    inquiry->r = program_check(&inquiry->program, inquiry->version, &inquiry->error);
}

static void tell(struct inquiry *inquiry, int r, const char *why)
{
    void (*done)(void *, int, const char *, const char *) = inquiry->done;

    inquiry->done = NULL;
    inquiry->patience = sd_event_source_disable_unref(inquiry->patience);
    if (done)
        done(inquiry->data, r, inquiry->version, why);
}

static void looked(void *data)
{
    struct inquiry *inquiry = data;
    tell(inquiry, inquiry->r, inquiry->error.text);
}

/* What the thread writes is not read before it is done. */
static int takes_too_long(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct inquiry *inquiry = userdata;
    void (*done)(void *, int, const char *, const char *) = inquiry->done;

    (void)source;
    (void)usec;
    inquiry->done = NULL;
    inquiry->patience = sd_event_source_disable_unref(inquiry->patience);
    done(inquiry->data, -ETIMEDOUT, "",
         "the program on disk cannot be checked: its file system does not respond");
    return 0;
}

static void release(void *data)
{
    struct inquiry *inquiry = data;

    inquiry->daemon->inquiries--;
    sd_event_source_disable_unref(inquiry->patience);
    program_forget(&inquiry->program);
    free(inquiry);
}

/* In a thread, as the program on disk may hang. */
int reexecution_check(void *userdata,
                      void (*done)(void *data, int r, const char *version, const char *why),
                      void *data)
{
    struct daemon *daemon = userdata;
    struct inquiry *fresh = daemon->inquiries < INQUIRIES ? calloc(1, sizeof(*fresh)) : NULL;

    if (!fresh)
        return -EBUSY;
    daemon->inquiries++;
    *fresh = (struct inquiry){.daemon = daemon, .done = done, .data = data};
    fresh->work = (struct beside_work){.what = "look at the program on disk",
                                       .work = look,
                                       .done = looked,
                                       .release = release,
                                       .data = fresh};
    int r = program_copy(&daemon->program, &fresh->program);
    if (r >= 0)
        r = sd_event_add_time_relative(daemon->event, &fresh->patience, CLOCK_MONOTONIC,
                                       INQUIRY_USEC, 0, takes_too_long, fresh);
    if (r < 0) {
        release(fresh);
        return r;
    }
    beside_do(NULL, &fresh->work);
    return 0;
}

/* SIGUSR1 has no caller to answer. */
static void looked_for_signal(void *data, int r, const char *version, const char *why)
{
    struct daemon *daemon = data;
    struct error error = {};

    (void)version;
    if (core_shutdown_phase(daemon->core) != SHUTDOWN_IDLE)
        log_print(LOG_ERR, "the program was not replaced: the tree is shutting down");
    else if (r < 0)
        log_print(LOG_ERR, "the program was not replaced: %s", why);
    else if (reexecution_order(daemon, "signal", "SIGUSR1", &error) < 0)
        log_print(LOG_ERR, "the program was not replaced: %s", error.text);
}

void reexecution_by_signal(void *userdata)
{
    int r = reexecution_check(userdata, looked_for_signal, userdata);

    if (r < 0)
        log_print(LOG_ERR, "the program was not replaced: %s", strerror(-r));
}
