/*
 * Plays a scenario: its steps at their times, with what is expected after each.
 * With actions to be explored instead, nothing is expected of single steps.
 */
#include "runs/play.h"

#include "checks/arrival.h"
#include "daemon/declarations.h"
#include "daemon/disk.h"
#include "daemon/dry_runs.h"
#include "daemon/reports.h"
#include "daemon/requests.h"
#include "daemon/step.h"
#include "world/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_NSEC (300 * SEC)
#define BOOT_USEC   UINT64_C(2000000) /* from the power to the daemon */

/* ---- what is to be seen ---------------------------------------------------------------------- */

/* Watches the events of a run go by, between the world and its other observers. */
struct watch {
    const struct subject *scenario;
    const struct run *run;
    size_t next; /* of includes, in order */
    uint64_t seen[64], counted[64];
    bool quiet; /* behind the end: nothing is shown to the observer any more */
    const struct wanted_event *excluded;
};

static bool fits(const struct wanted_event *wanted, const struct record *record)
{
    return wanted->kind == record->event &&
           (!wanted->child || strcmp(wanted->child, record->child) == 0) &&
           (!wanted->has_cause || wanted->cause == record->cause);
}

/* Sees every event of the run, and counts those that the scenario names. */
static void watch(void *userdata, const struct record *record)
{
    struct watch *w = userdata;
    const struct subject *scenario = w->scenario;

    if (!w->quiet && w->run->observe)
        w->run->observe(w->run->observe_userdata, record);
    if (record->kind != RECORD_EVENT || w->quiet)
        return;
    if (w->next < scenario->n_includes && fits(&scenario->includes[w->next], record))
        w->next++;
    for (size_t i = 0; i < scenario->n_includes && i < 64; i++)
        w->seen[i] += fits(&scenario->includes[i], record);
    for (size_t i = 0; i < scenario->n_counts && i < 64; i++)
        w->counted[i] += fits(&scenario->counts[i], record);
    for (size_t i = 0; i < scenario->n_excludes; i++)
        if (fits(&scenario->excludes[i], record))
            w->excluded = &scenario->excludes[i];
}

static void miss(struct world *world, const struct subject *scenario,
                 const struct wanted_event *wanted, const char *how)
{
    world_fail(world, CHECK_EXPECTATION, "%s:%zu:%zu: the event %s%s%s %s", scenario->path,
               wanted->line, wanted->column, event_kind_to_string(wanted->kind),
               wanted->child ? " of " : "", wanted->child ? wanted->child : "", how);
}

