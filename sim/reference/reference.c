#include "reference/reference.h"

#include "reference/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MINUTE    (UINT64_C(60) * 1000000)
#define WRONG_MAX 160

/* ---- time ------------------------------------------------------------------------------------ */

void reference_clock(struct ref *r, uint64_t uptime, uint64_t realtime)
{
    if (r->ahead + uptime > r->now)
        r->now = r->ahead + uptime;
    r->realtime = realtime;
}

/* As much later as the wall clock says; no later where it was set back, or was not set. */
void reference_reboot(struct ref *r, uint64_t uptime, uint64_t realtime)
{
    uint64_t now = r->now;

    if (r->realtime >= UINT64_C(50) * 365 * 24 * 3600 * 1000000 && realtime > r->realtime)
        now += realtime - r->realtime;
    r->ahead = now > uptime ? now - uptime : 0;
}

/* ---- deadlines ------------------------------------------------------------------------------- */

void ref_arm(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t deadline)
{
    c->deadline[timer] = deadline;
    c->order[timer] = ++r->next_order;
    if (timer == REF_START)
        c->named_to_start = false;
}

void ref_disarm(struct ref_child *c, enum ref_timer timer)
{
    c->deadline[timer] = 0;
    if (timer == REF_START)
        c->named_to_start = false;
}

/* A timeout of 0 is no deadline: what ran before does not run any more. */
void ref_arm_timeout(struct ref *r, struct ref_child *c, enum ref_timer timer, uint64_t timeout)
{
    if (timeout > 0)
        ref_arm(r, c, timer, r->now + timeout);
    else
        ref_disarm(c, timer);
}

void ref_stop_watching(struct ref_child *c)
{
    ref_disarm(c, REF_START_TIMEOUT);
    ref_disarm(c, REF_HEARTBEAT);
    ref_disarm(c, REF_HEALTH);
    ref_disarm(c, REF_CHANGE);
    ref_disarm(c, REF_RUN);
    ref_end_reload(c, RELOAD_INTERRUPTED);
    c->attempt.check_open = false;
}

/* ---- who depends on whom --------------------------------------------------------------------- */

struct ref_child *reference_find(struct ref *r, const char *id)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->children[i].here && strcmp(r->children[i].id, id) == 0)
            return &r->children[i];
    return NULL;
}

/* ---- starting -------------------------------------------------------------------------------- */

void ref_give_place_back(struct ref_child *c)
{
    c->in_flight = false;
    ref_disarm(c, REF_PLACE);
}

/* One more than the id ever had. */
static uint64_t next_generation(const struct ref_child *c)
{
    return c->born || c->has_past ? c->generation + 1 : 0;
}

void ref_start(struct ref *r, struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    c->waits = 0;
    ref_disarm(c, REF_START);
    if (!c->process->has_process) {
        c->wanted = false;
        c->failure = FAILURE_SPAWN;
        c->readiness = READINESS_UNREPORTED;
        if (c->fence == FENCE_READY_TO_START) { /* there is nothing more to wait for */
            c->fence = FENCE_OPEN;
            c->pending = c->pending_by_resume = false;
        }
        return;
    }
    c->wanted = true;
    c->on_trial = c->on_trial || (c->gave_up && c->automatic);
    c->gave_up = false;
    c->attempt = (struct ref_attempt){.active = true,
                                      .status = CHILD_STARTING,
                                      .started = r->now,
                                      .generation = next_generation(c),
                                      .number = ++c->attempts};
    c->token = c->token + 1 > r->realtime ? c->token + 1 : r->realtime;
    c->in_flight = c->automatic;
    c->stop_state = STOP_IDLE;
    c->readiness = READINESS_UNREPORTED;
    c->stale = false;
    c->heartbeat = c->heartbeat_realtime = 0;
    if (d->heartbeat_usec > 0 && d->heartbeat_required)
        ref_arm_timeout(r, c, REF_HEARTBEAT, d->stale_after_usec);
    ref_arm_timeout(r, c, REF_START_TIMEOUT, d->start_timeout_usec);
    if (c->in_flight)
        ref_arm(r, c, REF_PLACE, r->now + 1000000);
}

