#include "core/rules/jobs.h"

#include "core/model/job.h"
#include "core/model/start_wait.h"
#include "core/private.h"
#include "core/vocabulary/text.h"

/* ---- words ----------------------------------------------------------------------------------- */

static enum job_result result_of_exit(enum exit_kind kind)
{
    switch (kind) {
    case EXIT_SUCCEEDED:
        return JOB_SUCCEEDED;
    case EXIT_FAILED:
        return JOB_FAILED;
    case EXIT_SIGNALED:
        return JOB_PANICKED;
    case EXIT_OOM_KILLED:
        return JOB_OOM_KILLED;
    case EXIT_TIMED_OUT:
        return JOB_TIMED_OUT;
    case EXIT_UNHEALTHY:
        return JOB_UNHEALTHY;
    case EXIT_SPAWN_FAILED:
        return JOB_SPAWN_FAILED;
    case EXIT_NONE: /* it never ran: somebody did not want it any more */
    case EXIT_CANCELLED:
        return JOB_CANCELLED;
    }
    __builtin_unreachable();
}

/* ---- lists ----------------------------------------------------------------------------------- */

void jobs_set_most(struct core *core, uint32_t max_jobs)
{
    INVARIANT(max_jobs > 0 && max_jobs <= JOBS_AT_ONCE_MAX);
    core->jobs.most = max_jobs;
    core_finish_input(core);
}

static void enter_queue(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    job->queue_previous = jobs->queue_last;
    *(jobs->queue_last ? &jobs->queue_last->queue_next : &jobs->queue_first) = job;
    jobs->queue_last = job;
    jobs->queued++;
}

static void leave_queue(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    *(job->queue_previous ? &job->queue_previous->queue_next : &jobs->queue_first) =
        job->queue_next;
    *(job->queue_next ? &job->queue_next->queue_previous : &jobs->queue_last) = job->queue_previous;
    job->queue_next = job->queue_previous = NULL;
    jobs->queued--;
}

/* ---- the index of names, of those that are under way ------------------------------------------
 */

/* ---- going away -------------------------------------------------------------------------------
 */

static void forget(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    *(job->previous ? &job->previous->next : &jobs->first) = job->next;
    *(job->next ? &job->next->previous : &jobs->last) = job->previous;
    jobs->finished--;
    if (job->child)
        job->child->job = NULL;
    if (core->ports.forget_job)
        core->ports.forget_job(core->ports.userdata, job);
    core->ports.release(core->ports.userdata, job);
}

int job_let_go(struct core *core, struct job *job)
{
    if (job->state != JOB_FINISHED)
        return -EBUSY;
    forget(core, job);
    return 0;
}

/* ---- its end --------------------------------------------------------------------------------- */

static void forget_the_oldest(struct core *core)
{
    struct job *job = core->jobs.first;

    while (core->jobs.finished > JOBS_KEPT && job) {
        struct job *next = job->next;
        if (job->state == JOB_FINISHED)
            forget(core, job);
        job = next;
    }
}

static void finish(struct core *core, struct job *job, enum job_result result)
{
    struct jobs *jobs = &core->jobs;

    if (job->state == JOB_FINISHED)
        return;
    if (job->state == JOB_QUEUED)
        leave_queue(core, job);
    else
        jobs->running--;
    registry_unindex_job(core, job);
    if (job->before)
        job->before->after = job->after;
    if (job->after)
        job->after->before = job->before;
    job->after = job->before = NULL;
    job->state = JOB_FINISHED;
    job->result = result;
    job->finished_usec = core_now(core);
    job->code = job->child->last_exit.code;
    job->signal = job->child->last_exit.signal;
    jobs->finished++;
    EMIT(core, EVENT_JOB_FINISHED, job->child, 0, FIELD_NUMBER_OF("job", job->id),
         FIELD_TEXT_OF("name", job->name), FIELD_TEXT_OF("result", job_result_to_string(result)),
         FIELD_SIGNED_OF("code", job->code), FIELD_SIGNED_OF("signal", job->signal),
         FIELD_NUMBER_OF("wall_usec",
                         job->started_usec > 0 ? job->finished_usec - job->started_usec : 0),
         FIELD_NUMBER_OF("cpu_usec", job->cpu_usec), FIELD_NUMBER_OF("bytes", job->output.size),
         FIELD_FLAG_OF("truncated", job->output.truncated));
    job->output.data = NULL; /* the executor's, and only until here */
    forget_the_oldest(core);
}

