/*
 * A child in a checkpoint, field by field. The same lines read and write, so
 * the two cannot drift apart; what a later version added stands behind
 * `a->version`, in the place where it was added, and is never moved. Words of
 * enums are checked against the last one that existed, as a damaged file must
 * not lead to a state that no rule knows.
 */
#include "core/model/child_archive.h"

#include "core/model/archive.h"
#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/declaration_archive.h"
#include "core/model/input_archive.h"
#include "core/model/reference_archive.h"
#include "core/model/restart_limit.h"
#include "core/model/seldom.h"
#include "core/model/start_wait.h"
#include "core/model/tally.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>

/*
 * What an archive of this version holds of each enumeration. A value that is appended is unknown to
 * an older program, which then refuses the checkpoint: that is meant, and the line below is where
 * to say so.
 */
_Static_assert(CORE_STATE_VERSION == 3 && CORE_STATE_OLDEST == 2, "the numbers below are of these");
_Static_assert(CHILD_TIMERS == 10 && TIMER_SCHEDULE == 9 && TIMER_PLACE == 6,
               "version 2 had those before TIMER_PLACE, 3 those before TIMER_SCHEDULE");
_Static_assert(CHILD_REMOVED == 3 && CHILD_STOPPED == 5 && STOP_FAILED == 4, "of a child");
_Static_assert(EXIT_SPAWN_FAILED == 8 && DECISION_MELTDOWN == 8, "of an exit");
_Static_assert(FENCE_CLOSED == 4 && STOP_BY_SHUTDOWN == 9 && RELOAD_COMMANDED == 3, "of a stop");
_Static_assert(READINESS_NOT_READY == 2 && RELOAD_FAILED == 6, "of what it says");
_Static_assert(FAILURE_WAIT_ABORT == 3 && REPORT_COMMANDS == 9, "of what went wrong");
_Static_assert(SHUTDOWN_COMPLETED == 5 && SHUTDOWN_LATE_REPORT == 5 &&
                   SHUTDOWN_WHY_CUT_SHORT == 7 && RESOURCE_FAILED == 3,
               "of a shutdown");

/* The version before only knew whether one was pending, and not since when: it is forgotten. */
static void archive_reload_phase(struct archive *a, struct attempt *attempt)
{
    ARCHIVE_WORD(a, attempt->reload, RELOAD_COMMANDED);
    if (a->version < 3)
        attempt->reload = RELOAD_IDLE;
}

/* How the main process ended, while others of its attempt are left: it decides
 * the exit, and has to survive a restart of proctord. */
static void archive_main_end(struct archive *a, struct main_end *main)
{
    ARCHIVE(a, main->gone);
    ARCHIVE(a, main->unknown);
    ARCHIVE(a, main->by_signal);
    ARCHIVE(a, main->core_dumped);
    ARCHIVE(a, main->oom_killed);
    ARCHIVE(a, main->code);
    ARCHIVE(a, main->signal);
    ARCHIVE_WORD(a, main->kind, EXIT_SPAWN_FAILED);
}

/* The attempt as it stands. What is only derived (who holds up whose stop) is
 * computed again after reading. */
