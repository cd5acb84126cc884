/*
 * The end of an attempt: what kind of end it was, what is decided, and what
 * follows. This is the heart of supervision, and the longest part of the
 * specification.
 */
#include "reference/exit.h"

#include "core/vocabulary/invariant.h"
#include "reference/attempt.h"
#include "reference/backoff.h"
#include "reference/job.h"
#include "reference/limit.h"
#include "reference/schedule.h"
#include "reference/shutdown.h"
#include "reference/start.h"
#include "reference/stop.h"
#include "reference/strategy.h"
#include "reference/words.h"

#include <string.h>

#define MINUTE (UINT64_C(60) * 1000000)

static bool listed(const struct exit_codes *codes, int code)
{
    for (int i = 0; i < codes->count; i++)
        if (codes->codes[i] == code)
            return true;
    return false;
}

/* A stop that was asked for counts as such, whatever the exit code; then lack
 * of memory, unknown ends, signals and codes. */
static enum exit_kind kind_of(const struct ref_child *c, const struct completion *completion)
{
    if (c->attempt.forced != EXIT_NONE)
        return c->attempt.forced;
    if (c->attempt.cancelled)
        return EXIT_CANCELLED;
    if (completion->oom_killed)
        return EXIT_OOM_KILLED;
    if (completion->unknown)
        return EXIT_FAILED;
    if (completion->by_signal)
        return EXIT_SIGNALED;
    if (completion->code == 0 || listed(&c->declaration->success_exit_codes, completion->code))
        return EXIT_SUCCEEDED;
    return EXIT_FAILED;
}

