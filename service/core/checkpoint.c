/*
 * Checkpoint: everything that a core knows, as bytes. The order: the core's own, then the tree
 * (which children exist, and how they are declared), then what each supervisor, child and job is
 * doing, then the lists that have an order of their own. A child is named by its slot, a supervisor
 * by its number in the order in which they were declared.
 */
#include "core/model/archive.h"
#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/declaration_archive.h"
#include "core/model/input_archive.h"
#include "core/model/job.h"
#include "core/model/lineage.h"
#include "core/model/members.h"
#include "core/model/registry.h"
#include "core/model/restart_limit.h"
#include "core/model/restart_queue.h"
#include "core/model/seldom.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/model/tally.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/rules/adopt.h"
#include "core/rules/declare.h"
#include "core/rules/jobs.h"
#include "core/rules/shutdown.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"

#include <errno.h>
#include <string.h>

#define NOBODY UINT32_MAX

/*
 * What a checkpoint of this version holds of each enumeration. A value that is appended is unknown
 * to an older program, which then refuses the checkpoint: that is meant, and the line below is
 * where to say so.
 */
_Static_assert(CORE_STATE_VERSION == 3 && CORE_STATE_OLDEST == 2, "the numbers below are of these");
_Static_assert(CHILD_TIMERS == 9 && TIMER_PLACE == 6, "version 2 had those before TIMER_PLACE");
_Static_assert(CHILD_REMOVED == 3 && CHILD_STOPPED == 5 && STOP_FAILED == 4, "of a child");
_Static_assert(EXIT_SPAWN_FAILED == 8 && DECISION_MELTDOWN == 8, "of an exit");
_Static_assert(FENCE_CLOSED == 4 && STOP_BY_SHUTDOWN == 9 && RELOAD_ANNOUNCED == 2, "of a stop");
_Static_assert(READINESS_NOT_READY == 2 && RELOAD_INTERRUPTED == 5, "of what it says");
_Static_assert(FAILURE_WAIT_ABORT == 3 && REPORT_MAIN_EXIT == 8, "of what went wrong");
_Static_assert(SHUTDOWN_COMPLETED == 5 && SHUTDOWN_LATE_REPORT == 5 &&
                   SHUTDOWN_WHY_CUT_SHORT == 7 && RESOURCE_FAILED == 3,
               "of a shutdown");
_Static_assert(JOB_FINISHED == 2 && JOB_SUPERVISOR_STOPPED == 9, "of a job");

/* ---- which record is meant ------------------------------------------------------------------- */

static void archive_child_ref(struct core *core, struct archive *a, struct child **child)
{
    uint32_t slot = *child ? (*child)->slot : NOBODY;

    ARCHIVE(a, slot);
    if (!a->reading)
        return;
    *child = !a->failed && slot < core->n_slots ? core->slots[slot] : NULL;
    if (slot != NOBODY && !*child)
        a->failed = true;
}

static uint32_t number_of(const struct core *core, const struct supervisor *wanted)
{
    uint32_t number = 0;

    for (const struct supervisor *s = &core->root; s && s != wanted; s = s->next)
        number++;
    return number;
}

static struct supervisor *supervisor_of(struct core *core, uint32_t number)
{
    struct supervisor *supervisor = &core->root;

    while (supervisor && number-- > 0)
        supervisor = supervisor->next;
    return supervisor;
}

