/*
 * Commands, as the specification defines them: each verb on one child, on a
 * whole supervisor, and as a dry run. The answer is made together with its
 * effect, so that both can be compared.
 */
#include "reference/command.h"

#include "core/vocabulary/invariant.h"
#include "reference/attempt.h"
#include "reference/dependency.h"
#include "reference/job.h"
#include "reference/liveness.h"
#include "reference/plan.h"
#include "reference/schedule.h"
#include "reference/start.h"
#include "reference/stop.h"
#include "reference/stop_order.h"
#include "reference/tree.h"
#include "reference/wake.h"
#include "reference/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Pause, quarantine and remove: the child is held, and its process stops. The
 * stronger hold stays. */
static void stop_command(struct ref *r, struct ref_child *c, enum child_operation target,
                         const struct command *command, struct outcome *o)
{
    if (c->operation > target)
        target = c->operation; /* active, paused, quarantined, removed: the stronger one stays */
    bool same = c->operation == target;
    ref_set_operation(r, c, target, command, command->reason);
    const char *verb = command_verb_to_string(command->verb);
    ref_withdraw_starts(r, c, verb);
    o->cancel_delivered = ref_go(r, c, true, verb);
    if (!c->attempt.active)
        c->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    o->idempotent = same && !o->cancel_delivered;
}

/* Of a restart, or of a resume that would be one. */
static void refuse_start(struct ref *r, const struct ref_child *c, const char *verb,
                         enum fence_decision decision, const char *conflict, bool recoverable,
                         struct outcome *o)
{
    o->has_fence = true;
    o->fence.decision = decision;
    o->fence.conflict_recoverable = recoverable;
    snprintf(o->fence.conflict, sizeof(o->fence.conflict), "%s", conflict);
    TELL(r, c, EVENT_CHILD_RESTART_CONFLICT,
         FIELD_TEXT_OF("decision", fence_decision_to_string(decision)),
         FIELD_TEXT_OF("command", verb), FIELD_TEXT_OF("conflict", conflict));
    ref_tell_cause(r, r->next_command);
}

static void reject(struct ref *r, const struct ref_child *c, const char *verb, struct outcome *o)
{
    refuse_start(r, c, verb, FENCE_REJECTED, ref_lack_words(r, ref_lacks(r, c)), true, o);
}

/* What was held may run again; after a quarantine its failures are
 * forgotten. */
static void resume(struct ref *r, struct ref_child *c, const struct command *command,
                   struct outcome *o)
{
    enum child_operation before = c->operation;
    o->idempotent = before == CHILD_ACTIVE;
    if (before == CHILD_ACTIVE)
        return;
    /* It would have to wait for its old attempt, and then for what it needs: it stays held. */
    if (r->phase == SHUTDOWN_IDLE && c->wanted && c->attempt.active && !c->waits_to_go &&
        ref_lacks(r, c)) {
        reject(r, c, "resume", o);
        return;
    }
    ref_set_operation(r, c, CHILD_ACTIVE, command, command->reason);
    if (before == CHILD_QUARANTINED) {
        c->gave_up = c->on_trial = false;
        c->cool_downs = 0;
        c->backoff_n = c->backoff_previous = 0;
        bool had = c->used > 0;
        c->used = 0;
        if (had)
            ref_touch(r, &c->limit_updated);
        ref_disarm(c, REF_WINDOW);
        if (had)
            ref_tell_limit(r, c, "resume");
    }
    if (r->phase == SHUTDOWN_IDLE && c->waits_to_go) {
        c->waits_to_go = false; /* it has not been asked to stop yet: it runs on */
        return;
    }
    if (r->phase == SHUTDOWN_IDLE)
        ref_run_after_hold(r, c);
    else if (c->wanted) /* its hold is gone, and that is all */
        refuse_start(r, c, "resume", FENCE_BLOCKED_BY_SHUTDOWN, "the tree is shutting down", false,
                     o);
    if (r->phase != SHUTDOWN_IDLE || !c->wanted)
        return;
    if (c->attempt.active)
        ref_enter_fence(r, c, true, true, "resume");
    else if (c->scope)
        ref_wait_for_siblings(r, c, true, "resume");
    else if (c->process->has_process)
        ref_start_or_wait(r, c, false);
    else
        c->wanted = false; /* there is nothing to start any more */
}

