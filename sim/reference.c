#include "reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MINUTE (UINT64_C(60) * 1000000)

static void start_or_wait(struct ref *r, struct ref_child *c, bool automatic);
static void settle(struct ref *r, struct ref_child *c, enum shutdown_result result);

/* ---- deadlines ------------------------------------------------------------------------------- */

static void arm(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t deadline)
{
    c->deadline[timer] = deadline;
    c->order[timer] = ++r->next_order;
}

static void disarm(struct ref_child *c, enum ref_timer timer)
{
    c->deadline[timer] = 0;
}

static void stop_watching(struct ref_child *c)
{
    disarm(c, REF_START_TIMEOUT);
    disarm(c, REF_HEARTBEAT);
}

/* ---- who depends on whom --------------------------------------------------------------------- */

struct ref_child *reference_find(struct ref *r, const char *id)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here && strcmp(r->children[i].id, id) == 0)
            return &r->children[i];
    return NULL;
}

static bool is_ready(const struct ref_child *c)
{
    return c && c->attempt.active && c->attempt.status == CHILD_READY;
}

static bool comes_up(const struct ref_child *c)
{
    return c && (c->waits > 0 || (c->attempt.active && !c->attempt.cancelled &&
                                  c->readiness == READINESS_UNREPORTED));
}

static size_t dependencies(const struct ref_child *c)
{
    return c->declaration->n_requires + c->declaration->n_after;
}

/* Those that it requires, then those that it only comes after. */
static const char *dependency(const struct ref_child *c, size_t i)
{
    size_t n = c->declaration->n_requires;
    return i < n ? c->declaration->requires[i] : c->declaration->after[i - n];
}

static bool may_start(struct ref *r, const struct ref_child *c)
{
    for (size_t i = 0; i < dependencies(c); i++) {
        const struct ref_child *target = reference_find(r, dependency(c, i));
        if (i < c->declaration->n_requires ? !is_ready(target) : comes_up(target))
            return false;
    }
    return true;
}

static bool depends_on(const struct ref_child *c, const struct ref_child *target)
{
    for (size_t i = 0; i < dependencies(c); i++)
        if (strcmp(dependency(c, i), target->id) == 0)
            return true;
    return false;
}

/* ---- starting -------------------------------------------------------------------------------- */

static void start(struct ref *r, struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    c->waits = 0;
    disarm(c, REF_START);
    if (!d->has_process) {
        c->wanted = false;
        c->failure = FAILURE_SPAWN;
        return;
    }
    c->wanted = true;
    c->on_trial = c->on_trial || (c->gave_up && c->automatic);
    c->gave_up = false;
    c->attempt = (struct ref_attempt){.active = true,
                                      .status = CHILD_STARTING,
                                      .generation = c->born ? c->generation + 1 : 0,
                                      .number = ++c->attempts};
    c->stop_state = STOP_IDLE;
    c->readiness = READINESS_UNREPORTED;
    c->stale = false;
    c->heartbeat = c->heartbeat_realtime = 0;
    if (d->heartbeat_usec > 0 && d->heartbeat_required)
        arm(r, c, REF_HEARTBEAT, r->now + d->stale_after_usec);
    if (d->start_timeout_usec > 0)
        arm(r, c, REF_START_TIMEOUT, r->now + d->start_timeout_usec);
}

static void adopt(struct ref_child *c)
{
    if (!c->next)
        return;
    c->declaration = c->next;
    c->next = NULL;
    c->used = 0;
    disarm(c, REF_WINDOW);
}

static void start_or_wait(struct ref *r, struct ref_child *c, bool automatic)
{
    c->automatic = automatic;
    adopt(c);
    if (may_start(r, c)) {
        start(r, c);
        return;
    }
    c->wanted = true;
    if (c->waits == 0)
        c->waits = ++r->next_wait;
}

/* Where the last of a scope is gone and its backoff is over, its members start in order. */
static void start_scope(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct ref_child *c = &r->children[i];
        if (c->here && c->group && (c->attempt.active || c->deadline[REF_START] > 0))
            return;
    }
    r->restarting = false;
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = &r->children[i];
        bool starts = c->here && c->group && c->pending;
        c->group = false;
        if (starts)
            start_or_wait(r, c, !c->pending_by_hand);
    }
}

