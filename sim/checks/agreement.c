#include "checks/agreement.h"

#include "checks/calls.h"
#include "core/model/members.h"
#include "core/model/start_wait.h"
#include "core/rules/dependency.h"
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

static void agree_on_attempt(struct world *world, const char *name, const struct attempt *mine,
                             const struct ref_attempt *its)
{
    SAME("active", mine->active, its->active);
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
    SAME("main process gone", mine->main.gone, its->main_gone);
    if (mine->main.gone)
        SAME("main process's exit", mine->main.kind, its->main_exit);
}

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
    SAME("exit", mine->last_exit->kind, its->exit);
    SAME("exit's generation", mine->last_exit->generation, its->exit_generation);
    SAME("exit's attempt", mine->last_exit->attempt, its->exit_attempt);
    SAME("decision", mine->last_exit->decision, its->decision);
    SAME("waits for a dependency", mine->start == START_DEPENDENCY, its->waits > 0);
    SAME("waits for its scope", mine->scope != NULL, its->scope > 0);
    SAME("queued", mine->start == START_QUEUED, its->queued > 0);
    SAME("waits for its turn to stop", mine->stop_waits, its->waits_to_go);
    SAME("in flight", mine->in_flight, its->in_flight);
    SAME("group", mine->group ? mine->group - mine->member.supervisor->config->groups : -1,
         its->group);
    for (int t = 0; t < CHILD_TIMERS; t++) {
        static const char *const names[] = {
            "stop deadline",      "start deadline",  "start timeout",
            "heartbeat deadline", "window deadline", "health deadline",
            "place deadline",     "change deadline", "run deadline"};
        static const enum ref_timer same[] = {REF_STOP,      REF_START,  REF_START_TIMEOUT,
                                              REF_HEARTBEAT, REF_WINDOW, REF_HEALTH,
                                              REF_PLACE,     REF_CHANGE, REF_RUN};
        SAME(names[t], mine->timers[t].deadline_usec, its->deadline[same[t]]);
    }
}

static void agree(struct world *world, const struct actor *actor)
{
    const struct child *mine = actor->child;
    const struct ref_child *its = actor->reference;
    const char *name = actor->declaration->id;

    SAME("declared", mine != NULL, its && its->here);
    if (!mine)
        return;
    SAME("operation", mine->operation, its->operation);
    SAME("wanted", mine->wanted, its->wanted);
    SAME("born", mine->born, its->born);
    SAME("gave up", mine->gave_up, its->gave_up);
    SAME("on trial", mine->on_trial, its->on_trial);
    SAME("cool-downs", mine->cool_downs, its->cool_downs);
    SAME("generation", mine->generation, its->generation);
    SAME("attempts", mine->attempts, its->attempts);
    SAME("stop state", mine->stop_state, its->stop_state);
    SAME("failure", mine->failure->phase, its->failure);
    SAME("readiness", mine->readiness, its->readiness);
    SAME("reload result", mine->reload_result, its->reload_result);
    SAME("last heartbeat", mine->heartbeat_usec_monotonic, its->heartbeat);
    SAME("last heartbeat's stamp", mine->heartbeat_usec, its->heartbeat_realtime);
    SAME("stale", mine->heartbeat_stale, its->stale);
    SAME("stale reports", mine->last_stale->count, its->stale_reports);
    SAME("left", mine->left, its->leftovers);
    if (world->shutdown_begun)
        SAME("shutdown result", mine->shutdown->result, its->result);
    agree_on_attempt(world, name, &mine->attempt, &its->attempt);
    agree_on_restarts(world, name, mine, its);
}

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
        SAME("a scope of a group", mine->config->groups[g].scope.restarting,
             reference_restarts(&world->reference, (uint32_t)(its - world->reference.supervisors),
                                (int)g));
    }
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
        running += job->state == JOB_RUNNING;
        if (job->child && job->child->attempts > 1)
            world_fail(world, CHECK_JOBS, "the job %s is started again", name);
    }
    if (running > core_max_jobs(world->core))
        world_fail(world, CHECK_JOBS, "%u jobs run, there are %u places", running,
                   core_max_jobs(world->core));
}

void checks_agreement(struct world *world)
{
    const char *name = "the tree";

    for (uint32_t i = 0; i < world->n_actors; i++)
        agree(world, &world->actors[i]);
    agree_on_supervisors(world);
    agree_on_jobs(world);
    SAME("shutdown phase", core_shutdown_phase(world->core), world->reference.phase);
    SAME("bound of the shutdown", core_shutdown_deadline(world->core), world->reference.bound);
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

void checks_outcome(struct world *world, const struct command *command,
                    const struct outcome *outcome, const struct outcome *expected)
{
    const char *name = command->child;

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
    SAME("outcome: failure", outcome->failure.phase, expected->failure.phase);
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
    if (mine->decision == FENCE_REJECTED || mine->decision == FENCE_BLOCKED_BY_SHUTDOWN)
        SAME("outcome: has a conflict", mine->conflict[0] != '\0', true);
    if (mine->decision == FENCE_REJECTED && its->conflict[0] != '\0')
        SAME("outcome: names what is missing", strstr(mine->conflict, its->conflict) != NULL, true);
}