bool ref_ends_ready(const struct ref_child *c)
{
    return c->declaration->readiness == READINESS_EXIT ||
           c->declaration->readiness == READINESS_JOB;
}

void ref_start_or_wait(struct ref *r, struct ref_child *c, bool automatic)
{
    c->automatic = automatic;
    c->queued = 0;
    c->named_to_start = false;
    if (!tree_may_start(r, c)) {
        c->wanted = true;
        if (c->waits == 0)
            c->waits = ++r->next_wait;
    } else if (automatic && !tree_has_room(r, c)) {
        c->wanted = true;
        c->waits = 0;
        c->queued = ++r->next_wait;
    } else {
        ref_start(r, c);
    }
}

/* ---- sidecars -------------------------------------------------------------------------------- */

/* Who is bound to it and goes with it goes now; who goes around it does when it is gone. Each comes
 * back with it. One that waits for its turn to go has been asked for itself. */
static void take_sidecars_along(struct ref *r, const struct ref_child *primary, bool by_hand)
{
    if (r->dry || r->phase != SHUTDOWN_IDLE)
        return;
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        const struct child_declaration *d = c->declaration;
        if (c->here && d->role == ROLE_SIDECAR && strcmp(d->requires[0], primary -> id) == 0 &&
            (d->sidecar_order == SIDECAR_WITH || !primary->attempt.active) && c->attempt.active &&
            !c->attempt.cancelled && !c->attempt.aborted && !c->waits_to_go) {
            c->fence = FENCE_OPEN;
            ref_enter_fence(r, c, false, by_hand);
        }
    }
}

/* ---- stopping -------------------------------------------------------------------------------- */

bool ref_cancel(struct ref *r, struct ref_child *c, bool by_hand)
{
    if (!c->attempt.active || c->attempt.cancelled || c->attempt.aborted)
        return false;
    take_sidecars_along(r, c, by_hand);
    c->named = c->waits_to_go = false;
    c->attempt.cancelled = true;
    c->attempt.by_hand = by_hand;
    ref_give_place_back(c);
    c->attempt.status = CHILD_CANCELLING;
    c->stop_state = STOP_CANCEL_DELIVERED;
    ref_stop_watching(c);
    ref_arm_timeout(r, c, REF_STOP, c->declaration->stop_timeout_usec);
    return true;
}

/* Asks it to go: in its turn where it is one of several, now where it is asked alone. */
bool ref_go(struct ref *r, struct ref_child *c, bool by_hand)
{
    if (!c->named || !tree_is_held_up(r, c))
        return ref_cancel(r, c, by_hand);
    if (!c->waits_to_go)
        c->goes_by_hand = by_hand;
    c->waits_to_go = true;
    c->named = false;
    return false;
}

void ref_abort(struct ref *r, struct ref_child *c)
{
    if (!c->attempt.active || c->attempt.aborted)
        return;
    c->named = c->waits_to_go = false;
    if (!c->attempt.cancelled)
        c->attempt.by_hand = true; /* a second signal; or leftovers, see there */
    c->attempt.aborted = true;
    ref_give_place_back(c);
    ref_stop_watching(c);
    ref_arm_timeout(r, c, REF_STOP, c->declaration->abort_timeout_usec);
    if (c->fence == FENCE_WAITING_FOR_OLD_STOP)
        c->fence = FENCE_ABORTING_OLD;
}

/* What the last signal that it has had gives it. */
uint64_t ref_stop_time(const struct ref_child *c)
{
    uint32_t most = c->declaration->n_further_stops; /* of a declaration that came meanwhile */
    uint32_t step = c->attempt.stop_step < most ? c->attempt.stop_step : most;
    return step > 0 ? c->declaration->further_stops[step - 1].usec
                    : c->declaration->stop_timeout_usec;
}

/* A deadline runs for whoever is asked to go, also where an earlier one has passed; and for nobody
 * else: the target of a restart, on its way, is not asked to go by another restart. */