/* A scope is that of a supervisor, or of its group number `group` - 1. */
static void archive_scope_ref(struct core *core, struct archive *a, struct scope **scope)
{
    bool there = *scope != NULL;
    uint32_t number = 0, group = 0;

    if (there && !a->reading) {
        const struct supervisor *supervisor = (*scope)->supervisor;
        number = number_of(core, supervisor);
        for (size_t i = 0; i < supervisor->config->declaration.n_groups; i++)
            if (*scope == &supervisor->config->groups[i].scope)
                group = (uint32_t)i + 1;
    }
    ARCHIVE(a, there);
    ARCHIVE(a, number);
    ARCHIVE(a, group);
    if (!a->reading)
        return;
    *scope = NULL;
    struct supervisor *supervisor = there && !a->failed ? supervisor_of(core, number) : NULL;
    if (there && (!supervisor || group > supervisor->config->declaration.n_groups))
        a->failed = true;
    else if (there)
        *scope = group > 0 ? &supervisor->config->groups[group - 1].scope : &supervisor->scope;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void archive_own(struct core *core, struct archive *a)
{
    uint32_t version = CORE_STATE_VERSION;

    ARCHIVE(a, version);
    if (version < CORE_STATE_OLDEST || version > CORE_STATE_VERSION)
        a->failed = true;
    a->version = version;
    ARCHIVE(a, core->random.state);
    ARCHIVE(a, core->max_restarts_in_flight);
    ARCHIVE(a, core->sequence);
    ARCHIVE(a, core->next_command);
    ARCHIVE_WORD(a, core->shutdown_phase, SHUTDOWN_COMPLETED);
    ARCHIVE(a, core->shutdown_command);
    ARCHIVE(a, core->shutdown_by_policy);
    if (a->version >= 3)
        ARCHIVE(a, core->shutdown_by_signal);
    ARCHIVE(a, core->shutdown_unsettled);
    ARCHIVE(a, core->next_serial);
    ARCHIVE_WORD(a, core->next_slot, CORE_CHILDREN_MAX);
    ARCHIVE(a, core->timers.next_order);
    ARCHIVE(a, core->jobs.next_id);
    ARCHIVE(a, core->jobs.most);
    if (core->jobs.most == 0 || core->jobs.most > JOBS_AT_ONCE_MAX)
        a->failed = true;
}

/* Which slots are free decides which slot the next child has. */
static void archive_free_slots(struct core *core, struct archive *a)
{
    size_t count = core->free_slot_count;

    archive_count(a, &count, core->next_slot);
    if (a->reading)
        core->free_slot_count = (uint32_t)count;
    for (size_t i = 0; i < count && !a->failed; i++)
        ARCHIVE_WORD(a, core->free_slots[i], core->next_slot - 1);
}

static int read_supervisor(struct core *core, struct archive *a, struct supervisor **by_number,
                           uint32_t count)
{
    struct supervisor_declaration declaration = {};
    struct supervisor *supervisor;
    uint32_t number = 0;

    supervisor_declaration_archive(a, &declaration);
    ARCHIVE(a, number);
    struct supervisor *parent = a->failed ? NULL : supervisor_of_path(core, declaration.path);
    if (!parent || number == 0 || number >= count || by_number[number] ||
        core_find_supervisor(core, declaration.path) || parent->depth >= SUPERVISOR_DEPTH_MAX)
        return -EBADMSG;
    supervisor = supervisor_new(core, &declaration);
    if (!supervisor)
        return -ENOMEM;
    supervisor_link(core, parent, supervisor);
    by_number[number] = supervisor;
    return 0;
}

static int read_child(struct core *core, struct archive *a)
{
    struct child_declaration declaration = {};
    uint32_t slot = 0, serial = 0;

    declaration_archive(a, &declaration);
    ARCHIVE(a, slot);
    ARCHIVE(a, serial);
    if (a->failed || slot >= core->next_slot || core->slots[slot] ||
        core_find(core, declaration.id) || core_find_supervisor(core, declaration.id))
        return -EBADMSG;
    return declare_restore_child(core, &declaration, slot, serial);
}

static int read_members(struct core *core, struct archive *a)
{
    size_t supervisors = 0, members = 0;
    struct supervisor **by_number, *last = &core->root;

    archive_count(a, &supervisors, SUPERVISORS_MAX);
    archive_count(a, &members, CORE_CHILDREN_MAX + SUPERVISORS_MAX);
    int r = a->failed ? -EBADMSG : registry_make_room(core, core->next_slot);
    if (r < 0)
        return r;
    archive_free_slots(core, a);
    by_number =
        core->ports.allocate(core->ports.userdata, (supervisors + 1) * sizeof(struct supervisor *));
    if (!by_number)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < members; i++) {
        bool is_supervisor = false;
        ARCHIVE(a, is_supervisor);
        r = is_supervisor ? read_supervisor(core, a, by_number, (uint32_t)supervisors + 1)
                          : read_child(core, a);
    }
    for (size_t i = 1; r == 0 && i <= supervisors; i++) {
        if (!by_number[i])
            r = -EBADMSG;
        else
            last = last->next = by_number[i];
    }
    if (r == 0)
        last->next = NULL;
    core->ports.release(core->ports.userdata, by_number);
    return r;
}

