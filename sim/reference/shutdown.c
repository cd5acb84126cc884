/*
 * The end of everything: phases, order, and one row of the report for each
 * child.
 */
#include "reference/shutdown.h"

#include "reference/dependency.h"
#include "reference/job.h"
#include "reference/schedule.h"
#include "reference/stop.h"
#include "reference/stop_order.h"
#include "reference/tree.h"
#include "reference/wake.h"

#include <string.h>

/* In the reverse order of the start. */
static void ask_all_to_go(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here)
            ref_name(&r->children[i]);
    for (uint32_t i = 0; i < r->count; i++)
        if (r->order[i]->here && r->order[i]->attempt.active)
            ref_insist(r, r->order[i]); /* a deadline that has passed before counts no more */
    for (uint32_t i = r->count; i-- > 0;)
        if (r->order[i]->here)
            ref_go(r, r->order[i], true, "shutdown");
}

static uint32_t left(const struct ref *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->count; i++)
        n += r->children[i].here && r->children[i].result == SHUTDOWN_PENDING;
    return n;
}

/* Each phase on the way is reported. */
void ref_advance(struct ref *r, enum shutdown_phase phase)
{
    while (r->phase < phase) {
        r->phase++;
        TELL(r, NULL, EVENT_SHUTDOWN_PHASE_CHANGED,
             FIELD_TEXT_OF("phase", shutdown_phase_to_string(r->phase)),
             FIELD_NUMBER_OF("left", left(r)));
    }
}

/* The children that the abort met. */
const char *ref_abort_words(const struct ref_child *c)
{
    return c->attempt.main_gone ? "what its main process left was killed"
                                : "did not end within its stop timeout";
}

void ref_note_exit(struct ref_child *c)
{
    c->row.exit = c->exit;
    c->row.code = c->how.code;
    c->row.signal = c->how.signal;
}

/* What is known about the child when the shutdown begins. */
static void open_row(struct ref_child *c)
{
    bool active = c->attempt.active;
    c->result = active ? SHUTDOWN_PENDING : SHUTDOWN_ALREADY_EXITED;
    c->row = (struct ref_row){.phase = SHUTDOWN_REQUEST_STOP,
                              .generation = active ? c->attempt.generation : c->generation,
                              .attempt = active ? c->attempt.number : 0,
                              .cancelled = active && c->attempt.cancelled,
                              .reason = "",
                              .cgroup = RESOURCE_NOT_OWNED};
    if (active && c->attempt.aborted)
        c->row.reason = ref_abort_words(c);
    if (active)
        return;
    ref_note_exit(c);
    c->row.reason = "had no attempt when the shutdown began";
}

static void complete_when_all_are_gone(struct ref *r)
{
    if (left(r) > 0 || r->phase == SHUTDOWN_COMPLETED)
        return;
    ref_advance(r, SHUTDOWN_COMPLETED);
    r->bound = 0;
    TELL_BARE(r, NULL, EVENT_SHUTDOWN_COMPLETED);
}

void ref_settle(struct ref *r, struct ref_child *c, enum shutdown_result result, const char *reason)
{
    c->result = result;
    c->row.phase = r->phase;
    c->row.cancelled = c->attempt.cancelled;
    c->row.reason = reason;
    complete_when_all_are_gone(r);
}

/* Nothing starts from here on. The first shutdown counts; later ones change
 * only its bound. */
void ref_shut_down(struct ref *r, bool by_policy, uint64_t timeout, const char *by,
                   const char *reason)
{
    if (r->phase != SHUTDOWN_IDLE)
        return;
    r->shutdown_command = ++r->next_command;
    r->by_policy = by_policy;
    r->exit_code = by_policy ? 10 : 0;
    r->by_signal = !by_policy && strcmp(by, REQUESTER_SIGNAL) == 0;
    TELL(r, NULL, EVENT_SHUTDOWN_REQUESTED, FIELD_TEXT_OF("by", by),
         FIELD_TEXT_OF("reason", reason), FIELD_NUMBER_OF("timeout_usec", timeout));
    ref_forget_scopes(r);
    ref_withdraw_jobs(r);
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (!c->here)
            continue;
        c->left = c->deadline[REF_START];
        ref_withdraw_starts(r, c, "shutdown");
        ref_disarm(c, REF_SCHEDULE);
        c->fence = FENCE_CLOSED;
        open_row(c);
    }
    ref_advance(r, SHUTDOWN_REQUEST_STOP);
    ask_all_to_go(r);
    ref_advance(r, SHUTDOWN_GRACEFUL_DRAIN);
    complete_when_all_are_gone(r);
}

/* To join a shutdown that is another's is a command of its own. */
static void join(struct ref *r, uint64_t timeout, const char *by, const char *reason)
{
    r->next_command++;
    TELL(r, NULL, EVENT_COMMAND_ACCEPTED, FIELD_TEXT_OF("command", "shutdown"),
         FIELD_TEXT_OF("by", by), FIELD_TEXT_OF("reason", reason),
         FIELD_NUMBER_OF("timeout_usec", timeout));
}