static void archive_attempt(struct archive *a, struct attempt *attempt)
{
    ARCHIVE(a, attempt->active);
    ARCHIVE(a, attempt->spawned);
    ARCHIVE(a, attempt->confirmed);
    if (a->version >= 3)
        ARCHIVE(a, attempt->delayed);
    ARCHIVE(a, attempt->cancel_delivered);
    ARCHIVE(a, attempt->abort_requested);
    ARCHIVE(a, attempt->reloading);
    archive_reload_phase(a, attempt);
    ARCHIVE(a, attempt->notifies);
    ARCHIVE(a, attempt->silent);
    ARCHIVE(a, attempt->unhealthy);
    ARCHIVE(a, attempt->check_open);
    ARCHIVE(a, attempt->check_passed);
    ARCHIVE(a, attempt->checks);
    ARCHIVE(a, attempt->check_misses);
    ARCHIVE_WORD(a, attempt->forced, EXIT_SPAWN_FAILED);
    ARCHIVE_WORD(a, attempt->status, CHILD_STOPPED);
    ARCHIVE(a, attempt->generation);
    ARCHIVE(a, attempt->number);
    ARCHIVE(a, attempt->pid);
    archive_stamp(a, &attempt->started_usec);
    archive_stamp(a, &attempt->ready_usec);
    if (a->version >= 3) {
        ARCHIVE(a, attempt->stopping);
        ARCHIVE(a, attempt->proven);
        ARCHIVE(a, attempt->failed_check);
        ARCHIVE(a, attempt->stop.asked);
        ARCHIVE(a, attempt->stop.deadline);
        ARCHIVE(a, attempt->stop.abort);
        archive_stamp(a, &attempt->reload_usec);
        ARCHIVE(a, attempt->reload_cause);
        ARCHIVE(a, attempt->kill.signal);
        ARCHIVE(a, attempt->kill.cause);
    }
    if (a->version >= 3)
        archive_main_end(a, &attempt->main);
    if (a->version >= 3) {
        ARCHIVE(a, attempt->ran_out);
        ARCHIVE_WORD(a, attempt->stop_step, STOP_SIGNALS_MAX - 1);
    }
}

/* Rarely written memory lies apart (seldom.h); an exit that equals the empty
 * one leaves its page untouched. */
static void archive_last_exit(struct archive *a, struct last_exit *place)
{
    struct last_exit exit = *place, *last = &exit;

    ARCHIVE_WORD(a, last->kind, EXIT_SPAWN_FAILED);
    ARCHIVE(a, last->code);
    ARCHIVE(a, last->signal);
    ARCHIVE(a, last->core_dumped);
    ARCHIVE(a, last->usec);
    ARCHIVE(a, last->generation);
    ARCHIVE(a, last->attempt);
    ARCHIVE_WORD(a, last->decision, DECISION_MELTDOWN);
    archive_text(a, last->reason, sizeof(last->reason));
    if (a->version >= 3) {
        ARCHIVE(a, last->early);
        ARCHIVE(a, last->own_stop);
        ARCHIVE(a, last->ran_out);
        ARCHIVE(a, last->failed_check);
    }
    seldom_put(place, last, sizeof(*last));
}

/* The restart that waits, if there is one, with the command that asked for it:
 * callers are answered after a recovery, too. */
static void archive_fence(struct archive *a, struct child *child)
{
    struct pending_restart *pending = &child->pending;

    ARCHIVE_WORD(a, child->fence_phase, FENCE_CLOSED);
    ARCHIVE(a, pending->active);
    ARCHIVE(a, pending->by_resume);
    ARCHIVE(a, pending->old_generation);
    ARCHIVE(a, pending->old_attempt);
    ARCHIVE(a, pending->target_generation);
    ARCHIVE(a, pending->cause);
    ARCHIVE(a, pending->duplicates);
}

/* The row of the report. Version 2 had a count here that is now derived. */
static void archive_shutdown(struct archive *a, struct child_shutdown *place)
{
    struct child_shutdown shutdown = *place, *row = &shutdown;
    uint32_t dependents = 0; /* are counted again */

    ARCHIVE_WORD(a, row->result, SHUTDOWN_LATE_REPORT);
    ARCHIVE_WORD(a, row->phase, SHUTDOWN_COMPLETED);
    ARCHIVE(a, row->generation);
    ARCHIVE(a, row->attempt);
    ARCHIVE(a, row->cancel_delivered);
    if (a->version < 3)
        ARCHIVE(a, dependents);
    ARCHIVE_WORD(a, row->exit, EXIT_SPAWN_FAILED);
    ARCHIVE(a, row->exit_code);
    ARCHIVE(a, row->exit_signal);
    ARCHIVE_WORD(a, row->why, SHUTDOWN_WHY_CUT_SHORT);
    ARCHIVE_WORD(a, row->cgroup, RESOURCE_FAILED);
    if (a->version >= 3)
        ARCHIVE(a, row->start_usec); /* may be later than now */
    seldom_put(place, row, sizeof(*row));
}

