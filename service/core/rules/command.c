/*
 * Commands from outside: Pause, Quarantine, Resume, Restart, Remove, Reload and
 * Kill, for one child or for all below a supervisor.
 *
 * Each goes the same way: check (nothing has happened yet if that fails), take
 * a command id, announce it, carry it out, describe the state that it left,
 * announce the result. The announcement comes before the effect, so that every
 * event in between has a cause that the reader has already seen. A dry run
 * takes the same way on a copy, with the effects muted.
 */
#include "core/rules/command.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/random.h"
#include "core/model/restart_limit.h"
#include "core/model/scope.h"
#include "core/model/seldom.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/tally.h"
#include "core/private.h"
#include "core/rules/declare.h"
#include "core/rules/dependency.h"
#include "core/rules/due.h"
#include "core/rules/fence.h"
#include "core/rules/plan.h"
#include "core/rules/reload.h"
#include "core/rules/requirement.h"
#include "core/rules/restart.h"
#include "core/rules/start.h"
#include "core/rules/stop.h"
#include "core/rules/strategy.h"
#include "core/vocabulary/error.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

#include <errno.h>
#include <string.h>

static bool is_blank(const char *text)
{
    for (; *text; text++)
        if (!strchr(" \t\r\n\v\f", *text))
            return false;
    return true;
}

static enum child_operation operation_of(enum command_verb verb)
{
    switch (verb) {
    case COMMAND_PAUSE:
        return CHILD_PAUSED;
    case COMMAND_QUARANTINE:
        return CHILD_QUARANTINED;
    case COMMAND_REMOVE:
        return CHILD_REMOVED;
    case COMMAND_RESUME:
    case COMMAND_RESTART:
    case COMMAND_RELOAD:
    case COMMAND_KILL:
        break;
    }
    return CHILD_ACTIVE;
}

static void stop_child(struct core *core, struct child *child, const struct command *command,
                       uint64_t id, struct outcome *outcome)
{
    enum child_operation target = operation_of(command->verb);
    const char *verb = command_verb_to_string(command->verb);

    if (target < child->operation)
        target = child->operation; /* the stronger hold stays: quarantined beats paused */

    bool repeated = child->operation == target;
    child_set_operation(core, child, target, id, command->requester, command->reason, verb);
    child_withdraw_starts(core, child, id, verb);
    outcome->cancel_delivered = stop_order_go(core, child, id, verb);
    if (!child->attempt.active)
        child->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    outcome->idempotent = repeated && !outcome->cancel_delivered;
    core_changed(core, child);
}

/* A start that is refused is not an error of the call: the outcome carries the
 * decision and its reason, so that a caller of a whole supervisor gets one row
 * for each child. The event is for readers of the log. */
static void refuse_start(struct core *core, struct child *child, uint64_t id,
                         struct outcome *outcome, enum command_verb verb,
                         enum fence_decision decision, const char *conflict, bool recoverable)
{
    struct fence_outcome *fence = &outcome->fence;

    outcome->has_fence = true;
    fence->decision = decision;
    text_copy(fence->conflict, sizeof(fence->conflict), conflict);
    fence->conflict_recoverable = recoverable;
    EMIT(core, EVENT_CHILD_RESTART_CONFLICT, child, id,
         FIELD_TEXT_OF("decision", fence_decision_to_string(decision)),
         FIELD_TEXT_OF("command", command_verb_to_string(verb)),
         FIELD_TEXT_OF("conflict", conflict));
}

/* Whether the start that is asked for could not be made for want of one that the child requires. */
static bool is_refused(struct core *core, struct child *child, uint64_t id, struct outcome *outcome,
                       enum command_verb verb)
{
    char conflict[CONFLICT_MAX + 1];

    if (!requirement_refuses(core, child, conflict, sizeof(conflict)))
        return false;
    refuse_start(core, child, id, outcome, verb, FENCE_REJECTED, conflict, true);
    return true;
}

/* Ends a hold. The difficult cases are those in which the old process is still
 * there: a child that was only named for a stop, and not asked yet, simply
 * continues; one that is stopping starts behind the fence; and one that could
 * not start afterwards, because a requirement is missing, is refused before
 * anything changes, since a hold that was lifted for nothing cannot be put
 * back. A quarantined child begins with a clean record: the operator has looked
 * at it. */
