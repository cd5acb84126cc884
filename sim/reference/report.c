/*
 * Reports about processes: which of them belong to the present attempt, and
 * what they change.
 */
#include "reference/report.h"

#include "reference/attempt.h"
#include "reference/exit.h"
#include "reference/liveness.h"
#include "reference/wake.h"
#include "reference/words.h"

/* What proctord lacks is not the child's failure: none of the deadlines of its start runs. */
static void delayed(struct ref *r, struct ref_child *c, const char *why)
{
    if (!c->attempt.delayed)
        TELL(r, c, EVENT_CHILD_START_DELAYED, FIELD_TEXT_OF("reason", ref_keep(r, why)));
    c->attempt.delayed = true;
    ref_disarm(c, REF_START_TIMEOUT);
    ref_disarm(c, REF_HEARTBEAT);
}

/* It has all of its time from here, as if it were started now. */
static void goes_on(struct ref *r, struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    bool was_delayed = c->attempt.delayed;

    c->attempt.delayed = false;
    if (!was_delayed || c->attempt.cancelled || c->attempt.aborted)
        return;
    ref_arm_timeout(r, c, REF_START_TIMEOUT, d->start_timeout_usec);
    if (d->heartbeat_usec > 0 && d->heartbeat_required)
        ref_arm_timeout(r, c, REF_HEARTBEAT, d->stale_after_usec);
}

/* The process is there. From here on the attempt counts as a generation of the
 * child. */
static void spawned(struct ref *r, struct ref_child *c, uint32_t pid)
{
    bool again = c->born, fenced = c->fence == FENCE_READY_TO_START;
    goes_on(r, c);
    c->restart_count += c->born && c->automatic;
    c->attempt.spawned = c->born = true;
    ref_disarm(c, REF_PLACE);
    c->generation = c->attempt.generation;
    ref_forget_failure(c);
    c->attempt.pid = pid;
    if (c->attempt.status == CHILD_STARTING)
        c->attempt.status = CHILD_RUNNING;
    if (c->fence == FENCE_READY_TO_START) {
        c->fence = FENCE_OPEN;
        c->pending = c->pending_by_resume = false;
    }
    TELL(r, c, EVENT_CHILD_RUNNING, FIELD_NUMBER_OF("pid", pid));
    if (fenced)
        TELL_BARE(r, c, EVENT_CHILD_RESTART_FENCE_RELEASED);
    if (again)
        TELL(r, c, EVENT_CHILD_RESTARTED, FIELD_FLAG_OF("automatic", c->automatic),
             FIELD_NUMBER_OF("restart_count", c->restart_count));
    if (c->declaration->readiness == READINESS_IMMEDIATE ||
        (c->declaration->readiness == READINESS_JOB && c->is_job))
        ref_become_ready(r, c);
    if (c->declaration->readiness == READINESS_JOB) { /* it is not known how long its work takes */
        ref_disarm(c, REF_START_TIMEOUT);
        ref_give_place_back(c);
    }
    if (c->declaration->start_timeout_usec == 0)
        ref_give_place_back(c);
    if (c->declaration->health_usec > 0 && !c->attempt.cancelled && !c->attempt.aborted)
        ref_ask_later(r, c);
    if (!c->attempt.cancelled && !c->attempt.aborted)
        ref_arm_timeout(r, c, REF_RUN, c->declaration->run_timeout_usec);
}

/* It never was there. The number of the attempt is used, the generation is
 * not. */
static void spawn_failed(struct ref *r, struct ref_child *c, int error, const char *why)
{
    if (c->fence == FENCE_READY_TO_START) { /* it was the target: the policy decides */
        c->pending = c->pending_by_resume = false;
        c->fence = FENCE_OPEN;
    }
    enum exit_decision decision = ref_decide(r, c, EXIT_SPAWN_FAILED, false);
    c->fatal = false;
    c->ended = EXIT_SPAWN_FAILED;
    ref_fail(r, c, FAILURE_SPAWN, true, why);
    bool counted = ref_is_counted(r, c, EXIT_SPAWN_FAILED, decision);
    TELL(r, c, EVENT_CHILD_SPAWN_FAILED, FIELD_TEXT_OF("reason", c->failure_reason),
         FIELD_SIGNED_OF("errno", error), FIELD_FLAG_OF("counted", counted),
         FIELD_NUMBER_OF("used", c->used), FIELD_NUMBER_OF("burst", c->declaration->burst),
         FIELD_TEXT_OF("decision", exit_decision_to_string(decision)),
         FIELD_NUMBER_OF("delay_usec", ref_delay_after(c, decision)));
    if (!c->born) {
        c->how = (struct ref_exit){.realtime = r->realtime, .reason = c->failure_reason};
        c->exit = EXIT_SPAWN_FAILED;
        c->exit_generation = 0;
        c->exit_attempt = c->attempt.number;
        c->decision = decision;
    }
    ref_end_attempt(r, c);
    if (counted)
        ref_tell_limit(r, c, "spawn failed");
    ref_carry_out(r, c, decision);
}