void job_note_completion(struct child *child, const struct completion *completion)
{
    if (!child->job)
        return;
    child->job->cpu_usec = completion->cpu_usec;
    child->job->output = completion->output;
}

void job_child_gone(struct core *core, struct child *child)
{
    struct job *job = child->job;

    if (!job)
        return;
    enum job_result result = result_of_exit(child->last_exit.kind);
    if (result == JOB_CANCELLED && core->shutdown_phase != SHUTDOWN_IDLE)
        result = JOB_SUPERVISOR_STOPPED;
    finish(core, job, result);
}

void job_child_forgotten(struct child *child)
{
    if (child->job)
        child->job->child = NULL;
}

/* ---- its beginning --------------------------------------------------------------------------- */

void jobs_stop(struct core *core)
{
    while (core->jobs.queue_first)
        finish(core, core->jobs.queue_first, JOB_SUPERVISOR_STOPPED);
}

static bool may_start(const struct job *job)
{
    bool removed;
    return !job->after && !child_unmet_dependency(job->child, &removed);
}

void jobs_look(struct core *core)
{
    struct jobs *jobs = &core->jobs;

    if (core->muted || core->shutdown_phase != SHUTDOWN_IDLE)
        return;
    for (struct job *job = jobs->queue_first, *next; job && jobs->running < jobs->most;
         job = next) {
        next = job->queue_next;
        if (!may_start(job))
            continue;
        leave_queue(core, job);
        jobs->running++;
        job->state = JOB_RUNNING;
        job->started_usec = core_now(core);
        job->child->wanted = true;
        start_request(core, job->child, job->cause, false);
    }
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

static struct job *job_new(struct core *core, const char *name, uint64_t id)
{
    size_t size = strlen(name) + 1;
    struct job *job = core->ports.allocate(core->ports.userdata, sizeof(*job) + size);

    if (!job)
        return NULL;
    job->name = memcpy((char *)(job + 1), name, size);
    job->id = id;
    return job;
}

static void link_job(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    job->previous = jobs->last;
    *(jobs->last ? &jobs->last->next : &jobs->first) = job;
    jobs->last = job;
    if (job->state != JOB_FINISHED)
        registry_index_job(core, job);
}

int job_restore(struct core *core, const char *name, uint64_t id, struct job **job)
{
    *job = job_new(core, name, id);
    return *job ? 0 : -ENOMEM;
}

void job_restored(struct core *core, struct job *job)
{
    struct jobs *jobs = &core->jobs;

    if (job->state != JOB_FINISHED)
        job->after = registry_last_job(core, job->name);
    if (job->after)
        job->after->before = job;
    link_job(core, job);
    if (job->state == JOB_QUEUED)
        enter_queue(core, job);
    else if (job->state == JOB_RUNNING)
        jobs->running++;
    else
        jobs->finished++;
}

static int refuse(struct declaration_problem *problem, int r, const char *why)
{
    *problem = (struct declaration_problem){.dependency = PROBLEM_ELSEWHERE};
    text_copy(problem->error.text, sizeof(problem->error.text), why);
    return r;
}

static int check(const struct core *core, const struct child_declaration *declaration,
                 enum same_name same_name, struct declaration_problem *problem)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE)
        return refuse(problem, -ESHUTDOWN, "the tree is shutting down");
    if (!declaration->has_process)
        return refuse(problem, -EINVAL, "a job needs exec");
    if (strchr(declaration->id, '/'))
        return refuse(problem, -EINVAL, "a job is below no supervisor but \"jobs\"");
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
    supervisor_declaration_defaults(&supervisor, JOB_SUPERVISOR);
    if (!core_find_supervisor(core, JOB_SUPERVISOR)) {
        tree.supervisors = &supervisor;
        tree.n_supervisors = 1;
    }
    int r = tree_declare(core, &tree, requester, reason, problem);
    if (r == 0) {
        job->child = core_find(core, id);
        job->child->job = job;
        job->cause = core->next_command;
    }
    return r;
}

int job_take_in(struct core *core, const struct child_declaration *declaration,
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
    link_job(core, fresh);
    enter_queue(core, fresh);
    EMIT(core, EVENT_JOB_QUEUED, fresh->child, fresh->cause, FIELD_NUMBER_OF("job", fresh->id),
         FIELD_TEXT_OF("name", fresh->name), FIELD_NUMBER_OF("position", core->jobs.queued),
         FIELD_NUMBER_OF("running", core->jobs.running));
    core_finish_input(core);
    *job = fresh;
    return 0;
}