static void resume_child(struct core *core, struct child *child, const struct command *command,
                         uint64_t id, struct outcome *outcome)
{
    enum child_operation before = child->operation;
    if (before == CHILD_ACTIVE) {
        outcome->idempotent = true;
        return;
    }
    /* It would have to wait for its old attempt, and then for what it needs: it stays held. */
    if (core->shutdown_phase == SHUTDOWN_IDLE && child->wanted && child->attempt.active &&
        !child->stop_waits && is_refused(core, child, id, outcome, COMMAND_RESUME))
        return;

    child_set_operation(core, child, CHILD_ACTIVE, id, command->requester, command->reason,
                        "resume");
    if (before == CHILD_QUARANTINED) {
        child->gave_up = false;
        child->on_trial = false;
        child->cool_downs = 0;
        child->backoff_n = 0;
        child->backoff_previous_usec = 0;
        child_disarm(core, child, TIMER_WINDOW);
        if (restart_limit_clear(&child->restart_limit, core_realtime(core)))
            restart_tell_limit(core, child, "resume");
    }
    if (core->shutdown_phase == SHUTDOWN_IDLE && child->stop_waits) {
        stop_order_withdraw(core, child); /* it has not been asked to stop yet: it runs on */
        return;
    }
    if (core->shutdown_phase == SHUTDOWN_IDLE)
        due_held_no_more(core, child);
    else if (child->wanted) /* its hold is gone, and that is all */
        refuse_start(core, child, id, outcome, COMMAND_RESUME, FENCE_BLOCKED_BY_SHUTDOWN,
                     "the tree is shutting down", false);
    if (core->shutdown_phase != SHUTDOWN_IDLE || !child->wanted)
        return;
    if (child->attempt.active)
        fence_enter(core, child, id, true, "resume");
    else if (child->scope)
        fence_ready(core, child, id, "resume"); /* its siblings are still being stopped */
    else if (child->config->declaration.has_process)
        start_request(core, child, id, false);
    else
        child->wanted = false; /* there is nothing to start any more */
}

static const char *hold_conflict(enum child_operation operation)
{
    switch (operation) {
    case CHILD_ACTIVE:
        break;
    case CHILD_PAUSED:
        return "the child is paused: resume it first";
    case CHILD_QUARANTINED:
        return "the child is quarantined: resume it first";
    case CHILD_REMOVED:
        return "the child is being removed";
    }
    __builtin_unreachable();
}

/* A second restart while one waits is the same restart, not another one: the
 * generation grows once, however many callers ask. It is recorded as a
 * duplicate, and turns a resume that waits into a restart, whose deadline
 * kills. */
static void join_pending(struct core *core, struct child *child, uint64_t id,
                         struct outcome *outcome)
{
    struct pending_restart *pending = &child->pending;
    struct fence_outcome *fence = &outcome->fence;

    pending->duplicates++;
    pending->by_resume = false; /* now a restart is wanted: its deadline aborts */
    child_insist(core, child, id, TIMEOUT_KILL);
    fence->decision = FENCE_ALREADY_PENDING;
    fence->has_old = true;
    fence->old_generation = pending->old_generation;
    fence->old_attempt = pending->old_attempt;
    fence->has_target = true;
    fence->target_generation = pending->target_generation;
    fence->abort_requested = child->attempt.active && child->attempt.abort_requested;
    fence->duplicate_request_count = pending->duplicates;
    outcome->idempotent = true;
    EMIT(core, EVENT_CHILD_RESTART_CONFLICT, child, id,
         FIELD_TEXT_OF("decision", fence_decision_to_string(FENCE_ALREADY_PENDING)),
         FIELD_TEXT_OF("command", "restart"),
         FIELD_NUMBER_OF("target_generation", pending->target_generation),
         FIELD_NUMBER_OF("duplicate_request_count", pending->duplicates));
    core_changed(core, child);
}

/* The attempt, or the siblings of its scope, are in the way. The outcome
 * reports a cancel only if this command delivered it: one that another command
 * has delivered before is not this caller's. */
static void restart_behind_fence(struct core *core, struct child *child, uint64_t id,
                                 struct outcome *outcome)
{
    struct fence_outcome *fence = &outcome->fence;
    bool delivered_before = child->attempt.cancel_delivered;

