#include "reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MINUTE (UINT64_C(60) * 1000000)

typedef struct reference ref;
typedef struct reference_child kid;

static void start_or_wait(ref *r, kid *c, bool automatic);
static void settle(ref *r, kid *c, enum shutdown_result result);

/* ---- deadlines ------------------------------------------------------------------------------- */

static void arm(ref *r, kid *c, enum reference_timer timer, uint64_t deadline)
{
    c->deadline[timer] = deadline;
    c->order[timer] = ++r->next_order;
}

static void disarm(kid *c, enum reference_timer timer)
{
    c->deadline[timer] = 0;
}

/* ---- who depends on whom --------------------------------------------------------------------- */

kid *reference_find(ref *r, const char *id)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here && strcmp(r->children[i].id, id) == 0)
            return &r->children[i];
    return NULL;
}

static bool is_ready(const kid *c)
{
    return c && c->attempt.active && c->attempt.status == CHILD_READY;
}

static bool comes_up(const kid *c)
{
    return c && (c->waits > 0 || (c->attempt.active && !c->attempt.cancelled &&
                                  c->readiness == READINESS_UNREPORTED));
}

static bool may_start(ref *r, const kid *c)
{
    for (size_t i = 0; i < c->declaration->n_requires; i++)
        if (!is_ready(reference_find(r, c->declaration->requires[i])))
            return false;
    for (size_t i = 0; i < c->declaration->n_after; i++)
        if (comes_up(reference_find(r, c->declaration->after[i])))
            return false;
    return true;
}

static bool depends_on(const kid *c, const kid *target)
{
    for (size_t i = 0; i < c->declaration->n_requires; i++)
        if (strcmp(c->declaration->requires[i], target -> id) == 0)
            return true;
    for (size_t i = 0; i < c->declaration->n_after; i++)
        if (strcmp(c->declaration->after[i], target->id) == 0)
            return true;
    return false;
}

/* ---- starting -------------------------------------------------------------------------------- */

static void start(ref *r, kid *c)
{
    const struct child_declaration *d = c->declaration;

    c->waits = 0;
    disarm(c, REFERENCE_START);
    if (!d->has_process) {
        c->wanted = false;
        c->failure = FAILURE_SPAWN;
        return;
    }
    c->wanted = true;
    c->on_trial = c->on_trial || (c->gave_up && c->automatic);
    c->gave_up = false;
    c->attempt = (struct reference_attempt){.active = true,
                                            .status = CHILD_STARTING,
                                            .generation = c->born ? c->generation + 1 : 0,
                                            .number = ++c->attempts,
                                            .started = r->now};
    c->stop_state = STOP_IDLE;
    c->readiness = READINESS_UNREPORTED;
    c->stale = false;
    c->heartbeat = c->heartbeat_realtime = 0;
    if (d->heartbeat_usec > 0 && d->heartbeat_required)
        arm(r, c, REFERENCE_HEARTBEAT, r->now + d->stale_after_usec);
    if (d->start_timeout_usec > 0)
        arm(r, c, REFERENCE_START_TIMEOUT, r->now + d->start_timeout_usec);
}

static void adopt(kid *c)
{
    if (!c->next)
        return;
    c->declaration = c->next;
    c->next = NULL;
    c->used = 0;
    disarm(c, REFERENCE_WINDOW);
}

static void start_or_wait(ref *r, kid *c, bool automatic)
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

