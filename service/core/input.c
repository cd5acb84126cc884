/*
 * Inputs: every one comes through here. It is stamped once, so that one time holds until it has
 * been handled to its end; the shell records it; then the module in charge handles it. The time
 * never goes back, whatever a clock or a journal says.
 */
#include "core/model/declaration.h"
#include "core/model/input_archive.h"
#include "core/model/job.h"
#include "core/model/members.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/private.h"
#include "core/rules/command.h"
#include "core/rules/deadline.h"
#include "core/rules/declare.h"
#include "core/rules/due.h"
#include "core/rules/health.h"
#include "core/rules/jobs.h"
#include "core/rules/redeclare.h"
#include "core/rules/reload.h"
#include "core/rules/reopen.h"
#include "core/rules/report.h"
#include "core/rules/run_job.h"
#include "core/rules/settle.h"
#include "core/rules/shutdown.h"
#include "core/vocabulary/error.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"

static void announce_start(struct core *core, const char *version)
{
    EMIT(core, EVENT_SUPERVISOR_STARTED, NULL, 0, FIELD_TEXT_OF("version", version));
}

static void announce_rejected(struct core *core, const char *requester, const char *why)
{
    EMIT(core, EVENT_CHILD_DECLARATION_REJECTED, NULL, 0, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("why", why));
}

/* What has to be looked at because time has passed unobserved: reloads, checks,
 * the wall clock. */
static void announce_recovered(struct core *core, const struct recovery *recovery)
{
    EMIT(core, EVENT_SUPERVISOR_RECOVERED, NULL, 0, FIELD_NUMBER_OF("inputs", recovery->inputs),
         FIELD_NUMBER_OF("adopted", recovery->adopted), FIELD_NUMBER_OF("lost", recovery->lost),
         FIELD_NUMBER_OF("damaged_bytes", recovery->damaged_bytes));
    reload_recovered(core);
    health_recovered(core);
    due_clock_set(core);  /* it may have been, and nobody was there to tell */
    core->armed_usec = 0; /* those that were told of it no longer exist */
}

static void announce_durability(struct core *core, bool durable, const char *why)
{
    EMIT(core, EVENT_DURABILITY_CHANGED, NULL, 0, FIELD_FLAG_OF("durable", durable),
         FIELD_TEXT_OF("why", why));
}

static void announce_reexecution(struct core *core, const char *requester, const char *reason)
{
    EMIT(core, EVENT_SUPERVISOR_REEXECUTING, NULL, 0, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("reason", reason));
}

/* A replay takes the recorded times. Otherwise the clocks are read once per
 * input. */
static void stamp(struct core *core)
{
    const struct core_ports *ports = &core->ports;
    uint64_t now;

    if (core->replayed) {
        now = core->replayed->monotonic_usec;
        core->realtime_usec = core->replayed->realtime_usec;
    } else {
        now = ports->monotonic(ports->userdata);
        core->realtime_usec = ports->realtime(ports->userdata);
    }
    core->now_usec = moment_later(core->now_usec, moment_after(now, 0));
}

/* The record is written before anything changes: an input that is acknowledged
 * can be repeated from the journal. */
static void begin(struct core *core, struct core_input *input)
{
    const struct core_ports *ports = &core->ports;

    INVARIANT(!core->handling); /* a port called back */
    stamp(core);
    core->handling = true;
    input->monotonic_usec = core->now_usec;
    input->realtime_usec = core->realtime_usec;
    if (ports->record && !core->replayed)
        ports->record(ports->userdata, input);
}

static void end(struct core *core)
{
    settle_input(core);
    core->handling = false;
}

#define HANDLE(core, call, ...)                                                                    \
    struct core_input input_ = {__VA_ARGS__};                                                      \
    begin(core, &input_);                                                                          \
    call;                                                                                          \
    end(core)

int core_declare_tree(struct core *core, const struct tree_declaration *tree, const char *requester,
                      const char *reason, struct declaration_problem *problem)
{
    int r;
    HANDLE(core, r = declare_tree(core, tree, requester, reason, problem),
           .kind = CORE_INPUT_DECLARE, .tree = *tree, .requester = requester, .reason = reason);
    return r;
}

int core_declare(struct core *core, const struct child_declaration *declarations, size_t count,
                 const char *requester, const char *reason, struct declaration_problem *problem)
{
    struct tree_declaration tree = {.children = declarations, .n_children = count};
    return core_declare_tree(core, &tree, requester, reason, problem);
}

