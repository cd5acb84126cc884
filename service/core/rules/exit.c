/*
 * What follows from an exit, in six steps that always come in this order:
 * classify it (exit_kind.c), decide whether it counts, count it against the
 * limits of the child, its group and its supervisor, decide what to do, record
 * and announce all of that in one event, and only then act. Nothing acts before
 * the announcement, so the event that explains a restart stands before
 * everything that the restart causes.
 *
 * A failed start goes the same way as an exit, without a process.
 */
#include "core/rules/exit.h"

#include "core/model/budget.h"
#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/restart_limit.h"
#include "core/model/restart_queue.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/model/tally.h"
#include "core/private.h"
#include "core/rules/adopt.h"
#include "core/rules/declare.h"
#include "core/rules/due.h"
#include "core/rules/escalation.h"
#include "core/rules/exit_kind.h"
#include "core/rules/fence.h"
#include "core/rules/jobs.h"
#include "core/rules/leftovers.h"
#include "core/rules/liveness.h"
#include "core/rules/restart.h"
#include "core/rules/shutdown.h"
#include "core/rules/start.h"
#include "core/rules/stop.h"
#include "core/rules/strategy.h"
#include "core/rules/watch.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

#include <string.h>

#define COOL_DOWN_USEC     (UINT64_C(5) * 60 * 1000000)
#define COOL_DOWN_MAX_USEC (UINT64_C(60) * 60 * 1000000)

struct verdict {
    enum exit_kind kind;
    bool counted;
    bool with_machine; /* it ended with the machine: what is restarted is so at once */
    bool fatal;
    bool early; /* a success too soon of one that is to run always */
    bool within_limit;
    enum exit_decision decision;
    uint64_t delay_usec; /* DECISION_RESTART, and DECISION_GIVE_UP with a cool-down */
    uint64_t wait_usec;  /* the part of it that the budget asks for; 0: a token was there */
    int exit_code;       /* of proctord, if this ends the tree */
};

/* A child that is ready by its end is never ready while it runs: then how long it has run
 * counts. */
static bool is_early(const struct core *core, const struct child *child, enum exit_kind kind)
{
    const struct child_declaration *declaration = &child->config->declaration;

    if (kind != EXIT_SUCCEEDED || declaration->restart != RESTART_PERMANENT)
        return false;
    if (declaration_is_ready_by_exit(declaration))
        return core_now(core) - child->attempt.started_usec < declaration->backoff.reset_after_usec;
    return !liveness_is_proven(core, child);
}

/* The three policies of Erlang/OTP. */
static bool policy_restarts(enum restart_policy policy, enum exit_kind kind)
{
    switch (policy) {
    case RESTART_PERMANENT:
        return true;
    case RESTART_TRANSIENT:
        return kind != EXIT_SUCCEEDED && kind != EXIT_CANCELLED;
    case RESTART_TEMPORARY:
        return false;
    }
    __builtin_unreachable();
}

/* What the declaration comes to: on_give_up outweighs on_limit, and an optional
 * child never takes others down with it. */
static enum on_limit effective_on_limit(const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    if (declaration->on_give_up == ON_END_SHUTDOWN_TREE)
        return ON_LIMIT_SHUTDOWN_TREE;
    if (declaration->on_limit == ON_LIMIT_ESCALATE &&
        declaration->criticality == CRITICALITY_OPTIONAL)
        return ON_LIMIT_STOP; /* optional never escalates */
    return declaration->on_limit;
}

static uint64_t cool_down(const struct child *child)
{
    uint64_t delay = COOL_DOWN_USEC;
    for (uint32_t i = 0; i < child->cool_downs && delay < COOL_DOWN_MAX_USEC; i++)
        delay *= 2;
    return delay < COOL_DOWN_MAX_USEC ? delay : COOL_DOWN_MAX_USEC;
}

static void forget_failures_after_health(const struct core *core, struct child *child)
{
    if (!liveness_is_proven(core, child))
        return;
    child->backoff_n = 0;
    child->backoff_previous_usec = 0;
    child->cool_downs = 0;
    child->on_trial = false;
}