/* What the answer says about the attempt that has to end first. */
static void tell_fence(const struct ref_child *c, struct outcome *o, enum fence_decision decision)
{
    o->fence = (struct fence_outcome){
        .decision = decision,
        .has_old = true,
        .old_generation = c->pending_generation,
        .old_attempt = c->pending_attempt,
        .has_target = true,
        .target_generation = c->pending_target,
        .cancel_delivered = o->cancel_delivered,
        .abort_requested = c->attempt.active && c->attempt.aborted,
        .duplicate_request_count = c->duplicates,
    };
}

/* A restart while one is pending does not start a second one: it is counted,
 * and told so. */
static void join(struct ref *r, struct ref_child *c, struct outcome *o)
{
    c->duplicates++;
    c->pending_by_resume = false;
    ref_insist(r, c);
    o->idempotent = true;
    tell_fence(c, o, FENCE_ALREADY_PENDING);
    TELL(r, c, EVENT_CHILD_RESTART_CONFLICT, FIELD_TEXT_OF("decision", "already-pending"),
         FIELD_TEXT_OF("command", "restart"),
         FIELD_NUMBER_OF("target_generation", c->pending_target),
         FIELD_NUMBER_OF("duplicate_request_count", c->duplicates));
    ref_tell_cause(r, r->next_command);
}

static void begin_anew(struct ref_child *c)
{
    c->gave_up = c->on_trial = false;
    c->backoff_n = c->backoff_previous = 0;
}

/* The old attempt ends first; the new one is its successor. */
static void restart_behind_fence(struct ref *r, struct ref_child *c, struct outcome *o)
{
    bool could_be = c->attempt.active && !c->attempt.cancelled && !c->attempt.aborted;
    if (c->attempt.active) {
        ref_enter_fence(r, c, false, true, "restart");
    } else {
        ref_withdraw_starts(r, c, "restart");
        begin_anew(c);
        ref_wait_for_siblings(r, c, true, "restart");
    }
    o->cancel_delivered = could_be && c->attempt.cancelled;
    tell_fence(c, o, FENCE_QUEUED_AFTER_STOP);
}

/* There is nothing to wait for. It is refused if something that it starts after
 * is just starting. */
static void restart_at_once(struct ref *r, struct ref_child *c, struct outcome *o)
{
    if (!ref_starts_at_once(r, c)) {
        bool required;
        refuse_start(
            r, c, "restart", FENCE_REJECTED,
            ref_say(r, "it starts after %s, which is starting", ref_obstacle(r, c, &required)),
            true, o);
        return;
    }
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
    begin_anew(c);
    o->fence.decision = FENCE_STARTED_IMMEDIATELY;
    o->fence.has_target = c->process->has_process;
    o->fence.target_generation = c->process->has_process ? ref_next_generation(c) : 0;
    ref_start_or_wait(r, c, false);
}

/* The reasons to refuse, in their order, and then the three ways to do it. */
static void restart(struct ref *r, struct ref_child *c, struct outcome *o)
{
    o->has_fence = true;
    if (r->phase != SHUTDOWN_IDLE)
        refuse_start(r, c, "restart", FENCE_BLOCKED_BY_SHUTDOWN, "the tree is shutting down", false,
                     o);
    else if (c->operation != CHILD_ACTIVE)
        refuse_start(r, c, "restart", FENCE_REJECTED, ref_hold_words(c),
                     c->operation != CHILD_REMOVED, o);
    else if (c->pending)
        join(r, c, o);
    else if (ref_lacks(r, c))
        reject(r, c, "restart", o);
    else if (c->attempt.active || c->scope)
        restart_behind_fence(r, c, o);
    else
        restart_at_once(r, c, o);
}

static int refuse_with(struct error *said, int error, const char *why)
{
    snprintf(said->text, sizeof(said->text), "%s", why);
    return error;
}