/* A dry run is an input, too: it is recorded and emits an event, since a caller
 * has seen the answer. */
static int run_dry(struct core *core, const char *command, const struct tree_declaration *tree,
                   const struct plan_visitor *starts, const char *requester, const char *reason,
                   struct declaration_problem *problem)
{
    bool declares = tree->n_children + tree->n_supervisors > 0;
    int r = declares ? declare_check(core, tree, starts, problem) : 0;

    if (r == 0 && command && requester && reason)
        EMIT(core, EVENT_COMMAND_ACCEPTED, NULL, 0, FIELD_TEXT_OF("command", command),
             FIELD_TEXT_OF("by", requester), FIELD_TEXT_OF("reason", reason),
             FIELD_FLAG_OF("dry_run", true));
    return r;
}

/* The same checks as for the real thing, and a tree that is put up and taken
 * down again. */
int core_dry_run(struct core *core, const char *command, const struct tree_declaration *tree,
                 const struct plan_visitor *starts, const char *requester, const char *reason,
                 struct declaration_problem *problem)
{
    int r;
    HANDLE(core, r = run_dry(core, command, tree, starts, requester, reason, problem),
           .kind = CORE_INPUT_CHECK, .tree = *tree, .text = command, .requester = requester,
           .reason = reason);
    return r;
}

/* Several children at once, so that a reload is all or nothing. */
int core_redeclare(struct core *core, const struct child_declaration *declarations, size_t count,
                   enum redeclare_how how, const char *requester, const char *reason,
                   struct declaration_problem *problem)
{
    int r;
    HANDLE(core, r = redeclare_child(core, declarations, count, how, requester, reason, problem),
           .kind = CORE_INPUT_REDECLARE, .tree = {.children = declarations, .n_children = count},
           .number = how, .requester = requester, .reason = reason);
    return r;
}

int core_redeclare_supervisor(struct core *core, const struct supervisor_declaration *declaration,
                              struct declaration_problem *problem)
{
    int r;
    HANDLE(core, r = redeclare_supervisor(core, declaration, problem),
           .kind = CORE_INPUT_REDECLARE_SUPERVISOR,
           .tree = {.supervisors = declaration, .n_supervisors = 1});
    return r;
}

void core_discard_supervisor(struct core *core, struct supervisor *supervisor)
{
    HANDLE(core, supervisor_discard(core, supervisor), .kind = CORE_INPUT_DISCARD_SUPERVISOR,
           .text = supervisor->path);
}

int core_command(struct core *core, const struct command *command, struct outcome *outcome,
                 struct error *error)
{
    int r;
    HANDLE(core, r = command_handle(core, command, outcome, error), .kind = CORE_INPUT_COMMAND,
           .command = *command);
    return r;
}

int core_command_scope(struct core *core, const struct command *command,
                       void (*visit)(void *userdata, const struct outcome *outcome), void *userdata,
                       struct error *error)
{
    int r;
    HANDLE(core, r = command_handle_scope(core, command, visit, userdata, error),
           .kind = CORE_INPUT_COMMAND_SCOPE, .command = *command);
    return r;
}

void core_remove(struct core *core, const char *ids, const char *requester, const char *reason)
{
    HANDLE(core, command_remove(core, ids, requester, reason), .kind = CORE_INPUT_REMOVE,
           .text = ids, .requester = requester, .reason = reason);
}

uint64_t core_shutdown_within(struct core *core, uint64_t timeout_usec, const char *requester,
                              const char *reason)
{
    HANDLE(core, shutdown_request(core, timeout_usec, requester, reason),
           .kind = CORE_INPUT_SHUTDOWN, .timeout_usec = timeout_usec, .requester = requester,
           .reason = reason);
    return core->shutdown_command;
}

uint64_t core_shutdown(struct core *core, const char *requester, const char *reason)
{
    return core_shutdown_within(core, 0, requester, reason);
}

void core_hurry(struct core *core, const char *requester, const char *reason)
{
    HANDLE(core, shutdown_hurry(core, requester, reason), .kind = CORE_INPUT_HURRY,
           .requester = requester, .reason = reason);
}

void core_reopen(struct core *core)
{
    HANDLE(core, reopen_tree(core), .kind = CORE_INPUT_REOPEN);
}