    if (child->attempt.active) {
        fence_enter(core, child, id, false, "restart");
    } else {
        child_withdraw_starts(core, child, id, "restart");
        child_begin_anew(child);
        fence_ready(core, child, id, "restart"); /* its siblings are still being stopped */
    }
    outcome->cancel_delivered =
        child->attempt.active && child->attempt.cancel_delivered && !delivered_before;
    fence->decision = FENCE_QUEUED_AFTER_STOP;
    fence->has_old = true;
    fence->old_generation = child->pending.old_generation;
    fence->old_attempt = child->pending.old_attempt;
    fence->has_target = true;
    fence->target_generation = child->pending.target_generation;
    fence->cancel_delivered = outcome->cancel_delivered;
    fence->abort_requested = child->attempt.active && child->attempt.abort_requested;
}

/* It requires nothing that lacks; one that it only comes after may still be starting. */
static bool comes_too_early(struct core *core, struct child *child, uint64_t id,
                            struct outcome *outcome)
{
    bool removed;
    const char *other = child_unmet_dependency(child, &removed);
    char conflict[CONFLICT_MAX + 1];
    struct text text = text_in(conflict, sizeof(conflict));

    if (!other)
        return false;
    text_append(&text, "it starts after ");
    text_append(&text, other);
    text_append(&text, ", which is starting");
    refuse_start(core, child, id, outcome, COMMAND_RESTART, FENCE_REJECTED, conflict, true);
    return true;
}

static void restart_at_once(struct core *core, struct child *child, uint64_t id,
                            struct outcome *outcome)
{
    struct fence_outcome *fence = &outcome->fence;

    if (comes_too_early(core, child, id, outcome))
        return;
    start_withdraw(core, child);
    child_begin_anew(child);
    fence->decision = FENCE_STARTED_IMMEDIATELY;
    if (child->config->declaration.has_process) {
        fence->has_target = true;
        fence->target_generation = child_next_generation(child);
    }
    start_request(core, child, id, false);
}

/* The order of the questions is the order of what outweighs what: a shutdown,
 * then a hold, then a restart that is already pending, then a missing
 * requirement. The first that applies is the one that is reported. */
static void restart_child(struct core *core, struct child *child, uint64_t id,
                          struct outcome *outcome)
{
    outcome->has_fence = true;
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        refuse_start(core, child, id, outcome, COMMAND_RESTART, FENCE_BLOCKED_BY_SHUTDOWN,
                     "the tree is shutting down", false);
    else if (child->operation != CHILD_ACTIVE)
        refuse_start(core, child, id, outcome, COMMAND_RESTART, FENCE_REJECTED,
                     hold_conflict(child->operation), child->operation != CHILD_REMOVED);
    else if (child->pending.active)
        join_pending(core, child, id, outcome);
    else if (is_refused(core, child, id, outcome, COMMAND_RESTART))
        return;
    else if (child->attempt.active || child->scope)
        restart_behind_fence(core, child, id, outcome);
    else
        restart_at_once(core, child, id, outcome);
}

static int send_signal(struct core *core, struct child *child, int signal, bool whole,
                       struct error *error)
{
    int r = core->ports.kill(core->ports.userdata, child, child_attempt_id(child), signal, whole);

    if (r < 0)
        text_copy(error->text, sizeof(error->text), "the signal could not be sent");
    return r;
}

static int reload_child(struct core *core, struct child *child, uint64_t id,
                        struct outcome *outcome, struct error *error)
{
    if (!reload_may_begin(child)) {
        text_copy(error->text, sizeof(error->text),
                  child->attempt.active && child->attempt.spawned
                      ? "the child is stopping"
                      : "the child has no running process");
        return -ESRCH;
    }
    if (core->muted)
        return 0;
    reload_begin(core, child, id);
    outcome->reload = RELOAD_PENDING;
    return send_signal(core, child, reload_signal_of(child), false, error);
}

static int signal_child(struct core *core, struct child *child, const struct command *command,
                        uint64_t id, struct error *error)
{
    if (!child->attempt.active || !child->attempt.spawned) {
        text_copy(error->text, sizeof(error->text), "the child has no running process");
        return -ESRCH;
    }
    if (core->muted)
        return 0;
    int r = send_signal(core, child, command->signal, command->whole, error);
    if (r >= 0 && !child->attempt.main.gone) /* else it has ended for another reason */
        child->attempt.kill = (struct kill){.signal = command->signal, .cause = id};
    return r;
}