/* What those above the child say about one more restart. */
static enum exit_decision count_above(struct core *core, struct child *child,
                                      const struct verdict *verdict)
{
    struct group *group = child->group;

    if (!verdict->counted)
        return DECISION_RESTART;
    if (group) {
        bool within = !group->declaration.limited ||
                      restart_limit_count(&group->limit, core_now(core), core_realtime(core));
        return within ? DECISION_RESTART : DECISION_FUSE;
    }
    if (child->config->declaration.criticality == CRITICALITY_OPTIONAL)
        return DECISION_RESTART; /* optional never escalates */
    return supervisor_count(core, child->member.supervisor) ? DECISION_RESTART : DECISION_MELTDOWN;
}

static void take_time(struct core *core, struct child *child, struct verdict *verdict)
{
    if (verdict->with_machine)
        return;
    verdict->wait_usec = child->group ? budget_take(&child->group->budget, core_now(core)) : 0;
    verdict->delay_usec = restart_draw_backoff(core, child);
}

/* The child's own limit is counted first, those above only if it is not given
 * up: a child that has given up would otherwise use up its supervisor's limit
 * as well. */
static void decide_by_policy(struct core *core, struct child *child, struct verdict *verdict)
{
    const struct child_declaration *declaration = &child->config->declaration;

    if (verdict->counted) {
        verdict->within_limit =
            restart_limit_count(&child->restart_limit, core_now(core), core_realtime(core));
        child_arm(core, child, TIMER_WINDOW, restart_limit_next_change(&child->restart_limit));
    }
    if (verdict->fatal) {
        verdict->decision = DECISION_GIVE_UP;
    } else if (!policy_restarts(declaration->restart, verdict->kind)) {
        verdict->decision = DECISION_LEAVE;
    } else if (verdict->counted && (!verdict->within_limit || child->on_trial)) {
        verdict->decision = DECISION_GIVE_UP;
    } else {
        verdict->decision = count_above(core, child, verdict);
    }
    if (verdict->decision == DECISION_RESTART)
        take_time(core, child, verdict);
    if (verdict->decision == DECISION_GIVE_UP && effective_on_limit(child) == ON_LIMIT_COOL_DOWN)
        verdict->delay_usec = cool_down(child);
}

/* What outweighs the policy: a shutdown, a removal, a hold, a restart that
 * waits for this very exit. */
static void decide(struct core *core, struct child *child, struct verdict *verdict)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        verdict->decision = DECISION_SHUTDOWN;
    else if (child->operation == CHILD_REMOVED || child->job)
        verdict->decision = DECISION_REMOVE; /* a job runs once */
    else if (child->operation != CHILD_ACTIVE)
        verdict->decision = DECISION_HOLD;
    else if (child->pending.active)
        verdict->decision = DECISION_FENCE_RELEASE;
    else
        decide_by_policy(core, child, verdict);
}

/* The sentence that `status` shows for as long as the child stays down, so it
 * carries the numbers that it was decided by. */
static void describe_give_up(const struct child *child, const struct verdict *verdict,
                             struct text *text)
{
    struct restart_limit_view view = restart_limit_view(&child->restart_limit);

    if (verdict->fatal) {
        text_append(text, "exit code ");
        text_append_number(text, (uint64_t)child->last_exit->code);
        text_append(text, " is fatal");
        return;
    }
    if (verdict->within_limit) {
        text_append(text, "failed again in the one try after its cool-down");
        return;
    }
    text_append(text, "restart limit used up: ");
    text_append_number(text, view.used);
    text_append(text, " counted exits within ");
    text_append_number(text, view.interval_usec / 1000000);
    text_append(text, " s, burst is ");
    text_append_number(text, view.burst);
}

/* A failure is never told as a success. */
static int exit_code_of(enum exit_kind kind, const struct completion *completion)
{
    int code = completion->by_signal ? 128 + completion->signal : completion->code;

    if (completion->unknown || (code == 0 && kind != EXIT_SUCCEEDED))
        return SHUTDOWN_BY_POLICY;
    return code;
}