void core_spawned(struct core *core, struct attempt_id id, uint32_t pid)
{
    HANDLE(core, report_spawned(core, id, pid), .kind = CORE_INPUT_SPAWNED, .id = id, .pid = pid);
}

void core_spawn_failed(struct core *core, struct attempt_id id, int error, const char *reason)
{
    HANDLE(core, report_spawn_failed(core, id, error, reason), .kind = CORE_INPUT_SPAWN_FAILED,
           .id = id, .error = error, .text = reason);
}

void core_start_delayed(struct core *core, struct attempt_id id, const char *reason)
{
    HANDLE(core, report_start_delayed(core, id, reason), .kind = CORE_INPUT_START_DELAYED, .id = id,
           .text = reason);
}

void core_completed(struct core *core, struct attempt_id id, const struct completion *completion)
{
    HANDLE(core, report_completed(core, id, completion), .kind = CORE_INPUT_COMPLETED, .id = id,
           .completion = *completion);
}

void core_main_exited(struct core *core, struct attempt_id id, const struct completion *completion)
{
    HANDLE(core, report_main_exited(core, id, completion), .kind = CORE_INPUT_MAIN_EXITED, .id = id,
           .completion = *completion);
}

void core_notify(struct core *core, struct attempt_id id, const struct notify_message *message)
{
    HANDLE(core, report_message(core, id, message), .kind = CORE_INPUT_NOTIFY, .id = id,
           .message = *message);
}

void core_checked(struct core *core, struct attempt_id id, uint32_t number, bool passed,
                  const char *why)
{
    HANDLE(core, report_checked(core, id, number, passed, why), .kind = CORE_INPUT_CHECKED,
           .id = id, .number = number, .passed = passed, .text = why);
}

void core_commands_ended(struct core *core, struct attempt_id id, enum child_commands commands,
                         bool passed, const char *why)
{
    HANDLE(core, report_commands(core, id, commands, passed, why), .kind = CORE_INPUT_CHECKED,
           .id = id, .number = COMMANDS_NUMBER + commands, .passed = passed, .text = why);
}

void core_timer(struct core *core)
{
    HANDLE(core, deadline_fire(core), .kind = CORE_INPUT_TIMER);
}

static void clock_was_set(struct core *core)
{
    due_clock_set(core);
    deadline_fire(core);
}

void core_clock_set(struct core *core)
{
    HANDLE(core, clock_was_set(core), .kind = CORE_INPUT_TIMER, .passed = true);
}

void core_announce(struct core *core, const char *version)
{
    HANDLE(core, announce_start(core, version), .kind = CORE_INPUT_ANNOUNCE, .text = version);
}

void core_declaration_rejected(struct core *core, const char *requester, const char *why)
{
    HANDLE(core, announce_rejected(core, requester, why), .kind = CORE_INPUT_REJECTED,
           .requester = requester, .text = why);
}

void core_recovered(struct core *core, const struct recovery *recovery)
{
    HANDLE(core, announce_recovered(core, recovery), .kind = CORE_INPUT_RECOVERED,
           .recovery = *recovery);
}

void core_durability(struct core *core, bool durable, const char *why)
{
    HANDLE(core, announce_durability(core, durable, why), .kind = CORE_INPUT_DURABILITY,
           .passed = durable, .text = why);
}

void core_reexecute(struct core *core, const char *requester, const char *reason)
{
    HANDLE(core, announce_reexecution(core, requester, reason), .kind = CORE_INPUT_REEXECUTE,
           .requester = requester, .reason = reason);
}

/* The job that comes back belongs to the core, and stays until it is
 * forgotten. */
int core_run_job(struct core *core, const struct child_declaration *declaration,
                 enum same_name same_name, const char *requester, const char *reason,
                 struct job **job, struct declaration_problem *problem)
{
    int r;
    HANDLE(core, r = run_job_take_in(core, declaration, same_name, requester, reason, job, problem),
           .kind = CORE_INPUT_RUN_JOB, .tree = {.children = declaration, .n_children = 1},
           .same_name = same_name, .requester = requester, .reason = reason);
    return r;
}

int core_forget_job(struct core *core, struct job *job)
{
    int r;
    HANDLE(core, r = job_let_go(core, job), .kind = CORE_INPUT_FORGET_JOB, .job = job->id);
    return r;
}

void core_set_max_jobs(struct core *core, uint32_t max_jobs)
{
    HANDLE(core, jobs_set_most(core, max_jobs), .kind = CORE_INPUT_MAX_JOBS, .number = max_jobs);
}