void core_describe(struct core *core, struct child *child, struct outcome *outcome)
{
    (void)core;
    text_copy(outcome->child_id, sizeof(outcome->child_id), child->id);
    outcome->operation_after = child->operation;
    outcome->status = child_status(child);
    outcome->stop_state = child->stop_state;
    outcome->restart_limit = restart_limit_view(&child->restart_limit);
    outcome->last_heartbeat_usec = child->heartbeat_usec;
    outcome->heartbeat_stale = child->heartbeat_stale;
    outcome->readiness = child->readiness;
    outcome->failure = *child->failure;
    if (outcome->reload != RELOAD_NONE)
        outcome->reload = child->reload_result;
}

static const char *result_label(const struct outcome *outcome)
{
    if (outcome->has_fence && outcome->operation_before == outcome->operation_after &&
        (outcome->fence.decision == FENCE_REJECTED ||
         outcome->fence.decision == FENCE_BLOCKED_BY_SHUTDOWN))
        return "rejected";
    if (outcome->failure.phase != FAILURE_NONE || outcome->stop_state == STOP_FAILED)
        return "failed";
    return outcome->idempotent ? "idempotent" : "accepted";
}

static int carry_out(struct core *core, struct child *child, const struct command *command,
                     uint64_t id, struct outcome *outcome, struct error *error)
{
    switch (command->verb) {
    case COMMAND_PAUSE:
    case COMMAND_QUARANTINE:
    case COMMAND_REMOVE:
        stop_child(core, child, command, id, outcome);
        return 0;
    case COMMAND_RESUME:
        if (child->operation == CHILD_REMOVED) {
            text_copy(error->text, sizeof(error->text), "the child is being removed");
            return -ENOENT;
        }
        resume_child(core, child, command, id, outcome);
        return 0;
    case COMMAND_RESTART:
        restart_child(core, child, id, outcome);
        return 0;
    case COMMAND_RELOAD:
        return reload_child(core, child, id, outcome, error);
    case COMMAND_KILL:
        return signal_child(core, child, command, id, error);
    }
    __builtin_unreachable();
}

static int check_reason(const struct command *command, struct error *error)
{
    struct text text = text_in(error->text, sizeof(error->text));

    if (!command->reason || is_blank(command->reason)) {
        text_append(&text, "reason: must not be blank");
        return -EINVAL;
    }
    if (strlen(command->reason) > REASON_MAX) {
        text_append(&text, "reason: is longer than 256 bytes");
        return -EINVAL;
    }
    return 0;
}

static bool fits_job(enum command_verb verb)
{
    return verb == COMMAND_REMOVE || verb == COMMAND_KILL || verb == COMMAND_RELOAD;
}

static int check(const struct core *core, const struct command *command, struct error *error)
{
    int r = check_reason(command, error);

    if (r < 0)
        return r;
    const struct child *child = core_find(core, command->child);
    if (!child) {
        text_copy(error->text, sizeof(error->text), "no child has this id");
        return -ENOENT;
    }
    if (child->job && !fits_job(command->verb)) {
        text_copy(error->text, sizeof(error->text),
                  "a job runs once: it can be removed, not held or restarted");
        return -EINVAL;
    }
    return 0;
}

/* Only a Kill has a signal to tell of. */
static void announce(struct core *core, struct child *child, const struct command *command,
                     uint64_t id)
{
    const char *verb = command_verb_to_string(command->verb);
    const char *from = command->origin ? command->origin : "";

    if (command->verb == COMMAND_KILL)
        EMIT(core, EVENT_COMMAND_ACCEPTED, child, id, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("reason", command->reason),
             FIELD_TEXT_OF("from", from), FIELD_SIGNED_OF("signal", command->signal));
    else
        EMIT(core, EVENT_COMMAND_ACCEPTED, child, id, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("reason", command->reason),
             FIELD_TEXT_OF("from", from));
}

static int run(struct core *core, struct child *child, const struct command *command,
               struct outcome *outcome, struct error *error)
{
    const char *verb = command_verb_to_string(command->verb);
    uint64_t id = core_new_command(core);