static bool ends_tree_when_given_up(const struct child *child)
{
    return child->config->declaration.on_give_up == ON_END_SHUTDOWN_TREE;
}

/* Gives up, loudly and so that a person can take it back. */
static void give_up(struct core *core, struct child *child, const struct verdict *verdict)
{
    char buffer[FAILURE_REASON_MAX];
    struct text why = text_in(buffer, sizeof(buffer));
    enum on_limit action = effective_on_limit(child);

    describe_give_up(child, verdict, &why);
    child->gave_up = true;
    EMIT(core, EVENT_CHILD_RESTART_LIMIT_UPDATED, child, 0, FIELD_TEXT_OF("why", buffer),
         FIELD_TEXT_OF("on_limit", on_limit_to_string(action)), FIELD_FLAG_OF("gave_up", true),
         FIELD_NUMBER_OF("used", child->restart_limit.used),
         FIELD_NUMBER_OF("burst", child->restart_limit.burst));
    switch (action) {
    case ON_LIMIT_QUARANTINE:
        restart_quarantine(core, child, buffer);
        break;
    case ON_LIMIT_COOL_DOWN:
        child->cool_downs++;
        child_set_scope(core, child, NULL);
        restart_schedule(core, child, verdict->delay_usec, 0, "cool-down");
        break;
    case ON_LIMIT_STOP:
        child->wanted = false;
        break;
    case ON_LIMIT_ESCALATE:
        escalation_melt_down(core, child->member.supervisor, child, buffer);
        break;
    case ON_LIMIT_SHUTDOWN_TREE:
        escalation_shut_down(core, child, buffer,
                             ends_tree_when_given_up(child) ? verdict->exit_code
                                                            : SHUTDOWN_BY_POLICY);
        break;
    }
    core_changed(core, child);
}

/* Its policy leaves it: it has succeeded, or failed for good. An end with the machine, or one that
 * was asked for, is neither. */
static void leave(struct core *core, struct child *child, const struct verdict *verdict)
{
    child->wanted = false;
    if (verdict->kind == EXIT_SUCCEEDED &&
        child->config->declaration.on_success == ON_END_SHUTDOWN_TREE)
        escalation_shut_down(core, child, "it has succeeded, and its on_success is shutdown-tree",
                             verdict->exit_code);
    else if (verdict->counted && ends_tree_when_given_up(child))
        escalation_shut_down(core, child,
                             "it has failed for good, and its on_give_up is shutdown-tree",
                             verdict->exit_code);
    else
        due_run_ended(core, child);
}

/* The machine has taken others down as well: all start when the timer fires, which is due. */
static void start_after_all(struct core *core, struct child *child, uint64_t cause)
{
    child->automatic_start = cause == 0;
    child->by_budget = false;
    child->start_cause = cause;
    start_schedule(core, child, core_now(core));
}

/* The old attempt is gone: its successor may start. After a reboot it waits
 * until all exits of that reboot have been judged, since its siblings may have
 * to start with it. */
static void release_fence(struct core *core, struct child *child, bool with_machine)
{
    uint64_t cause = child->pending.cause;

    fence_set_phase(child, FENCE_READY_TO_START);
    if (child->scope)
        start_with_others(core, child);
    else if (with_machine)
        start_after_all(core, child, cause);
    else
        start_request(core, child, cause, cause == 0);
}

/* The limit of the group is used up: the running ones continue, and one that fails is not started
 * again. */
static void blow_fuse(struct core *core, struct child *child, const struct verdict *verdict)
{
    const struct group *group = child->group;
    struct restart_limit_view view = restart_limit_view(&group->limit);
    char buffer[FAILURE_REASON_MAX];
    struct text why = text_in(buffer, sizeof(buffer));

    text_append(&why, "the limit of the group \"");
    text_append(&why, group->declaration.name);
    text_append(&why, "\" is used up");
    EMIT(core, EVENT_GROUP_FUSE_TRIGGERED, child, 0,
         FIELD_TEXT_OF("group", group->declaration.name),
         FIELD_TEXT_OF("supervisor", child->member.supervisor->path),
         FIELD_NUMBER_OF("used", view.used), FIELD_NUMBER_OF("burst", view.burst));
    child->gave_up = true;
    if (ends_tree_when_given_up(child))
        escalation_shut_down(core, child, buffer, verdict->exit_code);
    else
        restart_quarantine(core, child, buffer);
    core_changed(core, child);
}