/* A report about an attempt that is over, or a second one about the same
 * thing. */
bool reference_is_stale(const struct ref_child *c, const struct heard *heard)
{
    if (!c->attempt.active || c->attempt.generation != heard->id.generation ||
        c->attempt.number != heard->id.attempt)
        return true;
    if (heard->kind == REPORT_SPAWNED)
        return c->attempt.spawned && !c->attempt.early;
    if (heard->kind == REPORT_MAIN_EXIT)
        return c->attempt.main_gone && (heard->completion->left > 0 || c->leftovers == 0);
    if (heard->kind == REPORT_COMMANDS && heard->commands == COMMANDS_RELOAD)
        return c->attempt.reload != REF_COMMANDED;
    if (heard->kind == REPORT_HEALTH)
        return !c->attempt.check_open || c->attempt.checks != heard->check;
    return (heard->kind == REPORT_SPAWN_FAILED || heard->kind == REPORT_DELAY) &&
           c->attempt.spawned;
}

/* A process that speaks, or ends, has been started. */
static void hear(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    if (heard->kind == REPORT_SPAWN_FAILED) {
        spawn_failed(r, c, heard->error, heard->why);
        return;
    }
    if (heard->kind == REPORT_DELAY && heard->lacks)
        delayed(r, c, heard->why);
    if (heard->kind == REPORT_DELAY && !heard->lacks)
        goes_on(r, c);
    if (heard->kind == REPORT_DELAY)
        return;
    if (!c->attempt.spawned) {
        spawned(r, c, heard->kind == REPORT_SPAWNED ? heard->pid : 0);
        c->attempt.early = true;
    }
    if (heard->kind == REPORT_SPAWNED && c->attempt.early && c->attempt.pid == 0)
        c->attempt.pid = heard->pid;
    if (heard->kind == REPORT_SPAWNED)
        c->attempt.early = false;
    else if (heard->kind == REPORT_EXIT)
        ref_process_ended(r, c, heard->completion);
    else if (heard->kind == REPORT_MAIN_EXIT)
        ref_main_ended(r, c, heard->completion);
    else if (heard->kind == REPORT_HEALTH)
        ref_checked(r, c, heard->passed, heard->why);
    else if (heard->kind == REPORT_COMMANDS)
        ref_commands_ended(r, c, heard->commands, heard->passed, heard->why);
    else
        ref_listen(r, c, heard->message);
}

/* What a message is counted as: readiness before a heartbeat, and that before any other word. */
static enum report_kind kind_of(const struct heard *heard)
{
    unsigned flags = heard->kind == REPORT_STATUS ? heard->message->flags : 0;

    if (flags & (NOTIFY_READY | NOTIFY_NOT_READY))
        return REPORT_READINESS;
    return flags & NOTIFY_HEARTBEAT ? REPORT_HEARTBEAT : heard->kind;
}

/* It is counted and shown, and changes nothing else. */
static void note_stale(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    c->stale_reports++;
    c->last_stale = (struct ref_stale){.kind = kind_of(heard),
                                       .generation = heard->id.generation,
                                       .attempt = heard->id.attempt,
                                       .realtime = r->realtime};
    TELL(r, c, EVENT_CHILD_ATTEMPT_STALE_REPORT,
         FIELD_TEXT_OF("report", report_kind_to_string(c->last_stale.kind)),
         FIELD_NUMBER_OF("reported_generation", heard->id.generation),
         FIELD_NUMBER_OF("reported_attempt", heard->id.attempt));
}

void reference_hear(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    if (reference_is_stale(c, heard))
        note_stale(r, c, heard);
    else
        hear(r, c, heard);
    ref_wake(r);
}
