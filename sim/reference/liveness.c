/*
 * What a process says about itself while it runs: readiness, heartbeats,
 * reloads, extensions of deadlines; and health checks.
 */
#include "reference/liveness.h"

#include "core/vocabulary/invariant.h"
#include "reference/attempt.h"
#include "reference/schedule.h"
#include "reference/stop.h"
#include "reference/wake.h"
#include "reference/words.h"

#include <errno.h>

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)

static void become_not_ready(struct ref *r, struct ref_child *c, bool stopping)
{
    if (c->readiness == READINESS_NOT_READY && !stopping)
        return;
    c->attempt.proven = ref_is_proven(r, c);
    c->readiness = READINESS_NOT_READY;
    c->attempt.ready_since = 0;
    if (c->attempt.status == CHILD_READY)
        c->attempt.status = CHILD_RUNNING;
    TELL(r, c, EVENT_CHILD_NOT_READY, FIELD_FLAG_OF("stopping", stopping));
}

/* A second for RELOADING=1, and no more than the start timeout for the whole. */
static void wait_for_announcement(struct ref *r, struct ref_child *c)
{
    uint64_t timeout = c->declaration->start_timeout_usec, from = c->attempt.reload_signal;
    uint64_t deadline = r->now + SECOND;
    if (timeout > 0 && from + timeout < deadline)
        deadline = from + timeout;
    ref_arm(r, c, REF_CHANGE, deadline);
}

/* For the rest, the start timeout. */
static void wait_for_end(struct ref *r, struct ref_child *c)
{
    uint64_t timeout = c->declaration->start_timeout_usec, from = c->attempt.reload_signal;
    if (timeout == 0)
        ref_disarm(c, REF_CHANGE);
    else if (c->deadline[REF_CHANGE] < from + timeout) /* it may have asked for more */
        ref_arm(r, c, REF_CHANGE, from + timeout);
}

/* By signal or by command. The process announces that it has begun, and says
 * when it is done. */
int ref_reload(struct ref *r, struct ref_child *c, struct outcome *o)
{
    INVARIANT(c && o);
    if (!c->attempt.active || !c->attempt.spawned || c->attempt.cancelled || c->attempt.aborted ||
        c->attempt.stopping || c->attempt.main_gone)
        return -ESRCH;
    if (r->dry)
        return 0;
    bool by_commands = c->declaration->process.reload.count > 0;
    ref_call_with(r, c, REF_CALL_KILL, by_commands ? 0 : c->process->process.reload_signal, false);
    o->reload = c->reload_result = RELOAD_PENDING;
    c->attempt.reload = by_commands ? REF_COMMANDED : REF_SIGNALLED;
    c->attempt.reload_signal = r->now;
    c->attempt.reload_command = r->next_command;
    if (by_commands) /* the executor limits their time */
        ref_disarm(c, REF_CHANGE);
    else if (c->attempt.reloading)
        wait_for_end(r, c); /* the one before goes first */
    else
        wait_for_announcement(r, c);
    return 0;
}

/* An announcement older than the signal belongs to an earlier reload. */
static void announce_reload(struct ref *r, struct ref_child *c, uint64_t since)
{
    bool another = c->attempt.reloading;
    if (c->attempt.cancelled || c->attempt.aborted)
        return;
    c->attempt.reloading = true;
    if (c->attempt.reload == REF_ANNOUNCED || c->attempt.reload == REF_COMMANDED)
        return;
    if (c->attempt.reload == REF_SIGNALLED) {
        if (since == 0 || since >= c->attempt.reload_signal)
            c->attempt.reload = REF_ANNOUNCED;
        wait_for_end(r, c);
    } else if (!another) {
        ref_arm_timeout(r, c, REF_CHANGE, c->declaration->start_timeout_usec);
    }
}

/* "Ready" ends a reload that was announced. */
static void end_reload_by_word(struct ref *r, struct ref_child *c)
{
    bool was = c->attempt.reloading;
    c->attempt.reloading = false;
    if (!was || c->attempt.reload == REF_COMMANDED)
        return;
    if (c->attempt.reload == REF_SIGNALLED) {
        wait_for_announcement(r, c); /* it was the one before */
        return;
    }
    ref_end_reload(r, c, RELOAD_DONE);
    ref_disarm(c, REF_CHANGE);
}

