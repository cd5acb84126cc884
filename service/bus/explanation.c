/*
 * The sentence that says why a child is, or is not, running. It is built from
 * the same state that the rules decide by (enum start_wait), one function per
 * reason, so that it cannot name a reason that does not hold.
 */
#include "bus/explanation.h"

#include "core/vocabulary/noun.h"
#include "core/model/job.h"
#include "bus/private.h"
#include "core/model/members.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/rules/dependency.h"
#include "core/vocabulary/invariant.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct sentence {
    FILE *stream;
    const struct core *core;
    const struct child *child;
    bool unenforced; /* limits that it declares */
};

/* Two units at most: people compare orders of magnitude. */
static void print_span(FILE *stream, uint64_t usec)
{
    uint64_t seconds = usec / 1000000;

    if (seconds < 10)
        fprintf(stream, "%" PRIu64 ".%" PRIu64 " s", seconds, usec / 100000 % 10);
    else if (seconds < 120)
        fprintf(stream, "%" PRIu64 " s", seconds);
    else if (seconds < 2 * 3600)
        fprintf(stream, "%" PRIu64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        fprintf(stream, "%" PRIu64 " h", seconds / 3600);
    else
        fprintf(stream, "%" PRIu64 " days", seconds / 86400);
}

static void print_ago(const struct sentence *s, uint64_t realtime_usec)
{
    uint64_t now = core_realtime(s->core);

    print_span(s->stream, now > realtime_usec ? now - realtime_usec : 0);
    fputs(" ago", s->stream);
}

/* How the last attempt ended, as a noun: it stands behind "after". */
static void print_exit(const struct sentence *s)
{
    const struct last_exit *last = s->child->last_exit;

    switch (last->kind) {
    case EXIT_NONE:
        fputs("no exit yet", s->stream);
        return;
    case EXIT_SUCCEEDED:
        fputs(last->early ? "a success that came too soon" : "success", s->stream);
        if (last->code != 0)
            fprintf(s->stream, " (exit code %d)", last->code);
        return;
    case EXIT_FAILED:
        fprintf(s->stream, "exit code %d", last->code);
        return;
    case EXIT_SIGNALED:
        fprintf(s->stream, "signal SIG%s%s",
                sigabbrev_np(last->signal) ? sigabbrev_np(last->signal) : "?",
                last->core_dumped ? " (core dumped)" : "");
        return;
    case EXIT_TIMED_OUT:
        fputs(last->ran_out    ? "a run timeout"
              : last->own_stop ? "a timeout of its own stop"
                               : "a start timeout",
              s->stream);
        return;
    case EXIT_UNHEALTHY:
        fputs(last->failed_check ? "failed health checks" : "a missed heartbeat", s->stream);
        return;
    case EXIT_OOM_KILLED:
        fputs("an out-of-memory kill", s->stream);
        return;
    case EXIT_CANCELLED:
        fputs("a requested stop", s->stream);
        return;
    case EXIT_SPAWN_FAILED:
        fprintf(s->stream, "a failed start (%s)", last->reason);
        return;
    }
}

/* What led to the present wait: a failed start, where there was one, came after the last exit. */
static void print_cause(const struct sentence *s)
{
    if (s->child->failure->phase == FAILURE_SPAWN)
        fprintf(s->stream, "a failed start (%s)", s->child->failure->reason);
    else
        print_exit(s);
}

/* Where it has one: a start that is called off has none yet. */
static void print_pid(const struct sentence *s)
{
    if (s->child->attempt.active && s->child->attempt.main.gone && s->child->left == 0)
        fprintf(s->stream, " (its program has ended, and commands of after_stop run)");
    else if (s->child->attempt.active && s->child->attempt.main.gone)
        fprintf(s->stream, " (main process ended, %u %s left)", s->child->left,
                noun_of(s->child->left, "process"));
    else if (s->child->attempt.active && s->child->attempt.pid > 0)
        fprintf(s->stream, " (pid %u)", s->child->attempt.pid);
}

/* It is asked to go when those that depend on it are gone. */
static void explain_turn(const struct sentence *s)
{
    const struct child *holder = s->child->stop_waits ? stop_order_holder(s->core, s->child) : NULL;

    if (holder)
        fprintf(s->stream, "; will stop after %s, which depends on it", holder->id);
    if (holder && s->child->pending.active)
        fprintf(s->stream, ", then generation %" PRIu64 " starts",
                s->child->pending.target_generation);
}

/* Who, when and why, and what is still to come. */
static void explain_hold(const struct sentence *s)
{
    const struct child *child = s->child;

    fprintf(s->stream, "%s by %s ",
            child->operation == CHILD_REMOVED ? "being removed, requested"
                                              : child_operation_to_string(child->operation),
            child->words->by);
    print_ago(s, child->operation_usec);
    fprintf(s->stream, ": \"%s\"", child->words->reason);
    if (child->stop_waits)
        explain_turn(s);
    else if (child->attempt.active)
        fprintf(s->stream, "; still %s",
                child->stop_state == STOP_FAILED ? "there after its stop timeout" : "stopping");
    if (!child->stop_waits)
        print_pid(s);
}

/* With an action of `report` it is only reported, unless a restart wants it to be gone. */
static bool deadline_aborts(const struct child *child)
{
    const struct main_end *main = &child->attempt.main;

    return child->config->declaration.timeout_action == TIMEOUT_KILL ||
           (main->gone && main->kind != EXIT_CANCELLED) || child->attempt.forced != EXIT_NONE ||
           (child->pending.active && !child->pending.by_resume);
}

/* Why it stops, if nobody asked for it, and what happens at its deadline. */
static void explain_stopping(const struct sentence *s)
{
    const struct child *child = s->child;
    uint64_t deadline = child->timers[TIMER_STOP].deadline_usec, now = core_now(s->core);

    fputs("stopping", s->stream);
    print_pid(s);
    if (child->attempt.forced != EXIT_NONE) {
        fprintf(s->stream, " because %s",
                child->attempt.forced == EXIT_TIMED_OUT && child->attempt.ran_out
                    ? "its run timeout expired"
                : child->attempt.forced == EXIT_TIMED_OUT && child->attempt.stopping
                    ? "its own stop took too long"
                : child->attempt.forced == EXIT_TIMED_OUT ? "it was not ready in time"
                : child->attempt.failed_check             ? "its health checks failed"
                                                          : "its heartbeat stopped");
    }
    if (child->attempt.abort_requested) {
        fputs(child->stop_state == STOP_FAILED ? ", aborted after its stop timeout" : ", aborted",
              s->stream);
    } else if (deadline > now) {
        fputs(deadline_aborts(child) ? ", abort in " : ", stop timeout in ", s->stream);
        print_span(s->stream, deadline - now);
    } else if (child->stop_state == STOP_FAILED) {
        fputs(", still running after its stop timeout", s->stream);
    }
    if (child->pending.active)
        fprintf(s->stream, "; then generation %" PRIu64 " starts",
                child->pending.target_generation);
}

/* The status, since when, and everything about it that is not as it should
 * be. */
static void explain_running(const struct sentence *s)
{
    const struct child *child = s->child;

    switch (child->attempt.status) {
    case CHILD_STARTING:
        fputs("starting", s->stream);
        break;
    case CHILD_RUNNING:
        fputs("running", s->stream);
        break;
    case CHILD_READY:
        fputs("ready", s->stream);
        break;
    case CHILD_CANCELLING:
    case CHILD_STATUS_NONE:
    case CHILD_STOPPED:
        explain_stopping(s);
        return;
    }
    fputs(" for ", s->stream);
    print_span(s->stream, core_now(s->core) - (child->attempt.status == CHILD_READY
                                                   ? child->attempt.ready_usec
                                                   : child->attempt.started_usec));
    if (child->attempt.spawned)
        fprintf(s->stream, " (pid %u, generation %" PRIu64 ")", child->attempt.pid,
                child->attempt.generation);
    else
        fprintf(s->stream, " (attempt %" PRIu64 ", program not executed yet)",
                child->attempt.number);
    if (child->attempt.delayed)
        fputs(", delayed until proctord has enough descriptors, memory or processes, and its user "
              "enough processes",
              s->stream);
    if (child->attempt.stopping)
        fputs(", but reports that it is stopping", s->stream);
    else if (child->attempt.status == CHILD_RUNNING &&
             declaration_is_ready_by_exit(&child->config->declaration))
        fputs(", ready once it has exited successfully", s->stream);
    else if (child->attempt.status == CHILD_RUNNING)
        fputs(child->readiness == READINESS_NOT_READY ? ", but reports that it is not ready"
              : child->config->declaration.readiness == READINESS_CHECK
                  ? ", but its health check has not passed yet"
                  : ", but has not reported readiness yet",
              s->stream);
    if (child->heartbeat_stale)
        fputs(!child->attempt.unhealthy ? ", but its heartbeat is stale"
              : child->attempt.silent   ? ", but its health checks fail and its heartbeat is stale"
                                        : ", but its health checks fail",
              s->stream);
    if (s->unenforced)
        fputs(", without some of its limits (UnenforcedLimits)", s->stream);
    if (child->attempt.reloading)
        fputs(", reloading", s->stream);
    if (child->next_config)
        fputs(", a newer declaration takes effect at its next start", s->stream);
    explain_turn(s);
}

static const char *name_of(const struct supervisor *supervisor)
{
    return supervisor->path[0] ? supervisor->path : "root";
}

/* How long, why, and what it waits for together with it. */
static void explain_backoff(const struct sentence *s)
{
    const struct child *child = s->child;
    uint64_t due = child->timers[TIMER_START].deadline_usec, now = core_now(s->core);

    fputs("waits ", s->stream);
    print_span(s->stream, due > now ? due - now : 0);
    if (child->gave_up)
        fprintf(s->stream, " (cool-down %" PRIu32 ") before another try, ", child->cool_downs);
    else if (child->by_budget && child->group)
        fprintf(s->stream, " until the restart budget of group %s allows a restart, ",
                child->group->declaration.name);
    else if (child->restart_limit.used > 0)
        fprintf(s->stream, " before restart %" PRIu32 " of %" PRIu32 ", ",
                child->restart_limit.used, child->restart_limit.burst);
    else
        fputs(" before its restart, ", s->stream);
    fputs("after ", s->stream);
    print_cause(s);
    if (child->scope && child->pending.active)
        fprintf(s->stream, "; then restarts together with its siblings under %s",
                name_of(child->scope->supervisor));
}

static bool is_fatal(const struct child *child)
{
    const struct exit_codes *codes = &child->config->declaration.fatal_exit_codes;

    for (uint8_t i = 0; i < codes->count; i++)
        if (child->last_exit->kind == EXIT_FAILED && codes->codes[i] == child->last_exit->code)
            return true;
    return false;
}

/* The exits of then may have left the window by now. */
static void explain_give_up(const struct sentence *s)
{
    const struct child *child = s->child;

    fputs("given up after ", s->stream);
    print_cause(s);
    if (is_fatal(child))
        fputs(", which is fatal", s->stream);
    else
        fprintf(s->stream, ": more than %" PRIu32 " counted %s within %" PRIu64 " s",
                child->config->declaration.burst, noun_of(child->config->declaration.burst, "exit"),
                child->config->declaration.interval_usec / 1000000);
    fputs("; restart it by hand", s->stream);
}

/* What the present policy does with such an end; it may be newer than the end. */
static bool policy_leaves_alone(const struct child *child)
{
    enum restart_policy policy = child->config->declaration.restart;
    bool well =
        child->last_exit->kind == EXIT_SUCCEEDED || child->last_exit->kind == EXIT_CANCELLED;

    return policy == RESTART_TEMPORARY || (policy == RESTART_TRANSIENT && well);
}

/* A policy that was changed after the exit does not start the child; that is
 * worth a sentence, as it surprises people. */
static void explain_policy(const struct sentence *s)
{
    const char *policy = restart_policy_to_string(s->child->config->declaration.restart);

    if (policy_leaves_alone(s->child))
        fprintf(s->stream, "; restart policy %s does not restart it", policy);
    else
        fprintf(s->stream,
                "; its restart policy at that time did not restart it, the new one, %s, applies to "
                "its next exit: start it with Restart",
                policy);
}

/* Not started at all, given up, or ended. */
static void explain_stopped(const struct sentence *s)
{
    const struct child *child = s->child;
    const struct child_declaration *declaration = &child->config->declaration;

    if (!declaration->has_process) {
        fputs("has no process: its manifest has no exec", s->stream);
    } else if (child->gave_up) {
        explain_give_up(s);
    } else if (child->attempts == 0 && declaration->schedule) {
        fputs(child->next_run_usec > 0 ? "not started yet: its schedule starts it"
                                       : "not started: no time of its schedule is left",
              s->stream);
    } else if (child->attempts == 0) {
        fputs(declaration->autostart ? "not started yet"
                                     : "not started: autostart is off, start it with Restart",
              s->stream);
    } else {
        fputs("ended with ", s->stream);
        print_cause(s);
        explain_policy(s);
    }
}

/* What is missing of one that it requires. */
static void explain_requirement(const struct sentence *s, const char *id, bool removed)
{
    struct sentence of = *s;

    of.child = core_find(s->core, id);
    fprintf(s->stream, "not started: requires %s, which ", id);
    if (removed || !of.child) {
        fputs("was removed", s->stream);
    } else if (child_waits_for(of.child) == START_HELD) {
        fprintf(s->stream, "is %s",
                of.child->operation == CHILD_REMOVED
                    ? "being removed"
                    : child_operation_to_string(of.child->operation));
    } else if (of.child->stop_waits) {
        fputs("is about to stop", s->stream);
    } else if (!declaration_is_ready_by_exit(&of.child->config->declaration)) {
        fputs("is not ready", s->stream);
    } else if (of.child->attempt.active || of.child->last_exit->kind == EXIT_NONE) {
        fputs("has not ended yet", s->stream);
    } else {
        fputs("did not succeed but ended with ", s->stream);
        print_cause(&of);
    }
}

/* What one that it comes after is doing: it is on its way up. */
static const char *way_up_of(const struct child *target)
{
    if (target->attempt.active && child_waits_for(target) != START_FENCED)
        return "is starting";
    return target->pending.active ? "is being restarted" : "is itself waiting to start";
}

static void explain_dependency(const struct sentence *s)
{
    struct start_dependency dependency = child_awaits(s->child);
    const struct child *target = dependency.id ? core_find(s->core, dependency.id) : NULL;

    if (dependency.required)
        explain_requirement(s, dependency.id, dependency.removed);
    else if (target)
        fprintf(s->stream, "not started: comes after %s, which %s", dependency.id,
                way_up_of(target));
}

/* One of those that are restarted with it that holds it up: the first that is still there, else the
 * first whose backoff runs. */
static const struct child *straggler_of(const struct child *child)
{
    const struct supervisor *supervisor = child->scope->supervisor;
    const struct child *later = NULL;

    for (const struct child *other = supervisor_first(supervisor); other;
         other = supervisor_next(supervisor, other)) {
        if (other->scope == child->scope && other->attempt.active)
            return other;
        if (other->scope == child->scope && other->start == START_BACKOFF && !later)
            later = other;
    }
    return later;
}

/* The member that the others wait for. */
static void explain_scope(const struct sentence *s)
{
    const struct child *straggler = straggler_of(s->child);

    fputs("waits ", s->stream);
    if (straggler)
        fprintf(s->stream,
                straggler->attempt.active ? "until %s has ended, " : "for the backoff of %s, ",
                straggler->id);
    fprintf(s->stream, "as both are restarted together under %s",
            name_of(s->child->scope->supervisor));
    if (s->child->last_exit->kind == EXIT_CANCELLED)
        return; /* it was stopped for that, and nothing is wrong with it */
    fputs(", after ", s->stream);
    print_cause(s);
}

/* The places, and what else is in the way. */
static void explain_job_queue(const struct sentence *s)
{
    const struct child *child = s->child;
    bool removed;
    const char *requirement = child_unmet_dependency(child, &removed);

    fprintf(s->stream, "queued: at most %u jobs run at once", core_max_jobs(s->core));
    if (child->job->after)
        fprintf(s->stream, "; also waits for the earlier job \"%s\"", child->job->name);
    if (requirement)
        fprintf(s->stream, "; also waits for %s", requirement);
}

/* The supervisor's limit of restarts in progress. */
static void explain_queue(const struct sentence *s)
{
    const struct supervisor *supervisor = s->child->member.supervisor;

    if (s->child->job && s->child->job->state == JOB_QUEUED) {
        explain_job_queue(s);
        return;
    }
    fprintf(s->stream,
            "waits for its turn: %u of at most %u restarts under %s are in progress, after ",
            supervisor->in_flight, supervisor_cap(s->core, supervisor), name_of(supervisor));
    print_cause(s);
}

/* It waits for nothing: there is an attempt, or there is to be none. */
static void explain_present(const struct sentence *s)
{
    if (s->child->attempt.active)
        explain_running(s);
    else
        explain_stopped(s);
}

/* One sentence for each of the reasons that a start waits for. */
static void (*const sentences[])(const struct sentence *s) = {
    [START_WAITS_FOR_NOTHING] = explain_present,
    [START_HELD] = explain_hold,
    [START_FENCED] = explain_running, /* also one that has not been asked to go yet */
    [START_BACKOFF] = explain_backoff,
    [START_SCOPE] = explain_scope,
    [START_DEPENDENCY] = explain_dependency,
    [START_QUEUED] = explain_queue,
};

static void explain_shutdown(const struct sentence *s)
{
    if (s->child->attempt.active)
        explain_running(s);
    else
        fputs("not running", s->stream);
    fprintf(s->stream, ": the tree is shutting down (%s)",
            shutdown_phase_to_string(core_shutdown_phase(s->core)));
}

/* In a shutdown only the shutdown matters. */
void explain(const struct service *service, const struct child *child, char *buffer, size_t size)
{
    struct sentence s = {.stream = fmemopen(buffer, size, "w"),
                         .core = service->core,
                         .child = child,
                         .unenforced = service->hooks.unenforced(child) != 0};

    INVARIANT(child_is_sound(child));
    buffer[0] = '\0';
    if (!s.stream)
        return;
    if (core_shutdown_phase(service->core) != SHUTDOWN_IDLE)
        explain_shutdown(&s);
    else
        sentences[child_waits_for(child)](&s);
    fclose(s.stream);
    buffer[size - 1] = '\0';
}