static void write_members(struct core *core, struct archive *a)
{
    size_t supervisors = core->supervisors, members = core->supervisors + core->children;

    archive_count(a, &supervisors, SIZE_MAX);
    archive_count(a, &members, SIZE_MAX);
    archive_free_slots(core, a);
    for (struct member *member = core->root.member.next; member; member = member->next) {
        struct supervisor *supervisor = member_supervisor(member);
        struct child *child = member_child(member);
        ARCHIVE(a, member->is_supervisor);
        if (supervisor) {
            uint32_t number = number_of(core, supervisor);
            supervisor_declaration_archive(a, &supervisor->config->declaration);
            ARCHIVE(a, number);
        } else {
            declaration_archive(a, &child->config->declaration);
            ARCHIVE(a, child->slot);
            ARCHIVE(a, child->serial);
        }
    }
}

/* The root is there already: only how it is kept is new. */
static int archive_root(struct core *core, struct archive *a)
{
    struct supervisor_declaration declaration = core->root.config->declaration;
    struct supervisor_config *config;

    supervisor_declaration_archive(a, &declaration);
    if (!a->reading)
        return 0;
    if (a->failed || declaration.path[0])
        return -EBADMSG;
    config = supervisor_config_new(core, &declaration);
    if (!config)
        return -ENOMEM;
    core->ports.release(core->ports.userdata, supervisor_configure(core, &core->root, config));
    return 0;
}

/* ---- what each of them is doing -------------------------------------------------------------- */

static void archive_limit(struct archive *a, struct restart_limit *limit)
{
    uint32_t used = limit->used;

    ARCHIVE(a, limit->updated_usec);
    ARCHIVE_WORD(a, used, limit->burst + 1);
    if (a->reading)
        limit->first = 0;
    for (uint32_t i = 0; i < used; i++)
        archive_stamp(a, &limit->ring[(limit->first + i) % (limit->burst + 1)]);
    limit->used = used;
}

static void archive_supervisor(struct archive *a, struct supervisor *supervisor)
{
    struct supervisor_config *config = supervisor->config;

    archive_limit(a, &supervisor->limit);
    ARCHIVE(a, supervisor->melted_down);
    ARCHIVE(a, supervisor->discarded);
    ARCHIVE(a, supervisor->in_flight);
    ARCHIVE(a, supervisor->scope.restarting);
    for (size_t i = 0; i < config->declaration.n_groups; i++) {
        archive_limit(a, &config->groups[i].limit);
        archive_deadline(a, &config->groups[i].budget.full_usec);
        ARCHIVE(a, config->groups[i].scope.restarting);
    }
}

/* The version before only knew whether one was pending, and not since when: it is forgotten. */
static void archive_reload_phase(struct archive *a, struct attempt *attempt)
{
    ARCHIVE_WORD(a, attempt->reload, RELOAD_ANNOUNCED);
    if (a->version < 3)
        attempt->reload = RELOAD_IDLE;
}

static void archive_main_end(struct archive *a, struct main_end *main)
{
    ARCHIVE(a, main->gone);
    ARCHIVE(a, main->unknown);
    ARCHIVE(a, main->by_signal);
    ARCHIVE(a, main->core_dumped);
    ARCHIVE(a, main->oom_killed);
    ARCHIVE(a, main->code);
    ARCHIVE(a, main->signal);
    ARCHIVE_WORD(a, main->kind, EXIT_SPAWN_FAILED);
}