/* One verb. An error means that nothing has changed. */
static int obey(struct ref *r, struct ref_child *c, const struct command *command,
                struct outcome *o, struct error *said)
{
    enum command_verb verb = command->verb;
    if (verb == COMMAND_RELOAD && ref_reload(r, c, o) < 0)
        return refuse_with(said, -ESRCH,
                           c->attempt.active && c->attempt.spawned
                               ? "the child is stopping"
                               : "the child has no running process");
    if (verb == COMMAND_RELOAD)
        return 0;
    if (verb == COMMAND_KILL) {
        if (!c->attempt.active || !c->attempt.spawned)
            return refuse_with(said, -ESRCH, "the child has no running process");
        ref_call_with(r, c, REF_CALL_KILL, command->signal, command->whole);
        if (c->attempt.main_gone)
            return 0; /* its main process has ended for another reason */
        c->attempt.kill_command = r->next_command;
        c->attempt.kill_signal = command->signal;
        return 0;
    }
    if (verb == COMMAND_RESUME && c->operation == CHILD_REMOVED)
        return refuse_with(said, -ENOENT, "the child is being removed");
    if (verb == COMMAND_RESUME)
        resume(r, c, command, o);
    else if (verb == COMMAND_RESTART)
        restart(r, c, o);
    else
        stop_command(r, c,
                     verb == COMMAND_PAUSE        ? CHILD_PAUSED
                     : verb == COMMAND_QUARANTINE ? CHILD_QUARANTINED
                                                  : CHILD_REMOVED,
                     command, o);
    return 0;
}

static const char *result_of(const struct outcome *o)
{
    if (o->has_fence && o->operation_before == o->operation_after &&
        (o->fence.decision == FENCE_REJECTED || o->fence.decision == FENCE_BLOCKED_BY_SHUTDOWN))
        return "rejected";
    if (o->failure.phase != FAILURE_NONE || o->stop_state == STOP_FAILED)
        return "failed";
    return o->idempotent ? "idempotent" : "accepted";
}

/* Whether the command was completed or rejected. */
static void tell_end(struct ref *r, const struct ref_child *c, const struct command *command,
                     const struct outcome *o, int error, const struct error *said)
{
    const char *verb = command_verb_to_string(command->verb);
    if (error)
        TELL(r, c, EVENT_COMMAND_REJECTED, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("why", ref_keep(r, said->text)));
    else
        TELL(r, c, EVENT_CHILD_CONTROL_COMMAND_COMPLETED, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("result", result_of(o)), FIELD_TEXT_OF("by", command->requester),
             FIELD_TEXT_OF("reason", command->reason));
}

static struct restart_limit_view limit_of(const struct ref_child *c)
{
    uint32_t burst = c->declaration->burst;
    return (struct restart_limit_view){.interval_usec = c->declaration->interval_usec,
                                       .updated_usec = c->limit_updated,
                                       .burst = burst,
                                       .used = c->used,
                                       .remaining = c->used < burst ? burst - c->used : 0,
                                       .exhausted = c->used >= burst};
}

/* Every command is on record before it has any effect. */
static void tell_acceptance(struct ref *r, const struct ref_child *c, const struct command *command)
{
    const char *verb = command_verb_to_string(command->verb);
    const char *from = command->origin ? command->origin : "";
    if (command->verb == COMMAND_KILL)
        TELL(r, c, EVENT_COMMAND_ACCEPTED, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("reason", command->reason),
             FIELD_TEXT_OF("from", from), FIELD_SIGNED_OF("signal", command->signal));
    else
        TELL(r, c, EVENT_COMMAND_ACCEPTED, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("reason", command->reason),
             FIELD_TEXT_OF("from", from));
}

/* A command on one child, with the answer's fields about before and after. */
static int run(struct ref *r, struct ref_child *c, const struct command *command, struct outcome *o,
               struct error *said)
{
    *o = (struct outcome){
        .command_id = ++r->next_command,
        .attempt = c->attempt.active ? c->attempt.number : 0,
        .generation = c->attempt.active ? c->attempt.generation : c->generation,
        .operation_before = c->operation,
        .dry_run = command->dry_run,
    };
    tell_acceptance(r, c, command);
    int error = obey(r, c, command, o, said);
    o->operation_after = c->operation;
    o->status = c->attempt.active ? c->attempt.status : CHILD_STATUS_NONE;
    o->stop_state = c->stop_state;
    o->readiness = c->readiness;
    o->heartbeat_stale = c->stale;
    o->restart_limit = limit_of(c);
    o->last_heartbeat_usec = c->heartbeat_realtime;
    o->failure.phase = c->failure;
    o->failure.recoverable = c->failure_recoverable;
    snprintf(o->failure.reason, sizeof(o->failure.reason), "%s", c->failure_reason);
    snprintf(o->child_id, sizeof(o->child_id), "%s", c->id);
    tell_end(r, c, command, o, error, said);
    return error;
}