void ref_insist(struct ref *r, struct ref_child *c)
{
    if (c->attempt.active && (c->attempt.cancelled || c->attempt.aborted) &&
        c->deadline[REF_STOP] == 0)
        ref_arm_timeout(r, c, REF_STOP,
                        c->attempt.aborted ? c->declaration->abort_timeout_usec : ref_stop_time(c));
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
void ref_wait_for_siblings(struct ref_child *c, bool by_hand)
{
    put_behind_fence(c, by_hand, c->generation, next_generation(c));
    c->wanted = true; /* somebody has asked for it */
    c->fence = FENCE_READY_TO_START;
}

void ref_enter_fence(struct ref *r, struct ref_child *c, bool by_resume, bool by_hand)
{
    put_behind_fence(c, by_hand, c->attempt.generation, c->attempt.generation + 1);
    c->pending_by_resume = by_resume;
    c->fence = FENCE_WAITING_FOR_OLD_STOP;
    ref_go(r, c, by_hand);
    if (c->attempt.aborted)
        c->fence = FENCE_ABORTING_OLD;
    else
        ref_insist(r, c);
}

void ref_withdraw_starts(struct ref_child *c)
{
    if (c->pending && c->fence != FENCE_CLOSED)
        c->fence = FENCE_OPEN;
    c->pending = c->pending_by_resume = false;
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
}

static void stop_deadline(struct ref *r, struct ref_child *c)
{
    bool down = r->phase != SHUTDOWN_IDLE;
    if (!c->attempt.aborted && c->attempt.stop_step < c->declaration->n_further_stops) {
        c->attempt.stop_step++; /* the next signal, with a time of its own */
        ref_arm_timeout(r, c, REF_STOP, ref_stop_time(c));
        return;
    }
    c->stop_state = STOP_FAILED;
    if (c->attempt.aborted) {
        c->failure = FAILURE_WAIT_ABORT;
        if (down && c->result == SHUTDOWN_PENDING)
            ref_settle(r, c, SHUTDOWN_ABORT_FAILED);
        return;
    }
    c->failure = FAILURE_WAIT_COMPLETION;
    if (!down && c->attempt.forced == EXIT_NONE && !(c->pending && !c->pending_by_resume) &&
        !(c->attempt.main_gone && c->attempt.main_exit != EXIT_CANCELLED) && /* nobody asked */
        c->declaration->timeout_action == TIMEOUT_REPORT)
        return;
    ref_abort(r, c);
    if (down && r->phase < SHUTDOWN_ABORT_STRAGGLERS)
        r->phase = SHUTDOWN_ABORT_STRAGGLERS;
}

void ref_force_stop(struct ref *r, struct ref_child *c, enum exit_kind kind)
{
    if (c->attempt.cancelled || c->attempt.aborted)
        return;
    c->attempt.forced = kind;
    ref_cancel(r, c, false);
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
    if (completion->unknown)
        return EXIT_FAILED;
    if (completion->by_signal)
        return EXIT_SIGNALED;
    if (completion->code == 0 || listed(&c->declaration->success_exit_codes, completion->code))
        return EXIT_SUCCEEDED;
    return EXIT_FAILED;
}

/* How many of these exits, the oldest first, are in the window still. */
uint32_t ref_kept(const uint64_t *exits, uint32_t used, uint64_t now, uint64_t interval)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < used; i++)
        kept += now - exits[i] <= interval;
    return kept;
}