static void archive_attempt(struct archive *a, struct attempt *attempt)
{
    ARCHIVE(a, attempt->active);
    ARCHIVE(a, attempt->spawned);
    ARCHIVE(a, attempt->confirmed);
    if (a->version >= 3)
        ARCHIVE(a, attempt->delayed);
    ARCHIVE(a, attempt->cancel_delivered);
    ARCHIVE(a, attempt->abort_requested);
    ARCHIVE(a, attempt->reloading);
    archive_reload_phase(a, attempt);
    ARCHIVE(a, attempt->notifies);
    ARCHIVE(a, attempt->silent);
    ARCHIVE(a, attempt->unhealthy);
    ARCHIVE(a, attempt->check_open);
    ARCHIVE(a, attempt->check_passed);
    ARCHIVE(a, attempt->checks);
    ARCHIVE(a, attempt->check_misses);
    ARCHIVE_WORD(a, attempt->forced, EXIT_SPAWN_FAILED);
    ARCHIVE_WORD(a, attempt->status, CHILD_STOPPED);
    ARCHIVE(a, attempt->generation);
    ARCHIVE(a, attempt->number);
    ARCHIVE(a, attempt->pid);
    archive_stamp(a, &attempt->started_usec);
    archive_stamp(a, &attempt->ready_usec);
    if (a->version >= 3) {
        ARCHIVE(a, attempt->stopping);
        ARCHIVE(a, attempt->proven);
        ARCHIVE(a, attempt->failed_check);
        ARCHIVE(a, attempt->stop.asked);
        ARCHIVE(a, attempt->stop.deadline);
        ARCHIVE(a, attempt->stop.abort);
        archive_stamp(a, &attempt->reload_usec);
        ARCHIVE(a, attempt->reload_cause);
        ARCHIVE(a, attempt->kill.signal);
        ARCHIVE(a, attempt->kill.cause);
    }
    if (a->version >= 3)
        archive_main_end(a, &attempt->main);
    if (a->version >= 3) {
        ARCHIVE(a, attempt->ran_out);
        ARCHIVE_WORD(a, attempt->stop_step, STOP_SIGNALS_MAX - 1);
    }
}

static void archive_last_exit(struct archive *a, struct last_exit *place)
{
    struct last_exit exit = *place, *last = &exit;

    ARCHIVE_WORD(a, last->kind, EXIT_SPAWN_FAILED);
    ARCHIVE(a, last->code);
    ARCHIVE(a, last->signal);
    ARCHIVE(a, last->core_dumped);
    ARCHIVE(a, last->usec);
    ARCHIVE(a, last->generation);
    ARCHIVE(a, last->attempt);
    ARCHIVE_WORD(a, last->decision, DECISION_MELTDOWN);
    archive_text(a, last->reason, sizeof(last->reason));
    if (a->version >= 3) {
        ARCHIVE(a, last->early);
        ARCHIVE(a, last->own_stop);
        ARCHIVE(a, last->ran_out);
        ARCHIVE(a, last->failed_check);
    }
    seldom_put(place, last, sizeof(*last));
}

static void archive_fence(struct archive *a, struct child *child)
{
    struct pending_restart *pending = &child->pending;

    ARCHIVE_WORD(a, child->fence_phase, FENCE_CLOSED);
    ARCHIVE(a, pending->active);
    ARCHIVE(a, pending->by_resume);
    ARCHIVE(a, pending->old_generation);
    ARCHIVE(a, pending->old_attempt);
    ARCHIVE(a, pending->target_generation);
    ARCHIVE(a, pending->cause);
    ARCHIVE(a, pending->duplicates);
}

static void archive_shutdown(struct archive *a, struct child_shutdown *place)
{
    struct child_shutdown shutdown = *place, *row = &shutdown;
    uint32_t dependents = 0; /* are counted again */

    ARCHIVE_WORD(a, row->result, SHUTDOWN_LATE_REPORT);
    ARCHIVE_WORD(a, row->phase, SHUTDOWN_COMPLETED);
    ARCHIVE(a, row->generation);
    ARCHIVE(a, row->attempt);
    ARCHIVE(a, row->cancel_delivered);
    if (a->version < 3)
        ARCHIVE(a, dependents);
    ARCHIVE_WORD(a, row->exit, EXIT_SPAWN_FAILED);
    ARCHIVE(a, row->exit_code);
    ARCHIVE(a, row->exit_signal);
    ARCHIVE_WORD(a, row->why, SHUTDOWN_WHY_CUT_SHORT);
    ARCHIVE_WORD(a, row->cgroup, RESOURCE_FAILED);
    if (a->version >= 3)
        ARCHIVE(a, row->start_usec); /* may be later than now */
    seldom_put(place, row, sizeof(*row));
}

