/*
 * Reload of a child: a signal, a word that it has begun, a word that it is
 * over. The protocol is systemd's Type=notify-reload, with one question more: a
 * child that says nothing within a second does not speak it at all, and the
 * caller should not wait for an answer that never comes.
 */
#include "core/rules/reload.h"

#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"
#include "core/vocabulary/vocabulary.h"

#define ANNOUNCED_USEC 1000000 /* so soon a child says what it makes of the signal */

static bool is_on_its_way_out(const struct attempt *attempt)
{
    return attempt->cancel_delivered || attempt->abort_requested || attempt->stopping ||
           attempt->main.gone;
}

static bool has_commands(const struct child *child)
{
    return child->config->declaration.process.reload.count > 0;
}

/* The result is kept for the callers that wait. A reload that the child began
 * on its own has none, and only its mark goes. */
static void end(struct core *core, struct child *child, enum reload_result result)
{
    struct attempt *attempt = &child->attempt;

    if (attempt->reloading)
        core_changed(core, child);
    attempt->reloading = false;
    if (attempt->reload == RELOAD_IDLE)
        return;
    attempt->reload = RELOAD_IDLE;
    child->reload_result = result;
    EMIT(core, EVENT_CHILD_RELOAD_COMPLETED, child, attempt->reload_cause,
         FIELD_TEXT_OF("result", reload_result_to_string(result)),
         FIELD_NUMBER_OF("took_usec", core_now(core) - attempt->reload_usec));
    core_changed(core, child);
}

/* Of the whole, from the signal on; 0: none. */
static uint64_t last_moment(const struct child *child)
{
    uint64_t timeout = child->config->declaration.start_timeout_usec;
    return timeout > 0 ? moment_after(child->attempt.reload_usec, timeout) : 0;
}

static void wait_for_announcement(struct core *core, struct child *child)
{
    uint64_t deadline = core_after(core, ANNOUNCED_USEC), last = last_moment(child);

    child_arm(core, child, TIMER_CHANGE, last > 0 && last < deadline ? last : deadline);
}

static void wait_for_end(struct core *core, struct child *child)
{
    uint64_t last = last_moment(child);

    if (last == 0)
        child_disarm(core, child, TIMER_CHANGE);
    else if (child->timers[TIMER_CHANGE].deadline_usec < last) /* it may have asked for more */
        child_arm(core, child, TIMER_CHANGE, last);
}

bool reload_may_begin(const struct child *child)
{
    return child->attempt.active && child->attempt.spawned && !is_on_its_way_out(&child->attempt);
}

/* If the child is in a reload of its own, that one has to end first: the word
 * that ends it must not be taken for the end of this one. */
void reload_begin(struct core *core, struct child *child, uint64_t cause)
{
    struct attempt *attempt = &child->attempt;

    attempt->reload = has_commands(child) ? RELOAD_COMMANDED : RELOAD_SIGNALLED;
    attempt->reload_usec = core_now(core);
    attempt->reload_cause = cause;
    child->reload_result = RELOAD_PENDING;
    if (attempt->reload == RELOAD_COMMANDED)
        child_disarm(core, child, TIMER_CHANGE); /* the executor limits their time */
    else if (attempt->reloading)
        wait_for_end(core, child);
    else
        wait_for_announcement(core, child);
    core_changed(core, child);
}

/* Its time says which signal it answers: one from before the signal belongs to
 * an earlier reload. */
void reload_announced(struct core *core, struct child *child, uint64_t since_usec)
{
    struct attempt *attempt = &child->attempt;
    bool another = attempt->reloading;

    if (is_on_its_way_out(attempt))
        return;
    attempt->reloading = true;
    core_changed(core, child);
    switch (attempt->reload) {
    case RELOAD_IDLE:
        if (!another)
            child_arm_timeout(core, child, TIMER_CHANGE,
                              child->config->declaration.start_timeout_usec);
        return;
    case RELOAD_SIGNALLED:
        if (since_usec == 0 || since_usec >= attempt->reload_usec)
            attempt->reload = RELOAD_ANNOUNCED;
        wait_for_end(core, child);
        return;
    case RELOAD_ANNOUNCED:
    case RELOAD_COMMANDED:
        return;
    }
    INVARIANT(false);
}

/* READY=1 ends a reload only if one was announced; a child that repeats its
 * readiness says nothing new. */
void reload_heard_ready(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    if (!attempt->reloading)
        return; /* it says again what it had said */
    if (attempt->reload == RELOAD_COMMANDED) {
        attempt->reloading = false; /* of its own; what was asked for ends with its commands */
        core_changed(core, child);
        return;
    }
    if (attempt->reload == RELOAD_SIGNALLED) {
        attempt->reloading = false; /* that was the one before */
        wait_for_announcement(core, child);
        core_changed(core, child);
        return;
    }
    end(core, child, RELOAD_DONE);
    child_disarm(core, child, TIMER_CHANGE);
}

void reload_interrupt(struct core *core, struct child *child)
{
    end(core, child, RELOAD_INTERRUPTED);
    child_disarm(core, child, TIMER_CHANGE);
}

/* Which of the two deadlines has passed decides what is reported. */
void reload_late(struct core *core, struct child *child)
{
    const struct attempt *attempt = &child->attempt;
    uint64_t last = last_moment(child);
    bool waits_for_word = attempt->reload == RELOAD_SIGNALLED && !attempt->reloading;

    end(core, child,
        waits_for_word && (last == 0 || core_now(core) < last) ? RELOAD_NOT_ANNOUNCED
                                                               : RELOAD_TIMED_OUT);
}

int reload_signal_of(const struct child *child)
{
    const struct process_spec *process = &child->config->declaration.process;

    return has_commands(child) ? SIGNAL_RELOAD_COMMANDS : process->reload_signal;
}

void reload_commands_ended(struct core *core, struct child *child, bool passed)
{
    end(core, child, passed ? RELOAD_DONE : RELOAD_FAILED);
}

void reload_recovered(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child)) {
        const struct attempt *attempt = &child->attempt;
        if (attempt->active && attempt->reload == RELOAD_COMMANDED)
            core->ports.kill(core->ports.userdata, child, child_attempt_id(child),
                             SIGNAL_RELOAD_COMMANDS, false);
        if (attempt->active && attempt->reload == RELOAD_SIGNALLED && !attempt->reloading)
            wait_for_announcement(core, child);
    }
}