/* ---- replay ------------------------------------------------------------------------------- */

static void ignore_outcome(void *userdata, const struct outcome *outcome)
{
    (void)userdata;
    (void)outcome;
}

#define REPLAY(kind, ...)                                                                          \
    static void replay_##kind(struct core *core, const struct core_input *input)                   \
    {                                                                                              \
        (void)input;                                                                               \
        __VA_ARGS__;                                                                               \
    }

static void replay_command(struct core *core, const struct core_input *input)
{
    struct outcome outcome;
    struct error error;

    core_command(core, &input->command, &outcome, &error);
}

static void replay_command_scope(struct core *core, const struct core_input *input)
{
    struct error error;

    core_command_scope(core, &input->command, ignore_outcome, NULL, &error);
}

static void replay_declare(struct core *core, const struct core_input *input)
{
    struct declaration_problem problem;

    core_declare_tree(core, &input->tree, input->requester, input->reason, &problem);
}

static void replay_check(struct core *core, const struct core_input *input)
{
    struct declaration_problem problem;

    core_dry_run(core, input->text, &input->tree, NULL, input->requester, input->reason, &problem);
}

static void replay_redeclare(struct core *core, const struct core_input *input)
{
    struct declaration_problem problem;

    core_redeclare(core, input->tree.children, input->tree.n_children,
                   (enum redeclare_how)input->number, input->requester, input->reason, &problem);
}

static void replay_redeclare_supervisor(struct core *core, const struct core_input *input)
{
    struct declaration_problem problem;

    core_redeclare_supervisor(core, input->tree.supervisors, &problem);
}

static void replay_run_job(struct core *core, const struct core_input *input)
{
    struct declaration_problem problem;
    struct job *job;

    core_run_job(core, input->tree.children, input->same_name, input->requester, input->reason,
                 &job, &problem);
}

/* What is to be forgotten may have gone meanwhile. */
static void replay_forget_job(struct core *core, const struct core_input *input)
{
    struct job *job = core_find_job(core, input->job);

    if (job)
        core_forget_job(core, job);
}

static void replay_discard_supervisor(struct core *core, const struct core_input *input)
{
    struct supervisor *supervisor = core_find_supervisor(core, input->text);

    if (supervisor)
        core_discard_supervisor(core, supervisor);
}

static void replay_checked(struct core *core, const struct core_input *input)
{
    if (input->number >= COMMANDS_NUMBER && input->number - COMMANDS_NUMBER <= COMMANDS_AFTER_START)
        core_commands_ended(core, input->id, (enum child_commands)(input->number - COMMANDS_NUMBER),
                            input->passed, input->text);
    else
        core_checked(core, input->id, input->number, input->passed, input->text);
}

REPLAY(remove, core_remove(core, input->text, input->requester, input->reason))
REPLAY(shutdown, core_shutdown_within(core, input->timeout_usec, input->requester, input->reason))
REPLAY(hurry, core_hurry(core, input->requester, input->reason))
REPLAY(reopen, core_reopen(core))
REPLAY(spawned, core_spawned(core, input->id, input->pid))
REPLAY(spawn_failed, core_spawn_failed(core, input->id, input->error, input->text))
REPLAY(start_delayed, core_start_delayed(core, input->id, input->text))
REPLAY(completed, core_completed(core, input->id, &input->completion))
REPLAY(main_exited, core_main_exited(core, input->id, &input->completion))
REPLAY(notify, core_notify(core, input->id, &input->message))
REPLAY(timer, input->passed ? core_clock_set(core) : core_timer(core))
REPLAY(announce, core_announce(core, input->text))
REPLAY(rejected, core_declaration_rejected(core, input->requester, input->text))
REPLAY(recovered, core_recovered(core, &input->recovery))
REPLAY(durability, core_durability(core, input->passed, input->text))
REPLAY(reexecute, core_reexecute(core, input->requester, input->reason))
REPLAY(max_jobs, core_set_max_jobs(core, input->number))

static void (*const replays[])(struct core *core, const struct core_input *input) = {
#define INPUT(kind, number, name, carries, replay) [kind] = replay,
#include "core/model/input_table.def"
#undef INPUT
};

void core_replay(struct core *core, const struct core_input *input)
{
    INVARIANT(input->kind < CORE_INPUTS && replays[input->kind]);
    core->replayed = input;
    replays[input->kind](core, input);
    core->replayed = NULL;
}
