/*
 * Heartbeats are cheap to send and expensive to record, so those that come
 * within an eighth of the deadline (at most a second) are counted as one, at
 * the end of that time. Nothing is lost by it: the deadline moves a little
 * later than the last heartbeat, never earlier.
 */
#include "host/beat.h"

#include "core/model/child.h"
#include "core/vocabulary/invariant.h"
#include "host/process.h"

#include <string.h>
#include <time.h>

#define MOMENT_MAX_USEC 1000000
#define MOMENTS         8 /* in stale_after */

static uint64_t moment_of(const struct child *child)
{
    uint64_t stale_after = child->config->declaration.heartbeat_usec > 0
                               ? child->config->declaration.stale_after_usec
                               : 0;
    uint64_t moment = stale_after / MOMENTS;

    return moment == 0 || moment > MOMENT_MAX_USEC ? MOMENT_MAX_USEC : moment;
}

/* The heartbeats of this moment, as one message. */
static int moment_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct process *process = userdata;
    struct beat *beat = &process->beat;

    (void)source;
    (void)usec;
    if (!beat->waits || process->state != PROCESS_RUNNING)
        return 0;
    beat->waits = false;
    sd_event_now(process->host->event, CLOCK_MONOTONIC, &beat->last_usec);
    core_notify(process->host->core, process->id,
                &(struct notify_message){.flags = NOTIFY_HEARTBEAT});
    return 0;
}

/* One timer per child, made with its first heartbeat that has to wait. */
static int wait_for_end(struct process *process, uint64_t end_usec)
{
    struct beat *beat = &process->beat;
    int r = 0;

    if (!beat->source)
        r = sd_event_add_time(process->host->event, &beat->source, CLOCK_MONOTONIC, end_usec, 0,
                              moment_is_over, process);
    else
        r = sd_event_source_set_time(beat->source, end_usec);
    if (r >= 0)
        r = sd_event_source_set_enabled(beat->source, SD_EVENT_ONESHOT);
    return r;
}

/* Whether this beat can wait for the end of the interval that the last one began. */
static bool can_wait(struct process *process, uint64_t now_usec)
{
    struct beat *beat = &process->beat;
    uint64_t moment = moment_of(process->child);

    if (beat->last_usec == 0 || now_usec >= beat->last_usec + moment)
        return false;
    if (!beat->waits && wait_for_end(process, beat->last_usec + moment) < 0)
        return false;
    beat->waits = true;
    return true;
}

static bool is_silent(const struct child *child)
{
    return child->heartbeat_stale || child->attempt.silent || !child->attempt.notifies;
}

/* Takes out of a message what says nothing new. A status that has not changed,
 * and a heartbeat that can wait, make no input; a child that was silent is
 * always heard at once. */
void beat_reduce(struct process *process, uint64_t now_usec, struct notify_message *message)
{
    INVARIANT(message && child_is_sound(process->child));
    const struct child *child = process->child;

    if ((message->flags & NOTIFY_STATUS) && child->attempt.notifies &&
        strcmp(child->status_text->text, message->status) == 0)
        message->flags &= ~(unsigned)NOTIFY_STATUS;
    if (message->flags == NOTIFY_HEARTBEAT && !is_silent(child) && can_wait(process, now_usec)) {
        message->flags = 0;
    } else if (message->flags & NOTIFY_HEARTBEAT) {
        process->beat.waits = false;
        process->beat.last_usec = now_usec;
    }
}

void beat_forget(struct beat *beat)
{
    sd_event_source_disable_unref(beat->source);
    *beat = (struct beat){};
}
