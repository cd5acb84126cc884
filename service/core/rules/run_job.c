/*
 * A job comes in: checked, declared as a child of `jobs`, and queued. Its
 * manifest is that of a child, but a few keys have no meaning for work that
 * runs once; they are errors rather than ignored, since a silent difference
 * would be found at night.
 */
#include "core/rules/run_job.h"

#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/job.h"
#include "core/model/members.h"
#include "core/model/registry.h"
#include "core/private.h"
#include "core/rules/command.h"
#include "core/rules/declare.h"
#include "core/rules/dependency.h"
#include "core/rules/jobs.h"
#include "core/rules/plan.h"
#include "core/vocabulary/error.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <string.h>

void jobs_set_most(struct core *core, uint32_t max_jobs)
{
    INVARIANT(max_jobs > 0 && max_jobs <= JOBS_AT_ONCE_MAX);
    core->jobs.most = max_jobs;
}

static void cancel(struct core *core, struct job *job, const char *requester, const char *reason)
{
    struct command command = {
        .verb = COMMAND_REMOVE, .child = job->child->id, .reason = reason, .requester = requester};
    struct outcome outcome;
    struct error ignored;

    command_handle(core, &command, &outcome, &ignored);
}

/* Those of the same name that are under way make room: what waits goes at once. */
static void replace(struct core *core, const char *name, const char *requester, const char *reason)
{
    for (struct job *job = core->jobs.last, *previous; job; job = previous) {
        previous = job->previous;
        if (job->state != JOB_FINISHED && strcmp(job->name, name) == 0)
            cancel(core, job, requester, reason);
    }
}

static int refuse(struct declaration_problem *problem, int r, const char *why)
{
    *problem = (struct declaration_problem){.dependency = PROBLEM_ELSEWHERE};
    text_copy(problem->error.text, sizeof(problem->error.text), why);
    return r;
}

/* Everything that can be refused is refused here, before any memory is
 * taken. */
static int check(const struct core *core, const struct child_declaration *declaration,
                 enum same_name same_name, struct declaration_problem *problem)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        return refuse(problem, -ESHUTDOWN, "the tree is shutting down");
    if (!declaration->has_process)
        return refuse(problem, -EINVAL, "a job needs exec");
    if (strchr(declaration->id, '/'))
        return refuse(problem, -EINVAL, "a job is below no supervisor but \"jobs\"");
    if (declaration->on_success != ON_END_NOTHING || declaration->on_give_up != ON_END_NOTHING)
        return refuse(problem, -EINVAL,
                      "a job that is run cannot end the tree: on_success and on_give_up are for "
                      "children");
    if (declaration->group)
        return refuse(problem, -EINVAL, "a job is in no group");
    if (core->jobs.queued + core->jobs.running >= JOBS_MAX)
        return refuse(problem, -E2BIG, "more than 20000 jobs are queued or run");
    if (same_name == SAME_NAME_REJECT && registry_last_job(core, declaration->id))
        return refuse(problem, -EEXIST, "a job of this name is queued or runs");
    return 0;
}

/* "jobs/17" */
static void child_id_of(uint64_t id, char *buffer, size_t size)
{
    struct text text = text_in(buffer, size);

    text_append(&text, JOB_SUPERVISOR "/");
    text_append_number(&text, id);
}

/* The declaration is copied, and what makes it a job is set here, whatever the
 * manifest says: no restart, no autostart, no schedule. */
static int declare(struct core *core, const struct child_declaration *declaration, struct job *job,
                   const char *requester, const char *reason, struct declaration_problem *problem)
{
    struct child_declaration child = *declaration;
    struct supervisor_declaration supervisor;
    struct tree_declaration tree = {.children = &child, .n_children = 1};
    char id[48];

    child_id_of(job->id, id, sizeof(id));
    child.id = id;
    child.role = ROLE_JOB;
    child.restart = RESTART_TEMPORARY;
    child.autostart = false;
    child.schedule = NULL; /* its time has come */
    supervisor_declaration_defaults(&supervisor, JOB_SUPERVISOR);
    if (!core_find_supervisor(core, JOB_SUPERVISOR)) {
        tree.supervisors = &supervisor;
        tree.n_supervisors = 1;
    }
    int r = declare_tree(core, &tree, requester, reason, problem);
    if (r == 0) {
        job->child = core_find(core, id);
        job->child->job = job;
        job->cause = core->next_command;
    }
    return r;
}