    *outcome = (struct outcome){
        .command_id = id,
        .attempt = child_attempt(child),
        .generation = child->attempt.active ? child->attempt.generation : child->generation,
        .operation_before = child->operation,
        .dry_run = command->dry_run,
    };
    announce(core, child, command, id);
    int r = carry_out(core, child, command, id, outcome, error);
    if (r < 0) {
        EMIT(core, EVENT_COMMAND_REJECTED, child, id, FIELD_TEXT_OF("command", verb),
             FIELD_TEXT_OF("why", error->text));
        return r;
    }
    core_describe(core, child, outcome);
    EMIT(core, EVENT_CHILD_CONTROL_COMMAND_COMPLETED, child, id, FIELD_TEXT_OF("command", verb),
         FIELD_TEXT_OF("result", result_label(outcome)), FIELD_TEXT_OF("by", command->requester),
         FIELD_TEXT_OF("reason", command->reason));
    return 0;
}

/* A dry run: the same code on the same record, with the ports closed, and all put back. */
static int run_dry(struct core *core, struct child *child, const struct command *command,
                   struct outcome *outcome, struct error *error)
{
    struct child saved = *child;
    struct seldom_copy seldom;
    struct random random = core->random;
    uint64_t next_command = core->next_command;
    unsigned plan = plan_of(child);

    seldom_save(child, &seldom);
    core->muted = true;
    core->plan = 0;
    int r = run(core, child, command, outcome, error);
    core->muted = false;
    outcome->plan = core->plan | (r == 0 ? plan : 0);

    *child = saved;
    seldom_restore(child, &seldom);
    core->random = random;
    core->next_command = next_command;
    EMIT(core, EVENT_COMMAND_ACCEPTED, child, 0,
         FIELD_TEXT_OF("command", command_verb_to_string(command->verb)),
         FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("reason", command->reason),
         FIELD_FLAG_OF("dry_run", true));
    return r;
}

static int run_for_good(struct core *core, struct child *child, const struct command *command,
                        struct outcome *outcome, struct error *error)
{
    int r = run(core, child, command, outcome, error);

    if (command->verb == COMMAND_REMOVE && r == 0 && !child->attempt.active &&
        core->shutdown_phase == SHUTDOWN_IDLE)
        declare_remove(core, child, CHILD_STATUS_NONE, outcome->command_id);
    return r;
}

static void refuse(struct core *core, const struct command *command, const struct error *error)
{
    EMIT(core, EVENT_COMMAND_REJECTED, NULL, 0,
         FIELD_TEXT_OF("command", command_verb_to_string(command->verb)),
         FIELD_TEXT_OF("child", strlen(command->child) <= CHILD_ID_MAX ? command->child : ""),
         FIELD_TEXT_OF("by", command->requester), FIELD_TEXT_OF("why", error->text));
}

/* A dry run marks what the command would touch first, since its copy of the
 * child alone does not show what others would do. */
int command_handle(struct core *core, const struct command *command, struct outcome *outcome,
                   struct error *error)
{
    int r = check(core, command, error);
    if (r < 0) {
        refuse(core, command, error);
        return r;
    }

    struct child *child = core_find(core, command->child);
    if (command->dry_run) {
        plan_child(core, child, command->verb);
        return run_dry(core, child, command, outcome, error);
    }
    return run_for_good(core, child, command, outcome, error);
}

/* ---- of a whole scope ------------------------------------------------------------------------ */

/* Whether a child is to wait for the others. A target that is on its way is not asked again. */
static bool joins_scope(const struct core *core, const struct child *child,
                        const struct scope *scope)
{
    bool removed;

    return core->shutdown_phase == SHUTDOWN_IDLE && child->operation == CHILD_ACTIVE &&
           child->config->declaration.has_process &&
           (!child->scope || scope_is_wider(scope, child->scope)) &&
           !(child->attempt.active && child->fence_phase == FENCE_READY_TO_START) &&
           (child->pending.active || !requirement_lacking(core, child, &removed));
}

/* A restart of a whole supervisor starts its members together. Each joins the
 * scope before its own command runs, so that a member that is already down
 * waits for the others instead of starting alone; a dry run leaves the scope as
 * it found it. */