/* Whoever waits is looked at once, the one who waits longest first. */
static void wake(struct ref *r)
{
    uint64_t last = 0;
    if (r->restarting)
        start_scope(r);
    for (;;) {
        struct ref_child *next = NULL;
        for (uint32_t i = 0; i < r->count; i++) {
            struct ref_child *c = &r->children[i];
            if (c->here && c->waits > last && (!next || c->waits < next->waits))
                next = c;
        }
        if (!next)
            return;
        last = next->waits;
        if (may_start(r, next))
            start(r, next);
    }
}

/* ---- stopping -------------------------------------------------------------------------------- */

static bool cancel(struct ref *r, struct ref_child *c)
{
    if (!c->attempt.active || c->attempt.cancelled || c->attempt.aborted)
        return false;
    c->attempt.cancelled = true;
    c->attempt.status = CHILD_CANCELLING;
    c->stop_state = STOP_CANCEL_DELIVERED;
    stop_watching(c);
    arm(r, c, REF_STOP, r->now + c->declaration->stop_timeout_usec);
    return true;
}

static void abort_attempt(struct ref *r, struct ref_child *c)
{
    if (!c->attempt.active || c->attempt.aborted)
        return;
    c->attempt.aborted = true;
    stop_watching(c);
    arm(r, c, REF_STOP, r->now + c->declaration->abort_timeout_usec);
    if (c->fence == FENCE_WAITING_FOR_OLD_STOP)
        c->fence = FENCE_ABORTING_OLD;
}

/* A deadline runs for whoever is asked to go, also where an earlier one has passed. */
static void insist(struct ref *r, struct ref_child *c)
{
    if (c->attempt.active && c->deadline[REF_STOP] == 0)
        arm(r, c, REF_STOP,
            r->now + (c->attempt.aborted ? c->declaration->abort_timeout_usec
                                         : c->declaration->stop_timeout_usec));
}

static void put_behind_fence(struct ref_child *c, bool by_hand, uint64_t old, uint64_t target)
{
    c->pending = true;
    c->pending_by_resume = false;
    c->pending_by_hand = by_hand;
    c->pending_generation = old;
    c->pending_attempt = c->attempt.number;
    c->pending_target = target;
    c->duplicates = 0;
}

/* It has no attempt of its own to wait for, only its siblings'. */
static void wait_for_siblings(struct ref_child *c, bool by_hand)
{
    put_behind_fence(c, by_hand, c->generation, c->born ? c->generation + 1 : 0);
    c->fence = FENCE_READY_TO_START;
}

static void enter_fence(struct ref *r, struct ref_child *c, bool by_resume, bool by_hand)
{
    put_behind_fence(c, by_hand, c->attempt.generation, c->attempt.generation + 1);
    c->pending_by_resume = by_resume;
    c->fence = FENCE_WAITING_FOR_OLD_STOP;
    cancel(r, c);
    if (c->attempt.aborted)
        c->fence = FENCE_ABORTING_OLD;
    else
        insist(r, c);
}

static void withdraw_starts(struct ref_child *c)
{
    if (c->pending && c->fence != FENCE_CLOSED)
        c->fence = FENCE_OPEN;
    c->pending = c->pending_by_resume = false;
    disarm(c, REF_START);
    c->waits = 0;
}

static void stop_deadline(struct ref *r, struct ref_child *c)
{
    bool down = r->phase != SHUTDOWN_IDLE;
    c->stop_state = STOP_FAILED;
    if (c->attempt.aborted) {
        c->failure = FAILURE_WAIT_ABORT;
        if (down && c->result == SHUTDOWN_PENDING)
            settle(r, c, SHUTDOWN_ABORT_FAILED);
        return;
    }
    c->failure = FAILURE_WAIT_COMPLETION;
    if (!down && c->attempt.forced == EXIT_NONE && !(c->pending && !c->pending_by_resume) &&
        c->declaration->timeout_action == TIMEOUT_REPORT)
        return;
    abort_attempt(r, c);
    if (down && r->phase < SHUTDOWN_ABORT_STRAGGLERS)
        r->phase = SHUTDOWN_ABORT_STRAGGLERS;
}

