/*
 * Compares the core with the reference model, field by field, after every
 * input. The reference is written from the specification in another way, so a
 * field that differs means that one of the two has misread it.
 *
 * Every field that decides something later is compared here, even if nobody
 * sees it yet: a difference is found at the input that caused it, not a
 * thousand inputs later.
 */
#include "checks/agreement.h"

#include "checks/calls.h"
#include "core/model/members.h"
#include "core/model/start_wait.h"
#include "core/rules/dependency.h"
#include "core/vocabulary/invariant.h"
#include "reference/change.h"
#include "reference/start.h"
#include "reference/tree.h"

#include <stdlib.h>
#include <string.h>

#define SAME(what, core_says, reference_says)                                                      \
    do {                                                                                           \
        uint64_t a_ = (uint64_t)(core_says), b_ = (uint64_t)(reference_says);                      \
        if (a_ != b_) {                                                                            \
            world_fail(world, CHECK_REFERENCE,                                                     \
                       "%s: %s is %ju in the core and %ju in the reference model", name, what,     \
                       (uintmax_t)a_, (uintmax_t)b_);                                              \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define SAME_TEXT(what, core_says, reference_says)                                                 \
    do {                                                                                           \
        const char *a_ = core_says, *b_ = reference_says;                                          \
        if (a_ != b_ && (a_[0] != b_[0] || (a_[0] && strcmp(a_, b_) != 0))) {                      \
            world_fail(world, CHECK_REFERENCE,                                                     \
                       "%s: %s is \"%.64s\" in the core and \"%.64s\" in the reference model",     \
                       name, what, a_, b_);                                                        \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* How the main process ended, kept while others of the attempt are still
 * alive. */
static void agree_on_main_end(struct world *world, const char *name, const struct attempt *mine,
                              const struct ref_attempt *its)
{
    SAME("main process gone", mine->main.gone, its->main_gone);
    if (!mine->main.gone)
        return;
    SAME("main process's exit", mine->main.kind, its->main_exit);
    SAME("main process's end is unknown", mine->main.unknown, its->main.unknown);
    SAME("main process ended by a signal", mine->main.by_signal, its->main.by_signal);
    SAME("main process dumped core", mine->main.core_dumped, its->main.core_dumped);
    SAME("main process ran out of memory", mine->main.oom_killed, its->main.oom_killed);
    SAME("main process's code", mine->main.code, its->main.code);
    SAME("main process's signal", mine->main.signal, its->main.signal);
}

/* An attempt that is not active has no other fields that mean anything. */
static void agree_on_attempt(struct world *world, const char *name, const struct attempt *mine,
                             const struct ref_attempt *its)
{
    SAME("active", mine->active, its->active);
    SAME("pid", mine->pid, its->pid);
    if (!mine->active)
        return;
    SAME("spawned", mine->spawned, its->spawned);
    SAME("cancel delivered", mine->cancel_delivered, its->cancelled);
    SAME("abort requested", mine->abort_requested, its->aborted);
    SAME("forced exit", mine->forced, its->forced);
    SAME("status", mine->status, its->status);
    SAME("attempt's generation", mine->generation, its->generation);
    SAME("attempt", mine->number, its->number);
    SAME("when it became ready", mine->ready_usec, its->ready_since);
    SAME("health check open", mine->check_open, its->check_open);
    SAME("health checks", mine->checks, its->checks);
    SAME("unhealthy", mine->unhealthy, its->unhealthy);
    SAME("stopping", mine->stopping, its->stopping);
    SAME("reloading", mine->reloading, its->reloading);
    SAME("how far a reload has come", (int)mine->reload, (int)its->reload);
    SAME("proven", mine->proven, its->proven);
    SAME("ran out", mine->ran_out, its->ran_out);
    SAME("step of the stop", mine->stop_step, its->stop_step);
    SAME("confirmed", mine->confirmed, its->spawned && !its->early);
    SAME("delayed", mine->delayed, its->delayed);
    SAME("notifies", mine->notifies, its->notifies);
    SAME("silent", mine->silent, its->silent);
    SAME("failed by its checks", mine->failed_check, its->failed_check);
    SAME("passed a check", mine->check_passed, its->check_passed);
    SAME("missed checks", mine->check_misses, its->check_misses);
    SAME("started", mine->started_usec, its->started);
    if (mine->reload != RELOAD_IDLE) {
        SAME("reload's signal", mine->reload_usec, its->reload_signal);
        SAME("reload's command", mine->reload_cause, its->reload_command);
    }
    agree_on_main_end(world, name, mine, its);
}

/* The last exit, which outlives its attempt and decides whether the child
 * starts again. */
static void agree_on_exit(struct world *world, const char *name, const struct last_exit *mine,
                          const struct ref_child *its)
{
    SAME("exit", mine->kind, its->exit);
    SAME("exit's generation", mine->generation, its->exit_generation);
    SAME("exit's attempt", mine->attempt, its->exit_attempt);
    SAME("decision", mine->decision, its->decision);
    SAME("exit's code", mine->code, its->how.code);
    SAME("exit's signal", mine->signal, its->how.signal);
    SAME("core dumped", mine->core_dumped, its->how.core_dumped);
    SAME("early", mine->early, its->how.early);
    SAME("own stop", mine->own_stop, its->how.own_stop);
    SAME("ended by its checks", mine->failed_check, its->how.failed_check);
    SAME("ended by its run timeout", mine->ran_out, its->how.ran_out);
    SAME("time of the exit", mine->usec, its->how.realtime);
    SAME_TEXT("exit's reason", mine->reason, its->how.reason);
}

static void agree_on_operation(struct world *world, const char *name, const struct child *mine,
                               const struct ref_child *its)
{
    SAME("operation", mine->operation, its->operation);
    SAME("time of the operation", mine->operation_usec, its->operation_realtime);
    SAME("operation's command", mine->operation_cause, its->operation_command);
    SAME_TEXT("who has held it", mine->words->by, its->operation_by);
    SAME_TEXT("why it is held", mine->words->reason, its->operation_reason);
}

/* The child's row in the report of the shutdown. */
static void agree_on_row(struct world *world, const char *name, struct child *mine,
                         const struct ref_child *its)
{
    struct shutdown_row row;

    if (!core_shutdown_row(world->core, mine, &row))
        return;
    SAME("row: child", (uintptr_t)row.child, (uintptr_t)mine);
    SAME("row: result", row.result, its->result);
    SAME("row: generation", row.generation, its->row.generation);
    SAME("row: attempt", row.attempt, its->row.attempt);
    SAME("row: cancel delivered", row.cancel_delivered, its->row.cancelled);
    SAME("row: exit", row.exit, its->row.exit);
    SAME("row: code", row.exit_code, its->row.code);
    SAME("row: signal", row.exit_signal, its->row.signal);
    SAME("row: phase", row.phase, its->row.phase);
    SAME("row: cgroup", row.cgroup, its->row.cgroup);
    SAME_TEXT("row: reason", row.reason, its->row.reason);
    SAME("row: start", mine->shutdown->start_usec, its->left);
}

/* The number that the reference model gives it; 0: it is in none. */
static uint32_t number_of_scope(struct world *world, const struct scope *scope)
{
    if (!scope)
        return 0;
    const struct supervisor *s = scope->supervisor;
    int group = -1;
    for (size_t g = 0; g < s->config->declaration.n_groups; g++)
        if (scope == &s->config->groups[g].scope)
            group = (int)g;
    return ref_scope_number((uint32_t)ref_find_supervisor(&world->reference, s->path), group);
}

/* Everything that decides when and whether the child starts again: fence,
 * pending restart, backoff, limits and timers. The exits in the ring of the
 * limit are compared one by one. */
static void agree_on_restarts(struct world *world, const char *name, const struct child *mine,
                              const struct ref_child *its)
{
    SAME("fence phase", mine->fence_phase, its->fence);
    SAME("fencing token", mine->fence, its->token);
    SAME("pending restart", mine->pending.active, its->pending);
    if (mine->pending.active) {
        SAME("pending by resume", mine->pending.by_resume, its->pending_by_resume);
        SAME("pending old generation", mine->pending.old_generation, its->pending_generation);
        SAME("pending target", mine->pending.target_generation, its->pending_target);
        SAME("pending old attempt", mine->pending.old_attempt, its->pending_attempt);
        SAME("duplicate requests", mine->pending.duplicates, its->duplicates);
    }
    SAME("backoff n", mine->backoff_n, its->backoff_n);
    SAME("restart count", mine->restart_count, its->restart_count);
    SAME("used", mine->restart_limit.used, its->used);
    SAME("a newer declaration waits", mine->next_config != NULL, reference_waits(its));
    SAME("previous backoff", mine->backoff_previous_usec, its->backoff_previous);
    SAME("burst", mine->restart_limit.burst, its->declaration->burst);
    SAME("interval", mine->restart_limit.interval_usec, its->declaration->interval_usec);
    SAME("limit updated", mine->restart_limit.updated_usec, its->limit_updated);
    for (uint32_t i = 0; i < its->used; i++)
        SAME("a counted exit",
             mine->restart_limit
                 .ring[(mine->restart_limit.first + i) % (mine->restart_limit.burst + 1)],
             its->exits[i]);
    if (mine->start == START_BACKOFF)
        SAME("waits for its budget", mine->by_budget, its->by_budget);
    SAME("waits for a dependency", mine->start == START_DEPENDENCY, its->waits > 0);
    SAME("waits for its scope", number_of_scope(world, mine->scope), its->scope);
    SAME("named to start", mine->named_to_start, its->named_to_start);
    SAME("starts by itself", mine->automatic_start, its->automatic);
    SAME("queued", mine->start == START_QUEUED, its->queued > 0);
    SAME("waits for its turn to stop", mine->stop_waits, its->waits_to_go);
    SAME("in flight", mine->in_flight, its->in_flight);
    SAME("group", mine->group ? mine->group - mine->member.supervisor->config->groups : -1,
         its->group);
    for (int t = 0; t < CHILD_TIMERS; t++) {
        static const char *const names[] = {
            "stop deadline",   "start deadline",   "start timeout",  "heartbeat deadline",
            "window deadline", "health deadline",  "place deadline", "change deadline",
            "run deadline",    "schedule deadline"};
        static const enum ref_timer same[] = {
            REF_STOP,   REF_START, REF_START_TIMEOUT, REF_HEARTBEAT, REF_WINDOW,
            REF_HEALTH, REF_PLACE, REF_CHANGE,        REF_RUN,       REF_SCHEDULE};
        SAME(names[t], mine->timers[t].deadline_usec, its->deadline[same[t]]);
    }
}

/* Compared when one of them is another one. */
static void agree_on_declaration(struct world *world, struct actor *actor)
{
    const struct child *mine = actor->child;
    const struct ref_child *its = actor->reference;
    const char *name = mine->id;
    const void *are[4] = {mine->config, mine->next_config, its->declaration, its->process};

    if (memcmp(are, actor->agreed, sizeof(are)) == 0)
        return;
    SAME_TEXT("id", mine->id, its->id);
    memcpy(actor->agreed, are, sizeof(are));
    struct child_declaration in_force = mine->config->declaration;
    if (its->is_job) { /* whatever was said of these: a job runs once, and when its turn comes */
        in_force.role = its->declaration->role;
        in_force.restart = its->declaration->restart;
        in_force.autostart = its->declaration->autostart;
        in_force.schedule = its->declaration->schedule;
    }
    SAME("the declaration in force",
         reference_is_in_force(its, &in_force,
                               mine->next_config ? &mine->next_config->declaration : NULL),
         true);
}

/* One child, with everything that belongs to it. */
static void agree(struct world *world, struct actor *actor)
{
    const struct child *mine = actor->child;
    const struct ref_child *its = actor->reference;
    const char *name = actor->declaration->id;

    SAME("declared", mine != NULL, its && its->here);
    if (!mine)
        return;
    agree_on_operation(world, name, mine, its);
    SAME("wanted", mine->wanted, its->wanted);
    SAME("born", mine->born, its->born);
    SAME("gave up", mine->gave_up, its->gave_up);
    SAME("on trial", mine->on_trial, its->on_trial);
    SAME("cool-downs", mine->cool_downs, its->cool_downs);
    SAME("generation", mine->generation, its->generation);
    SAME("attempts", mine->attempts, its->attempts);
    SAME("stop state", mine->stop_state, its->stop_state);
    SAME("failure", mine->failure->phase, its->failure);
    SAME("failure is recoverable", mine->failure->recoverable, its->failure_recoverable);
    SAME_TEXT("failure's reason", mine->failure->reason, its->failure_reason);
    SAME("has a past", mine->has_past, its->has_past);
    SAME("is a job", mine->job != NULL, its->is_job);
    SAME_TEXT("status text", mine->status_text->text, its->status_text);
    SAME("errno that it said", mine->notify_errno, its->said_errno);
    SAME("time of the start", mine->started_usec, its->started_realtime);
    SAME("next run", mine->next_run_usec, its->next_run);
    SAME("last run", mine->last_run_usec, its->last_run);
    SAME("a run is owed", mine->run_owed, its->run_owed);
    SAME("readiness", mine->readiness, its->readiness);
    SAME("reload result", mine->reload_result, its->reload_result);
    SAME("last heartbeat", mine->heartbeat_usec_monotonic, its->heartbeat);
    SAME("last heartbeat's stamp", mine->heartbeat_usec, its->heartbeat_realtime);
    SAME("stale", mine->heartbeat_stale, its->stale);
    SAME("stale reports", mine->last_stale->count, its->stale_reports);
    SAME("stale report's kind", mine->last_stale->kind, its->last_stale.kind);
    SAME("stale report's generation", mine->last_stale->generation, its->last_stale.generation);
    SAME("stale report's attempt", mine->last_stale->attempt, its->last_stale.attempt);
    SAME("stale report's time", mine->last_stale->usec, its->last_stale.realtime);
    SAME("left", mine->left, its->leftovers);
    if (world->shutdown_begun)
        agree_on_row(world, name, actor->child, its);
    agree_on_exit(world, name, mine->last_exit, its);
    agree_on_attempt(world, name, &mine->attempt, &its->attempt);
    agree_on_restarts(world, name, mine, its);
    agree_on_declaration(world, actor);
}

/* Counts again what the core keeps as running totals; the totals must not
 * drift. */
static struct tally tally_below(const struct world *world, const struct supervisor *supervisor)
{
    struct tally tally = {};

    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *child = world->actors[i].child;
        if (!child || !checks_is_below(child, supervisor))
            continue;
        tally.children++;
        tally.attempts += child->attempt.active;
        tally.held += child->operation != CHILD_ACTIVE;
        tally.scoped += child->scope != NULL;
    }
    return tally;
}

/* One supervisor: its limits, its groups, and its totals. */
static void agree_on_supervisor(struct world *world, const struct supervisor *mine,
                                const struct ref_supervisor *its)
{
    const char *name = mine->path[0] ? mine->path : "the root";

    struct tally tally = tally_below(world, mine);
    SAME("children below", mine->tally.children, tally.children);
    SAME("attempts below", mine->tally.attempts, tally.attempts);
    SAME("held below", mine->tally.held, tally.held);
    SAME("waiting for their scope below", mine->tally.scoped, tally.scoped);
    SAME("failures used", mine->limit.used, its->used);
    for (size_t g = 0; g < its->declaration->n_groups; g++) {
        SAME("failures used of a group", mine->config->groups[g].limit.used, its->groups[g].used);
        SAME("when a group's limit was updated", mine->config->groups[g].limit.updated_usec,
             its->groups[g].limit_updated);
        SAME("a scope of a group", mine->config->groups[g].scope.restarting,
             reference_restarts(&world->reference, (uint32_t)(its - world->reference.supervisors),
                                (int)g));
    }
    SAME("when a supervisor's limit was updated", mine->limit.updated_usec, its->limit_updated);
    uint32_t number = (uint32_t)(its - world->reference.supervisors), members = 0, queued = 0,
             in_flight = 0;
    for (uint32_t i = 0; i < world->reference.count; i++) {
        const struct ref_child *c = &world->reference.children[i];
        members += c->here && c->supervisor == number;
        queued += c->here && c->supervisor == number && c->queued > 0;
        in_flight += c->here && c->supervisor == number && c->in_flight;
    }
    for (uint32_t i = 1; i < world->reference.n_supervisors; i++)
        members += world->reference.supervisors[i].above == number;
    SAME("members", mine->members, members);
    SAME("queued", mine->queued, queued);
    SAME("in flight", mine->in_flight, in_flight);
    SAME("depth", mine->depth, ref_depth(&world->reference, number) + 1);
    SAME_TEXT("path", mine->path, its->declaration->path);
    SAME("discarded", mine->discarded, false);
    SAME("melted down", mine->melted_down, its->melted_down);
    SAME("restarts together", mine->scope.restarting,
         reference_restarts(&world->reference, (uint32_t)(its - world->reference.supervisors), -1));
}

static void agree_on_supervisors(struct world *world)
{
    const char *name = "the tree";

    for (uint32_t i = 0; i < world->reference.n_supervisors; i++) {
        const struct ref_supervisor *its = &world->reference.supervisors[i];
        const struct supervisor *mine = core_find_supervisor(world->core, its->declaration->path);
        SAME("a supervisor", mine != NULL, true);
        agree_on_supervisor(world, mine, its);
    }
}

/* Also: no more of them at once than there are places, and each is started once at most. */
static void agree_on_jobs(struct world *world)
{
    uint32_t number = 0, running = 0;

    for (const struct job *job = core_first_job(world->core); job; job = job->next, number++) {
        const char *name = job->name;
        const struct ref_job *its = &world->reference.jobs[number];
        SAME("the number of jobs", number < world->reference.n_jobs, true);
        SAME("the state of a job", job->state, its->state);
        SAME("the result of a job", job->result, its->result);
        SAME("the id of a job", job->id, number + 1);
        SAME_TEXT("the name of a job", job->name, its->name);
        SAME("the child of a job", job->child != NULL, its->child->here);
        SAME("the code of a job", job->code, its->code);
        SAME("the signal of a job", job->signal, its->signal);
        SAME("when a job was queued", job->queued_usec, its->queued);
        SAME("when a job was started", job->started_usec, its->started);
        SAME("when a job ended", job->finished_usec, its->finished);
        SAME("the CPU time of a job", job->cpu_usec, its->cpu);
        SAME("the command of a job", job->cause, its->command);
        SAME("the bytes of a job's result", job->output.size, its->bytes);
        SAME("whether a job's result is cut", job->output.truncated, its->truncated);
        running += job->state == JOB_RUNNING;
        if (job->child && job->child->attempts > 1)
            world_fail(world, CHECK_JOBS, "the job %s is started again", name);
    }
    if (core_max_jobs(world->core) != world->reference.max_jobs)
        world_fail(world, CHECK_JOBS, "there are %u places, it should be %u",
                   core_max_jobs(world->core), world->reference.max_jobs);
    if (running > world->reference.max_jobs)
        world_fail(world, CHECK_JOBS, "%u jobs run, there are %u places", running,
                   world->reference.max_jobs);
}

/* The tree as a list, which is the order of starts. */
static void agree_on_order(struct world *world)
{
    const struct ref *r = &world->reference;
    const char *name = "the tree";
    const struct child *child = core_first(world->core);

    for (uint32_t i = 0; i < r->count; i++) {
        if (!r->order[i]->here)
            continue;
        const struct actor *actor = child ? child->host : NULL;
        SAME("a child in its place", actor && actor->reference == r->order[i], true);
        SAME_TEXT("its supervisor", child->member.supervisor->path,
                  r->supervisors[r->order[i]->supervisor].declaration->path);
        child = child->member.next ? core_next(child) : NULL;
    }
    SAME("more children", child != NULL, false);
}

/* Entry: everything, after one input. The name "the tree" stands for what
 * belongs to no child. */
void checks_agreement(struct world *world)
{
    const char *name = "the tree";

    for (uint32_t i = 0; i < world->n_actors; i++)
        agree(world, &world->actors[i]);
    agree_on_order(world);
    agree_on_supervisors(world);
    agree_on_jobs(world);
    SAME("shutdown phase", core_shutdown_phase(world->core), world->reference.phase);
    SAME("bound of the shutdown", core_shutdown_deadline(world->core), world->reference.bound);
    SAME("shutdown's command", core_shutdown_command(world->core),
         world->reference.shutdown_command);
    SAME("shutdown by a signal", core_shutdown_by_signal(world->core), world->reference.by_signal);
    SAME("exit code of the program", core_shutdown_exit_code(world->core),
         world->reference.exit_code);
    SAME("shutdown by policy", core_shutdown_by_policy(world->core), world->reference.by_policy);
    if (world->reference.wrong)
        world_fail(world, CHECK_REFERENCE, "%s", world->reference.wrong);
}

/* The core, and the reference model, which has it from the text, tell the same. */
void checks_wait(struct world *world, const struct actor *actor)
{
    const struct child *mine = actor->child;
    const char *name = actor->declaration->id;
    struct ref_wait its = reference_waits_for(&world->reference, actor->reference);
    struct start_dependency dependency = child_awaits(mine);

    SAME("what it waits for", child_waits_for(mine), its.reason);
    SAME("a dependency it waits for", dependency.id != NULL, its.target != NULL);
    if (!its.target)
        return;
    SAME("the dependency it waits for", strcmp(dependency.id, its.target), 0);
    SAME("by requires", dependency.required, its.required);
}

/* The answer to one command, against the one that the reference expects. */
void checks_outcome(struct world *world, const struct command *command,
                    const struct outcome *outcome, const struct outcome *expected)
{
    const char *name = command->child;

    INVARIANT(outcome && outcome_is_sound(expected));
    SAME("outcome: command id", outcome->command_id, expected->command_id);
    SAME("outcome: attempt", outcome->attempt, expected->attempt);
    SAME("outcome: generation", outcome->generation, expected->generation);
    SAME("outcome: operation before", outcome->operation_before, expected->operation_before);
    SAME("outcome: operation after", outcome->operation_after, expected->operation_after);
    SAME("outcome: status", outcome->status, expected->status);
    SAME("outcome: cancel delivered", outcome->cancel_delivered, expected->cancel_delivered);
    SAME("outcome: stop state", outcome->stop_state, expected->stop_state);
    SAME("outcome: readiness", outcome->readiness, expected->readiness);
    SAME("outcome: reload", outcome->reload, expected->reload);
    SAME("outcome: stale", outcome->heartbeat_stale, expected->heartbeat_stale);
    SAME("outcome: used", outcome->restart_limit.used, expected->restart_limit.used);
    SAME("outcome: remaining", outcome->restart_limit.remaining, expected->restart_limit.remaining);
    SAME("outcome: burst", outcome->restart_limit.burst, expected->restart_limit.burst);
    SAME("outcome: interval", outcome->restart_limit.interval_usec,
         expected->restart_limit.interval_usec);
    SAME("outcome: exhausted", outcome->restart_limit.exhausted, expected->restart_limit.exhausted);
    SAME("outcome: limit updated", outcome->restart_limit.updated_usec,
         expected->restart_limit.updated_usec);
    SAME("outcome: last heartbeat", outcome->last_heartbeat_usec, expected->last_heartbeat_usec);
    SAME("outcome: failure", outcome->failure.phase, expected->failure.phase);
    SAME("outcome: recoverable", outcome->failure.recoverable, expected->failure.recoverable);
    SAME_TEXT("outcome: failure's reason", outcome->failure.reason, expected->failure.reason);
    SAME_TEXT("outcome: child", outcome->child_id, expected->child_id);
    SAME("outcome: dry run", outcome->dry_run, expected->dry_run);
    SAME("outcome: plan", outcome->plan, expected->plan);
    SAME("outcome: idempotent", outcome->idempotent, expected->idempotent);
    SAME("outcome: has a fence", outcome->has_fence, expected->has_fence);
    if (!outcome->has_fence)
        return;
    const struct fence_outcome *mine = &outcome->fence, *its = &expected->fence;
    SAME("outcome: decision", mine->decision, its->decision);
    SAME("outcome: has an old attempt", mine->has_old, its->has_old);
    SAME("outcome: old generation", mine->old_generation, its->old_generation);
    SAME("outcome: old attempt", mine->old_attempt, its->old_attempt);
    SAME("outcome: has a target", mine->has_target, its->has_target);
    SAME("outcome: target generation", mine->target_generation, its->target_generation);
    SAME("outcome: fence's cancel", mine->cancel_delivered, its->cancel_delivered);
    SAME("outcome: fence's abort", mine->abort_requested, its->abort_requested);
    SAME("outcome: duplicates", mine->duplicate_request_count, its->duplicate_request_count);
    SAME_TEXT("outcome: conflict", mine->conflict, its->conflict);
    SAME("outcome: conflict is recoverable", mine->conflict_recoverable, its->conflict_recoverable);
}