/* The job is put together completely before it is linked. `replace` cancels the
 * one before it only when the new one exists; it then waits for that one to be
 * gone. */
int run_job_take_in(struct core *core, const struct child_declaration *declaration,
                    enum same_name same_name, const char *requester, const char *reason,
                    struct job **job, struct declaration_problem *problem)
{
    int r = check(core, declaration, same_name, problem);
    if (r < 0)
        return r;

    struct job *fresh = job_new(core, declaration->id, core->jobs.next_id + 1);
    if (fresh) {
        core->jobs.next_id++;
        fresh->queued_usec = core_now(core);
    }
    r = fresh ? declare(core, declaration, fresh, requester, reason, problem)
              : refuse(problem, -ENOMEM, "out of memory");
    if (r < 0) {
        if (fresh)
            core->ports.release(core->ports.userdata, fresh);
        return r;
    }
    if (same_name == SAME_NAME_REPLACE)
        replace(core, fresh->name, requester, reason);
    fresh->after = registry_last_job(core, fresh->name);
    if (fresh->after)
        fresh->after->before = fresh;
    job_link(core, fresh);
    job_enter_queue(core, fresh);
    EMIT(core, EVENT_JOB_QUEUED, fresh->child, fresh->cause, FIELD_NUMBER_OF("job", fresh->id),
         FIELD_TEXT_OF("name", fresh->name), FIELD_NUMBER_OF("position", core->jobs.queued),
         FIELD_NUMBER_OF("running", core->jobs.running));
    *job = fresh;
    return 0;
}

/* ---- a dry run ------------------------------------------------------------------------------- */

/* One of the same name holds it up, unless it waits for its turn and makes room at once. */
static bool is_held_up_by_name(const struct core *core, const char *name, enum same_name same_name)
{
    for (const struct job *job = core->jobs.last; job; job = job->previous)
        if (job->state != JOB_FINISHED && strcmp(job->name, name) == 0 &&
            (same_name != SAME_NAME_REPLACE || job->state == JOB_RUNNING))
            return true;
    return false;
}

/* For the dry run, in which the child does not exist: names become pointers, as
 * declare_connect() does it. */
static int find_targets(struct core *core, struct child_config *config,
                        struct declaration_problem *problem)
{
    for (size_t i = 0; i < dependency_count(&config->declaration); i++) {
        const char *id = dependency_id(&config->declaration, i);
        config->targets[i] = core_find(core, id);
        if (!config->targets[i]) {
            declare_problem(problem, 0, (int)i, "no child is called \"", id, "\"");
            return -ENOENT;
        }
    }
    return 0;
}

/* The dry run: the same checks, and a child on the stack that is only asked
 * about. Nothing is declared. */
int core_plan_job(struct core *core, const struct child_declaration *declaration,
                  enum same_name same_name, struct job_plan *plan,
                  struct declaration_problem *problem)
{
    int r = check(core, declaration, same_name, problem);
    struct child_config *config = r == 0 ? config_new(core, declaration) : NULL;
    struct child tried = {.config = config};
    bool removed;

    *plan = (struct job_plan){.replaces = same_name == SAME_NAME_REPLACE};
    if (!config)
        return r < 0 ? r : refuse(problem, -ENOMEM, "out of memory");
    r = find_targets(core, config, problem);
    if (r == 0) {
        plan->starts = plan_starts_job(core, &tried);
        plan->runs = core->jobs.running < core->jobs.most &&
                     !is_held_up_by_name(core, declaration->id, same_name) &&
                     !child_unmet_dependency(&tried, &removed);
    }
    registry_release(core, config);
    return r;
}
