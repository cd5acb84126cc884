/*
 * Signs of life: readiness, heartbeats, and the messages of sd_notify(3). They
 * only ever concern the attempt that sent them (report.c has checked that), and
 * from the moment the child is stopping nothing in them can make it ready
 * again.
 */
#include "core/rules/liveness.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/restart_queue.h"
#include "core/private.h"
#include "core/rules/reload.h"
#include "core/rules/stop.h"
#include "core/rules/watch.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

#define EXTEND_MAX_USEC (UINT64_C(24) * 3600 * 1000000)

void liveness_expect_first(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    if (declaration->heartbeat_usec > 0 && declaration->heartbeat_required)
        child_arm_timeout(core, child, TIMER_HEARTBEAT, declaration->stale_after_usec);
}

void liveness_begin(struct core *core, struct child *child)
{
    child->readiness = READINESS_UNREPORTED;
    child->heartbeat_stale = false;
    child->heartbeat_usec = 0;
    child->heartbeat_usec_monotonic = 0;
    liveness_expect_first(core, child);
}

void liveness_ran_out(struct core *core, struct child *child)
{
    child->attempt.ran_out = true;
    stop_force(core, child, EXIT_TIMED_OUT);
}

bool liveness_is_proven(const struct core *core, const struct child *child)
{
    uint64_t ready = child->attempt.ready_usec;

    return child->attempt.proven ||
           (ready > 0 &&
            core_now(core) - ready >= child->config->declaration.backoff.reset_after_usec);
}

/* The program runs. For some policies that is already readiness; for one that
 * is ready by its exit, no timeout applies any more, as its work takes as long
 * as it takes. */
void liveness_spawned(struct core *core, struct child *child)
{
    enum readiness_policy policy = child->config->declaration.readiness;

    if (policy == READINESS_IMMEDIATE || (policy == READINESS_JOB && child->job))
        liveness_become_ready(core, child);
    if (policy == READINESS_JOB)
        child_disarm(core, child, TIMER_START_TIMEOUT); /* its work takes as long as it takes */
    if (policy == READINESS_JOB || child->config->declaration.start_timeout_usec == 0)
        restart_queue_end(core, child); /* nothing bounds how long it takes from here */
}

void liveness_ended_well(struct core *core, struct child *child)
{
    if (!declaration_is_ready_by_exit(&child->config->declaration) || child->job)
        return;
    child->readiness = READINESS_READY;
    EMIT_BARE(core, EVENT_CHILD_READY, child, 0);
    core_changed(core, child);
}

void liveness_forget_success(struct core *core, struct child *child)
{
    if (child->attempt.active || child->readiness == READINESS_UNREPORTED)
        return;
    child->readiness = READINESS_UNREPORTED;
    core_changed(core, child);
}

/* Ready once per attempt. One that says so while it is being stopped is
 * believed, but nothing follows from it. */
void liveness_become_ready(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    if (child->readiness == READINESS_READY)
        return;

    child->readiness = READINESS_READY;
    child_disarm(core, child, TIMER_START_TIMEOUT);
    core_changed(core, child);
    if (attempt->status == CHILD_CANCELLING)
        return; /* it says so on its way out: true, and without consequence */
    attempt->ready_usec = core_now(core);
    child_set_status(core, child, CHILD_READY);
    restart_queue_end(core, child);
    EMIT_BARE(core, EVENT_CHILD_READY, child, 0);
}

/* The heartbeat of the new declaration counts from now. Without one there is
 * nothing to be late with, so a child that was stale recovers. */
void liveness_change_heartbeat(struct core *core, struct child *child)
{
    const struct child_declaration *d = &child->config->declaration;

    if (d->heartbeat_usec > 0 && (d->heartbeat_required || child->heartbeat_usec_monotonic > 0)) {
        child_arm_timeout(core, child, TIMER_HEARTBEAT, d->stale_after_usec);
        return;
    }
    child_disarm(core, child, TIMER_HEARTBEAT);
    if (d->heartbeat_usec > 0)
        return;
    child->attempt.silent = false;
    liveness_trust(core, child);
}

/* By the new rule, whether it is ready already. A child cannot be asked
 * again for what it has said before, so the rules that wait for its word
 * give false. */