/* A dry run is the command itself, with everything restored afterwards; what it
 * would have done is in the plan. */
static int run_whole(struct ref *r, struct ref_child *c, const struct command *command,
                     struct outcome *o, struct error *said)
{
    if (command->dry_run) {
        struct ref_child saved = *c;
        struct ref counters = *r;
        unsigned plan = ref_plan_of(r, c);
        r->dry = true;
        r->plan = 0;
        int error = run(r, c, command, o, said);
        o->plan = r->plan | (error ? 0 : plan);
        *c = saved;
        *r = counters;
        TELL(r, c, EVENT_COMMAND_ACCEPTED,
             FIELD_TEXT_OF("command", command_verb_to_string(command->verb)),
             FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("reason", command->reason),
             FIELD_FLAG_OF("dry_run", true));
        ref_tell_cause(r, 0);
        return error;
    }
    int error = run(r, c, command, o, said);
    if (command->verb == COMMAND_REMOVE && error == 0 && !c->attempt.active &&
        r->phase == SHUTDOWN_IDLE)
        ref_leave(r, c, CHILD_STATUS_NONE);
    return error;
}

/* NULL: nothing is wrong with it. */
static const char *is_wrong(const char *reason)
{
    if (strspn(reason, " \t\r\n\v\f") == strlen(reason))
        return "reason: must not be blank";
    return strlen(reason) > REASON_MAX ? "reason: is longer than 256 bytes" : NULL;
}

/* A job runs once: what holds or restarts is not for it. */
static bool fits_job(enum command_verb verb)
{
    return verb == COMMAND_REMOVE || verb == COMMAND_RELOAD || verb == COMMAND_KILL;
}

static int refuse(struct ref *r, const struct command *command, int error, const char *why,
                  struct error *said)
{
    refuse_with(said, error, why);
    TELL(r, NULL, EVENT_COMMAND_REJECTED,
         FIELD_TEXT_OF("command", command_verb_to_string(command->verb)),
         FIELD_TEXT_OF("child", command->child), FIELD_TEXT_OF("by", command->requester),
         FIELD_TEXT_OF("why", why));
    ref_tell_cause(r, 0);
    return error;
}

/* Entry. The reasons to refuse come in the order of the specification. */
int reference_command(struct ref *r, const struct command *command, struct outcome *o,
                      struct error *said)
{
    INVARIANT(command && o);
    struct ref_child *c = reference_find(r, command->child);
    if (is_wrong(command->reason))
        return refuse(r, command, -EINVAL, is_wrong(command->reason), said);
    if (!c)
        return refuse(r, command, -ENOENT, "no child has this id", said);
    if (c->is_job && !fits_job(command->verb))
        return refuse(r, command, -EINVAL,
                      "a job runs once: it can be removed, not held or restarted", said);
    if (command->dry_run)
        ref_plan(r, c, command->verb);
    int error = run_whole(r, c, command, o, said);
    ref_wake(r);
    return error;
}

/* One child of a whole supervisor. A child that cannot come back at once joins
 * the common restart. */
static void run_in_scope(struct ref *r, struct ref_child *c, uint32_t s,
                         const struct command *command, struct outcome *o)
{
    bool on_its_way = c->attempt.active && c->fence == FENCE_READY_TO_START;
    bool joins = command->verb == COMMAND_RESTART && r->phase == SHUTDOWN_IDLE &&
                 c->operation == CHILD_ACTIVE && c->process->has_process && ref_is_wider(r, s, c) &&
                 !on_its_way && (c->pending || !ref_lacks(r, c));
    struct ref_child saved = *c;
    struct ref counters = *r;
    if (joins)
        ref_join_scope(r, c, s);
    struct error ignored = {};
    run_whole(r, c, command, o, &ignored);
    if (command->dry_run) {
        counters.n_told = r->n_told;
        *c = saved;
        *r = counters;
    }
}

/* The children that a verb on all of a scope asks to stop. */
static void name(struct ref *r, struct ref_child *c, enum command_verb verb)
{
    if (c->is_job && !fits_job(verb))
        return;
    if (verb == COMMAND_PAUSE || verb == COMMAND_QUARANTINE || verb == COMMAND_REMOVE)
        ref_name(c);
    else if (verb == COMMAND_RESTART && r->phase == SHUTDOWN_IDLE && c->operation == CHILD_ACTIVE &&
             !c->pending && !ref_lacks(r, c))
        ref_name(c);
}