static void archive_status_text(struct archive *a, struct status_text *place)
{
    struct status_text text = *place;

    archive_text(a, text.text, sizeof(text.text));
    seldom_put(place, &text, sizeof(text));
}

static void archive_words(struct archive *a, struct operation_words *place)
{
    struct operation_words words = *place;

    archive_text(a, words.by, sizeof(words.by));
    archive_text(a, words.reason, sizeof(words.reason));
    seldom_put(place, &words, sizeof(words));
}

static void archive_failure(struct archive *a, struct failure *place)
{
    struct failure failure = *place;

    ARCHIVE_WORD(a, failure.phase, FAILURE_WAIT_ABORT);
    ARCHIVE(a, failure.recoverable);
    archive_text(a, failure.reason, sizeof(failure.reason));
    seldom_put(place, &failure, sizeof(failure));
}

/* What the last stale report was, and how many there have been. */
static void archive_last_stale(struct archive *a, struct stale_report *place)
{
    struct stale_report stale = *place;

    ARCHIVE_WORD(a, stale.kind, REPORT_COMMANDS);
    ARCHIVE(a, stale.generation);
    ARCHIVE(a, stale.attempt);
    ARCHIVE(a, stale.usec);
    ARCHIVE(a, stale.count);
    seldom_put(place, &stale, sizeof(stale));
}

/* What the child has said about itself. */
static void archive_liveness(struct archive *a, struct child *child)
{
    ARCHIVE_WORD(a, child->readiness, READINESS_NOT_READY);
    archive_stamp(a, &child->heartbeat_usec_monotonic);
    ARCHIVE(a, child->heartbeat_usec);
    ARCHIVE(a, child->heartbeat_stale);
    archive_status_text(a, child->status_text);
    ARCHIVE(a, child->notify_errno);
    if (a->version >= 3)
        ARCHIVE_WORD(a, child->reload_result, RELOAD_FAILED);
}

/* Timers keep their order: two that are due at the same moment fire in the same
 * order after a recovery, or the two runs would differ. */
static void archive_timer(struct core *core, struct archive *a, struct child *child, int kind)
{
    struct timer *timer = &child->timers[kind];
    uint64_t deadline = timer->deadline_usec, order = timer->order;

    archive_deadline(a, &deadline);
    if (deadline == 0)
        return;
    ARCHIVE(a, order);
    if (!a->reading || a->failed)
        return;
    timer->kind = (uint8_t)kind;
    timer_restore(&core->timers, timer, deadline, order);
}

static void archive_timers(struct core *core, struct archive *a, struct child *child)
{
    int count = a->version >= 3 ? TIMER_SCHEDULE : TIMER_PLACE;

    for (int i = 0; i < count; i++)
        archive_timer(core, a, child, i);
}

/* Only of a child that has a schedule, which an earlier program did not know. */
static void archive_runs(struct core *core, struct archive *a, struct child *child)
{
    if (!child->config->declaration.schedule)
        return;
    ARCHIVE(a, child->next_run_usec);
    ARCHIVE(a, child->last_run_usec);
    ARCHIVE(a, child->run_owed);
    archive_timer(core, a, child, TIMER_SCHEDULE);
}

/* A declaration that waits for the next start. Its id has to be the child's:
 * anything else is damage, and would end in the wrong record. */