/* Or with those of a scope in which it was to stay down: a newer declaration has come meanwhile. */
static bool restarts_with_others(struct core *core, struct child *child)
{
    if (strategy_restart(core, child))
        return true;
    if (child->scope)
        fence_ready(core, child, 0, "policy");
    return child->scope != NULL;
}

/* The delay is armed before the siblings are brought in: they wait for it. */
static void restart_by_policy(struct core *core, struct child *child, const struct verdict *verdict)
{
    restart_schedule(core, child, verdict->delay_usec, verdict->wait_usec,
                     verdict->with_machine ? "reboot" : "backoff");
    bool with_others = restarts_with_others(core, child);

    /* The machine has taken others down as well: all start when the timer fires, which is due. */
    if (with_others || !verdict->with_machine)
        restart_after_backoff(core, child, with_others);
}

/* The decision has been announced; this carries it out. Exhaustive, without a
 * default. */
static void execute(struct core *core, struct child *child, const struct verdict *verdict)
{
    switch (verdict->decision) {
    case DECISION_RESTART:
        restart_by_policy(core, child, verdict);
        break;
    case DECISION_LEAVE:
        leave(core, child, verdict);
        break;
    case DECISION_HOLD:
        break;
    case DECISION_FENCE_RELEASE:
        release_fence(core, child, verdict->with_machine);
        break;
    case DECISION_REMOVE:
        declare_remove(core, child, CHILD_STOPPED, child->operation_cause);
        break;
    case DECISION_SHUTDOWN:
        job_child_gone(core, child);
        shutdown_child_gone(core, child);
        break;
    case DECISION_GIVE_UP:
        give_up(core, child, verdict);
        break;
    case DECISION_FUSE:
        blow_fuse(core, child, verdict);
        break;
    case DECISION_MELTDOWN:
        escalation_limit_used_up(core, child);
        break;
    }
}

/* It explains a failure, and nothing else. Of a job, the output is its result. */
static void append_last_words(struct text *text, const struct child *child,
                              const struct job_output *output)
{
    static const bool explained[EXIT_SPAWN_FAILED + 1] = {[EXIT_FAILED] = true,
                                                          [EXIT_SIGNALED] = true,
                                                          [EXIT_OOM_KILLED] = true,
                                                          [EXIT_TIMED_OUT] = true,
                                                          [EXIT_UNHEALTHY] = true};
    size_t size = output->size < LAST_WORDS_MAX ? output->size : LAST_WORDS_MAX;
    char words[LAST_WORDS_MAX + 1];

    if (child->job || !output->data || !explained[child->last_exit->kind])
        return;
    memcpy(words, output->data, size);
    words[size] = '\0';
    text_make_line(words);
    if (!*words)
        return;
    text_append(text, ": \"");
    text_append(text, words);
    text_append(text, "\"");
}

/* Says how it ended in words. The core's own reason comes first (it was not
 * ready in time), then what the kernel reports, then the last line that the
 * child wrote. */
static void describe_exit(const struct child *child, const struct completion *completion)
{
    struct last_exit *last = child->last_exit;
    struct text text = text_in(last->reason, sizeof(last->reason));

    switch (last->kind) {
    case EXIT_NONE:
    case EXIT_SPAWN_FAILED:
        break;
    case EXIT_SUCCEEDED:
        text_append(&text, last->early ? "too soon to be a success, " : "");
        break;
    case EXIT_FAILED:
    case EXIT_SIGNALED:
        break;
    case EXIT_OOM_KILLED:
        text_append(&text, "out of memory, ");
        break;
    case EXIT_TIMED_OUT:
        text_append(&text, last->ran_out    ? "ran for longer than its run timeout, "
                           : last->own_stop ? "still there after a stop of its own, "
                                            : "not ready within its start timeout, ");
        break;
    case EXIT_UNHEALTHY:
        text_append(&text,
                    last->failed_check ? "health checks failed, " : "heartbeat went silent, ");
        break;
    case EXIT_CANCELLED:
        text_append(&text, "cancelled, ");
        break;
    }
    if (completion->with_machine) {
        text_append(&text, "the machine went down with it");
        return;
    }
    if (completion->unknown) {
        text_append(&text, "how it ended is not known: proctord was not there");
        return;
    }
    text_append(&text, last->signal ? "signal " : "exit code ");
    text_append_number(&text, (uint64_t)(last->signal ? last->signal : last->code));
    if (last->core_dumped)
        text_append(&text, ", core dumped");
    append_last_words(&text, child, &completion->output);
}