/* At the end: what must have come, in order or not, and what must not. */
static void check_events(struct world *world, const struct watch *w)
{
    const struct subject *scenario = w->scenario;
    char how[64];

    if (w->excluded)
        miss(world, scenario, w->excluded, "came, and must not");
    if (scenario->in_order && w->next < scenario->n_includes)
        miss(world, scenario, &scenario->includes[w->next], "did not come in its place");
    for (size_t i = 0; !scenario->in_order && i < scenario->n_includes; i++)
        if (w->seen[i] == 0)
            miss(world, scenario, &scenario->includes[i], "did not come");
    for (size_t i = 0; i < scenario->n_counts; i++)
        if (w->counted[i] != scenario->counts[i].count) {
            snprintf(how, sizeof(how), "came %ju times, not %ju", (uintmax_t)w->counted[i],
                     (uintmax_t)scenario->counts[i].count);
            miss(world, scenario, &scenario->counts[i], how);
        }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void expect(struct world *world, const struct subject *scenario, const struct claims *claims)
{
    const char *is;
    const struct claim *wrong = facts_check_child(world, claims, &is);

    if (wrong)
        world_fail(world, CHECK_EXPECTATION, "%s:%zu:%zu: %s%sexpected %s, it is %s",
                   scenario->path, wrong->line, wrong->column, claims->child,
                   claims->child[0] ? ": " : "", facts_describe(wrong), is);
}

/* A command that must be refused names a part of the reason. */
static void check_refused(struct world *world, const struct subject *scenario,
                          const struct scenario_step *step, int r, const char *text)
{
    if (step->refused && (r >= 0 || !strstr(text, step->refused)))
        world_fail(world, CHECK_EXPECTATION,
                   "%s:%zu:%zu: %s should have been refused with \"%s\", it %s%s", scenario->path,
                   step->line, step->column, step->word, step->refused,
                   r >= 0 ? "was carried out" : "was with: ", r >= 0 ? "" : text);
    else if (!step->refused && r < 0)
        world_fail(world, CHECK_EXPECTATION, "%s:%zu:%zu: %s was refused: %s", scenario->path,
                   step->line, step->column, step->word, text);
}

/* One command of a step, with the fields of the answer that are expected. */
static bool give_command(struct world *world, const struct subject *scenario,
                         const struct scenario_step *step, bool strict)
{
    struct command command = {.verb = step->verb,
                              .child = step->child,
                              .reason = step->reason,
                              .requester = step->by,
                              .dry_run = step->dry_run,
                              .signal = step->signal,
                              .whole = step->whole};
    struct outcome outcome;
    struct error error = {};
    const char *is;

    int r;

    if (step->scope) {
        command.child = strcmp(step->child, "root") == 0 ? "" : step->child;
        r = world_command_scope(world, &command, &error);
        if (strict)
            check_refused(world, scenario, step, r, error.text);
        return true;
    }
    r = world_command(world, &command, &outcome, &error);
    if (!strict)
        return true;
    check_refused(world, scenario, step, r, error.text);
    const struct claim *wrong =
        r == 0 && step->has_outcome ? facts_check_outcome(&step->outcome, &outcome, &is) : NULL;
    if (wrong)
        world_fail(world, CHECK_EXPECTATION, "%s:%zu:%zu: %s %s: expected %s, the outcome has %s",
                   scenario->path, wrong->line, wrong->column, step->word, step->child,
                   facts_describe(wrong), is);
    return true;
}

/* Declares a child that the scenario has kept for later. */
static bool add(struct world *world, const struct subject *scenario,
                const struct scenario_step *step)
{
    struct error error = {};

    world->actors[step->actor].declaration = step->declaration;
    if (step->dry_run)
        dry_run_declare(world, &step->actor, 1, &(struct dry_run_claim){step->ids, step->n_ids});
    int r = world_declare(world, &step->actor, 1, &error);
    check_refused(world, scenario, step, r, error.text);
    return true;
}

static bool redeclare(struct world *world, const struct subject *scenario,
                      const struct scenario_step *step)
{
    struct actor *actor = world_find(world, step->child);
    struct error error = {};

    int r = world_redeclare(world, (uint32_t)(actor - world->actors), step->declaration,
                            step->restart ? REDECLARE_APPLIES : REDECLARE_WAITS, &error);
    check_refused(world, scenario, step, r, error.text);
    return true;
}

static bool redeclare_supervisor(struct world *world, const struct subject *scenario,
                                 const struct scenario_step *step)
{
    struct error error = {};
    int r = world_redeclare_supervisor(world, step->supervisor, &error);

    check_refused(world, scenario, step, r, error.text);
    return true;
}

static bool run_job(struct world *world, const struct subject *scenario,
                    const struct scenario_step *step)
{
    struct error error = {};

    world->actors[step->actor].declaration = step->declaration;
    int r = world_run_job(world, step->actor, step->job, step->declaration->same_name, &error);
    check_refused(world, scenario, step, r, error.text);
    return true;
}

/* A report that a step makes up, with any numbers in it. */
static struct report report_of(const struct world *world, const struct actor *actor,
                               const struct scenario_step *step)
{
    return (struct report){
        .kind = step->report,
        .actor = (uint32_t)(actor - world->actors),
        .id = {.slot = actor->child ? actor->child->slot : 0,
               .serial = actor->serial,
               .generation = step->generation,
               .attempt = step->attempt},
        .pid = 1,
        .error = step->error,
        .completion = step->completion,
        .message = {.flags = step->notify, .status = "said by the scenario"},
    };
}

/* The latest process of a child that is in this state, or in any where state is UNBORN. */
static struct process *latest(struct actor *actor, enum process_state state)
{
    struct process *found = NULL;

    for (int i = 0; i < WORLD_PROCESSES; i++) {
        struct process *process = &actor->processes[i];
        if (process->id.attempt == 0 || process->id.serial != actor->serial ||
            (state != PROCESS_UNBORN && process->state != state))
            continue;
        if (!found || process->id.attempt > found->id.attempt)
            found = process;
    }
    return found;
}

/* A report that was made already comes a second time. */
static bool say_again(struct world *world, struct actor *actor, enum action action)
{
    struct process *process =
        latest(actor, action == ACTION_LATE_EXIT ? PROCESS_GONE : PROCESS_UNBORN);

    if (!process || !actor->child || (action == ACTION_LATE_EXIT && !process->reported))
        return false;
    world_report(world, &(struct report){
                            .kind = action == ACTION_LATE_EXIT ? INPUT_COMPLETED : INPUT_NOTIFY,
                            .actor = (uint32_t)(actor - world->actors),
                            .id = process->id,
                            .completion = process->completion,
                            .message = {.flags = NOTIFY_READY},
                        });
    return true;
}

static void crash(struct world *world, const struct scenario_step *step)
{
    if (step->crash == CRASH_WITHIN) {
        crash_within(world, (uint32_t)step->effects);
        return;
    }
    if (step->crash == CRASH_UPGRADE)
        world_reexecute(world);
    crash_daemon(world, step->crash == CRASH_TORN);
}

/* One step; false if it could not be made. */
bool scenario_perform(struct world *world, const struct subject *scenario,
                      const struct scenario_step *step)
{
    struct actor *actor = step->child ? world_find(world, step->child) : NULL;
    bool strict = scenario->n_actions == 0;

    switch (step->action) {
    case ACTION_NONE:
        return false;
    case ACTION_EXPECT:
        expect(world, scenario, &step->claims);
        return true;
    case ACTION_COMMAND:
        return give_command(world, scenario, step, strict);
    case ACTION_SHUTDOWN:
        world_shutdown(world, step->timeout_usec, step->by, step->reason);
        return true;
    case ACTION_REMOVE_SET:
        world_remove(world, step->ids, (uint32_t)step->n_ids);
        return true;
    case ACTION_HURRY:
        world_hurry(world);
        return true;
    case ACTION_REOPEN:
        world_reopen(world);
        return true;
    case ACTION_ADD:
        return add(world, scenario, step);
    case ACTION_REDECLARE:
        return redeclare(world, scenario, step);
    case ACTION_RUN_JOB:
        return run_job(world, scenario, step);
    case ACTION_REDECLARE_SUPERVISOR:
        return redeclare_supervisor(world, scenario, step);
    case ACTION_FIRE:
        if (!world_fire(world, step->child) && strict)
            world_fail(world, CHECK_EXPECTATION, "%s:%zu:%zu: no process waits for \"%s\"",
                       scenario->path, step->line, step->column, step->child);
        return true;
    case ACTION_REPORT: {
        struct report report = report_of(world, actor, step);
        world_report(world, &report);
        return true;
    }
    case ACTION_LATE_EXIT:
    case ACTION_LATE_READY:
        return say_again(world, actor, step->action);
    case ACTION_END:
        return world_end_process(world, actor, step->completion);
    case ACTION_FAIL_SPAWN:
        actor->fail_spawns = (uint32_t)step->times;
        actor->fail_errno = step->error;
        return true;
    case ACTION_DELAY_SPAWN:
        actor->lack_usec = step->lack_usec;
        return true;
    case ACTION_LOSE_CANCEL:
        actor->lose_cancels++;
        return true;
    case ACTION_LOSE_ABORT:
        actor->lose_aborts++;
        return true;
    case ACTION_HOLD_REPORTS:
        actor->hold_reports = true;
        return true;
    case ACTION_RELEASE_REPORTS:
        world_release_reports(world, actor);
        return true;
    case ACTION_WALL_JUMP:
        world_set_clock(world, step->jump_usec);
        return true;
    case ACTION_CRASH:
        crash(world, step);
        return true;
    case ACTION_REBOOT:
        crash_reboot(world, step->off_usec, BOOT_USEC, step->wall);
        return true;
    }
    __builtin_unreachable();
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The world of a scenario, before its first step. */
struct world *scenario_world(const struct run *run, struct world **world)
{
    const struct subject *scenario = run->subject;
    uint32_t first[1024], *numbers = first;
    struct error error = {};
    size_t n = 0;

    *world = world_new(run->memory, run->schedule, scenario->seed + run->seed,
                       (uint32_t)scenario->n_actors + (uint32_t)scenario->n_steps);
    (*world)->observe = run->observe;
    (*world)->observe_userdata = run->observe_userdata;
    (*world)->states = run->states;
    world_set_max_jobs(*world, scenario->max_jobs > 0 ? scenario->max_jobs : JOBS_DEFAULT);
    (*world)->faults = scenario->faults;
    (*world)->faults.from_nsec = WORLD_START_NSEC + scenario->faults_from_usec * 1000;
    (*world)->faults.until_nsec = scenario->faults_until_usec
                                      ? WORLD_START_NSEC + scenario->faults_until_usec * 1000
                                      : UINT64_MAX;
    if (scenario->crashes)
        disk_begin(*world);
    if (scenario->n_actors > 1024)
        numbers = memory_allocate(run->memory, scenario->n_actors * sizeof(*numbers));
    for (size_t i = 0; i < scenario->n_actors; i++) {
        const struct scenario_actor *actor = &scenario->actors[i];
        uint32_t number =
            world_add_actor(*world, &actor->declaration, actor->models, actor->n_models);
        if (!actor->later)
            numbers[n++] = number;
    }
    if (world_declare_tree(*world, scenario->supervisors, scenario->n_supervisors, numbers, n,
                           &error) < 0)
        world_fail(*world, CHECK_EXPECTATION, "%s: the tree is refused: %s", scenario->path,
                   error.text);
    return *world;
}

/* Lets time pass until something holds, or its time is over. */
static void wait_for(struct world *world, const struct subject *scenario,
                     const struct eventually *eventually)
{
    uint64_t end = world->now_nsec + eventually->within_usec * 1000;
    const char *is;

    while (facts_check_child(world, &eventually->claims, &is))
        if (!world_step(world, end))
            break;
    if (world->verdict.check == CHECK_NONE)
        expect(world, scenario, &eventually->claims);
}

static bool live_until(struct world *world, const struct run *run, uint64_t until)
{
    while (world_step(world, until))
        if (run->stop_after && run->stop_after(run->observe_userdata, world))
            return false;
    if (world->verdict.check == CHECK_NONE && world->now_nsec < until && until != UINT64_MAX)
        world->now_nsec = until;
    return world->verdict.check == CHECK_NONE;
}

static void settle(struct world *world)
{
    world->faults.until_nsec = world->now_nsec;
    for (uint32_t i = 0; i < world->n_actors; i++)
        world_release_reports(world, &world->actors[i]);
    for (uint64_t end = world->now_nsec + SETTLE_NSEC; world_step(world, end);)
        ;
    if (world->verdict.check == CHECK_NONE)
        checks_at_the_end(world);
}

/* Steps first, then what must hold eventually, then the events. */
void scenario_run(const struct run *run, struct world **world)
{
    const struct subject *scenario = run->subject;
    static struct watch w; /* the core may stop at an assertion: that is still told to it */
    struct run watched = *run;

    w = (struct watch){.scenario = scenario, .run = run};
    watched.observe = watch;
    watched.observe_userdata = &w;
    scenario_world(&watched, world);
    for (size_t i = 0; i < scenario->n_steps; i++) {
        const struct scenario_step *step = &scenario->steps[i];
        if (!live_until(*world, run, WORLD_START_NSEC + step->at_usec * 1000))
            return;
        scenario_perform(*world, scenario, step);
        if (run->stop_after && run->stop_after(run->observe_userdata, *world))
            return;
    }
    for (size_t i = 0; i < scenario->n_eventually && (*world)->verdict.check == CHECK_NONE; i++)
        wait_for(*world, scenario, &scenario->eventually[i]);
    if ((*world)->verdict.check != CHECK_NONE)
        return;
    w.quiet = true;
    check_events(*world, &w);
    settle(*world);
}