static bool is_ready_by_now(const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    switch (child->config->declaration.readiness) {
    case READINESS_IMMEDIATE:
        return attempt->spawned;
    case READINESS_JOB:
        return attempt->spawned && child->job;
    case READINESS_CHECK:
        return attempt->spawned && attempt->check_passed && !attempt->unhealthy;
    case READINESS_EXPLICIT:
    case READINESS_EXIT:
        break;
    }
    return false;
}

/* A ready child stays ready whatever the rule: those that depend on it have
 * started. The whole new timeout begins now. */
void liveness_change_readiness(struct core *core, struct child *child, bool policy_too)
{
    const struct child_declaration *d = &child->config->declaration;
    const struct attempt *attempt = &child->attempt;
    bool job = d->readiness == READINESS_JOB;

    if (policy_too && is_ready_by_now(child))
        liveness_become_ready(core, child);
    if (job && attempt->spawned)
        child_disarm(core, child, TIMER_START_TIMEOUT);
    else if (child->timers[TIMER_START_TIMEOUT].deadline_usec > 0 ||
             child->readiness == READINESS_UNREPORTED)
        child_arm_timeout(core, child, TIMER_START_TIMEOUT, d->start_timeout_usec);
    if (attempt->spawned && (job || d->start_timeout_usec == 0))
        restart_queue_end(core, child);
}

/* How long it was well is kept first (`proven`): it decides whether its backoff
 * begins again. */
static void lose_readiness(struct core *core, struct child *child, bool stopping)
{
    child->readiness = READINESS_NOT_READY;
    child->attempt.proven = liveness_is_proven(core, child);
    child->attempt.ready_usec = 0;
    if (child->attempt.status == CHILD_READY)
        child_set_status(core, child, CHILD_RUNNING);
    EMIT(core, EVENT_CHILD_NOT_READY, child, 0, FIELD_FLAG_OF("stopping", stopping));
    core_changed(core, child);
}

static void become_not_ready(struct core *core, struct child *child)
{
    if (child->readiness != READINESS_NOT_READY)
        lose_readiness(core, child, false);
}

/* Whether what it says of its readiness decides it. */
static bool word_counts(const struct child *child)
{
    switch (child->config->declaration.readiness) {
    case READINESS_IMMEDIATE:
    case READINESS_EXPLICIT:
        return true;
    case READINESS_EXIT:
    case READINESS_JOB:
    case READINESS_CHECK:
        return false;
    }
    __builtin_unreachable();
}

/*
 * For good, whatever began it. An attempt that has not been asked to stop has its stop timeout from
 * now on, like one that was asked; one that is ready by its end has its start timeout already.
 */
static void stop_by_itself(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    struct attempt *attempt = &child->attempt;

    if (attempt->stopping)
        return;
    attempt->stopping = true;
    reload_interrupt(core, child);
    child_disarm(core, child, TIMER_HEARTBEAT);
    health_end(core, child);
    core_changed(core, child);
    if (declaration_is_ready_by_exit(declaration))
        return;
    lose_readiness(core, child, true);
    restart_queue_end(core, child);
    child_disarm(core, child, TIMER_START_TIMEOUT);
    if (!attempt->cancel_delivered && !attempt->abort_requested)
        child_arm_timeout(core, child, TIMER_CHANGE, declaration->stop_timeout_usec);
}

static void say_ready(struct core *core, struct child *child)
{
    reload_heard_ready(core, child);
    if (word_counts(child))
        liveness_become_ready(core, child);
}

/* The times of both clocks are kept: one for people, one that the deadline is
 * measured by. */
static void beat(struct core *core, struct child *child)
{
    uint64_t stale_after = child->config->declaration.stale_after_usec;

    child->heartbeat_usec_monotonic = core_now(core);
    child->heartbeat_usec = core_realtime(core);
    if (child->config->declaration.heartbeat_usec > 0 && !child->attempt.cancel_delivered &&
        !child->attempt.abort_requested && !child->attempt.stopping)
        child_arm_timeout(core, child, TIMER_HEARTBEAT, stale_after);
    child->attempt.silent = false;
    liveness_trust(core, child);
    core_changed(core, child);
}

static void extend_one(struct core *core, struct child *child, enum child_timer timer,
                       uint64_t deadline)
{
    if (child->timers[timer].deadline_usec > 0 && deadline > child->timers[timer].deadline_usec)
        child_arm(core, child, timer, deadline);
}