static void archive_status_text(struct archive *a, struct status_text *place)
{
    struct status_text text = *place;

    archive_text(a, text.text, sizeof(text.text));
    seldom_put(place, &text, sizeof(text));
}

static void archive_words(struct archive *a, struct operation_words *place)
{
    struct operation_words words = *place;

    archive_text(a, words.by, sizeof(words.by));
    archive_text(a, words.reason, sizeof(words.reason));
    seldom_put(place, &words, sizeof(words));
}

static void archive_failure(struct archive *a, struct failure *place)
{
    struct failure failure = *place;

    ARCHIVE_WORD(a, failure.phase, FAILURE_WAIT_ABORT);
    ARCHIVE(a, failure.recoverable);
    archive_text(a, failure.reason, sizeof(failure.reason));
    seldom_put(place, &failure, sizeof(failure));
}

static void archive_last_stale(struct archive *a, struct stale_report *place)
{
    struct stale_report stale = *place;

    ARCHIVE_WORD(a, stale.kind, REPORT_MAIN_EXIT);
    ARCHIVE(a, stale.generation);
    ARCHIVE(a, stale.attempt);
    ARCHIVE(a, stale.usec);
    ARCHIVE(a, stale.count);
    seldom_put(place, &stale, sizeof(stale));
}

static void archive_liveness(struct archive *a, struct child *child)
{
    ARCHIVE_WORD(a, child->readiness, READINESS_NOT_READY);
    archive_stamp(a, &child->heartbeat_usec_monotonic);
    ARCHIVE(a, child->heartbeat_usec);
    ARCHIVE(a, child->heartbeat_stale);
    archive_status_text(a, child->status_text);
    ARCHIVE(a, child->notify_errno);
    if (a->version >= 3)
        ARCHIVE_WORD(a, child->reload_result, RELOAD_INTERRUPTED);
}

static void archive_timers(struct core *core, struct archive *a, struct child *child)
{
    int count = a->version >= 3 ? CHILD_TIMERS : TIMER_PLACE;

    for (int i = 0; i < count; i++) {
        struct timer *timer = &child->timers[i];
        uint64_t deadline = timer->deadline_usec, order = timer->order;
        archive_deadline(a, &deadline);
        if (deadline == 0)
            continue;
        ARCHIVE(a, order);
        if (!a->reading || a->failed)
            continue;
        timer->kind = (uint8_t)i;
        timer_restore(&core->timers, timer, deadline, order);
    }
}

static int archive_next_config(struct core *core, struct archive *a, struct child *child)
{
    struct child_declaration declaration = {};
    bool there = child->next_config != NULL;

    ARCHIVE(a, there);
    if (!there)
        return 0;
    if (!a->reading) {
        declaration_archive(a, &child->next_config->declaration);
        return 0;
    }
    declaration_archive(a, &declaration);
    if (a->failed || strcmp(declaration.id, child->id) != 0)
        return -EBADMSG;
    child->next_config = config_new(core, &declaration);
    return child->next_config ? 0 : -ENOMEM;
}

/* An earlier version did not keep what a stop is for: what it would have said of it. */
static void guess_stop_causes(const struct core *core, struct child *child)
{
    uint64_t cause = core->shutdown_command;

    if (!child->attempt.cancel_delivered && !child->attempt.abort_requested)
        return;
    if (child->pending.active)
        cause = child->pending.cause;
    else if (child->operation != CHILD_ACTIVE)
        cause = child->operation_cause;
    child->attempt.stop = (struct stop_causes){.asked = cause, .deadline = cause, .abort = cause};
}

static void archive_stop(struct archive *a, struct child *child)
{
    ARCHIVE(a, child->stop_waits);
    ARCHIVE(a, child->stop_cause);
    ARCHIVE_WORD(a, child->stop_by, STOP_BY_SHUTDOWN);
    a->failed = a->failed || (child->stop_waits && !child->attempt.active);
}

/* In an earlier version only the shutdown let a child wait for its turn. */
static void guess_stop(const struct core *core, struct child *child)
{
    if (core->shutdown_phase == SHUTDOWN_IDLE || !child->attempt.active ||
        child->attempt.cancel_delivered || child->attempt.abort_requested)
        return;
    child->stop_waits = true;
    child->stop_cause = core->shutdown_command;
    child->stop_by = STOP_BY_SHUTDOWN;
}