static void force_stop(struct ref *r, struct ref_child *c, enum exit_kind kind)
{
    if (c->attempt.cancelled || c->attempt.aborted)
        return;
    c->attempt.forced = kind;
    cancel(r, c);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

static void cancel_those_nobody_needs(struct ref *r)
{
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = &r->children[i];
        bool needed = false;
        if (!c->here || c->result != SHUTDOWN_PENDING)
            continue;
        for (uint32_t k = 0; k < r->count; k++) {
            const struct ref_child *user = &r->children[k];
            if (user->here && user->result == SHUTDOWN_PENDING && depends_on(user, c))
                needed = true;
        }
        if (!needed && !cancel(r, c))
            insist(r, c);
    }
}

static void complete_when_all_are_gone(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here && r->children[i].result == SHUTDOWN_PENDING)
            return;
    r->phase = SHUTDOWN_COMPLETED;
}

static void settle(struct ref *r, struct ref_child *c, enum shutdown_result result)
{
    c->result = result;
    cancel_those_nobody_needs(r);
    complete_when_all_are_gone(r);
}

static void shut_down(struct ref *r, bool by_policy)
{
    if (r->phase != SHUTDOWN_IDLE)
        return;
    r->next_command++;
    r->by_policy = by_policy;
    r->restarting = false;
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = &r->children[i];
        c->group = false;
        if (!c->here)
            continue;
        withdraw_starts(c);
        c->fence = FENCE_CLOSED;
        c->result = c->attempt.active ? SHUTDOWN_PENDING : SHUTDOWN_ALREADY_EXITED;
    }
    r->phase = SHUTDOWN_GRACEFUL_DRAIN;
    cancel_those_nobody_needs(r);
    complete_when_all_are_gone(r);
}

void reference_shutdown(struct ref *r)
{
    shut_down(r, false);
    wake(r);
}

void reference_hurry(struct ref *r)
{
    shut_down(r, false);
    if (r->phase < SHUTDOWN_ABORT_STRAGGLERS)
        r->phase = SHUTDOWN_ABORT_STRAGGLERS;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here)
            abort_attempt(r, &r->children[i]);
    wake(r);
}

/* ---- after an exit --------------------------------------------------------------------------- */

static bool listed(const struct exit_codes *codes, int code)
{
    for (int i = 0; i < codes->count; i++)
        if (codes->codes[i] == code)
            return true;
    return false;
}

static enum exit_kind kind_of(const struct ref_child *c, const struct completion *completion)
{
    if (c->attempt.forced != EXIT_NONE)
        return c->attempt.forced;
    if (c->attempt.cancelled)
        return EXIT_CANCELLED;
    if (completion->oom_killed)
        return EXIT_OOM_KILLED;
    if (completion->by_signal)
        return EXIT_SIGNALED;
    if (completion->code == 0 || listed(&c->declaration->success_exit_codes, completion->code))
        return EXIT_SUCCEEDED;
    return EXIT_FAILED;
}

static void prune(struct ref *r, struct ref_child *c)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->used; i++)
        if (r->now - c->exits[i] <= c->declaration->interval_usec)
            c->exits[kept++] = c->exits[i];
    c->used = kept;
}

