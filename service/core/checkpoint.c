/*
 * Checkpoint: everything that a core knows, as bytes. The order: the core's own, then the tree
 * (which children exist, and how they are declared), then what each supervisor, child and job is
 * doing, then the lists that have an order of their own. A child is named by its slot, a supervisor
 * by its number in the order in which they were declared.
 */
#include "core/model/archive.h"
#include "core/model/child_archive.h"
#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/declaration_archive.h"
#include "core/model/input_archive.h"
#include "core/model/job.h"
#include "core/model/lineage.h"
#include "core/model/members.h"
#include "core/model/reference_archive.h"
#include "core/model/registry.h"
#include "core/model/restart_limit.h"
#include "core/model/restart_queue.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/rules/adopt.h"
#include "core/rules/declare.h"
#include "core/rules/jobs.h"
#include "core/rules/shutdown.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"

#include <errno.h>

#define EXIT_CODE_MAX 255

/*
 * What a checkpoint of this version holds of the states of a job (for those of a child see
 * child_archive.c). A value that is appended is unknown to an older program, which then refuses
 * the checkpoint: that is meant, and the line below is where to say so.
 */
_Static_assert(CORE_STATE_VERSION == 3 && CORE_STATE_OLDEST == 2, "the numbers below are of these");
_Static_assert(JOB_FINISHED == 2 && JOB_SUPERVISOR_STOPPED == 9, "of a job");

/* ---- the tree -------------------------------------------------------------------------------- */

/* Whether policy ended the tree, and with which exit code: that came later, and shares the number.
 * An older program reads any of them as its own exit code. */
static void archive_policy(struct core *core, struct archive *a)
{
    uint64_t policy = !core->shutdown_by_policy ? 0
                      : core->shutdown_exit_code == SHUTDOWN_BY_POLICY
                          ? 1
                          : 2 + (uint64_t)core->shutdown_exit_code;

    ARCHIVE_WORD(a, policy, 2 + EXIT_CODE_MAX);
    core->shutdown_by_policy = policy > 0;
    core->shutdown_exit_code = policy == 0 ? 0 : policy == 1 ? SHUTDOWN_BY_POLICY : (int)policy - 2;
}

/* Numbers that the core itself counts by. The version comes first: everything
 * behind it depends on it. */
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
    archive_policy(core, a);
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

/* Everything that linking relies on is checked here, because the file may be
 * damaged, and linking asserts. */
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

/* A slot that is taken, or an id that exists, would leave the registry with two
 * entries for one. */
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

/* The list of members is the tree, so a supervisor is read before what is below
 * it. The order of declaration is restored from the numbers at the end. */
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

/* The counterpart: the list, with the number of each supervisor and the slot of
 * each child. */
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
            uint32_t number = reference_supervisor_number(core, supervisor);
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

/* Windows and budgets of the supervisor and of its groups. */
static void archive_supervisor(struct archive *a, struct supervisor *supervisor)
{
    struct supervisor_config *config = supervisor->config;

    restart_limit_archive(a, &supervisor->limit);
    ARCHIVE(a, supervisor->melted_down);
    ARCHIVE(a, supervisor->discarded);
    ARCHIVE(a, supervisor->in_flight);
    ARCHIVE(a, supervisor->scope.restarting);
    for (size_t i = 0; i < config->declaration.n_groups; i++) {
        restart_limit_archive(a, &config->groups[i].limit);
        archive_deadline(a, &config->groups[i].budget.full_usec);
        ARCHIVE(a, config->groups[i].scope.restarting);
    }
}

/* ---- lists with an order of their own -------------------------------------------------------- */

/* The order of those that wait is a part of the state: it decides which of them
 * starts first. */
static void archive_waiting(struct core *core, struct archive *a)
{
    size_t count = 0;

    for (const struct child *child = core->waiting_first; child; child = child->waiting_next)
        count++;
    archive_count(a, &count, core->children);
    struct child *child = core->waiting_first;
    for (size_t i = 0; i < count && !a->failed; i++) {
        reference_archive_child(core, a, &child);
        if (a->reading && child && child->start == START_WAITS_FOR_NOTHING)
            dependency_restore(core, child);
        else if (a->reading)
            a->failed = true;
        else
            child = child->waiting_next;
    }
}

/* One queue per supervisor. A child that stands in it already is damage. */
static void archive_queue(struct core *core, struct archive *a, struct supervisor *supervisor)
{
    size_t count = supervisor->queued;
    struct child *child = supervisor->queue_first;

    archive_count(a, &count, core->children);
    for (size_t i = 0; i < count && !a->failed; i++) {
        reference_archive_child(core, a, &child);
        if (a->reading && child && child->start == START_WAITS_FOR_NOTHING &&
            child->member.supervisor == supervisor)
            restart_queue_restore(child);
        else if (a->reading)
            a->failed = true;
        else
            child = child->queue_next;
    }
}

/* In their order, as they were declared in it. */
static void archive_sidecars(struct core *core, struct archive *a, struct child *primary)
{
    size_t count = 0;

    for (const struct child *child = primary->first_sidecar; child; child = child->next_sidecar)
        count++;
    archive_count(a, &count, core->children);
    struct child *child = primary->first_sidecar, **link = &primary->first_sidecar;
    for (size_t i = 0; i < count && !a->failed; i++) {
        reference_archive_child(core, a, &child);
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

/* The active scopes in the order in which they began. */
static void archive_scopes(struct core *core, struct archive *a)
{
    size_t count = 0;

    for (const struct scope *scope = core->restarting; scope; scope = scope->next)
        count++;
    archive_count(a, &count, SUPERVISORS_MAX * (GROUPS_MAX + 1));
    struct scope *scope = core->restarting, **link = &core->restarting;
    for (size_t i = 0; i < count && !a->failed; i++) {
        reference_archive_scope(core, a, &scope);
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

/* What a job knows. Its output stays in a file of its own. */
static void archive_job(struct core *core, struct archive *a, struct job *job)
{
    reference_archive_child(core, a, &job->child);
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

/* Queued, running and finished ones in one list; each is put where it belongs
 * as it is read. */
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

/* The order in which everything is written. What refers to children comes after
 * all children, and what is derived is computed at the end. */
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
        r = child_archive(core, a, child);
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