/* All of its deadlines that run are moved, never to an earlier moment, and at
 * most as far as the limit: a child cannot put off its abort endlessly. */
static void extend(struct core *core, struct child *child, uint64_t usec)
{
    uint64_t deadline = core_after(core, usec < EXTEND_MAX_USEC ? usec : EXTEND_MAX_USEC);

    extend_one(core, child, TIMER_START_TIMEOUT, deadline);
    extend_one(core, child, TIMER_CHANGE, deadline);
    extend_one(core, child, TIMER_RUN, deadline);
    if (!child->attempt.abort_requested)
        extend_one(core, child, TIMER_STOP, deadline);
    core_changed(core, child);
}

/* Facts for people; nothing is decided by them. */
static void note_facts(struct core *core, struct child *child, const struct notify_message *message)
{
    if (message->flags & NOTIFY_STATUS)
        text_copy(child->status_text->text, sizeof(child->status_text->text), message->status);
    if (message->flags & NOTIFY_ERRNO)
        child->notify_errno = message->error;
    if (message->flags & NOTIFY_MAIN_PID)
        child->attempt.pid = message->main_pid;
    if (message->flags & (NOTIFY_STATUS | NOTIFY_ERRNO | NOTIFY_MAIN_PID))
        core_changed(core, child);
}

/* One message may carry several words. Stopping comes first, since it voids the
 * others; a trigger comes last, as it ends the attempt that the rest belongs
 * to. */
void liveness_message(struct core *core, struct child *child, const struct notify_message *message)
{
    if (child->attempt.main.gone && child->left == 0)
        return; /* no process of it is left that could say so */
    child->attempt.notifies = true;
    note_facts(core, child, message);
    if (message->flags & NOTIFY_EXTEND_TIMEOUT)
        extend(core, child, message->extend_usec);
    if (message->flags & NOTIFY_HEARTBEAT)
        beat(core, child);
    if (message->flags & NOTIFY_STOPPING)
        stop_by_itself(core, child);
    if (child->attempt.stopping)
        return; /* no other word counts any more */
    if (message->flags & NOTIFY_RELOADING)
        reload_announced(core, child, message->reloading_usec);
    if (message->flags & NOTIFY_READY)
        say_ready(core, child);
    if ((message->flags & NOTIFY_NOT_READY) && word_counts(child))
        become_not_ready(core, child);
    if (message->flags & NOTIFY_TRIGGER)
        stop_force(core, child, EXIT_UNHEALTHY);
}

/* Stale once, whatever the number of reasons. With `restart`, the attempt is
 * ended through the fence, with an exit that counts. */
void liveness_doubt(struct core *core, struct child *child, bool by_check, const char *why,
                    enum on_stale action)
{
    uint64_t last = child->heartbeat_usec_monotonic;

    if (!child->heartbeat_stale)
        EMIT(core, EVENT_CHILD_HEARTBEAT_STALE, child, 0, FIELD_TEXT_OF("why", why),
             FIELD_NUMBER_OF("silent_usec",
                             core_now(core) - (last > 0 ? last : child->attempt.started_usec)),
             FIELD_FLAG_OF("ever", last > 0));
    child->heartbeat_stale = true;
    core_changed(core, child);
    if (action != ON_STALE_RESTART)
        return;
    if (child->attempt.forced == EXIT_NONE)
        child->attempt.failed_check = by_check;
    stop_force(core, child, EXIT_UNHEALTHY);
}

void liveness_trust(struct core *core, struct child *child)
{
    if (!child->heartbeat_stale || child->attempt.silent || child->attempt.unhealthy)
        return;
    child->heartbeat_stale = false;
    EMIT_BARE(core, EVENT_CHILD_HEARTBEAT_RECOVERED, child, 0);
    core_changed(core, child);
}

void liveness_silent(struct core *core, struct child *child)
{
    child->attempt.silent = true;
    liveness_doubt(core, child, false, "heartbeat", child->config->declaration.on_stale);
}

void liveness_too_long(struct core *core, struct child *child)
{
    if (child->attempt.stopping)
        stop_force(core, child, EXIT_TIMED_OUT);
    else
        reload_late(core, child);
}