/* The children that a resume of all of a scope starts, now or when their old attempt is gone. */
static void name_start(struct ref *r, struct ref_child *c)
{
    bool held = c->operation == CHILD_PAUSED || c->operation == CHILD_QUARANTINED;
    bool refused = c->attempt.active && !c->comes_back;
    if (r->phase == SHUTDOWN_IDLE && held && c->wanted && c->process->has_process && !c->is_job &&
        !c->waits_to_go && !refused)
        c->named_to_start = true;
}

/* Those that were not asked after all; one with a time of its own is. */
static void forget_starts(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].deadline[REF_START] == 0)
            r->children[i].named_to_start = false;
}

/* All children of a supervisor, with the last one first, except that a resume
 * begins with the first. */
int reference_command_scope(struct ref *r, const struct command *command, struct outcome *outcomes,
                            struct error *said)
{
    INVARIANT(command && outcomes);
    int s = ref_find_supervisor(r, command->child), n = 0;
    if (is_wrong(command->reason))
        return refuse(r, command, -EINVAL, is_wrong(command->reason), said);
    if (s < 0)
        return refuse(r, command, -ENOENT, "no supervisor has this path", said);
    ref_find_who_comes_back(r, (uint32_t)s, command->verb);
    for (uint32_t i = 0; i < r->count; i++)
        if (ref_is_under(r, &r->children[i], (uint32_t)s))
            name(r, &r->children[i], command->verb);
    for (uint32_t i = 0; i < r->count; i++)
        if (ref_is_under(r, &r->children[i], (uint32_t)s) && command->verb == COMMAND_RESUME)
            name_start(r, &r->children[i]);
    if (command->dry_run)
        ref_plan_scope(r, (uint32_t)s, command->verb);
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[command->verb == COMMAND_RESUME ? i : r->count - 1 - i];
        if (ref_is_under(r, c, (uint32_t)s) &&
            (command->verb != COMMAND_RESUME || c->operation != CHILD_REMOVED) &&
            (!c->is_job || fits_job(command->verb)))
            run_in_scope(r, c, (uint32_t)s, command, &outcomes[n++]);
    }
    ref_forget_who_comes_back(r);
    forget_starts(r);
    ref_spare_the_rest(r);
    ref_wake(r);
    return n;
}

/* Several children at once: all are named before the first one stops, so that
 * their dependencies decide the order. */
void reference_remove(struct ref *r, const char *const *ids, uint32_t n, const char *by,
                      const char *reason)
{
    struct command command = {.verb = COMMAND_REMOVE, .requester = by, .reason = reason};
    struct outcome ignored;
    struct error said;
    for (uint32_t i = 0; i < n; i++)
        if (reference_find(r, ids[i]))
            ref_name(reference_find(r, ids[i]));
    for (uint32_t i = 0; i < n; i++)
        if (reference_find(r, ids[i]))
            run_whole(r, reference_find(r, ids[i]), &command, &ignored, &said);
    ref_spare_the_rest(r);
    ref_wake(r);
}

/* A new job, which may replace those with its name. */
void reference_run_job(struct ref *r, struct ref_child *c, const char *name,
                       enum same_name same_name, const char *by, const char *reason)
{
    uint64_t id = r->next_command;
    c->is_job = true;
    if (same_name == SAME_NAME_REPLACE)
        for (uint32_t i = r->n_jobs; i-- > 0;) {
            struct command command = {.verb = COMMAND_REMOVE,
                                      .child = r->jobs[i].child->id,
                                      .requester = by,
                                      .reason = reason};
            struct outcome ignored;
            struct error said;
            if (r->jobs[i].state != JOB_FINISHED && strcmp(r->jobs[i].name, name) == 0)
                reference_command(r, &command, &ignored, &said);
        }
    r->jobs[r->n_jobs++] =
        (struct ref_job){.name = ref_keep(r, name), .child = c, .queued = r->now, .command = id};
    TELL(r, c, EVENT_JOB_QUEUED, FIELD_NUMBER_OF("job", r->n_jobs), FIELD_TEXT_OF("name", name),
         FIELD_NUMBER_OF("position", ref_jobs(r, JOB_QUEUED)),
         FIELD_NUMBER_OF("running", ref_jobs(r, JOB_RUNNING)));
    ref_tell_cause(r, id);
    ref_wake(r);
}