static int archive_next_config(struct core *core, struct archive *a, struct child *child)
{
    struct child_declaration declaration = {};
    bool there = child->next_config != NULL;

    ARCHIVE(a, there);
    if (!there)
        return 0;
    if (!a->reading) {
        declaration_archive(a, &child->next_config->declaration);
        return 0;
    }
    declaration_archive(a, &declaration);
    if (a->failed || strcmp(declaration.id, child->id) != 0)
        return -EBADMSG;
    child->next_config = config_new(core, &declaration);
    return child->next_config ? 0 : -ENOMEM;
}

/* An earlier version did not keep what a stop is for: what it would have said of it. */
static void guess_stop_causes(const struct core *core, struct child *child)
{
    uint64_t cause = core->shutdown_command;

    if (!child->attempt.cancel_delivered && !child->attempt.abort_requested)
        return;
    if (child->pending.active)
        cause = child->pending.cause;
    else if (child->operation != CHILD_ACTIVE)
        cause = child->operation_cause;
    child->attempt.stop = (struct stop_causes){.asked = cause, .deadline = cause, .abort = cause};
}

static void archive_stop(struct archive *a, struct child *child)
{
    ARCHIVE(a, child->stop_waits);
    ARCHIVE(a, child->stop_cause);
    ARCHIVE_WORD(a, child->stop_by, STOP_BY_SHUTDOWN);
    a->failed = a->failed || (child->stop_waits && !child->attempt.active);
}

/* In an earlier version only the shutdown let a child wait for its turn. */
static void guess_stop(const struct core *core, struct child *child)
{
    if (core->shutdown_phase == SHUTDOWN_IDLE || !child->attempt.active ||
        child->attempt.cancel_delivered || child->attempt.abort_requested)
        return;
    child->stop_waits = true;
    child->stop_cause = core->shutdown_command;
    child->stop_by = STOP_BY_SHUTDOWN;
}

/* Everything of one child. The tally of its supervisor is taken down before and
 * made up after, because reading replaces what it was counted by. */
int child_archive(struct core *core, struct archive *a, struct child *child)
{
    if (a->reading)
        tally_remove(core, child);
    ARCHIVE_WORD(a, child->operation, CHILD_REMOVED);
    ARCHIVE(a, child->operation_usec);
    ARCHIVE(a, child->operation_cause);
    archive_words(a, child->words);
    ARCHIVE(a, child->in_flight);
    if (a->version >= 3) {
        ARCHIVE(a, child->has_past);
        ARCHIVE(a, child->fence);
        ARCHIVE(a, child->by_budget);
        ARCHIVE(a, child->named_to_start);
    }
    reference_archive_scope(core, a, &child->scope);
    ARCHIVE(a, child->wanted);
    ARCHIVE(a, child->born);
    ARCHIVE(a, child->gave_up);
    ARCHIVE(a, child->on_trial);
    ARCHIVE(a, child->cool_downs);
    ARCHIVE(a, child->generation);
    ARCHIVE(a, child->attempts);
    archive_attempt(a, &child->attempt);
    ARCHIVE_WORD(a, child->stop_state, STOP_FAILED);
    archive_failure(a, child->failure);
    archive_fence(a, child);
    if (a->reading && a->version < 3)
        guess_stop_causes(core, child);
    if (a->version >= 3)
        archive_stop(a, child);
    else
        guess_stop(core, child);
    ARCHIVE(a, child->backoff_n);
    ARCHIVE(a, child->backoff_previous_usec);
    ARCHIVE(a, child->restart_count);
    ARCHIVE(a, child->start_cause);
    ARCHIVE(a, child->automatic_start);
    restart_limit_archive(a, &child->restart_limit);
    archive_liveness(a, child);
    ARCHIVE(a, child->started_usec);
    archive_last_exit(a, child->last_exit);
    archive_last_stale(a, child->last_stale);
    if (a->version >= 3)
        ARCHIVE(a, child->left);
    archive_shutdown(a, child->shutdown);
    archive_timers(core, a, child);
    archive_runs(core, a, child);
    if (a->reading)
        start_restore(child);
    if (a->reading)
        tally_add(core, child);
    return archive_next_config(core, a, child);
}