static void prune(struct ref *r, struct ref_child *c)
{
    uint32_t kept = ref_kept(c->exits, c->used, r->now, c->declaration->interval_usec);
    memmove(c->exits, c->exits + c->used - kept, kept * sizeof(*c->exits));
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
    ref_arm(r, c, REF_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
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
    if (!c->drew || !possible(b, c->backoff_n, c->backoff_previous, c->drawn)) {
        r->wrong = r->allocate(r->userdata, WRONG_MAX);
        snprintf(r->wrong, WRONG_MAX, "%.60s: a delay of %ju us is not possible for n = %ju", c->id,
                 (uintmax_t)c->drawn, (uintmax_t)c->backoff_n);
    }
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
        ref_arm(r, c, REF_START, r->now + delay);
    } else if (action == ON_LIMIT_STOP) {
        c->wanted = false;
    } else if (action == ON_LIMIT_ESCALATE) {
        tree_melt_down(r, c->supervisor, c);
    } else {
        ref_shut_down(r, true);
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

static enum exit_decision by_policy(struct ref *r, struct ref_child *c, enum exit_kind kind,
                                    bool fatal)
{
    bool failed = kind != EXIT_SUCCEEDED && kind != EXIT_CANCELLED;
    bool counted = (failed || is_early(r, c, kind)) && !c->with_machine; /* else nobody's failure */
    bool within = counted ? count_exit(r, c) : true;
    enum restart_policy policy = c->declaration->restart;
    if (fatal)
        return DECISION_GIVE_UP;
    if (policy == RESTART_TEMPORARY || (policy == RESTART_TRANSIENT && !failed))
        return DECISION_LEAVE;
    if (counted && (!within || c->on_trial))
        return DECISION_GIVE_UP;
    return counted ? tree_count(r, c) : DECISION_RESTART;
}

static enum exit_decision decide(struct ref *r, struct ref_child *c, enum exit_kind kind,
                                 bool fatal)
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

static void end_attempt(struct ref *r, struct ref_child *c)
{
    ref_stop_watching(c);
    ref_disarm(c, REF_STOP);
    ref_give_place_back(c);
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
    c->named = c->waits_to_go = false;
    c->process = c->declaration; /* what waited for that is in force */
    take_sidecars_along(r, c, c->attempt.by_hand);
}

static void gone_in_shutdown(struct ref *r, struct ref_child *c)
{
    if (c->result != SHUTDOWN_PENDING)
        c->result = SHUTDOWN_LATE_REPORT;
    else
        ref_settle(r, c, c->attempt.aborted ? SHUTDOWN_ABORTED : SHUTDOWN_GRACEFUL);
}

/* Schedules the next start; returns how long from now. */
static uint64_t schedule(struct ref *r, struct ref_child *c, uint64_t wait)
{
    uint64_t delay = next_backoff(r, c);
    delay = wait > delay ? wait : delay;
    c->automatic = true;
    if (delay > 0)
        ref_arm(r, c, REF_START, r->now + delay);
    return delay;
}

uint64_t ref_back_off(struct ref *r, struct ref_child *c)
{
    return schedule(r, c, 0);
}

static void restart_by_policy(struct ref *r, struct ref_child *c)
{
    uint64_t delay = 0;
    if (c->with_machine)
        c->automatic = true; /* at once: no delay, and no token */
    else
        delay = schedule(r, c, tree_budget(r, c));
    bool together = tree_restart_scope(r, c);
    if (!together && c->scope > 0)
        ref_wait_for_siblings(c, false); /* it was to stay down among them, and is not any more */
    if (c->scope == 0 && delay == 0)
        ref_start_or_wait(r, c, true);
}

static void blow_fuse(struct ref_child *c)
{
    c->gave_up = true;
    c->operation = CHILD_QUARANTINED;
}

static void carry_out(struct ref *r, struct ref_child *c, enum exit_decision decision)
{
    if (decision == DECISION_RESTART) {
        restart_by_policy(r, c);
    } else if (decision == DECISION_LEAVE) {
        c->wanted = false;
    } else if (decision == DECISION_FENCE_RELEASE) {
        c->fence = FENCE_READY_TO_START;
        if (!c->scope)
            ref_start_or_wait(r, c, !c->pending_by_hand);
    } else if (decision == DECISION_REMOVE) {
        c->here = false;
        jobs_end(r, c);
    } else if (decision == DECISION_SHUTDOWN) {
        jobs_end(r, c);
        gone_in_shutdown(r, c);
    } else if (decision == DECISION_GIVE_UP) {
        give_up(r, c);
    } else if (decision == DECISION_FUSE) {
        blow_fuse(c);
    } else if (decision == DECISION_MELTDOWN) {
        tree_melt_down(r, c->supervisor, c);
    }
}

static void forget_failures_after_health(struct ref *r, struct ref_child *c)
{
    if (!ref_is_proven(r, c))
        return;
    c->backoff_n = c->backoff_previous = c->cool_downs = 0;
    c->on_trial = false;
}

/* The main process has ended and others are there. Unless they are to be killed at once, they get
 * the stop signal, if it has not been given before, and what is left of the time to stop. */
static void main_ended(struct ref *r, struct ref_child *c, const struct completion *completion)
{
    c->attempt.main_exit = kind_of(c, completion);
    c->attempt.main_gone = true;
    c->attempt.main = *completion;
    c->leftovers = completion->left;
    if (c->process->leftovers == LEFTOVERS_KILL) {
        c->attempt.status = CHILD_CANCELLING;
        ref_abort(r, c);
        if (!c->attempt.cancelled)
            c->attempt.by_hand = false;
    } else {
        ref_cancel(r, c, false);
    }
}

/* An attempt whose main process had ended before is over when the last one is gone. It ended as its
 * main process did. */
static void ended(struct ref *r, struct ref_child *c, const struct completion *completion)
{
    c->leftovers = completion->left;
    if (c->attempt.main_gone)
        completion = &c->attempt.main;
    enum exit_kind kind = c->attempt.main_gone ? c->attempt.main_exit : kind_of(c, completion);
    bool fatal = kind == EXIT_FAILED && listed(&c->declaration->fatal_exit_codes, completion->code);
    c->with_machine = completion->with_machine;
    if (!c->with_machine)
        forget_failures_after_health(r, c);
    enum exit_decision decision = decide(r, c, kind, fatal);
    c->exit = kind;
    c->exit_generation = c->attempt.generation;
    c->exit_attempt = c->attempt.number;
    c->decision = decision;
    end_attempt(r, c);
    if (kind == EXIT_SUCCEEDED && ref_ends_ready(c) &&
        !c->is_job)                     /* its record goes, or is history */
        c->readiness = READINESS_READY; /* until it is started anew */
    carry_out(r, c, decision);
    c->with_machine = false;
}

/* ---- reports --------------------------------------------------------------------------------- */

/* What proctord lacks is not the child's failure: none of the deadlines of its start runs. */
static void delayed(struct ref_child *c)
{
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

static void spawned(struct ref *r, struct ref_child *c)
{
    goes_on(r, c);
    c->restart_count += c->born && c->automatic;
    c->attempt.spawned = c->born = true;
    ref_disarm(c, REF_PLACE);
    c->generation = c->attempt.generation;
    c->failure = FAILURE_NONE;
    if (c->attempt.status == CHILD_STARTING)
        c->attempt.status = CHILD_RUNNING;
    if (c->fence == FENCE_READY_TO_START) {
        c->fence = FENCE_OPEN;
        c->pending = c->pending_by_resume = false;
    }
    if (c->declaration->readiness == READINESS_IMMEDIATE ||
        (c->declaration->readiness == READINESS_JOB && c->is_job))
        ref_become_ready(r, c);
    if (c->declaration->readiness == READINESS_JOB) { /* nobody knows how long its work is */
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
    end_attempt(r, c);
    carry_out(r, c, decision);
}

bool reference_is_stale(const struct ref_child *c, const struct heard *heard)
{
    if (!c->attempt.active || c->attempt.generation != heard->id.generation ||
        c->attempt.number != heard->id.attempt)
        return true;
    if (heard->kind == REPORT_SPAWNED)
        return c->attempt.spawned && !c->attempt.early;
    if (heard->kind == REPORT_MAIN_EXIT)
        return c->attempt.main_gone;
    if (heard->kind == REPORT_HEALTH)
        return !c->attempt.check_open || c->attempt.checks != heard->check;
    return (heard->kind == REPORT_SPAWN_FAILED || heard->kind == REPORT_DELAY) &&
           c->attempt.spawned;
}

/* Whoever speaks, or ends, has been started. */
static void hear(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    if (heard->kind == REPORT_SPAWN_FAILED) {
        spawn_failed(r, c);
        return;
    }
    if (heard->kind == REPORT_DELAY && heard->lacks)
        delayed(c);
    if (heard->kind == REPORT_DELAY && !heard->lacks)
        goes_on(r, c);
    if (heard->kind == REPORT_DELAY)
        return;
    if (!c->attempt.spawned) {
        spawned(r, c);
        c->attempt.early = true;
    }
    if (heard->kind == REPORT_SPAWNED)
        c->attempt.early = false;
    else if (heard->kind == REPORT_EXIT)
        ended(r, c, heard->completion);
    else if (heard->kind == REPORT_MAIN_EXIT)
        main_ended(r, c, heard->completion);
    else if (heard->kind == REPORT_HEALTH)
        ref_checked(r, c, heard->passed);
    else
        ref_listen(r, c, heard->message);
}

void reference_hear(struct ref *r, struct ref_child *c, const struct heard *heard)
{
    if (reference_is_stale(c, heard))
        c->stale_reports++;
    else
        hear(r, c, heard);
    tree_wake(r);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void fire(struct ref *r, struct ref_child *c, enum ref_timer timer)
{
    if (timer == REF_STOP) {
        stop_deadline(r, c);
    } else if (timer == REF_START) {
        c->named_to_start = false;
        if (!c->scope)
            ref_start_or_wait(r, c, c->automatic);
    } else if (timer == REF_START_TIMEOUT) {
        ref_force_stop(r, c, EXIT_TIMED_OUT);
    } else if (timer == REF_HEARTBEAT) {
        c->attempt.silent = c->stale = true;
        if (c->declaration->on_stale == ON_STALE_RESTART)
            ref_force_stop(r, c, EXIT_UNHEALTHY);
    } else if (timer == REF_HEALTH) {
        ref_ask(r, c);
    } else if (timer == REF_PLACE) {
        ref_give_place_back(c);
    } else if (timer == REF_CHANGE) {
        ref_too_long(r, c);
    } else if (timer == REF_RUN) {
        c->attempt.ran_out = true;
        ref_force_stop(r, c, EXIT_TIMED_OUT);
    } else {
        prune(r, c);
        if (c->used > 0)
            ref_arm(r, c, REF_WINDOW, c->exits[0] + c->declaration->interval_usec + 1);
    }
}

static bool is_due(const struct ref *r, const struct ref_child *c, enum ref_timer timer)
{
    return c->here && c->deadline[timer] > 0 && c->deadline[timer] <= r->now;
}

/* All deadlines that have passed, the earliest first, then in the order in which they were set. */
void reference_timer(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_due(r, &r->children[i], REF_START))
            r->children[i].named_to_start = true;
    for (;;) {
        struct ref_child *who = NULL;
        int which = 0;
        for (uint32_t i = 0; i < r->count; i++)
            for (int t = 0; t < REF_TIMERS; t++) {
                struct ref_child *c = &r->children[i];
                if (!is_due(r, c, (enum ref_timer)t))
                    continue;
                if (!who || c->deadline[t] < who->deadline[which] ||
                    (c->deadline[t] == who->deadline[which] && c->order[t] < who->order[which])) {
                    who = c;
                    which = t;
                }
            }
        if (who ? ref_bound_passes(r, who->deadline[which], who->order[which])
                : ref_bound_passes(r, UINT64_MAX, 0))
            continue;
        if (!who)
            return;
        who->deadline[which] = 0;
        fire(r, who, (enum ref_timer)which);
        tree_wake(r);
    }
}

/* ---- declarations ---------------------------------------------------------------------------- */

struct ref_child *reference_declare(struct ref *r, const struct child_declaration *d,
                                    uint64_t *exits)
{
    if (r->count == r->capacity)
        return NULL;
    struct ref_child *c = &r->children[r->count++];
    *c = (struct ref_child){
        .declaration = d, .process = d, .id = d->id, .here = true, .exits = exits};
    tree_place(r, c);
    return c;
}

/* It goes on from the highest that its id ever had: all that were declared are still there. */
static void remember(struct ref *r, struct ref_child *c)
{
    for (const struct ref_child *old = r->children; old < c; old++) {
        if (strcmp(old->id, c->id) != 0)
            continue;
        c->has_past = c->has_past || old->born;
        c->generation = old->generation > c->generation ? old->generation : c->generation;
        c->token = old->token > c->token ? old->token : c->token;
    }
}

void reference_declared(struct ref *r, uint32_t first)
{
    for (uint32_t i = first; i < r->count; i++)
        remember(r, &r->children[i]);
    r->next_command++;
    for (uint32_t i = first; i < r->count; i++)
        r->children[i].wanted =
            r->children[i].declaration->autostart && r->children[i].process->has_process;
    for (uint32_t i = first; i < r->count; i++)
        r->children[i].named_to_start = r->children[i].wanted;
    for (int around = 1; around >= 0; around--) /* who goes around another comes before it */
        for (uint32_t i = first; i < r->count; i++)
            if (r->children[i].wanted && tree_goes_around(&r->children[i]) == around)
                ref_start_or_wait(r, &r->children[i], false);
    tree_wake(r);
}

void reference_wake(struct ref *r)
{
    tree_wake(r);
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
    ref_withdraw_starts(c);
    o->cancel_delivered = ref_go(r, c, true);
    if (!c->attempt.active)
        c->stop_state = STOP_NO_ACTIVE_ATTEMPT;
    o->idempotent = same && !o->cancel_delivered;
}

static void reject(struct ref *r, const struct ref_child *c, struct outcome *o)
{
    o->has_fence = true;
    o->fence.decision = FENCE_REJECTED;
    snprintf(o->fence.conflict, sizeof(o->fence.conflict), "%s", tree_lacks(r, c));
}

static void resume(struct ref *r, struct ref_child *c, struct outcome *o)
{
    enum child_operation before = c->operation;
    o->idempotent = before == CHILD_ACTIVE;
    if (before == CHILD_ACTIVE)
        return;
    /* It would have to wait for its old attempt, and then for what it needs: it stays held. */
    if (r->phase == SHUTDOWN_IDLE && c->wanted && c->attempt.active && !c->waits_to_go &&
        tree_lacks(r, c)) {
        reject(r, c, o);
        return;
    }
    c->operation = CHILD_ACTIVE;
    if (before == CHILD_QUARANTINED) {
        c->gave_up = c->on_trial = false;
        c->cool_downs = 0;
        c->backoff_n = c->backoff_previous = 0;
        c->used = 0;
        ref_disarm(c, REF_WINDOW);
    }
    if (r->phase == SHUTDOWN_IDLE && c->waits_to_go) {
        c->waits_to_go = false; /* nobody has asked it to go yet: it runs on */
        return;
    }
    if (r->phase != SHUTDOWN_IDLE || !c->wanted)
        return;
    if (c->attempt.active)
        ref_enter_fence(r, c, true, true);
    else if (c->scope)
        ref_wait_for_siblings(c, true);
    else if (c->process->has_process)
        ref_start_or_wait(r, c, false);
    else
        c->wanted = false; /* there is nothing to start any more */
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
    ref_insist(r, c);
    o->idempotent = true;
    tell_fence(c, o, FENCE_ALREADY_PENDING);
}

static void begin_anew(struct ref_child *c)
{
    c->gave_up = c->on_trial = false;
    c->backoff_n = c->backoff_previous = 0;
}

static void restart_behind_fence(struct ref *r, struct ref_child *c, struct outcome *o)
{
    bool could_be = c->attempt.active && !c->attempt.cancelled && !c->attempt.aborted;
    if (c->attempt.active) {
        ref_enter_fence(r, c, false, true);
    } else {
        ref_withdraw_starts(c);
        begin_anew(c);
        ref_wait_for_siblings(c, true);
    }
    o->cancel_delivered = could_be && c->attempt.cancelled;
    tell_fence(c, o, FENCE_QUEUED_AFTER_STOP);
}

static void restart_at_once(struct ref *r, struct ref_child *c, struct outcome *o)
{
    if (!tree_starts_at_once(r, c)) {
        o->fence.decision = FENCE_REJECTED;
        return;
    }
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
    begin_anew(c);
    o->fence.decision = FENCE_STARTED_IMMEDIATELY;
    o->fence.has_target = c->process->has_process;
    o->fence.target_generation = c->process->has_process ? next_generation(c) : 0;
    ref_start_or_wait(r, c, false);
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
    else if (tree_lacks(r, c))
        reject(r, c, o);
    else if (c->attempt.active || c->scope)
        restart_behind_fence(r, c, o);
    else
        restart_at_once(r, c, o);
}

static int obey(struct ref *r, struct ref_child *c, const struct command *command,
                struct outcome *o)
{
    enum command_verb verb = command->verb;
    if (verb == COMMAND_RELOAD)
        return ref_reload(r, c, o);
    if (verb == COMMAND_KILL)
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

static int run_whole(struct ref *r, struct ref_child *c, const struct command *command,
                     struct outcome *o)
{
    if (command->dry_run) {
        struct ref_child saved = *c;
        struct ref counters = *r;
        r->dry = true;
        int error = run(r, c, command, o);
        *c = saved;
        *r = counters;
        return error;
    }
    int error = run(r, c, command, o);
    if (command->verb == COMMAND_REMOVE && error == 0 && !c->attempt.active &&
        r->phase == SHUTDOWN_IDLE) {
        c->here = false;
        jobs_end(r, c);
    }
    return error;
}

static bool is_blank(const char *reason)
{
    return strspn(reason, " \t\r\n\v\f") == strlen(reason);
}

/* A job runs once: what holds or restarts is not for it. */
static bool fits_job(enum command_verb verb)
{
    return verb == COMMAND_REMOVE || verb == COMMAND_RELOAD || verb == COMMAND_KILL;
}

int reference_command(struct ref *r, const struct command *command, struct outcome *o)
{
    struct ref_child *c = reference_find(r, command->child);
    if (is_blank(command->reason))
        return -EINVAL;
    if (!c)
        return -ENOENT;
    if (c->is_job && !fits_job(command->verb))
        return -EINVAL;
    int error = run_whole(r, c, command, o);
    tree_wake(r);
    return error;
}

static void run_in_scope(struct ref *r, struct ref_child *c, uint32_t s,
                         const struct command *command, struct outcome *o)
{
    bool on_its_way = c->attempt.active && c->fence == FENCE_READY_TO_START;
    bool joins = command->verb == COMMAND_RESTART && r->phase == SHUTDOWN_IDLE &&
                 c->operation == CHILD_ACTIVE && c->process->has_process &&
                 tree_is_wider(r, s, c) && !on_its_way && (c->pending || !tree_lacks(r, c));
    struct ref_child saved = *c;
    struct ref counters = *r;
    if (joins)
        tree_join(r, c, s);
    run_whole(r, c, command, o);
    if (command->dry_run) {
        *c = saved;
        *r = counters;
    }
}

/* Who is asked to go by a verb on all of a scope. */
static void name(struct ref *r, struct ref_child *c, enum command_verb verb)
{
    if (c->is_job && !fits_job(verb))
        return;
    if (verb == COMMAND_PAUSE || verb == COMMAND_QUARANTINE || verb == COMMAND_REMOVE)
        tree_name(c);
    else if (verb == COMMAND_RESTART && r->phase == SHUTDOWN_IDLE && c->operation == CHILD_ACTIVE &&
             !c->pending && !tree_lacks(r, c))
        tree_name(c);
}

/* Who is started by a resume of all of a scope, now or when its old attempt is gone. */
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

int reference_command_scope(struct ref *r, const struct command *command, struct outcome *outcomes)
{
    int s = tree_find(r, command->child), n = 0;
    if (is_blank(command->reason))
        return -EINVAL;
    if (s < 0)
        return -ENOENT;
    tree_find_who_comes_back(r, (uint32_t)s, command->verb);
    for (uint32_t i = 0; i < r->count; i++)
        if (tree_is_under(r, &r->children[i], (uint32_t)s))
            name(r, &r->children[i], command->verb);
    for (uint32_t i = 0; i < r->count; i++)
        if (tree_is_under(r, &r->children[i], (uint32_t)s) && command->verb == COMMAND_RESUME)
            name_start(r, &r->children[i]);
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[command->verb == COMMAND_RESUME ? i : r->count - 1 - i];
        if (tree_is_under(r, c, (uint32_t)s) &&
            (command->verb != COMMAND_RESUME || c->operation != CHILD_REMOVED) &&
            (!c->is_job || fits_job(command->verb)))
            run_in_scope(r, c, (uint32_t)s, command, &outcomes[n++]);
    }
    tree_forget_who_comes_back(r);
    forget_starts(r);
    tree_spare_the_rest(r);
    tree_wake(r);
    return n;
}

void reference_remove(struct ref *r, const char *const *ids, uint32_t n)
{
    struct command command = {.verb = COMMAND_REMOVE};
    struct outcome ignored;
    for (uint32_t i = 0; i < n; i++)
        if (reference_find(r, ids[i]))
            tree_name(reference_find(r, ids[i]));
    for (uint32_t i = 0; i < n; i++)
        if (reference_find(r, ids[i]))
            run_whole(r, reference_find(r, ids[i]), &command, &ignored);
    tree_spare_the_rest(r);
    tree_wake(r);
}