/* Of a reload it is the end; of others it is only told. */
void ref_commands_ended(struct ref *r, struct ref_child *c, enum child_commands commands,
                        bool passed, const char *why)
{
    if (!passed)
        TELL(r, c, EVENT_CHILD_COMMAND_FAILED,
             FIELD_TEXT_OF("commands", child_commands_to_string(commands)),
             FIELD_TEXT_OF("why", ref_keep(r, why)));
    if (!passed && commands == COMMANDS_RELOAD)
        ref_tell_cause(r, c->attempt.reload_command);
    if (commands == COMMANDS_RELOAD)
        ref_end_reload(r, c, passed ? RELOAD_DONE : RELOAD_FAILED);
}

void ref_too_long(struct ref *r, struct ref_child *c)
{
    uint64_t timeout = c->declaration->start_timeout_usec, from = c->attempt.reload_signal;
    bool late = timeout > 0 && r->now >= from + timeout;
    if (c->attempt.stopping)
        ref_force_stop(r, c, EXIT_TIMED_OUT);
    else if (c->attempt.reload == REF_SIGNALLED && !c->attempt.reloading && !late)
        ref_end_reload(r, c, RELOAD_NOT_ANNOUNCED);
    else
        ref_end_reload(r, c, RELOAD_TIMED_OUT);
}

/* The second starts again: no daemon was there to hear. */
void reference_recovered(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (c->here && c->attempt.active && c->attempt.reload == REF_SIGNALLED &&
            !c->attempt.reloading)
            wait_for_announcement(r, c);
        if (c->here && c->attempt.active && c->attempt.reload == REF_COMMANDED)
            ref_call_with(r, c, REF_CALL_KILL, 0, false); /* from the first one, again */
    }
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (!c->here || !c->attempt.check_open)
            continue;
        c->attempt.check_open = false; /* the process that was asked has gone: it is asked again */
        ref_ask(r, c);
    }
    ref_clock_was_set(r);
    ref_wake(r);
}

/* For good. One that is ready by its end has its start timeout already; others have their stop
 * timeout from now on, unless they have been asked to stop. */
static void stop_by_itself(struct ref *r, struct ref_child *c)
{
    if (c->attempt.stopping)
        return;
    c->attempt.stopping = true;
    ref_disarm(c, REF_HEARTBEAT);
    ref_disarm(c, REF_HEALTH);
    ref_ask_no_more(r, c);
    ref_end_reload(r, c, RELOAD_INTERRUPTED);
    ref_disarm(c, REF_CHANGE);
    if (ref_ends_ready(c))
        return;
    become_not_ready(r, c, true);
    ref_give_place_back(c);
    ref_disarm(c, REF_START_TIMEOUT);
    if (!c->attempt.cancelled && !c->attempt.aborted)
        ref_arm_timeout(r, c, REF_CHANGE, c->declaration->stop_timeout_usec);
}

static void beat(struct ref *r, struct ref_child *c)
{
    c->heartbeat = r->now;
    c->heartbeat_realtime = r->realtime;
    c->attempt.silent = false;
    ref_trust(r, c);
    if (c->declaration->heartbeat_usec > 0 && !c->attempt.cancelled && !c->attempt.aborted &&
        !c->attempt.stopping)
        ref_arm_timeout(r, c, REF_HEARTBEAT, c->declaration->stale_after_usec);
}

/* Each interval; and a child that is to be ready by it is asked at least each second until it
 * is. */
void ref_ask_later(struct ref *r, struct ref_child *c)
{
    uint64_t pause = c->declaration->health_usec;
    if (c->declaration->readiness == READINESS_CHECK && !c->attempt.check_passed && pause > SECOND)
        pause = SECOND;
    ref_arm(r, c, REF_HEALTH, r->now + pause);
}