static uint64_t cause_of_end(const struct child *child)
{
    return exit_kind_cause(child, child->last_exit->kind, child->last_exit->signal);
}

/* One event for all six steps; its fields are those by which each step was
 * decided. */
static void announce_exit(struct core *core, struct child *child, const struct verdict *verdict)
{
    const struct last_exit *last = child->last_exit;

    EMIT(core, EVENT_CHILD_EXITED, child, cause_of_end(child),
         FIELD_TEXT_OF("exit", exit_kind_to_string(verdict->kind)),
         FIELD_SIGNED_OF("code", last->code), FIELD_SIGNED_OF("signal", last->signal),
         FIELD_FLAG_OF("core_dumped", last->core_dumped), FIELD_TEXT_OF("reason", last->reason),
         FIELD_FLAG_OF("counted", verdict->counted),
         FIELD_NUMBER_OF("used", child->restart_limit.used),
         FIELD_NUMBER_OF("burst", child->restart_limit.burst),
         FIELD_TEXT_OF("decision", exit_decision_to_string(verdict->decision)),
         FIELD_NUMBER_OF("delay_usec", verdict->delay_usec));
}

/* LastExit, which outlives the attempt. A signal excludes a code, so that a
 * reader never has to guess which of the two is meant. */
static void record_exit(struct core *core, struct child *child, const struct verdict *verdict,
                        const struct completion *completion)
{
    *child->last_exit = (struct last_exit){
        .kind = verdict->kind,
        .code = completion->by_signal ? 0 : completion->code,
        .signal = completion->by_signal ? completion->signal : 0,
        .core_dumped = completion->core_dumped,
        .early = verdict->early,
        .ran_out = verdict->kind == EXIT_TIMED_OUT && child->attempt.ran_out,
        .own_stop = verdict->kind == EXIT_TIMED_OUT && child->readiness == READINESS_NOT_READY &&
                    child->attempt.stopping,
        .failed_check = verdict->kind == EXIT_UNHEALTHY && child->attempt.failed_check,
        .usec = core_realtime(core),
        .generation = child->attempt.generation,
        .attempt = child->attempt.number,
        .decision = verdict->decision,
    };
    describe_exit(child, completion);
}

/* Takes the attempt off everything that counts it: timers, the places in the
 * queue of restarts, the order of a stop, the tally. Sidecars that go around it
 * are asked to stop now. */
static void end_attempt(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    liveness_end(core, child);
    child_disarm(core, child, TIMER_STOP);
    if (attempt->cancel_delivered || attempt->abort_requested) {
        child->stop_state = STOP_COMPLETED;
        if (child->failure->phase != FAILURE_SPAWN)
            child_forget_failure(child); /* it was late, and now it is over */
        EMIT(core, EVENT_CHILD_CONTROL_STOP_COMPLETED, child, attempt->stop.asked,
             FIELD_TEXT_OF("exit", exit_kind_to_string(child->last_exit->kind)),
             FIELD_FLAG_OF("aborted", attempt->abort_requested));
    } else {
        child->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    }
    child_set_status(core, child, CHILD_STOPPED);
    restart_queue_end(core, child);
    child_set_active(core, child, false);
    stop_order_withdraw(core, child);
    stop_order_update(core, child);
    attempt->pid = 0;
    adopt_attempt_ended(core, child);
    sidecars_follow(core, child, cause_of_end(child));
    core_changed(core, child);
}