/* At most burst + 1 exits are kept: more would not change anything. */
static bool count_exit(struct ref *r, struct ref_child *c)
{
    prune(r, c);
    if (c->used == c->declaration->burst + 1) {
        memmove(c->exits, c->exits + 1, (c->used - 1) * sizeof(*c->exits));
        c->used--;
    }
    c->exits[c->used++] = r->now;
    arm(r, c, REF_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
    return c->used <= c->declaration->burst;
}

static uint64_t plain_backoff(const struct backoff_settings *b, uint64_t n)
{
    unsigned __int128 delay = b->initial_usec;
    for (uint64_t i = 1; i < n && delay < b->max_usec; i++)
        delay = delay * b->factor_milli / 1000;
    return delay < b->max_usec ? (uint64_t)delay : b->max_usec;
}

static bool possible(const struct backoff_settings *b, uint64_t n, uint64_t previous,
                     uint64_t drawn)
{
    uint64_t delay = plain_backoff(b, n), low = delay, high = delay;
    if (b->jitter == JITTER_EQUAL) {
        uint64_t spread = delay * b->ratio_milli / 1000;
        low = delay - (spread < delay ? spread : delay);
        high = delay + spread;
    } else if (b->jitter == JITTER_FULL) {
        low = 0;
    } else if (b->jitter == JITTER_DECORRELATED) {
        low = b->initial_usec < b->max_usec ? b->initial_usec : b->max_usec;
        high = previous * 3 < b->max_usec ? previous * 3 : b->max_usec;
        high = high > low ? high : low;
    }
    return drawn >= low && drawn <= high;
}

static uint64_t next_backoff(struct ref *r, struct ref_child *c)
{
    const struct backoff_settings *b = &c->declaration->backoff;
    c->backoff_n++;
    if (!c->drew || !possible(b, c->backoff_n, c->backoff_previous, c->drawn))
        snprintf(r->wrong, sizeof(r->wrong), "%.60s: a delay of %ju us is not possible for n = %ju",
                 c->id, (uintmax_t)c->drawn, (uintmax_t)c->backoff_n);
    c->backoff_previous = c->drawn;
    return c->drawn;
}

static void give_up(struct ref *r, struct ref_child *c)
{
    enum on_limit action = c->declaration->on_limit;
    uint64_t delay = c->cool_downs < 4 ? (5 * MINUTE) << c->cool_downs : 60 * MINUTE;
    c->gave_up = true;
    if (action == ON_LIMIT_ESCALATE && c->declaration->criticality == CRITICALITY_OPTIONAL)
        action = ON_LIMIT_STOP;
    if (action == ON_LIMIT_QUARANTINE) {
        c->operation = CHILD_QUARANTINED;
    } else if (action == ON_LIMIT_COOL_DOWN) {
        c->cool_downs++;
        c->automatic = true;
        arm(r, c, REF_START, r->now + delay);
    } else if (action == ON_LIMIT_STOP) {
        c->wanted = false;
    } else {
        shut_down(r, true);
    }
}

static enum exit_decision by_policy(struct ref *r, struct ref_child *c, enum exit_kind kind,
                                    bool fatal)
{
    bool counted = kind != EXIT_SUCCEEDED && kind != EXIT_CANCELLED;
    bool within = counted ? count_exit(r, c) : true;
    enum restart_policy policy = c->declaration->restart;
    if (fatal)
        return DECISION_GIVE_UP;
    if (policy == RESTART_TEMPORARY || (policy == RESTART_TRANSIENT && !counted))
        return DECISION_LEAVE;
    if (counted && (!within || c->on_trial))
        return DECISION_GIVE_UP;
    return DECISION_RESTART;
}

static enum exit_decision decide(struct ref *r, struct ref_child *c, enum exit_kind kind,
                                 bool fatal)
{
    if (r->phase != SHUTDOWN_IDLE)
        return DECISION_SHUTDOWN;
    if (c->operation == CHILD_REMOVED)
        return DECISION_REMOVE;
    if (c->operation != CHILD_ACTIVE)
        return DECISION_HOLD;
    if (c->pending)
        return DECISION_FENCE_RELEASE;
    return by_policy(r, c, kind, fatal);
}

static void end_attempt(struct ref_child *c)
{
    stop_watching(c);
    disarm(c, REF_STOP);
    c->readiness = READINESS_UNREPORTED;
    c->stale = false;
    if (c->attempt.cancelled || c->attempt.aborted) {
        c->stop_state = STOP_COMPLETED;
        if (c->failure != FAILURE_SPAWN)
            c->failure = FAILURE_NONE;
    } else {
        c->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    }
    c->attempt.active = false;
}

static void gone_in_shutdown(struct ref *r, struct ref_child *c)
{
    if (c->result != SHUTDOWN_PENDING)
        c->result = SHUTDOWN_LATE_REPORT;
    else
        settle(r, c, c->attempt.aborted ? SHUTDOWN_ABORTED : SHUTDOWN_GRACEFUL);
}

static bool is_down_for_good(const struct ref_child *c)
{
    return !c->attempt.active &&
           (c->operation != CHILD_ACTIVE || c->declaration->restart == RESTART_TEMPORARY ||
            (c->waits == 0 && (c->deadline[REF_START] == 0 || c->gave_up)));
}

static void bring_in(struct ref *r, struct ref_child *c)
{
    c->group = true;
    if (c->attempt.active && c->fence == FENCE_READY_TO_START) {
        c->pending = c->pending_by_resume =
            false; /* the target is on its way: it is the old one now */
        c->fence = FENCE_OPEN;
    }
    if (c->operation != CHILD_ACTIVE || c->declaration->restart == RESTART_TEMPORARY) {
        cancel(r, c);
    } else if (c->pending) {
        c->duplicates++;
        c->pending_by_resume = false;
        insist(r, c);
    } else if (c->attempt.active) {
        enter_fence(r, c, false, false);
    }
    if (c->attempt.active)
        return;
    disarm(c, REF_START);
    c->waits = 0;
    if (!c->pending)
        wait_for_siblings(c, false);
}

/* Returns whether the failed one starts with others now. */
static bool restart_scope(struct ref *r, struct ref_child *failed)
{
    bool others = false;
    struct ref_child *first = r->strategy == STRATEGY_ONE_FOR_ALL ? r->children : failed;
    for (struct ref_child *c = r->children + r->count; c-- > first;)
        if (r->strategy != STRATEGY_ONE_FOR_ONE && c->here && c != failed) {
            if (!is_down_for_good(c))
                bring_in(r, c);
            others = others || c->group;
        }
    if (others) {
        r->restarting = failed->group = true;
        wait_for_siblings(failed, false);
    }
    return others;
}

static void back_off(struct ref *r, struct ref_child *c)
{
    uint64_t delay = next_backoff(r, c);
    c->automatic = true;
    if (delay > 0)
        arm(r, c, REF_START, r->now + delay);
    if (!restart_scope(r, c) && delay == 0)
        start_or_wait(r, c, true);
}

static void carry_out(struct ref *r, struct ref_child *c, enum exit_decision decision)
{
    if (decision == DECISION_RESTART) {
        back_off(r, c);
    } else if (decision == DECISION_LEAVE) {
        c->wanted = false;
    } else if (decision == DECISION_FENCE_RELEASE) {
        c->fence = FENCE_READY_TO_START;
        if (!c->group)
            start_or_wait(r, c, false);
    } else if (decision == DECISION_REMOVE) {
        c->here = false;
    } else if (decision == DECISION_SHUTDOWN) {
        gone_in_shutdown(r, c);
    } else if (decision == DECISION_GIVE_UP) {
        give_up(r, c);
    }
}

static void forget_failures_after_health(struct ref *r, struct ref_child *c)
{
    uint64_t since = c->attempt.ready_since;
    if (since == 0 || r->now - since < c->declaration->backoff.reset_after_usec)
        return;
    c->backoff_n = c->backoff_previous = c->cool_downs = 0;
    c->on_trial = false;
}

static void ended(struct ref *r, struct ref_child *c, const struct completion *completion)
{
    enum exit_kind kind = kind_of(c, completion);
    bool fatal = kind == EXIT_FAILED && listed(&c->declaration->fatal_exit_codes, completion->code);
    forget_failures_after_health(r, c);
    enum exit_decision decision = decide(r, c, kind, fatal);
    c->exit = kind;
    c->exit_generation = c->attempt.generation;
    c->exit_attempt = c->attempt.number;
    c->decision = decision;
    end_attempt(c);
    carry_out(r, c, decision);
}

/* ---- reports --------------------------------------------------------------------------------- */

static void become_ready(struct ref *r, struct ref_child *c)
{
    if (c->readiness == READINESS_READY)
        return;
    c->readiness = READINESS_READY;
    disarm(c, REF_START_TIMEOUT);
    if (c->attempt.status == CHILD_CANCELLING)
        return;
    c->attempt.ready_since = r->now;
    c->attempt.status = CHILD_READY;
}

static void spawned(struct ref *r, struct ref_child *c)
{
    c->restart_count += c->born && c->automatic;
    c->attempt.spawned = c->born = true;
    c->generation = c->attempt.generation;
    c->failure = FAILURE_NONE;
    if (c->attempt.status == CHILD_STARTING)
        c->attempt.status = CHILD_RUNNING;
    if (c->fence == FENCE_READY_TO_START) {
        c->fence = FENCE_OPEN;
        c->pending = c->pending_by_resume = false;
    }
    if (c->declaration->readiness == READINESS_IMMEDIATE)
        become_ready(r, c);
}

static void spawn_failed(struct ref *r, struct ref_child *c)
{
    if (c->fence == FENCE_READY_TO_START) { /* it was the target: the policy decides */
        c->pending = c->pending_by_resume = false;
        c->fence = FENCE_OPEN;
    }
    enum exit_decision decision = decide(r, c, EXIT_SPAWN_FAILED, false);
    c->failure = FAILURE_SPAWN;
    if (!c->born) {
        c->exit = EXIT_SPAWN_FAILED;
        c->exit_generation = 0;
        c->exit_attempt = c->attempt.number;
        c->decision = decision;
    }
    end_attempt(c);
    carry_out(r, c, decision);
}

static void beat(struct ref *r, struct ref_child *c)
{
    c->heartbeat = r->now;
    c->heartbeat_realtime = r->realtime;
    c->stale = false;
    if (c->declaration->heartbeat_usec > 0 && !c->attempt.cancelled && !c->attempt.aborted)
        arm(r, c, REF_HEARTBEAT, r->now + c->declaration->stale_after_usec);
}

static void extend(struct ref *r, struct ref_child *c, uint64_t usec)
{
    uint64_t deadline = r->now + (usec < 24 * 60 * MINUTE ? usec : 24 * 60 * MINUTE);
    if (c->deadline[REF_START_TIMEOUT] > 0 && deadline > c->deadline[REF_START_TIMEOUT])
        arm(r, c, REF_START_TIMEOUT, deadline);
    if (c->deadline[REF_STOP] > 0 && !c->attempt.aborted && deadline > c->deadline[REF_STOP])
        arm(r, c, REF_STOP, deadline);
}

static void listen(struct ref *r, struct ref_child *c, const struct notify_message *message)
{
    if (message->flags & NOTIFY_EXTEND_TIMEOUT)
        extend(r, c, message->extend_usec);
    if (message->flags & NOTIFY_HEARTBEAT)
        beat(r, c);
    if (message->flags & NOTIFY_READY)
        become_ready(r, c);
    if (message->flags & NOTIFY_NOT_READY) {
        c->readiness = READINESS_NOT_READY;
        c->attempt.ready_since = 0;
        if (c->attempt.status == CHILD_READY)
            c->attempt.status = CHILD_RUNNING;
    }
    if (message->flags & NOTIFY_TRIGGER)
        force_stop(r, c, EXIT_UNHEALTHY);
}

bool reference_is_stale(const struct ref_child *c, const struct heard *heard)
{
    if (!c->attempt.active || c->attempt.generation != heard->id.generation ||
        c->attempt.number != heard->id.attempt)
        return true;
    if (heard->kind == REPORT_SPAWNED)
        return c->attempt.spawned && !c->attempt.early;
    return heard->kind == REPORT_SPAWN_FAILED && c->attempt.spawned;
}

/* Whoever speaks, or ends, has been started. */
static void hear(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    if (heard->kind == REPORT_SPAWN_FAILED) {
        spawn_failed(r, c);
        return;
    }
    if (!c->attempt.spawned) {
        spawned(r, c);
        c->attempt.early = true;
    }
    if (heard->kind == REPORT_SPAWNED)
        c->attempt.early = false;
    else if (heard->kind == REPORT_EXIT)
        ended(r, c, heard->completion);
    else
        listen(r, c, heard->message);
}

void reference_hear(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    if (reference_is_stale(c, heard))
        c->stale_reports++;
    else
        hear(r, c, heard);
    wake(r);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void fire(struct ref *r, struct ref_child *c, enum ref_timer timer)
{
    if (timer == REF_STOP) {
        stop_deadline(r, c);
    } else if (timer == REF_START) {
        if (!c->group)
            start_or_wait(r, c, c->automatic);
    } else if (timer == REF_START_TIMEOUT) {
        force_stop(r, c, EXIT_TIMED_OUT);
    } else if (timer == REF_HEARTBEAT) {
        c->stale = true;
        if (c->declaration->on_stale == ON_STALE_RESTART)
            force_stop(r, c, EXIT_UNHEALTHY);
    } else {
        prune(r, c);
        if (c->used > 0)
            arm(r, c, REF_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
    }
}

/* All deadlines that have passed, the earliest first, then in the order in which they were set. */
void reference_timer(struct ref *r)
{
    for (;;) {
        struct ref_child *who = NULL;
        int which = 0;
        for (uint32_t i = 0; i < r->count; i++)
            for (int t = 0; t < REF_TIMERS; t++) {
                struct ref_child *c = &r->children[i];
                if (!c->here || c->deadline[t] == 0 || c->deadline[t] > r->now)
                    continue;
                if (!who || c->deadline[t] < who->deadline[which] ||
                    (c->deadline[t] == who->deadline[which] && c->order[t] < who->order[which])) {
                    who = c;
                    which = t;
                }
            }
        if (!who)
            return;
        who->deadline[which] = 0;
        fire(r, who, (enum ref_timer)which);
        wake(r);
    }
}

/* ---- declarations ---------------------------------------------------------------------------- */

struct ref_child *reference_declare(struct ref *r, const struct child_declaration *d,
                                    uint64_t *exits)
{
    if (r->count == r->capacity)
        return NULL;
    struct ref_child *c = &r->children[r->count++];
    *c = (struct ref_child){.declaration = d, .id = d->id, .here = true, .exits = exits};
    return c;
}

void reference_declared(struct ref *r, uint32_t first)
{
    r->next_command++;
    for (uint32_t i = first; i < r->count; i++)
        r->children[i].wanted =
            r->children[i].declaration->autostart && r->children[i].declaration->has_process;
    for (uint32_t i = first; i < r->count; i++)
        if (r->children[i].wanted)
            start_or_wait(r, &r->children[i], false);
    wake(r);
}

void reference_redeclare(struct ref *r, const struct child_declaration *d)
{
    struct ref_child *c = reference_find(r, d->id);
    r->next_command++;
    c->next = d;
    if (!c->attempt.active)
        adopt(c);
    else if (c->operation == CHILD_ACTIVE && !c->pending)
        enter_fence(r, c, false, true);
    wake(r);
}

void reference_drew(struct ref_child *c, uint64_t delay)
{
    c->drew = true;
    c->drawn = delay;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void stop_command(struct ref *r, struct ref_child *c, enum child_operation target,
                         struct outcome *o)
{
    if (c->operation > target)
        target = c->operation; /* active, paused, quarantined, removed: the stronger one stays */
    bool same = c->operation == target;
    c->operation = target;
    withdraw_starts(c);
    o->cancel_delivered = cancel(r, c);
    if (!c->attempt.active)
        c->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    o->idempotent = same && !o->cancel_delivered;
}

static void resume(struct ref *r, struct ref_child *c, struct outcome *o)
{
    enum child_operation before = c->operation;
    o->idempotent = before == CHILD_ACTIVE;
    if (before == CHILD_ACTIVE)
        return;
    c->operation = CHILD_ACTIVE;
    if (before == CHILD_QUARANTINED) {
        c->gave_up = c->on_trial = false;
        c->cool_downs = 0;
        c->backoff_n = c->backoff_previous = 0;
        c->used = 0;
        disarm(c, REF_WINDOW);
    }
    if (r->phase != SHUTDOWN_IDLE || !c->wanted)
        return;
    if (c->attempt.active)
        enter_fence(r, c, true, true);
    else if (c->group)
        wait_for_siblings(c, true);
    else if (c->declaration->has_process)
        start_or_wait(r, c, false);
}

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

static void join(struct ref *r, struct ref_child *c, struct outcome *o)
{
    c->duplicates++;
    c->pending_by_resume = false;
    insist(r, c);
    o->idempotent = true;
    tell_fence(c, o, FENCE_ALREADY_PENDING);
}

static void restart_behind_fence(struct ref *r, struct ref_child *c, struct outcome *o)
{
    o->cancel_delivered = c->attempt.active && !c->attempt.cancelled && !c->attempt.aborted;
    if (c->attempt.active)
        enter_fence(r, c, false, true);
    else
        wait_for_siblings(c, true);
    tell_fence(c, o, FENCE_QUEUED_AFTER_STOP);
}

static void restart_at_once(struct ref *r, struct ref_child *c, struct outcome *o)
{
    if (!may_start(r, c)) {
        o->fence.decision = FENCE_REJECTED;
        return;
    }
    disarm(c, REF_START);
    c->waits = 0;
    c->gave_up = c->on_trial = false;
    c->backoff_n = c->backoff_previous = 0;
    o->fence.decision = FENCE_STARTED_IMMEDIATELY;
    o->fence.has_target = c->declaration->has_process;
    o->fence.target_generation = c->declaration->has_process && c->born ? c->generation + 1 : 0;
    start_or_wait(r, c, false);
}

static void restart(struct ref *r, struct ref_child *c, struct outcome *o)
{
    o->has_fence = true;
    if (r->phase != SHUTDOWN_IDLE)
        o->fence.decision = FENCE_BLOCKED_BY_SHUTDOWN;
    else if (c->operation != CHILD_ACTIVE)
        o->fence.decision = FENCE_REJECTED;
    else if (c->pending)
        join(r, c, o);
    else if (c->attempt.active || c->group)
        restart_behind_fence(r, c, o);
    else
        restart_at_once(r, c, o);
}

static int obey(struct ref *r, struct ref_child *c, const struct command *command,
                struct outcome *o)
{
    enum command_verb verb = command->verb;
    if (verb == COMMAND_RELOAD || verb == COMMAND_KILL)
        return c->attempt.active && c->attempt.spawned ? 0 : -ESRCH;
    if (verb == COMMAND_RESUME && c->operation == CHILD_REMOVED)
        return -ENOENT;
    if (verb == COMMAND_RESUME)
        resume(r, c, o);
    else if (verb == COMMAND_RESTART)
        restart(r, c, o);
    else
        stop_command(r, c,
                     verb == COMMAND_PAUSE        ? CHILD_PAUSED
                     : verb == COMMAND_QUARANTINE ? CHILD_QUARANTINED
                                                  : CHILD_REMOVED,
                     o);
    return 0;
}

static int run(struct ref *r, struct ref_child *c, const struct command *command, struct outcome *o)
{
    *o = (struct outcome){
        .command_id = ++r->next_command,
        .attempt = c->attempt.active ? c->attempt.number : 0,
        .generation = c->attempt.active ? c->attempt.generation : c->generation,
        .operation_before = c->operation,
        .dry_run = command->dry_run,
    };
    int error = obey(r, c, command, o);
    o->operation_after = c->operation;
    o->status = c->attempt.active ? c->attempt.status : CHILD_STATUS_NONE;
    o->stop_state = c->stop_state;
    o->readiness = c->readiness;
    o->heartbeat_stale = c->stale;
    o->restart_limit.used = c->used;
    o->failure.phase = c->failure;
    return error;
}

int reference_command(struct ref *r, const struct command *command, struct outcome *o)
{
    struct ref_child *c = reference_find(r, command->child);
    if (strspn(command->reason, " \t\r\n\v\f") == strlen(command->reason))
        return -EINVAL;
    if (!c)
        return -ENOENT;
    if (command->dry_run) {
        struct ref_child saved = *c;
        struct ref counters = *r;
        int error = run(r, c, command, o);
        *c = saved;
        *r = counters;
        return error;
    }
    int error = run(r, c, command, o);
    if (command->verb == COMMAND_REMOVE && error == 0 && !c->attempt.active &&
        r->phase == SHUTDOWN_IDLE)
        c->here = false;
    wake(r);
    return error;
}