/* Misses count once it has been well, and so many of them in a row. */
void ref_checked(struct ref *r, struct ref_child *c, bool passed, const char *why)
{
    const struct child_declaration *d = c->declaration;
    c->attempt.check_open = false;
    c->attempt.check_passed = c->attempt.check_passed || passed;
    ref_ask_later(r, c);
    if (passed) {
        c->attempt.check_misses = 0;
        c->attempt.unhealthy = false;
        ref_trust(r, c);
        if (d->readiness == READINESS_CHECK)
            ref_become_ready(r, c);
    } else if (c->attempt.check_passed && !c->attempt.unhealthy &&
               ++c->attempt.check_misses >= d->health_retries) {
        c->attempt.unhealthy = true;
        ref_doubt(r, c, ref_keep(r, why));
        if (d->on_unhealthy == ON_STALE_RESTART) {
            if (c->attempt.forced == EXIT_NONE)
                c->attempt.failed_check = true;
            ref_force_stop(r, c, EXIT_UNHEALTHY);
        }
    }
}

/* A health check that has no answer yet when the next is due has failed. */
void ref_ask(struct ref *r, struct ref_child *c)
{
    if (c->attempt.check_open) {
        ref_ask_no_more(r, c);
        ref_checked(r, c, false, "no answer within its timeout");
        return;
    }
    c->attempt.check_open = true;
    c->attempt.checks++;
    ref_arm_timeout(r, c, REF_HEALTH, c->declaration->health_timeout_usec);
    ref_call_with(r, c, REF_CALL_CHECK, c->attempt.checks, false);
}

/* Deadlines move back, never forward, and by a day at most. */
static void extend(struct ref *r, struct ref_child *c, uint64_t usec)
{
    uint64_t deadline = r->now + (usec < 24 * 60 * MINUTE ? usec : 24 * 60 * MINUTE);
    if (c->deadline[REF_START_TIMEOUT] > 0 && deadline > c->deadline[REF_START_TIMEOUT])
        ref_arm(r, c, REF_START_TIMEOUT, deadline);
    if (c->deadline[REF_CHANGE] > 0 && deadline > c->deadline[REF_CHANGE])
        ref_arm(r, c, REF_CHANGE, deadline);
    if (c->deadline[REF_RUN] > 0 && deadline > c->deadline[REF_RUN])
        ref_arm(r, c, REF_RUN, deadline);
    if (c->deadline[REF_STOP] > 0 && !c->attempt.aborted && deadline > c->deadline[REF_STOP])
        ref_arm(r, c, REF_STOP, deadline);
}

/* Whether what it says of its readiness decides it. */
static bool is_word_good(const struct ref_child *c)
{
    return c->declaration->readiness == READINESS_IMMEDIATE ||
           c->declaration->readiness == READINESS_EXPLICIT;
}

static void note_words(struct ref *r, struct ref_child *c, const struct notify_message *message)
{
    c->attempt.notifies = true;
    if (message->flags & NOTIFY_STATUS)
        c->status_text = ref_keep_short(r, message->status, STATUS_TEXT_MAX);
    if (message->flags & NOTIFY_ERRNO)
        c->said_errno = message->error;
    if (message->flags & NOTIFY_MAIN_PID)
        c->attempt.pid = message->main_pid;
}

/* One message, with all that it says, in the order of the specification. */
void ref_listen(struct ref *r, struct ref_child *c, const struct notify_message *message)
{
    INVARIANT(message);
    if (c->attempt.main_gone && c->leftovers == 0)
        return; /* no process of it is left that could say so */
    note_words(r, c, message);
    if (message->flags & NOTIFY_EXTEND_TIMEOUT)
        extend(r, c, message->extend_usec);
    if (message->flags & NOTIFY_HEARTBEAT)
        beat(r, c);
    if (message->flags & NOTIFY_STOPPING)
        stop_by_itself(r, c);
    if (c->attempt.stopping)
        return;
    if (message->flags & NOTIFY_RELOADING)
        announce_reload(r, c, message->reloading_usec);
    if (message->flags & NOTIFY_READY)
        end_reload_by_word(r, c);
    if ((message->flags & NOTIFY_READY) && is_word_good(c))
        ref_become_ready(r, c);
    if ((message->flags & NOTIFY_NOT_READY) && is_word_good(c))
        become_not_ready(r, c, false);
    if (message->flags & NOTIFY_TRIGGER)
        ref_force_stop(r, c, EXIT_UNHEALTHY);
}