/* A bound counts from the call that gives it, and only shortens. */
static void bound(struct ref *r, uint64_t timeout)
{
    uint64_t deadline = r->now + timeout;

    if (timeout == 0 || r->phase == SHUTDOWN_COMPLETED || (r->bound > 0 && r->bound <= deadline))
        return;
    r->bound = deadline;
    r->bound_order = ++r->next_order;
}

/* A failure is never told as a success. */
static int code_of(const struct ref_child *c)
{
    int code = c->how.signal > 0 ? 128 + c->how.signal : c->how.code;
    bool known = c->ended != EXIT_SPAWN_FAILED && !c->unknown;

    return known && (code > 0 || c->ended == EXIT_SUCCEEDED) ? code : 10;
}

void ref_shut_down_by(struct ref *r, const struct ref_child *c, const char *why)
{
    TELL(r, c, EVENT_ESCALATED, FIELD_TEXT_OF("to", "shutdown-tree"), FIELD_TEXT_OF("why", why));
    ref_shut_down(r, true, 0, "policy", why);
    r->exit_code = code_of(c);
}

void reference_shutdown(struct ref *r, uint64_t timeout, const char *by, const char *reason)
{
    if (r->phase != SHUTDOWN_IDLE)
        join(r, timeout, by, reason);
    ref_shut_down(r, false, timeout, by, reason);
    bound(r, timeout);
    ref_wake(r);
}

/* Nobody is given more time. */
static void abort_all(struct ref *r)
{
    ref_advance(r, SHUTDOWN_ABORT_STRAGGLERS);
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        if (!c->here)
            continue;
        if (c->result == SHUTDOWN_PENDING && !c->attempt.aborted)
            c->row.reason = "was still there when the shutdown was cut short";
        ref_abort(r, c);
    }
    ref_wake(r);
}

bool ref_bound_passes(struct ref *r, uint64_t deadline, uint64_t order)
{
    if (r->bound == 0 || r->bound > r->now || r->bound > deadline ||
        (r->bound == deadline && r->bound_order > order))
        return false;
    r->bound = 0;
    abort_all(r);
    return true;
}

/* To hurry a shutdown that is under way is a command of its own. */
void reference_hurry(struct ref *r, const char *by, const char *reason)
{
    if (r->phase != SHUTDOWN_IDLE) {
        r->next_command++;
        TELL(r, NULL, EVENT_COMMAND_ACCEPTED, FIELD_TEXT_OF("command", "hurry"),
             FIELD_TEXT_OF("by", by), FIELD_TEXT_OF("reason", reason));
    }
    ref_shut_down(r, false, 0, by, reason);
    abort_all(r);
}

static const char *verb_of(enum child_operation operation)
{
    static const char *const verbs[] = {
        [CHILD_PAUSED] = "pause", [CHILD_QUARANTINED] = "quarantine", [CHILD_REMOVED] = "remove"};
    return verbs[operation];
}

/* What happens next is what the text says: a hold, a child that stopped for good, a removal and a
 * job do not start; a child that has a process left starts behind it; one that waited for a time
 * waits on. */
static void begin_again(struct ref *r, struct ref_child *c)
{
    bool over = c->operation == CHILD_REMOVED || c->is_job;
    bool stopped = c->gave_up && c->declaration->on_limit == ON_LIMIT_STOP;

    c->fence = FENCE_OPEN;
    c->result = SHUTDOWN_PENDING;
    c->row = (struct ref_row){.reason = ""};
    c->waits_to_go = c->waits_to_go && c->operation != CHILD_ACTIVE; /* it still is to go */
    if (c->waits_to_go && strcmp(c->goes_by, "shutdown") == 0)
        c->goes_by = verb_of(c->operation); /* for what it is held */
    if (over && !c->attempt.active)
        ref_leave(r, c, CHILD_STOPPED);
    c->wanted = c->wanted && c->process->has_process;
    if (over || !c->process->has_process)
        return;
    c->wanted = c->wanted || (c->declaration->autostart && !stopped);
    if (c->operation != CHILD_ACTIVE || !c->wanted)
        return;
    if (!c->attempt.active)
        c->readiness = READINESS_UNREPORTED; /* it is to be started again */
    if (c->attempt.active) {
        if (c->attempt.cancelled || c->attempt.aborted)
            ref_enter_fence(r, c, true, false, "start");
        return;
    }
    c->automatic = c->automatic && c->left > 0;
    ref_arm(r, c, REF_START, c->left > r->now ? c->left : r->now);
    c->named_to_start = c->left <= r->now; /* it starts with all the others */
}

/* The shutdown is taken back: what was to run starts again. */
void reference_reopen(struct ref *r)
{
    if (r->phase == SHUTDOWN_IDLE)
        return;
    r->phase = SHUTDOWN_IDLE;
    r->bound = 0;
    r->by_policy = r->by_signal = false;
    r->exit_code = 0;
    r->shutdown_command = 0;
    for (int around = 1; around >= 0; around--) /* one that goes around another comes before it */
        for (uint32_t i = 0; i < r->count; i++)
            if (r->order[i]->here && ref_goes_around(r->order[i]) == around)
                begin_again(r, r->order[i]);
    for (uint32_t i = 0; i < r->count; i++)
        if (r->order[i]->here)
            ref_runs_again(r, r->order[i]);
    ref_wake(r);
}