/* At most burst + 1 exits are kept: more would not change anything. */
static bool count_exit(struct ref *r, struct ref_child *c)
{
    ref_prune(r, c);
    if (c->used == c->declaration->burst + 1) {
        memmove(c->exits, c->exits + 1, (c->used - 1) * sizeof(*c->exits));
        c->used--;
    }
    c->exits[c->used++] = r->now;
    ref_touch(r, &c->limit_updated);
    ref_arm(r, c, REF_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
    return c->used <= c->declaration->burst;
}

static uint64_t cool_down(const struct ref_child *c)
{
    return c->cool_downs < 4 ? (5 * MINUTE) << c->cool_downs : 60 * MINUTE;
}

/* How long it waits after an exit, by itself: what its group's budget adds is given separately. */
uint64_t ref_delay_after(const struct ref_child *c, enum exit_decision decision)
{
    if (decision == DECISION_RESTART)
        return c->with_machine ? 0 : c->drawn;
    return decision == DECISION_GIVE_UP && c->declaration->on_limit == ON_LIMIT_COOL_DOWN &&
                   c->declaration->on_give_up == ON_END_NOTHING
               ? cool_down(c)
               : 0;
}

static void quarantine(struct ref *r, struct ref_child *c, const char *why)
{
    ref_set_operation(r, c, CHILD_QUARANTINED, NULL, why);
    TELL(r, c, EVENT_CHILD_QUARANTINED, FIELD_TEXT_OF("why", why));
}

/* Where its limit is used up and the last exit was not fatal, it has failed too often. */
static const char *why_given_up(struct ref *r, const struct ref_child *c)
{
    return ref_give_up_words(r, c, c->fatal, c->used <= c->declaration->burst);
}

/* The limit is used up: what the declaration says for this case is done. */
static void give_up(struct ref *r, struct ref_child *c)
{
    const char *why = why_given_up(r, c);
    bool ends_tree = c->declaration->on_give_up == ON_END_SHUTDOWN_TREE;
    enum on_limit action = ends_tree ? ON_LIMIT_SHUTDOWN_TREE : c->declaration->on_limit;
    uint64_t delay = cool_down(c);
    c->gave_up = true;
    if (action == ON_LIMIT_ESCALATE && c->declaration->criticality == CRITICALITY_OPTIONAL)
        action = ON_LIMIT_STOP;
    TELL(r, c, EVENT_CHILD_RESTART_LIMIT_UPDATED, FIELD_TEXT_OF("why", why),
         FIELD_TEXT_OF("on_limit", on_limit_to_string(action)), FIELD_FLAG_OF("gave_up", true),
         FIELD_NUMBER_OF("used", c->used), FIELD_NUMBER_OF("burst", c->declaration->burst));
    if (action == ON_LIMIT_QUARANTINE) {
        quarantine(r, c, why);
    } else if (action == ON_LIMIT_COOL_DOWN) {
        c->cool_downs++;
        c->scope = 0;
        c->automatic = true;
        c->by_budget = false;
        ref_arm(r, c, REF_START, r->now + delay);
        ref_tell_backoff(r, c, "cool-down", delay, delay);
    } else if (action == ON_LIMIT_STOP) {
        c->wanted = false;
    } else if (action == ON_LIMIT_ESCALATE) {
        ref_melt_down(r, c->supervisor, c, why);
    } else if (ends_tree) {
        ref_shut_down_by(r, c, why);
    } else {
        TELL(r, c, EVENT_ESCALATED, FIELD_TEXT_OF("to", "shutdown-tree"),
             FIELD_TEXT_OF("why", why));
        ref_shut_down(r, true, 0, "policy", why);
    }
}

/* Whether it ended well, but sooner than one that is to run always may. */
static bool is_early(struct ref *r, const struct ref_child *c, enum exit_kind kind)
{
    bool lasted = ref_ends_ready(c)
                      ? r->now - c->attempt.started >= c->declaration->backoff.reset_after_usec
                      : ref_is_proven(r, c);
    return kind == EXIT_SUCCEEDED && c->declaration->restart == RESTART_PERMANENT && !lasted;
}

/* A failure counts, and a success that came too soon; not one that was asked for, and not an end
 * with the machine. */
static bool is_failure(struct ref *r, const struct ref_child *c, enum exit_kind kind)
{
    bool failed = kind != EXIT_SUCCEEDED && kind != EXIT_CANCELLED;
    return (failed || is_early(r, c, kind)) && !c->with_machine;
}

bool ref_is_counted(struct ref *r, const struct ref_child *c, enum exit_kind kind,
                    enum exit_decision decision)
{
    return is_failure(r, c, kind) && decision != DECISION_HOLD &&
           decision != DECISION_FENCE_RELEASE && decision != DECISION_REMOVE &&
           decision != DECISION_SHUTDOWN;
}

/* The decision for a child that nobody holds: the restart policy first, then
 * the limits, the child's own before the supervisor's. */
static enum exit_decision by_policy(struct ref *r, struct ref_child *c, enum exit_kind kind,
                                    bool fatal)
{
    bool failed = kind != EXIT_SUCCEEDED && kind != EXIT_CANCELLED;
    bool counted = is_failure(r, c, kind); /* otherwise of none */
    bool within = counted ? count_exit(r, c) : true;
    enum restart_policy policy = c->declaration->restart;
    if (fatal)
        return DECISION_GIVE_UP;
    if (policy == RESTART_TEMPORARY || (policy == RESTART_TRANSIENT && !failed))
        return DECISION_LEAVE;
    if (counted && (!within || c->on_trial))
        return DECISION_GIVE_UP;
    return counted ? ref_count_failure(r, c) : DECISION_RESTART;
}

/* A shutdown, a removal, a hold and a pending restart come before the policy,
 * in this order. */
enum exit_decision ref_decide(struct ref *r, struct ref_child *c, enum exit_kind kind, bool fatal)
{
    if (r->phase != SHUTDOWN_IDLE)
        return DECISION_SHUTDOWN;
    if (c->operation == CHILD_REMOVED || c->is_job)
        return DECISION_REMOVE;
    if (c->operation != CHILD_ACTIVE)
        return DECISION_HOLD;
    if (c->pending)
        return DECISION_FENCE_RELEASE;
    return by_policy(r, c, kind, fatal);
}

static int signal_of(const struct completion *completion)
{
    return completion->by_signal ? completion->signal : 0;
}

/* It ends by the signal of a Kill, and so for that. */
static bool was_killed(const struct ref_child *c, enum exit_kind kind, int signal)
{
    return kind == EXIT_SIGNALED && c->attempt.kill_command > 0 && c->attempt.kill_signal == signal;
}

/* What was told last is for the Kill. */
static void tell_kill(struct ref *r, const struct ref_child *c, bool killed)
{
    if (killed)
        ref_tell_cause(r, c->attempt.kill_command);
}

/* What ends with the attempt, whatever comes next. */
void ref_end_attempt(struct ref *r, struct ref_child *c)
{
    ref_stop_watching(r, c);
    ref_disarm(c, REF_STOP);
    ref_give_place_back(c);
    c->readiness = READINESS_UNREPORTED;
    c->stale = false;
    if (c->attempt.cancelled || c->attempt.aborted) {
        c->stop_state = STOP_COMPLETED;
        if (c->failure != FAILURE_SPAWN)
            ref_forget_failure(c);
        TELL(r, c, EVENT_CHILD_CONTROL_STOP_COMPLETED,
             FIELD_TEXT_OF("exit", exit_kind_to_string(c->exit)),
             FIELD_FLAG_OF("aborted", c->attempt.aborted));
    } else {
        c->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    }
    c->attempt.active = false;
    c->attempt.pid = 0;
    c->named = c->waits_to_go = false;
    c->process = c->declaration; /* what waited for that is in force */
    ref_take_sidecars_along(r, c, c->attempt.by_hand || was_killed(c, c->exit, c->how.signal));
}

/* The child's row of the report of the shutdown is complete. */
static void gone_in_shutdown(struct ref *r, struct ref_child *c)
{
    bool aborted = c->attempt.aborted;
    ref_note_exit(c);
    if (c->result != SHUTDOWN_PENDING) {
        c->result = SHUTDOWN_LATE_REPORT;
        c->row.reason = "its end was reported after the abort timeout";
        TELL_BARE(r, c, EVENT_CHILD_SHUTDOWN_LATE_REPORT);
        return;
    }
    TELL_BARE(r, c, aborted ? EVENT_CHILD_SHUTDOWN_ABORTED : EVENT_CHILD_SHUTDOWN_GRACEFUL);
    const char *abort = c->row.reason[0] ? c->row.reason : ref_abort_words(c);
    ref_settle(r, c, aborted ? SHUTDOWN_ABORTED : SHUTDOWN_GRACEFUL,
               aborted ? abort : "ended after the cancel");
}

/* With a delay, together with siblings, or at once. */
static void restart_by_policy(struct ref *r, struct ref_child *c)
{
    uint64_t delay = 0;
    if (c->with_machine) {
        c->automatic = true; /* no delay, and no token */
        c->by_budget = false;
        ref_tell_backoff(r, c, "reboot", 0, 0);
    } else
        delay = ref_schedule(r, c, ref_budget(r, c));
    bool together = ref_restart_scope(r, c);
    if (!together && c->scope > 0)
        ref_wait_for_siblings(r, c, false,
                              "policy"); /* it was to stay down among them, and is not any more */
    if (c->scope > 0 || delay > 0)
        return;
    if (c->with_machine)
        ref_arm(r, c, REF_START, r->now); /* with all the others, once their ends are known */
    else
        ref_start_or_wait(r, c, true);
}

/* Its group's limit is used up. */
static void blow_fuse(struct ref *r, struct ref_child *c)
{
    const struct ref_supervisor *s = &r->supervisors[c->supervisor];
    const struct ref_group *group = &s->groups[c->group];

    TELL(r, c, EVENT_GROUP_FUSE_TRIGGERED, FIELD_TEXT_OF("group", group->declaration->name),
         FIELD_TEXT_OF("supervisor", s->declaration->path), FIELD_NUMBER_OF("used", group->used),
         FIELD_NUMBER_OF("burst", group->declaration->burst));
    c->gave_up = true;
    if (c->declaration->on_give_up == ON_END_SHUTDOWN_TREE)
        ref_shut_down_by(r, c, ref_fuse_words(r, c));
    else
        quarantine(r, c, ref_fuse_words(r, c));
}

/* Its policy leaves it: it has succeeded, or failed for good. An end with the machine, or one that
 * was asked for, is neither. */
static void leave(struct ref *r, struct ref_child *c)
{
    c->wanted = false;
    if (c->ended == EXIT_SUCCEEDED && c->declaration->on_success == ON_END_SHUTDOWN_TREE)
        ref_shut_down_by(r, c, "it has succeeded, and its on_success is shutdown-tree");
    else if (ref_is_counted(r, c, c->ended, DECISION_LEAVE) &&
             c->declaration->on_give_up == ON_END_SHUTDOWN_TREE)
        ref_shut_down_by(r, c, "it has failed for good, and its on_give_up is shutdown-tree");
    else
        ref_run_is_over(r, c);
}

/* The machine has taken others down as well: once their ends are known, too. */
static void start_after_all(struct ref *r, struct ref_child *c, bool automatic)
{
    c->automatic = automatic;
    c->by_budget = false;
    ref_arm(r, c, REF_START, r->now);
}

/* The decision becomes action. */
void ref_carry_out(struct ref *r, struct ref_child *c, enum exit_decision decision)
{
    if (decision == DECISION_RESTART) {
        restart_by_policy(r, c);
    } else if (decision == DECISION_LEAVE) {
        leave(r, c);
    } else if (decision == DECISION_FENCE_RELEASE) {
        c->fence = FENCE_READY_TO_START;
        if (!c->scope && c->with_machine)
            start_after_all(r, c, !c->pending_by_hand);
        else if (!c->scope)
            ref_start_or_wait(r, c, !c->pending_by_hand);
    } else if (decision == DECISION_REMOVE) {
        ref_leave(r, c, CHILD_STOPPED);
    } else if (decision == DECISION_SHUTDOWN) {
        ref_end_job(r, c);
        gone_in_shutdown(r, c);
    } else if (decision == DECISION_GIVE_UP) {
        give_up(r, c);
    } else if (decision == DECISION_FUSE) {
        blow_fuse(r, c);
    } else if (decision == DECISION_MELTDOWN) {
        ref_melt_down(r, c->supervisor, c, ref_meltdown_words(r, c->supervisor, c));
    }
}

static void forget_failures_after_health(struct ref *r, struct ref_child *c)
{
    if (!ref_is_proven(r, c))
        return;
    c->backoff_n = c->backoff_previous = c->cool_downs = 0;
    c->on_trial = false;
}

/* No process of it is left, and the commands of after_stop have the time of a stop. */
static void commands_follow(struct ref *r, struct ref_child *c)
{
    c->leftovers = 0;
    c->attempt.status = CHILD_CANCELLING;
    ref_stop_watching(r, c);
    ref_give_place_back(c);
    ref_arm_timeout(r, c, REF_STOP,
                    c->attempt.aborted ? c->declaration->abort_timeout_usec
                                       : c->declaration->stop_timeout_usec);
    TELL_BARE(r, c, EVENT_CHILD_AFTER_STOP);
    tell_kill(r, c, was_killed(c, c->attempt.main_exit, signal_of(&c->attempt.main)));
}

/* The main process has ended, others of the attempt may still be there: then
 * the attempt has not ended. */
void ref_main_ended(struct ref *r, struct ref_child *c, const struct completion *completion)
{
    INVARIANT(completion);
    if (c->attempt.main_gone) {
        commands_follow(r, c);
        return;
    }
    c->attempt.main_exit = kind_of(c, completion);
    c->attempt.main_gone = true;
    if (c->readiness == READINESS_READY) /* it was the main process's word */
        c->readiness = READINESS_UNREPORTED;
    c->attempt.main = *completion;
    if (completion->left == 0) {
        if (!c->attempt.cancelled && !c->attempt.aborted)
            c->attempt.by_hand = was_killed(c, c->attempt.main_exit, signal_of(completion));
        commands_follow(r, c);
        return;
    }
    c->leftovers = completion->left;
    bool killed = was_killed(c, c->attempt.main_exit, signal_of(completion));
    TELL(r, c, EVENT_CHILD_LEFTOVERS,
         FIELD_TEXT_OF("action", c->process->leftovers == LEFTOVERS_KILL || c->attempt.aborted
                                     ? "kill"
                                     : "wait"),
         FIELD_NUMBER_OF("left", completion->left));
    tell_kill(r, c, killed);
    if (c->process->leftovers == LEFTOVERS_KILL) {
        bool aborts = !c->attempt.aborted;
        c->attempt.status = CHILD_CANCELLING;
        ref_abort(r, c);
        tell_kill(r, c, killed && aborts && c->fence == FENCE_OPEN);
        if (!c->attempt.cancelled)
            c->attempt.by_hand = killed;
    } else if (ref_cancel(r, c, killed, "leftovers")) {
        tell_kill(r, c, killed);
    }
}

/* With everything that an operator needs to understand the decision. */
static void tell_exit(struct ref *r, const struct ref_child *c, const struct completion *completion,
                      bool counted)
{
    TELL(r, c, EVENT_CHILD_EXITED, FIELD_TEXT_OF("exit", exit_kind_to_string(c->exit)),
         FIELD_SIGNED_OF("code", completion->by_signal ? 0 : completion->code),
         FIELD_SIGNED_OF("signal", completion->by_signal ? completion->signal : 0),
         FIELD_FLAG_OF("core_dumped", completion->core_dumped),
         FIELD_TEXT_OF("reason", c->how.reason), FIELD_FLAG_OF("counted", counted),
         FIELD_NUMBER_OF("used", c->used), FIELD_NUMBER_OF("burst", c->declaration->burst),
         FIELD_TEXT_OF("decision", exit_decision_to_string(c->decision)),
         FIELD_NUMBER_OF("delay_usec", ref_delay_after(c, c->decision)));
    tell_kill(r, c, was_killed(c, c->exit, signal_of(completion)));
}

/* The last exit, as it is shown from now on. */
static void note_exit(struct ref *r, struct ref_child *c, const struct completion *completion,
                      const struct job_output *words, bool early)
{
    bool timed_out = c->exit == EXIT_TIMED_OUT;
    c->how = (struct ref_exit){.code = completion->by_signal ? 0 : completion->code,
                               .signal = completion->by_signal ? completion->signal : 0,
                               .core_dumped = completion->core_dumped,
                               .early = early,
                               .ran_out = timed_out && c->attempt.ran_out,
                               .own_stop = timed_out && c->readiness == READINESS_NOT_READY &&
                                           c->attempt.stopping,
                               .failed_check = c->exit == EXIT_UNHEALTHY && c->attempt.failed_check,
                               .realtime = r->realtime};
    struct completion with_words = *completion;
    with_words.output = *words; /* known when all of it has ended */
    c->how.reason = ref_exit_words(r, c, &with_words);
}

/* All of the attempt has ended. */
void ref_process_ended(struct ref *r, struct ref_child *c, const struct completion *completion)
{
    INVARIANT(completion);
    const struct completion *last = completion;
    c->leftovers = completion->left;
    if (c->attempt.main_gone)
        completion = &c->attempt.main;
    enum exit_kind kind = c->attempt.main_gone ? c->attempt.main_exit : kind_of(c, completion);
    if (last->left > 0) {
        TELL(r, c, EVENT_CHILD_LEFTOVERS, FIELD_TEXT_OF("action", "keep"),
             FIELD_NUMBER_OF("left", last->left));
        tell_kill(r, c, was_killed(c, kind, signal_of(completion)));
    }
    bool fatal = kind == EXIT_FAILED && listed(&c->declaration->fatal_exit_codes, completion->code);
    c->with_machine = completion->with_machine;
    c->fatal = fatal;
    c->unknown = completion->unknown;
    c->ended = kind;
    bool early = is_early(r, c, kind);
    if (!c->with_machine)
        forget_failures_after_health(r, c);
    enum exit_decision decision = ref_decide(r, c, kind, fatal);
    bool counted = ref_is_counted(r, c, kind, decision);
    c->exit = kind;
    c->exit_generation = c->attempt.generation;
    c->exit_attempt = c->attempt.number;
    c->decision = decision;
    note_exit(r, c, completion, &last->output, early && counted);
    ref_note_result(r, c, last);
    c->row.cgroup = last->cgroup;
    tell_exit(r, c, completion, counted);
    ref_end_attempt(r, c);
    if (kind == EXIT_SUCCEEDED && ref_ends_ready(c) &&
        !c->is_job) /* its record goes, or is history */
    {
        c->readiness = READINESS_READY; /* until it is started again */
        TELL_BARE(r, c, EVENT_CHILD_READY);
    }
    if (counted)
        ref_tell_limit(r, c, "exit");
    ref_carry_out(r, c, decision);
    c->with_machine = false;
}