static int archive_child(struct core *core, struct archive *a, struct child *child)
{
    if (a->reading)
        tally_remove(core, child);
    ARCHIVE_WORD(a, child->operation, CHILD_REMOVED);
    ARCHIVE(a, child->operation_usec);
    ARCHIVE(a, child->operation_cause);
    archive_words(a, child->words);
    ARCHIVE(a, child->in_flight);
    if (a->version >= 3) {
        ARCHIVE(a, child->has_past);
        ARCHIVE(a, child->fence);
        ARCHIVE(a, child->by_budget);
        ARCHIVE(a, child->named_to_start);
    }
    archive_scope_ref(core, a, &child->scope);
    ARCHIVE(a, child->wanted);
    ARCHIVE(a, child->born);
    ARCHIVE(a, child->gave_up);
    ARCHIVE(a, child->on_trial);
    ARCHIVE(a, child->cool_downs);
    ARCHIVE(a, child->generation);
    ARCHIVE(a, child->attempts);
    archive_attempt(a, &child->attempt);
    ARCHIVE_WORD(a, child->stop_state, STOP_FAILED);
    archive_failure(a, child->failure);
    archive_fence(a, child);
    if (a->reading && a->version < 3)
        guess_stop_causes(core, child);
    if (a->version >= 3)
        archive_stop(a, child);
    else
        guess_stop(core, child);
    ARCHIVE(a, child->backoff_n);
    ARCHIVE(a, child->backoff_previous_usec);
    ARCHIVE(a, child->restart_count);
    ARCHIVE(a, child->start_cause);
    ARCHIVE(a, child->automatic_start);
    archive_limit(a, &child->restart_limit);
    archive_liveness(a, child);
    ARCHIVE(a, child->started_usec);
    archive_last_exit(a, child->last_exit);
    archive_last_stale(a, child->last_stale);
    if (a->version >= 3)
        ARCHIVE(a, child->left);
    archive_shutdown(a, child->shutdown);
    archive_timers(core, a, child);
    if (a->reading)
        start_restore(child);
    if (a->reading)
        tally_add(core, child);
    return archive_next_config(core, a, child);
}

/* ---- lists with an order of their own -------------------------------------------------------- */

static void archive_waiting(struct core *core, struct archive *a)
{
    size_t count = 0;

    for (const struct child *child = core->waiting_first; child; child = child->waiting_next)
        count++;
    archive_count(a, &count, core->children);
    struct child *child = core->waiting_first;
    for (size_t i = 0; i < count && !a->failed; i++) {
        archive_child_ref(core, a, &child);
        if (a->reading && child && child->start == START_WAITS_FOR_NOTHING)
            dependency_restore(core, child);
        else if (a->reading)
            a->failed = true;
        else
            child = child->waiting_next;
    }
}

static void archive_queue(struct core *core, struct archive *a, struct supervisor *supervisor)
{
    size_t count = supervisor->queued;
    struct child *child = supervisor->queue_first;

    archive_count(a, &count, core->children);
    for (size_t i = 0; i < count && !a->failed; i++) {
        archive_child_ref(core, a, &child);
        if (a->reading && child && child->start == START_WAITS_FOR_NOTHING &&
            child->member.supervisor == supervisor)
            restart_queue_restore(child);
        else if (a->reading)
            a->failed = true;
        else
            child = child->queue_next;
    }
}

static void archive_sidecars(struct core *core, struct archive *a, struct child *primary)
{
    size_t count = 0;

    for (const struct child *child = primary->first_sidecar; child; child = child->next_sidecar)
        count++;
    archive_count(a, &count, core->children);
    struct child *child = primary->first_sidecar, **link = &primary->first_sidecar;
    for (size_t i = 0; i < count && !a->failed; i++) {
        archive_child_ref(core, a, &child);
        if (!a->reading) {
            child = child->next_sidecar;
            continue;
        }
        if (!child || child->primary || child->config->declaration.role != ROLE_SIDECAR) {
            a->failed = true;
            return;
        }
        child->primary = primary;
        child->goes_around = declaration_is_around(&child->config->declaration);
        *link = child;
        link = &child->next_sidecar;
    }
}