static void run_in_scope(struct core *core, struct supervisor *supervisor, struct child *child,
                         const struct command *command, struct outcome *outcome)
{
    struct scope *before = child->scope;
    bool joins = command->verb == COMMAND_RESTART && joins_scope(core, child, &supervisor->scope);
    struct error error;

    if (joins)
        child_set_scope(core, child, &supervisor->scope);
    if (joins && !command->dry_run && !child->attempt.active)
        strategy_hold_back(core, child); /* from now on it waits for the others, and nothing else */
    if (command->dry_run)
        run_dry(core, child, command, outcome, &error);
    else
        run_for_good(core, child, command, outcome, &error);
    if (joins && command->dry_run)
        child_set_scope(core, child, before);
    else if (joins)
        scope_begin(core, &supervisor->scope);
}

static bool is_asked_to_go(const struct core *core, const struct child *child,
                           enum command_verb verb)
{
    bool removed;

    if (child->job && !fits_job(verb))
        return false;
    if (verb == COMMAND_RESTART)
        return core->shutdown_phase == SHUTDOWN_IDLE && child->operation == CHILD_ACTIVE &&
               !child->pending.active && !requirement_lacking(core, child, &removed);
    return operation_of(verb) != CHILD_ACTIVE;
}

static void name_stops(struct core *core, struct supervisor *supervisor, enum command_verb verb)
{
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child))
        if (is_asked_to_go(core, child, verb))
            stop_order_name(core, child);
}

/* Members stop in the reverse order of the tree and are resumed in its order.
 * All are judged and named before the first is touched: otherwise the first
 * would be told to wait for one that is about to go too, or be refused for a
 * requirement that is restarted with it. The next member is fetched first, as a
 * removal frees the one that it has visited. */
int command_handle_scope(struct core *core, const struct command *command,
                         void (*visit)(void *userdata, const struct outcome *outcome),
                         void *userdata, struct error *error)
{
    struct supervisor *supervisor = core_find_supervisor(core, command->child);
    bool in_order = command->verb == COMMAND_RESUME;
    int count = 0, r = check_reason(command, error);

    if (r == 0 && !supervisor) {
        text_copy(error->text, sizeof(error->text), "no supervisor has this path");
        r = -ENOENT;
    }
    if (r < 0) {
        refuse(core, command, error);
        return r;
    }
    requirement_judge_scope(core, supervisor, command->verb);
    name_stops(core, supervisor, command->verb);
    if (command->dry_run)
        plan_scope(core, supervisor, command->verb);
    if (in_order)
        start_name_resumed(core, supervisor);
    struct child *child = in_order ? supervisor_first(supervisor) : supervisor_last(supervisor);
    for (struct child *next; child; child = next) {
        struct outcome outcome;
        next =
            in_order ? supervisor_next(supervisor, child) : supervisor_previous(supervisor, child);
        if (in_order && child->operation == CHILD_REMOVED)
            continue; /* it is on its way out: nothing is to be resumed */
        if (child->job && !fits_job(command->verb))
            continue;
        run_in_scope(core, supervisor, child, command, &outcome);
        visit(userdata, &outcome);
        count++;
    }
    start_forget_named(core);
    requirement_forget(core);
    stop_order_settle(core);
    return count;
}

/* ---- of a set -------------------------------------------------------------------------------- */

/* The next line; one that is too long is no child's id. */
static bool take_line(const char **lines, char id[CHILD_ID_MAX + 1])
{
    const char *end = strchr(*lines, '\n');
    size_t length = end ? (size_t)(end - *lines) : strlen(*lines);
    size_t taken = length <= CHILD_ID_MAX ? length : 0;

    if (**lines == '\0')
        return false;
    memcpy(id, *lines, taken);
    id[taken] = '\0';
    *lines += length + (end != NULL);
    return true;
}

/* The removal of several children as one, for a reload of the manifests: those
 * that depend on others are stopped first, whatever the order of the list. */
void command_remove(struct core *core, const char *ids, const char *requester, const char *reason)
{
    char id[CHILD_ID_MAX + 1];
    struct command command = {
        .verb = COMMAND_REMOVE, .child = id, .reason = reason, .requester = requester};
    struct outcome outcome;
    struct error error;

    for (const char *lines = ids; take_line(&lines, id);) {
        struct child *child = core_find(core, id);
        if (child)
            stop_order_name(core, child);
    }
    for (const char *lines = ids; take_line(&lines, id);)
        if (check(core, &command, &error) == 0)
            run_for_good(core, core_find(core, id), &command, &outcome, &error);
    stop_order_settle(core);
}