/* Whether the end of the attempt was wanted: then its end is no failure of the child's. */
static bool asked_for(enum exit_decision decision)
{
    switch (decision) {
    case DECISION_HOLD:
    case DECISION_FENCE_RELEASE:
    case DECISION_REMOVE:
    case DECISION_SHUTDOWN:
        return true;
    case DECISION_RESTART:
    case DECISION_LEAVE:
    case DECISION_GIVE_UP:
    case DECISION_FUSE:
    case DECISION_MELTDOWN:
        break;
    }
    return false;
}

/* An end that belongs to a reboot of the machine is no failure of the child.
 * The verdict is complete before anything is written, and the limits are
 * announced after the exit, since it changed them. */
void exit_completed(struct core *core, struct child *child, const struct completion *reported)
{
    struct completion copy = *reported, *completion = &copy;
    struct verdict verdict = {.within_limit = true};

    verdict.kind = leftovers_end(core, child, completion);

    verdict.fatal =
        verdict.kind == EXIT_FAILED &&
        exit_code_listed(&child->config->declaration.fatal_exit_codes, completion->code);
    verdict.with_machine = completion->with_machine;
    verdict.exit_code = exit_code_of(verdict.kind, completion);
    verdict.early = is_early(core, child, verdict.kind);
    verdict.counted =
        (verdict.kind != EXIT_SUCCEEDED && verdict.kind != EXIT_CANCELLED) || verdict.early;
    if (verdict.with_machine) /* not a failure; and how long it had been well is not known */
        verdict.counted = false;
    else
        forget_failures_after_health(core, child);
    decide(core, child, &verdict);
    if (asked_for(verdict.decision))
        verdict.counted = false;
    verdict.early = verdict.early && verdict.counted;

    record_exit(core, child, &verdict, completion);
    job_note_completion(child, completion);
    if (child->shutdown->cgroup != completion->cgroup)
        child->shutdown->cgroup = completion->cgroup;
    announce_exit(core, child, &verdict);
    end_attempt(core, child);
    if (verdict.kind == EXIT_SUCCEEDED)
        liveness_ended_well(core, child);
    if (verdict.counted)
        restart_tell_limit(core, child, "exit");
    execute(core, child, &verdict);
}

/* A start that failed counts like an exit. LastExit is written only if the
 * child has never run: otherwise the last real exit would be lost behind it. */
void exit_spawn_failed(struct core *core, struct child *child, int error, const char *reason)
{
    struct verdict verdict = {.kind = EXIT_SPAWN_FAILED,
                              .counted = true,
                              .within_limit = true,
                              .exit_code = SHUTDOWN_BY_POLICY};
    uint64_t cause = child->start_cause;

    if (child->fence_phase == FENCE_READY_TO_START) {
        child->pending = (struct pending_restart){};
        fence_set_phase(child, FENCE_OPEN);
    }
    decide(core, child, &verdict);
    if (asked_for(verdict.decision))
        verdict.counted = false;

    child_fail(core, child, FAILURE_SPAWN, true, reason);
    EMIT(core, EVENT_CHILD_SPAWN_FAILED, child, cause, FIELD_TEXT_OF("reason", reason),
         FIELD_SIGNED_OF("errno", error), FIELD_FLAG_OF("counted", verdict.counted),
         FIELD_NUMBER_OF("used", child->restart_limit.used),
         FIELD_NUMBER_OF("burst", child->restart_limit.burst),
         FIELD_TEXT_OF("decision", exit_decision_to_string(verdict.decision)),
         FIELD_NUMBER_OF("delay_usec", verdict.delay_usec));
    if (!child->born)
        *child->last_exit = (struct last_exit){
            .kind = EXIT_SPAWN_FAILED,
            .usec = core_realtime(core),
            .attempt = child->attempt.number,
            .decision = verdict.decision,
        };
    if (!child->born)
        text_copy(child->last_exit->reason, sizeof(child->last_exit->reason), reason);
    end_attempt(core, child);
    if (verdict.counted)
        restart_tell_limit(core, child, "spawn failed");
    execute(core, child, &verdict);
}