/* Whoever waits is looked at once, the one who waits longest first. */
static void wake(ref *r)
{
    uint64_t last = 0;

    for (;;) {
        kid *next = NULL;
        for (uint32_t i = 0; i < r->count; i++) {
            kid *c = &r->children[i];
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

static bool cancel(ref *r, kid *c)
{
    if (!c->attempt.active || c->attempt.cancelled || c->attempt.aborted)
        return false;
    c->attempt.cancelled = true;
    c->attempt.status = CHILD_CANCELLING;
    c->stop_state = STOP_CANCEL_DELIVERED;
    disarm(c, REFERENCE_START_TIMEOUT);
    disarm(c, REFERENCE_HEARTBEAT);
    arm(r, c, REFERENCE_STOP, r->now + c->declaration->stop_timeout_usec);
    return true;
}

static void abort_attempt(ref *r, kid *c)
{
    if (!c->attempt.active || c->attempt.aborted)
        return;
    c->attempt.aborted = true;
    disarm(c, REFERENCE_START_TIMEOUT);
    disarm(c, REFERENCE_HEARTBEAT);
    arm(r, c, REFERENCE_STOP, r->now + c->declaration->abort_timeout_usec);
    if (c->fence == FENCE_WAITING_FOR_OLD_STOP)
        c->fence = FENCE_ABORTING_OLD;
}

static void forget_pending(kid *c)
{
    c->pending = c->pending_by_resume = false;
    c->pending_generation = c->pending_attempt = c->duplicates = 0;
}

/* A deadline runs for whoever is asked to go, also where an earlier one has passed. */
static void insist(ref *r, kid *c)
{
    if (c->attempt.active && c->deadline[REFERENCE_STOP] == 0)
        arm(r, c, REFERENCE_STOP,
            r->now + (c->attempt.aborted ? c->declaration->abort_timeout_usec
                                         : c->declaration->stop_timeout_usec));
}

static void enter_fence(ref *r, kid *c, bool by_resume)
{
    c->pending = true;
    c->pending_by_resume = by_resume;
    c->pending_generation = c->attempt.generation;
    c->pending_attempt = c->attempt.number;
    c->duplicates = 0;
    c->fence = FENCE_WAITING_FOR_OLD_STOP;
    cancel(r, c);
    if (c->attempt.aborted)
        c->fence = FENCE_ABORTING_OLD;
    else
        insist(r, c);
}

static void withdraw_starts(kid *c)
{
    if (c->pending && c->fence != FENCE_CLOSED)
        c->fence = FENCE_OPEN;
    forget_pending(c);
    disarm(c, REFERENCE_START);
    c->waits = 0;
}

static void stop_deadline(ref *r, kid *c)
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

static void force_stop(ref *r, kid *c, enum exit_kind kind)
{
    if (c->attempt.cancelled || c->attempt.aborted)
        return;
    c->attempt.forced = kind;
    cancel(r, c);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

static void cancel_those_nobody_needs(ref *r)
{
    for (uint32_t i = r->count; i-- > 0;) {
        kid *c = &r->children[i];
        bool needed = false;
        if (!c->here || c->result != SHUTDOWN_PENDING)
            continue;
        for (uint32_t k = 0; k < r->count; k++) {
            const kid *user = &r->children[k];
            if (user->here && user->result == SHUTDOWN_PENDING && depends_on(user, c))
                needed = true;
        }
        if (!needed && !cancel(r, c))
            insist(r, c);
    }
}

static void complete_when_all_are_gone(ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here && r->children[i].result == SHUTDOWN_PENDING)
            return;
    r->phase = SHUTDOWN_COMPLETED;
}

static void settle(ref *r, kid *c, enum shutdown_result result)
{
    c->result = result;
    cancel_those_nobody_needs(r);
    complete_when_all_are_gone(r);
}

static void shut_down(ref *r, bool by_policy)
{
    if (r->phase != SHUTDOWN_IDLE)
        return;
    r->next_command++;
    r->by_policy = by_policy;
    for (uint32_t i = 0; i < r->count; i++) {
        kid *c = &r->children[i];
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

void reference_shutdown(ref *r)
{
    shut_down(r, false);
    wake(r);
}

void reference_hurry(ref *r)
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

static enum exit_kind kind_of(const kid *c, const struct completion *completion)
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

static void prune(ref *r, kid *c)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->used; i++)
        if (r->now - c->exits[i] <= c->declaration->interval_usec)
            c->exits[kept++] = c->exits[i];
    c->used = kept;
}

/* At most burst + 1 exits are kept: more would not change anything. */
static bool count_exit(ref *r, kid *c)
{
    prune(r, c);
    if (c->used == c->declaration->burst + 1) {
        memmove(c->exits, c->exits + 1, (c->used - 1) * sizeof(*c->exits));
        c->used--;
    }
    c->exits[c->used++] = r->now;
    arm(r, c, REFERENCE_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
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

static uint64_t next_backoff(ref *r, kid *c)
{
    const struct backoff_settings *b = &c->declaration->backoff;

    c->backoff_n++;
    if (!c->drew || !possible(b, c->backoff_n, c->backoff_previous, c->drawn))
        snprintf(r->wrong, sizeof(r->wrong), "%.60s: a delay of %ju us is not possible for n = %ju",
                 c->id, (uintmax_t)c->drawn, (uintmax_t)c->backoff_n);
    c->backoff_previous = c->drawn;
    return c->drawn;
}

static uint64_t cool_down(const kid *c)
{
    uint64_t delay = 5 * MINUTE;

    for (uint32_t i = 0; i < c->cool_downs && delay < 60 * MINUTE; i++)
        delay *= 2;
    return delay < 60 * MINUTE ? delay : 60 * MINUTE;
}

static void give_up(ref *r, kid *c)
{
    enum on_limit action = c->declaration->on_limit;
    uint64_t delay = cool_down(c);

    c->gave_up = true;
    if (action == ON_LIMIT_ESCALATE && c->declaration->criticality == CRITICALITY_OPTIONAL)
        action = ON_LIMIT_STOP;
    if (action == ON_LIMIT_QUARANTINE) {
        c->operation = CHILD_QUARANTINED;
    } else if (action == ON_LIMIT_COOL_DOWN) {
        c->cool_downs++;
        c->automatic = true;
        arm(r, c, REFERENCE_START, r->now + delay);
    } else if (action == ON_LIMIT_STOP) {
        c->wanted = false;
    } else {
        shut_down(r, true);
    }
}

static enum exit_decision by_policy(ref *r, kid *c, enum exit_kind kind, bool fatal)
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

static enum exit_decision decide(ref *r, kid *c, enum exit_kind kind, bool fatal)
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

static void end_attempt(kid *c)
{
    disarm(c, REFERENCE_HEARTBEAT);
    disarm(c, REFERENCE_START_TIMEOUT);
    disarm(c, REFERENCE_STOP);
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

static void gone_in_shutdown(ref *r, kid *c)
{
    if (c->result != SHUTDOWN_PENDING)
        c->result = SHUTDOWN_LATE_REPORT;
    else
        settle(r, c, c->attempt.aborted ? SHUTDOWN_ABORTED : SHUTDOWN_GRACEFUL);
}

static void carry_out(ref *r, kid *c, enum exit_decision decision)
{
    switch (decision) {
    case DECISION_RESTART: {
        uint64_t delay = next_backoff(r, c);
        c->automatic = true;
        if (delay == 0)
            start_or_wait(r, c, true);
        else
            arm(r, c, REFERENCE_START, r->now + delay);
        return;
    }
    case DECISION_LEAVE:
        c->wanted = false;
        return;
    case DECISION_HOLD:
        return;
    case DECISION_FENCE_RELEASE:
        c->fence = FENCE_READY_TO_START;
        start_or_wait(r, c, false);
        return;
    case DECISION_REMOVE:
        c->here = false;
        return;
    case DECISION_SHUTDOWN:
        gone_in_shutdown(r, c);
        return;
    case DECISION_GIVE_UP:
        give_up(r, c);
        return;
    }
}

static void forget_failures_after_health(ref *r, kid *c)
{
    uint64_t since = c->attempt.ready_since;

    if (since == 0 || r->now - since < c->declaration->backoff.reset_after_usec)
        return;
    c->backoff_n = c->backoff_previous = c->cool_downs = 0;
    c->on_trial = false;
}

static void ended(ref *r, kid *c, const struct completion *completion)
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

static bool is_stale(kid *c, struct attempt_id id)
{
    bool stale = !c->attempt.active || c->attempt.generation != id.generation ||
                 c->attempt.number != id.attempt;

    c->stale_reports += stale;
    return stale;
}

static void become_ready(ref *r, kid *c)
{
    if (c->readiness == READINESS_READY)
        return;
    c->readiness = READINESS_READY;
    disarm(c, REFERENCE_START_TIMEOUT);
    if (c->attempt.status == CHILD_CANCELLING)
        return;
    c->attempt.ready_since = r->now;
    c->attempt.status = CHILD_READY;
}

static void spawned(ref *r, kid *c)
{
    c->restart_count += c->born && c->automatic;
    c->attempt.spawned = c->born = true;
    c->generation = c->attempt.generation;
    c->failure = FAILURE_NONE;
    if (c->attempt.status == CHILD_STARTING)
        c->attempt.status = CHILD_RUNNING;
    if (c->fence == FENCE_READY_TO_START) {
        c->fence = FENCE_OPEN;
        forget_pending(c);
    }
    if (c->declaration->readiness == READINESS_IMMEDIATE)
        become_ready(r, c);
}

bool reference_spawned(ref *r, kid *c, struct attempt_id id)
{
    bool stale = is_stale(c, id);

    if (!stale && c->attempt.spawned && !c->attempt.early) {
        stale = true;
        c->stale_reports++;
    } else if (!stale && !c->attempt.spawned) {
        spawned(r, c);
    } else if (!stale) {
        c->attempt.early = false;
    }
    wake(r);
    return stale;
}

bool reference_spawn_failed(ref *r, kid *c, struct attempt_id id)
{
    bool stale = is_stale(c, id);

    if (!stale && c->attempt.spawned) {
        stale = true;
        c->stale_reports++;
    } else if (!stale) {
        if (c->fence == FENCE_READY_TO_START) { /* it was the target: the policy decides */
            forget_pending(c);
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
    wake(r);
    return stale;
}

bool reference_completed(ref *r, kid *c, struct attempt_id id, const struct completion *completion)
{
    bool stale = is_stale(c, id);

    if (!stale) {
        if (!c->attempt.spawned)
            spawned(r, c);
        ended(r, c, completion);
    }
    wake(r);
    return stale;
}

static void beat(ref *r, kid *c)
{
    c->heartbeat = r->now;
    c->heartbeat_realtime = r->realtime;
    c->stale = false;
    if (c->declaration->heartbeat_usec > 0 && !c->attempt.cancelled && !c->attempt.aborted)
        arm(r, c, REFERENCE_HEARTBEAT, r->now + c->declaration->stale_after_usec);
}

static void extend(ref *r, kid *c, uint64_t usec)
{
    uint64_t deadline = r->now + (usec < 24 * 60 * MINUTE ? usec : 24 * 60 * MINUTE);

    if (c->deadline[REFERENCE_START_TIMEOUT] > 0 && deadline > c->deadline[REFERENCE_START_TIMEOUT])
        arm(r, c, REFERENCE_START_TIMEOUT, deadline);
    if (c->deadline[REFERENCE_STOP] > 0 && !c->attempt.aborted &&
        deadline > c->deadline[REFERENCE_STOP])
        arm(r, c, REFERENCE_STOP, deadline);
}

static void listen(ref *r, kid *c, const struct notify_message *message)
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

bool reference_notify(ref *r, kid *c, struct attempt_id id, const struct notify_message *message)
{
    bool stale = is_stale(c, id);

    if (!stale && !c->attempt.spawned) {
        spawned(r, c); /* who speaks has been started */
        c->attempt.early = true;
    }
    if (!stale)
        listen(r, c, message);
    wake(r);
    return stale;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void fire(ref *r, kid *c, enum reference_timer timer)
{
    switch (timer) {
    case REFERENCE_STOP:
        stop_deadline(r, c);
        return;
    case REFERENCE_START:
        start_or_wait(r, c, c->automatic);
        return;
    case REFERENCE_START_TIMEOUT:
        force_stop(r, c, EXIT_TIMED_OUT);
        return;
    case REFERENCE_HEARTBEAT:
        c->stale = true;
        if (c->declaration->on_stale == ON_STALE_RESTART)
            force_stop(r, c, EXIT_UNHEALTHY);
        return;
    case REFERENCE_WINDOW:
        prune(r, c);
        if (c->used > 0)
            arm(r, c, REFERENCE_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
        return;
    }
}

/* All deadlines that have passed, the earliest first, then in the order in which they were set. */
void reference_timer(ref *r)
{
    for (;;) {
        kid *who = NULL;
        int which = 0;
        for (uint32_t i = 0; i < r->count; i++)
            for (int t = 0; t < REFERENCE_TIMERS; t++) {
                kid *c = &r->children[i];
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
        fire(r, who, (enum reference_timer)which);
        wake(r);
    }
}

/* ---- declarations ---------------------------------------------------------------------------- */

kid *reference_declare(ref *r, const struct child_declaration *d, uint64_t *exits)
{
    if (r->count == r->capacity)
        return NULL;
    kid *c = &r->children[r->count++];
    *c = (kid){.declaration = d, .id = d->id, .here = true, .exits = exits};
    return c;
}

void reference_declared(ref *r, uint32_t first)
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

void reference_redeclare(ref *r, const struct child_declaration *d)
{
    kid *c = reference_find(r, d->id);

    r->next_command++;
    c->next = d;
    if (!c->attempt.active)
        adopt(c);
    else if (c->operation == CHILD_ACTIVE && !c->pending)
        enter_fence(r, c, false);
    wake(r);
}

void reference_drew(kid *c, uint64_t delay)
{
    c->drew = true;
    c->drawn = delay;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void stop_command(ref *r, kid *c, enum child_operation target, struct outcome *o)
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

static void resume(ref *r, kid *c, struct outcome *o)
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
        disarm(c, REFERENCE_WINDOW);
    }
    if (r->phase != SHUTDOWN_IDLE || !c->wanted)
        return;
    if (c->attempt.active)
        enter_fence(r, c, true);
    else if (c->declaration->has_process)
        start_or_wait(r, c, false);
}

static void join(ref *r, kid *c, struct outcome *o)
{
    c->duplicates++;
    c->pending_by_resume = false;
    insist(r, c);
    o->idempotent = true;
    o->fence = (struct fence_outcome){
        .decision = FENCE_ALREADY_PENDING,
        .has_old = true,
        .old_generation = c->pending_generation,
        .old_attempt = c->pending_attempt,
        .has_target = true,
        .target_generation = c->pending_generation + 1,
        .abort_requested = c->attempt.active && c->attempt.aborted,
        .duplicate_request_count = c->duplicates,
    };
}

static void restart_behind_fence(ref *r, kid *c, struct outcome *o)
{
    bool cancelled_before = c->attempt.cancelled || c->attempt.aborted;

    enter_fence(r, c, false);
    o->cancel_delivered = !cancelled_before;
    o->fence = (struct fence_outcome){
        .decision = FENCE_QUEUED_AFTER_STOP,
        .has_old = true,
        .old_generation = c->attempt.generation,
        .old_attempt = c->attempt.number,
        .has_target = true,
        .target_generation = c->attempt.generation + 1,
        .cancel_delivered = o->cancel_delivered,
        .abort_requested = c->attempt.aborted,
    };
}

static void restart_at_once(ref *r, kid *c, struct outcome *o)
{
    if (!may_start(r, c)) {
        o->fence.decision = FENCE_REJECTED;
        return;
    }
    disarm(c, REFERENCE_START);
    c->waits = 0;
    c->gave_up = c->on_trial = false;
    c->backoff_n = c->backoff_previous = 0;
    o->fence.decision = FENCE_STARTED_IMMEDIATELY;
    o->fence.has_target = c->declaration->has_process;
    o->fence.target_generation = c->declaration->has_process && c->born ? c->generation + 1 : 0;
    start_or_wait(r, c, false);
}

static void restart(ref *r, kid *c, struct outcome *o)
{
    o->has_fence = true;
    if (r->phase != SHUTDOWN_IDLE)
        o->fence.decision = FENCE_BLOCKED_BY_SHUTDOWN;
    else if (c->operation != CHILD_ACTIVE)
        o->fence.decision = FENCE_REJECTED;
    else if (c->pending)
        join(r, c, o);
    else if (c->attempt.active)
        restart_behind_fence(r, c, o);
    else
        restart_at_once(r, c, o);
}

static int obey(ref *r, kid *c, const struct command *command, struct outcome *o)
{
    switch (command->verb) {
    case COMMAND_PAUSE:
        stop_command(r, c, CHILD_PAUSED, o);
        return 0;
    case COMMAND_QUARANTINE:
        stop_command(r, c, CHILD_QUARANTINED, o);
        return 0;
    case COMMAND_REMOVE:
        stop_command(r, c, CHILD_REMOVED, o);
        return 0;
    case COMMAND_RESUME:
        if (c->operation == CHILD_REMOVED)
            return -ENOENT;
        resume(r, c, o);
        return 0;
    case COMMAND_RESTART:
        restart(r, c, o);
        return 0;
    case COMMAND_RELOAD:
    case COMMAND_KILL:
        return c->attempt.active && c->attempt.spawned ? 0 : -ESRCH;
    }
    __builtin_unreachable();
}

static int run(ref *r, kid *c, const struct command *command, struct outcome *o)
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

int reference_command(ref *r, const struct command *command, struct outcome *o)
{
    kid *c = reference_find(r, command->child);

    if (strspn(command->reason, " \t\r\n\v\f") == strlen(command->reason))
        return -EINVAL;
    if (!c)
        return -ENOENT;
    if (command->dry_run) {
        kid saved = *c;
        ref counters = *r;
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