static void archive_scopes(struct core *core, struct archive *a)
{
    size_t count = 0;

    for (const struct scope *scope = core->restarting; scope; scope = scope->next)
        count++;
    archive_count(a, &count, SUPERVISORS_MAX * (GROUPS_MAX + 1));
    struct scope *scope = core->restarting, **link = &core->restarting;
    for (size_t i = 0; i < count && !a->failed; i++) {
        archive_scope_ref(core, a, &scope);
        if (!a->reading) {
            scope = scope->next;
            continue;
        }
        if (!scope || !scope->restarting || scope->next) {
            a->failed = true;
            return;
        }
        *link = scope;
        link = &scope->next;
    }
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void archive_job(struct core *core, struct archive *a, struct job *job)
{
    archive_child_ref(core, a, &job->child);
    if (a->reading && job->child)
        job->child->job = job;
    ARCHIVE_WORD(a, job->state, JOB_FINISHED);
    ARCHIVE_WORD(a, job->result, JOB_SUPERVISOR_STOPPED);
    ARCHIVE(a, job->code);
    ARCHIVE(a, job->signal);
    archive_stamp(a, &job->queued_usec);
    archive_stamp(a, &job->started_usec);
    archive_stamp(a, &job->finished_usec);
    ARCHIVE(a, job->cpu_usec);
    ARCHIVE(a, job->cause);
    ARCHIVE(a, job->output.size);
    ARCHIVE(a, job->output.truncated);
    if (job->state != JOB_FINISHED && !job->child)
        a->failed = true;
}

static int archive_jobs(struct core *core, struct archive *a)
{
    size_t count = 0;
    int r = 0;

    for (const struct job *job = core->jobs.first; job; job = job->next)
        count++;
    archive_count(a, &count, JOBS_MAX + JOBS_KEPT + 1);
    struct job *job = core->jobs.first;
    for (size_t i = 0; i < count && !a->failed && r == 0; i++) {
        uint64_t id = a->reading ? 0 : job->id;
        const char *name = a->reading ? NULL : job->name;
        ARCHIVE(a, id);
        archive_string(a, &name);
        if (a->reading)
            r = a->failed || !name ? -EBADMSG : job_restore(core, name, id, &job);
        if (r == 0)
            archive_job(core, a, job);
        if (a->reading && r == 0)
            job_restored(core, job);
        if (!a->reading)
            job = job->next;
    }
    return r;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void find_targets(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child))
        adopt_find_targets(core, child);
}

int core_archive(struct core *core, struct archive *a)
{
    int r;

    INVARIANT(!core->handling && (!a->reading || core->children == 0));
    archive_own(core, a);
    r = archive_root(core, a);
    if (r == 0 && a->reading)
        r = read_members(core, a);
    else if (r == 0)
        write_members(core, a);
    if (r == 0 && a->reading)
        find_targets(core);
    for (struct supervisor *s = &core->root; r == 0 && s; s = s->next)
        archive_supervisor(a, s);
    for (struct child *child = core_first(core); r == 0 && child && !a->failed;
         child = core_next(child))
        r = archive_child(core, a, child);
    if (r == 0) {
        archive_waiting(core, a);
        for (struct supervisor *s = &core->root; s; s = s->next)
            archive_queue(core, a, s);
        for (struct child *child = core_first(core); child; child = core_next(child))
            archive_sidecars(core, a, child);
        archive_scopes(core, a);
        r = archive_jobs(core, a);
    }
    if (r == 0 && a->version >= 3)
        r = lineages_archive(core, a);
    if (r == 0 && a->version >= 3)
        shutdown_archive_bound(core, a);
    if (r == 0 && a->reading && !a->failed)
        stop_order_restore(core);
    core->now_usec = moment_later(core->now_usec, a->latest_usec);
    for (struct child *child = core_first(core); r == 0 && a->reading && !a->failed && child;
         child = core_next(child))
        if (!child->attempt.active)
            adopt_attempt_ended(core, child); /* that of before waited for the start */
    return r == 0 && a->failed ? -EBADMSG : r;
}
