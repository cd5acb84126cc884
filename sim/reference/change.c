/*
 * What a newer declaration changes: nothing, what can be changed while the
 * child runs, or what needs a restart. Every field is compared here; a new
 * manifest key needs its place in one of these functions.
 */
#include "reference/change.h"

#include "core/vocabulary/invariant.h"
#include "reference/attempt.h"
#include "reference/dependency.h"
#include "reference/liveness.h"
#include "reference/schedule.h"
#include "reference/stop.h"
#include "reference/stop_order.h"
#include "reference/tree.h"
#include "reference/wake.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(const char **a, const char **b)
{
    if (!a || !b)
        return a == b;
    for (; *a && *b; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

/* In the order of the declaration, since the child gets them in this order. */
static bool same_sockets(const struct process_spec *a, const struct process_spec *b)
{
    if (a->n_sockets != b->n_sockets)
        return false;
    for (size_t i = 0; i < a->n_sockets; i++)
        if (!same_text(a->sockets[i].name, b->sockets[i].name) ||
            !same_text(a->sockets[i].listen, b->sockets[i].listen) ||
            a->sockets[i].datagram != b->sockets[i].datagram ||
            a->sockets[i].mode != b->sockets[i].mode)
            return false;
    return true;
}

static bool same_commands(const struct command_list *a, const struct command_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_list(a->commands[i].arguments, b->commands[i].arguments) ||
            a->commands[i].timeout_usec != b->commands[i].timeout_usec ||
            a->commands[i].may_fail != b->commands[i].may_fail)
            return false;
    return true;
}

static bool same_directories(const struct process_spec *a, const struct process_spec *b)
{
    for (size_t i = 0; i < DIRECTORY_KINDS; i++)
        if (!same_list(a->directories[i].names, b->directories[i].names) ||
            a->directories[i].mode != b->directories[i].mode)
            return false;
    return true;
}

/* Limits of the process and of its control group together. */
static bool same_limits(const struct process_spec *a, const struct process_spec *b)
{
    if (a->memory_max != b->memory_max || a->pids_max != b->pids_max ||
        a->cpu_weight != b->cpu_weight || a->memory_high != b->memory_high ||
        a->cpu_max_usec != b->cpu_max_usec || a->io_weight != b->io_weight ||
        (a->limits != NULL) != (b->limits != NULL))
        return false;
    for (int i = 0; a->limits && i < PROCESS_LIMITS; i++)
        if (a->limits[i].set != b->limits[i].set || a->limits[i].soft != b->limits[i].soft ||
            a->limits[i].hard != b->limits[i].hard)
            return false;
    return true;
}

static bool same_affinity(const struct process_spec *a, const struct process_spec *b)
{
    if (!a->affinity || !b->affinity)
        return a->affinity == b->affinity;
    for (int i = 0; i < AFFINITY_WORDS; i++)
        if (a->affinity[i] != b->affinity[i])
            return false;
    return true;
}

static bool same_sandbox(const struct sandbox_spec *a, const struct sandbox_spec *b)
{
    size_t i = 0;

    if (!a || !b)
        return a == b;
    for (size_t part = 0; part < SANDBOX_PARTS; part++)
        if (a->parts[part] != b->parts[part])
            return false;
    if (!a->paths || !b->paths)
        return a->paths == b->paths;
    while (a->paths[i] && b->paths[i] && same_text(a->paths[i], b->paths[i]))
        i++;
    return !a->paths[i] && !b->paths[i];
}

static bool same_output(const struct process_output *a, const struct process_output *b)
{
    return a->kind == b->kind && same_text(a->path, b->path) &&
           a->max_size_bytes == b->max_size_bytes && a->keep == b->keep;
}

static bool same_identity(const struct process_spec *a, const struct process_spec *b)
{
    return same_text(a->user, b->user) && same_text(a->group, b->group) &&
           same_list(a->supplementary_groups, b->supplementary_groups) &&
           a->capabilities == b->capabilities && a->capabilities_set == b->capabilities_set &&
           a->no_new_privileges == b->no_new_privileges;
}

/* The keys of the process. */
static bool same_process(const struct child_declaration *x, const struct child_declaration *y)
{
    const struct process_spec *a = &x->process, *b = &y->process;

    return x->has_process == y->has_process && x->leftovers == y->leftovers &&
           same_list(a->arguments, b->arguments) &&
           same_text(a->working_directory, b->working_directory) && same_identity(a, b) &&
           same_list(a->environment, b->environment) &&
           same_text(a->environment_file, b->environment_file) && a->umask == b->umask &&
           a->umask_set == b->umask_set && a->nice == b->nice && a->nice_set == b->nice_set &&
           a->oom_score_adj == b->oom_score_adj && a->oom_score_adj_set == b->oom_score_adj_set &&
           a->ignore_sigpipe == b->ignore_sigpipe && a->fd_store_max == b->fd_store_max &&
           same_limits(a, b) && same_affinity(a, b) && same_sandbox(a->sandbox, b->sandbox) &&
           same_output(&a->output, &b->output) && same_sockets(a, b) &&
           same_commands(&a->before, &b->before) &&
           same_commands(&a->after_start, &b->after_start) && same_directories(a, b);
}

static bool same_limit(const struct child_declaration *a, const struct child_declaration *b)
{
    return a->burst == b->burst && a->interval_usec == b->interval_usec &&
           a->on_limit == b->on_limit;
}

static bool same_signals(const struct child_declaration *a, const struct child_declaration *b)
{
    for (uint32_t i = 0; a->n_further_stops == b->n_further_stops && i < a->n_further_stops; i++)
        if (a->further_stops[i].signal != b->further_stops[i].signal ||
            a->further_stops[i].usec != b->further_stops[i].usec)
            return false;
    return a->n_further_stops == b->n_further_stops;
}

static bool same_stop(const struct child_declaration *a, const struct child_declaration *b)
{
    return same_signals(a, b) && a->stop_timeout_usec == b->stop_timeout_usec &&
           a->abort_timeout_usec == b->abort_timeout_usec &&
           a->timeout_action == b->timeout_action &&
           a->process.stop_signal == b->process.stop_signal &&
           a->process.kill_group == b->process.kill_group &&
           same_commands(&a->process.stop, &b->process.stop);
}

static bool same_heartbeat(const struct child_declaration *a, const struct child_declaration *b)
{
    return a->heartbeat_usec == b->heartbeat_usec && a->stale_after_usec == b->stale_after_usec &&
           a->on_stale == b->on_stale && a->heartbeat_required == b->heartbeat_required;
}

static bool same_check(const struct child_declaration *a, const struct child_declaration *b)
{
    const struct health_spec *x = a->process.health, *y = b->process.health;

    if (a->health_usec != b->health_usec || a->health_timeout_usec != b->health_timeout_usec ||
        a->health_retries != b->health_retries || a->on_unhealthy != b->on_unhealthy ||
        (x != NULL) != (y != NULL))
        return false;
    return !x ||
           (same_list(x->arguments, y->arguments) && same_text(x->target.listen, y->target.listen));
}

static bool same_backoff(const struct backoff_settings *a, const struct backoff_settings *b)
{
    return a->initial_usec == b->initial_usec && a->max_usec == b->max_usec &&
           a->factor_milli == b->factor_milli && a->ratio_milli == b->ratio_milli &&
           a->jitter == b->jitter && a->reset_after_usec == b->reset_after_usec;
}

static bool same_codes(const struct exit_codes *a, const struct exit_codes *b)
{
    return a->count == b->count && memcmp(a->codes, b->codes, a->count) == 0;
}

static bool same_ids(const char **a, size_t n, const char **b, size_t m)
{
    for (size_t i = 0; n == m && i < n; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return n == m;
}

static bool same_schedule(const struct child_declaration *a, const struct child_declaration *b)
{
    return same_text(a->schedule, b->schedule) && same_text(a->schedule_zone, b->schedule_zone) &&
           a->schedule_delay_usec == b->schedule_delay_usec &&
           a->schedule_persistent == b->schedule_persistent &&
           a->schedule_overlap == b->schedule_overlap;
}

/* What the supervisor alone needs to know. */
static bool same_policy(const struct child_declaration *a, const struct child_declaration *b)
{
    return a->role == b->role && a->sidecar_order == b->sidecar_order &&
           a->criticality == b->criticality && a->restart == b->restart &&
           a->on_success == b->on_success && a->on_give_up == b->on_give_up &&
           a->restart_dependents == b->restart_dependents && a->autostart == b->autostart &&
           same_backoff(&a->backoff, &b->backoff) &&
           same_codes(&a->fatal_exit_codes, &b->fatal_exit_codes) &&
           same_codes(&a->success_exit_codes, &b->success_exit_codes) &&
           same_ids(a->requires, a->n_requires, b->requires, b->n_requires) &&
           same_ids(a->after, a->n_after, b->after, b->n_after) &&
           same_ids(a->tags, a->n_tags, b->tags, b->n_tags) && same_text(a->group, b->group) &&
           a->same_name == b->same_name && same_schedule(a, b) &&
           same_text(a->description, b->description) &&
           a->process.reload_signal == b->process.reload_signal &&
           same_commands(&a->process.reload, &b->process.reload) &&
           same_commands(&a->process.after_stop, &b->process.after_stop);
}

/* The keys of supervision. */
static bool same_rules(const struct child_declaration *a, const struct child_declaration *b)
{
    return same_limit(a, b) && same_stop(a, b) && same_heartbeat(a, b) && same_check(a, b) &&
           same_policy(a, b) && a->readiness == b->readiness &&
           a->start_timeout_usec == b->start_timeout_usec &&
           a->run_timeout_usec == b->run_timeout_usec;
}

static bool same(const struct child_declaration *a, const struct child_declaration *b)
{
    return same_process(a, b) && same_rules(a, b);
}

bool reference_is_in_force(const struct ref_child *c, const struct child_declaration *d,
                           const struct child_declaration *next)
{
    INVARIANT(d->id && d->id[0]);
    return same_process(c->process, d) && same_rules(c->declaration, d) &&
           (!next || same(c->declaration, next));
}

bool reference_waits(const struct ref_child *c)
{
    return c->attempt.active && !same_process(c->process, c->declaration);
}

static bool is_going(const struct ref_child *c)
{
    return c->attempt.cancelled || c->attempt.aborted;
}

/* It is asked to go, or goes by itself: nothing is expected of it any more. */
static bool is_leaving(const struct ref_child *c)
{
    return is_going(c) || c->attempt.stopping || c->attempt.main_gone;
}

/* A shorter interval may forget failures, a smaller burst may keep fewer; each
 * is an update that clients see. */
static void change_limit(struct ref *r, struct ref_child *c, const struct child_declaration *old)
{
    const struct child_declaration *d = c->declaration;
    uint32_t kept = ref_kept(c->exits, c->used, r->now, old->interval_usec);
    bool other = d->burst != old->burst || d->interval_usec != old->interval_usec;
    uint32_t before = c->used;
    if (other && kept != before)
        ref_touch(r, &c->limit_updated);
    before = other ? kept : before;
    if (kept > d->burst + 1)
        kept = d->burst + 1;
    if (other || kept != before)
        ref_touch(r, &c->limit_updated);
    memmove(c->exits, c->exits + c->used - kept, kept * sizeof(*c->exits));
    c->used = ref_kept(c->exits, kept, r->now, d->interval_usec);
    memmove(c->exits, c->exits + kept - c->used, c->used * sizeof(*c->exits));
    if (c->used != kept)
        ref_touch(r, &c->limit_updated);
    ref_disarm(c, REF_WINDOW);
    if (c->used > 0)
        ref_arm(r, c, REF_WINDOW, c->exits[0] + d->interval_usec + 1);
    ref_tell_limit(r, c, "reload");
}

static void change_stop(struct ref *r, struct ref_child *c)
{
    if (c->attempt.active && is_going(c))
        ref_arm_timeout(r, c, REF_STOP,
                        c->attempt.aborted ? c->declaration->abort_timeout_usec : ref_stop_time(c));
    else if (c->attempt.active && c->deadline[REF_CHANGE] > 0 && c->attempt.stopping)
        ref_arm_timeout(r, c, REF_CHANGE, c->declaration->stop_timeout_usec);
}

/* A heartbeat that is required begins to be awaited at once. */
static void change_heartbeat(struct ref *r, struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    if (!c->attempt.active || is_leaving(c))
        return;
    if (c->attempt.delayed)
        return;
    if (d->heartbeat_usec > 0 && (d->heartbeat_required || c->heartbeat > 0))
        ref_arm_timeout(r, c, REF_HEARTBEAT, d->stale_after_usec);
    else
        ref_disarm(c, REF_HEARTBEAT);
    if (d->heartbeat_usec > 0)
        return;
    c->attempt.silent = false;
    ref_trust(r, c);
}

/* The checks begin from the start, with the new settings. */
static void change_check(struct ref *r, struct ref_child *c)
{
    if (!c->attempt.active || !c->attempt.spawned || is_leaving(c))
        return;
    ref_disarm(c, REF_HEALTH);
    ref_ask_no_more(r, c);
    c->attempt.check_passed = false;
    c->attempt.check_misses = 0;
    if (c->declaration->health_usec > 0) {
        ref_ask_later(r, c);
        return;
    }
    c->attempt.unhealthy = false;
    ref_trust(r, c);
}

static bool is_ready_now(const struct ref_child *c)
{
    enum readiness_policy policy = c->declaration->readiness;
    return policy == READINESS_IMMEDIATE || (policy == READINESS_JOB && c->is_job) ||
           (policy == READINESS_CHECK && c->attempt.check_passed && !c->attempt.unhealthy);
}

/* A child that meets the new condition already becomes ready now. */
static void change_readiness(struct ref *r, struct ref_child *c,
                             const struct child_declaration *old)
{
    const struct child_declaration *d = c->declaration;
    bool job = d->readiness == READINESS_JOB;
    if (!c->attempt.active && !ref_ends_ready(c))
        c->readiness = READINESS_UNREPORTED; /* what ended with success counts only for these */
    if (!c->attempt.active || is_leaving(c) || c->attempt.delayed)
        return;
    if (d->readiness != old->readiness && c->attempt.spawned && is_ready_now(c))
        ref_become_ready(r, c);
    if (job && c->attempt.spawned)
        ref_disarm(c, REF_START_TIMEOUT);
    else if (c->deadline[REF_START_TIMEOUT] > 0 || c->readiness == READINESS_UNREPORTED)
        ref_arm_timeout(r, c, REF_START_TIMEOUT, d->start_timeout_usec);
    if (c->attempt.spawned && (job || d->start_timeout_usec == 0))
        ref_give_place_back(c);
}

/* Only what differs is touched, so that a change of one setting does not
 * disturb the others. */
static void change_in_place(struct ref *r, struct ref_child *c, const struct child_declaration *old)
{
    const struct child_declaration *d = c->declaration;
    if (!same_limit(old, d))
        change_limit(r, c, old);
    if (!same_stop(old, d))
        change_stop(r, c);
    if (!same_schedule(old, d))
        ref_plan_run(r, c);
    if (old->run_timeout_usec != d->run_timeout_usec && c->attempt.active && c->attempt.spawned &&
        !is_leaving(c) && !c->attempt.delayed)
        ref_arm_timeout(r, c, REF_RUN, d->run_timeout_usec);
    if (!same_heartbeat(old, d))
        change_heartbeat(r, c);
    if (!same_check(old, d))
        change_check(r, c);
    if (old->readiness != d->readiness || old->start_timeout_usec != d->start_timeout_usec)
        change_readiness(r, c, old);
}

/* What the change would be, without making it. */
enum child_change reference_change(struct ref *r, const struct child_declaration *d, bool restart)
{
    INVARIANT(d->id && d->id[0]);
    struct ref_child *c = reference_find(r, d->id);
    struct ref_child changed = *c;
    changed.declaration = d;
    bool waits = c->attempt.active && !same_process(c->process, d);
    if (waits && restart && c->operation == CHILD_ACTIVE && !ref_lacks(r, &changed))
        return CHANGE_RESTART;
    if (same(c->declaration, d))
        return CHANGE_NONE;
    return waits ? CHANGE_PENDING : CHANGE_IN_PLACE;
}

static void put_into_force(struct ref *r, struct ref_child *c, const struct child_declaration *d)
{
    c->declaration = d;
    if (!c->attempt.active)
        c->process = d;
    ref_find_group(r, c);
}

static bool is_restarted(struct ref *r, const struct ref_child *c, enum redeclare_how how)
{
    return how == REDECLARE_APPLIES && reference_waits(c) && c->operation == CHILD_ACTIVE &&
           !c->pending && !ref_lacks(r, c);
}

/* All are in force before it is known who is restarted, and that before anything happens. */
void reference_redeclare(struct ref *r, const struct child_declaration *const *d, uint32_t n,
                         enum redeclare_how how, const char *by, const char *reason)
{
    INVARIANT(n > 0 && n <= REF_REDECLARED_MAX);
    const struct child_declaration *old[REF_REDECLARED_MAX];
    bool restarts[REF_REDECLARED_MAX], told[REF_REDECLARED_MAX], any = false;
    struct ref_child *c[REF_REDECLARED_MAX];
    for (uint32_t i = 0; i < n; i++) {
        c[i] = reference_find(r, d[i]->id);
        old[i] = c[i]->declaration;
        put_into_force(r, c[i], d[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        restarts[i] = is_restarted(r, c[i], how);
        told[i] = restarts[i] || !same(old[i], d[i]);
        any = any || told[i];
    }
    r->next_command += any;
    for (uint32_t i = 0; i < n; i++) {
        if (told[i])
            TELL(r, c[i], EVENT_CHILD_ADDED, FIELD_TEXT_OF("by", by),
                 FIELD_TEXT_OF("reason", reason));
        change_in_place(r, c[i], old[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        if (restarts[i])
            ref_name(c[i]); /* a reload stops in order, also where it stops only one */
    for (uint32_t i = 0; i < n; i++)
        if (restarts[i] && !c[i]->pending)
            ref_enter_fence(r, c[i], false, true, "reload");
    ref_spare_the_rest(r);
    ref_wake(r);
}
