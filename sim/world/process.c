/*
 * Processes of the model: they begin, follow their steps, obey or ignore, and
 * end; what the daemon learns of it comes as reports, with faults.
 */
#include "world/process.h"

#include "core/vocabulary/invariant.h"
#include "world/fault.h"
#include "world/queue.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define LEFTOVER_NSEC MSEC /* from the stop signal to the end of what was left behind */

/* Which state may follow which; anything else is a bug of the simulator. */
void process_become(struct process *process, enum process_state state)
{
    static const bool may_follow[PROCESS_GONE + 1][PROCESS_GONE + 1] = {
        [PROCESS_UNBORN] = {[PROCESS_ALIVE] = true, [PROCESS_GONE] = true},
        [PROCESS_ALIVE] = {[PROCESS_LEFTOVER] = true,
                           [PROCESS_KEPT] = true,
                           [PROCESS_GONE] = true,
                           [PROCESS_FOLLOWED] = true},
        [PROCESS_LEFTOVER] = {[PROCESS_GONE] = true, [PROCESS_FOLLOWED] = true},
        [PROCESS_FOLLOWED] = {[PROCESS_GONE] = true},
        [PROCESS_KEPT] = {[PROCESS_GONE] = true},
        [PROCESS_GONE] = {[PROCESS_GONE] = true}, /* the power goes */
    };

    INVARIANT(may_follow[process->state][state]);
    process->state = state;
}

struct process *world_process(struct actor *actor, uint64_t attempt)
{
    struct process *process = &actor->processes[attempt % WORLD_PROCESSES];
    return process->id.attempt == attempt && process->id.serial == actor->serial ? process : NULL;
}

unsigned world_processes(const struct actor *actor)
{
    unsigned count = 0;

    for (int i = 0; i < WORLD_PROCESSES; i++)
        count += actor->processes[i].state == PROCESS_ALIVE ||
                 actor->processes[i].state == PROCESS_LEFTOVER ||
                 actor->processes[i].state == PROCESS_FOLLOWED;
    return count;
}

static void note_process(struct world *world, const struct actor *actor,
                         const struct process *process, const char *what)
{
    world_note(world, &(struct record){.kind = RECORD_PROCESS,
                                       .what = what,
                                       .child = actor->declaration->id,
                                       .has_attempt = true,
                                       .generation = process->id.generation,
                                       .attempt = process->id.attempt});
}

void process_queue_end(struct world *world, struct actor *actor, const struct process *process,
                       bool dies, uint64_t delay)
{
    world_queue_process(world,
                        &(struct pending){.kind = PENDING_END,
                                          .actor = world_number_of(world, actor),
                                          .attempt = process->id.attempt,
                                          .dies = dies},
                        delay);
}

static void say(struct world *world, struct actor *actor, const struct process *process,
                struct notify_message message)
{
    struct report report = {.kind = INPUT_NOTIFY,
                            .actor = world_number_of(world, actor),
                            .id = process->id,
                            .message = message};
    fault_send(world, actor, &report, 0);
}

/* As the daemon's executor: of a result it keeps so much, and says whether there was more. What is
 * no job writes something before every third of its ends. */
static void note_output(const struct process *process, struct job_output *output)
{
    static const char line[] = "cannot bind: Address already in use";

    if (output->data)
        return; /* a scenario says what */
    if (process->result_bytes == 0 && process->id.attempt % 3 == 0) {
        *output = (struct job_output){.data = line, .size = sizeof(line) - 1};
        return;
    }
    output->size = process->result_bytes < JOB_OUTPUT_MAX ? process->result_bytes : JOB_OUTPUT_MAX;
    output->truncated = process->result_bytes > JOB_OUTPUT_MAX;
}

/* The end is reported, with what else a host would know. */
static void report_end(struct world *world, struct actor *actor, struct process *process)
{
    struct report report = {.kind = INPUT_COMPLETED,
                            .actor = world_number_of(world, actor),
                            .id = process->id,
                            .completion = process->completion};

    note_output(process, &report.completion.output);
    /* A cgroup of its own it has every other time; and SIGSEGV leaves a core. */
    report.completion.cgroup = process->id.attempt % 2 ? RESOURCE_CLEANED : RESOURCE_RECORDED;
    report.completion.core_dumped =
        report.completion.by_signal && report.completion.signal == SIGSEGV;
    /* A processor is its own half of the time that it lives. */
    report.completion.cpu_usec = (world->now_nsec - process->born_nsec) / 2000;
    process->reported = true;
    fault_send(world, actor, &report, 0);
    if (fault_strikes(world, world->faults.late_notify)) {
        fault_note(world, actor, "late message", process->id);
        say(world, actor, process,
            (struct notify_message){.flags = schedule_choose(world->schedule, 2) ? NOTIFY_HEARTBEAT
                                                                                 : NOTIFY_READY});
    }
}

static void tell_commands(struct world *world, struct actor *actor, const struct process *process,
                          enum child_commands commands, bool passed, uint64_t delay)
{
    fault_send(world, actor,
               &(struct report){.kind = INPUT_COMMANDS_ENDED,
                                .actor = world_number_of(world, actor),
                                .id = process->id,
                                .commands = commands,
                                .passed = passed},
               delay);
}

/* None of it is left, and the commands of after_stop are run. */
static void follow(struct world *world, struct actor *actor, struct process *process)
{
    struct report report = {.kind = INPUT_MAIN_EXITED,
                            .actor = world_number_of(world, actor),
                            .id = process->id,
                            .completion = process->completion};

    process_become(process, PROCESS_FOLLOWED);
    note_process(world, actor, process, "gone, commands follow");
    fault_send(world, actor, &report, 0);
    if (process->traits.after_fails)
        tell_commands(world, actor, process, COMMANDS_AFTER_STOP, false,
                      process->traits.after_takes_usec * 1000);
    process_queue_end(world, actor, process, false, process->traits.after_takes_usec * 1000);
}

static void is_gone(struct world *world, struct actor *actor, struct process *process)
{
    if (process->traits.is_followed && process->state != PROCESS_FOLLOWED) {
        follow(world, actor, process);
        return;
    }
    process_become(process, PROCESS_GONE);
    note_process(world, actor, process, "gone");
    if (!actor->hold_reports)
        report_end(world, actor, process);
}

void world_release_reports(struct world *world, struct actor *actor)
{
    actor->hold_reports = false;
    for (uint32_t i = 0; i < WORLD_PROCESSES; i++) {
        struct process *process = &actor->processes[i];
        if ((process->state == PROCESS_GONE || process->state == PROCESS_KEPT) &&
            !process->reported && process->id.serial == actor->serial)
            report_end(world, actor, process);
    }
}

/* What is left ends so long after the stop signal, which it has heard or hears now. */
static void end_leftover(struct world *world, struct actor *actor, struct process *process)
{
    uint64_t due = process->cancel_nsec + process->traits.left_takes_usec * 1000 + LEFTOVER_NSEC;

    if (!process->traits.left_ignores)
        process_queue_end(world, actor, process, false,
                          due > world->now_nsec ? due - world->now_nsec : LEFTOVER_NSEC);
}

/* The attempt is over, and what it has left does not matter any more. */
static void leave_behind(struct world *world, struct actor *actor, struct process *process)
{
    process_become(process, PROCESS_KEPT);
    process->completion.left = 1;
    note_process(world, actor, process, "main process gone, one stays");
    if (!actor->hold_reports)
        report_end(world, actor, process);
}

/* The main process has ended, another one stays. */
static void report_leftover(struct world *world, struct actor *actor, struct process *process)
{
    struct report report = {.kind = INPUT_MAIN_EXITED,
                            .actor = world_number_of(world, actor),
                            .id = process->id,
                            .completion = process->completion};

    report.completion.left = 1;
    process_become(process, PROCESS_LEFTOVER);
    note_process(world, actor, process, "main process gone, one left over");
    fault_send(world, actor, &report, 0);
    if (process->heard_cancel)
        end_leftover(world, actor, process);
}

/* The main process ends, and leaves what it forked. */
static void die(struct world *world, struct actor *actor, struct process *process,
                struct completion completion)
{
    if (process->state != PROCESS_ALIVE)
        return;
    process->completion = completion;
    if (process->traits.double_forks) {
        if (process->leftovers == LEFTOVERS_KEEP)
            leave_behind(world, actor, process);
        else
            report_leftover(world, actor, process);
        return;
    }
    is_gone(world, actor, process);
}

void process_end(struct world *world, struct actor *actor, struct process *process, bool dies)
{
    if (dies)
        die(world, actor, process, process->completion);
    else if (process->state == PROCESS_LEFTOVER || process->state == PROCESS_FOLLOWED)
        is_gone(world, actor, process);
}

bool world_end_process(struct world *world, struct actor *actor, struct completion completion)
{
    for (int i = 0; i < WORLD_PROCESSES; i++)
        if (actor->processes[i].state == PROCESS_ALIVE) {
            die(world, actor, &actor->processes[i], completion);
            return true;
        }
    return false;
}

void process_beat(struct world *world, struct actor *actor, struct process *process)
{
    say(world, actor, process, (struct notify_message){.flags = NOTIFY_HEARTBEAT});
    world_queue_process(world,
                        &(struct pending){.kind = PENDING_BEAT,
                                          .actor = world_number_of(world, actor),
                                          .attempt = process->id.attempt},
                        process->beat_usec * 1000);
}

static void proceed_after(struct world *world, struct actor *actor, struct process *process,
                          uint64_t delay)
{
    world_queue_process(world,
                        &(struct pending){.kind = PENDING_STEP,
                                          .actor = world_number_of(world, actor),
                                          .attempt = process->id.attempt,
                                          .wait_serial = ++process->wait_serial},
                        delay);
}

static uint64_t ago(const struct world *world, uint64_t usec)
{
    uint64_t now = world_usec(world);
    return now > usec ? now - usec : 1;
}

/* What a step says to the daemon. */
static struct notify_message message_of(const struct world *world, const struct step *step)
{
    static const unsigned flags[] = {
        [STEP_READY] = NOTIFY_READY,
        [STEP_NOT_READY] = NOTIFY_NOT_READY,
        [STEP_BEAT] = NOTIFY_HEARTBEAT,
        [STEP_STATUS] = NOTIFY_STATUS,
        [STEP_EXTEND] = NOTIFY_EXTEND_TIMEOUT,
        [STEP_RELOADING] = NOTIFY_RELOADING,
        [STEP_RELOADING_SINCE] = NOTIFY_RELOADING,
        [STEP_STOPPING] = NOTIFY_STOPPING,
        [STEP_TRIGGER] = NOTIFY_TRIGGER,
    };
    struct notify_message message = {.flags = flags[step->kind]};

    if (step->kind == STEP_STATUS) { /* with an ERRNO= as large as it is long */
        message.flags |= NOTIFY_ERRNO;
        message.status = step->word;
        message.error = (int)strlen(step->word);
    }
    if (step->kind == STEP_EXTEND)
        message.extend_usec = step->number;
    if (step->kind == STEP_RELOADING_SINCE)
        message.reloading_usec = ago(world, step->number);
    return message;
}

/* Takes one step. Returns false when the process waits now, or is gone. */
static bool take_step(struct world *world, struct actor *actor, struct process *process,
                      const struct step *step)
{
    switch (step->kind) {
    case STEP_READY:
    case STEP_NOT_READY:
    case STEP_BEAT:
    case STEP_STATUS:
    case STEP_EXTEND:
    case STEP_RELOADING:
    case STEP_RELOADING_SINCE:
    case STEP_STOPPING:
    case STEP_TRIGGER:
        say(world, actor, process, message_of(world, step));
        return true;
    case STEP_BEAT_EVERY:
        process->beat_usec = step->number > 0 ? step->number : 1;
        process_beat(world, actor, process);
        return true;
    case STEP_HEALTHY:
    case STEP_UNHEALTHY:
    case STEP_MUTE:
        process->health = step->kind;
        return true;
    case STEP_WRITE_RESULT:
        process->result_bytes += step->number;
        return true;
    case STEP_RUN:
        proceed_after(world, actor, process, step->number * 1000);
        return false;
    case STEP_WAIT:
        process->waits_for = step->word;
        return false;
    case STEP_WAIT_CANCEL:
        process->waits_for_cancel = true;
        return false;
    case STEP_WAIT_RELOAD:
        process->waits_for_reload = !process->has_reload;
        process->has_reload = false;
        return !process->waits_for_reload;
    case STEP_EXIT:
        die(world, actor, process, (struct completion){.code = (int)step->number});
        return false;
    case STEP_DIE:
        die(world, actor, process,
            (struct completion){.by_signal = true, .signal = (int)step->number});
        return false;
    case STEP_OOM:
        die(world, actor, process,
            (struct completion){.by_signal = true, .signal = SIGKILL, .oom_killed = true});
        return false;
    case STEP_IGNORE_CANCEL:
    case STEP_CANCEL_TAKES:
    case STEP_HANG:
    case STEP_DOUBLE_FORK:
    case STEP_LEFT_TAKES:
    case STEP_LEFT_IGNORES:
    case STEP_HEEDS:
    case STEP_RELOAD_TAKES:
    case STEP_RELOAD_FAILS:
    case STEP_STOP_FAILS:
    case STEP_AFTER_TAKES:
    case STEP_AFTER_FAILS:
        return true; /* traits */
    }
    __builtin_unreachable();
}

void process_proceed(struct world *world, struct actor *actor, struct process *process)
{
    process->delayed = false;
    while (process->next_step < process->model->count)
        if (!take_step(world, actor, process, &process->model->steps[process->next_step++]))
            return;
    if (process->cancels > 0 && process->waits_for_cancel)
        die(world, actor, process, (struct completion){}); /* the end of what a cancel began */
}

/* All processes that wait for this name continue. Returns whether there were
 * any. */
bool world_fire(struct world *world, const char *name)
{
    bool fired = false;

    for (uint32_t i = 0; i < world->n_actors; i++)
        for (int k = 0; k < WORLD_PROCESSES; k++) {
            struct process *process = &world->actors[i].processes[k];
            if (process->state != PROCESS_ALIVE || !process->waits_for ||
                strcmp(process->waits_for, name) != 0)
                continue;
            process->waits_for = NULL;
            proceed_after(world, &world->actors[i], process, 0);
            fired = true;
        }
    return fired;
}

/* Errors that a scenario has ordered come before those of chance. */
static int spawn_error(struct world *world, struct actor *actor)
{
    static const int errors[] = {EAGAIN, ENOMEM, ENOENT};

    if (actor->fail_spawns > 0) {
        actor->fail_spawns--;
        return actor->fail_errno;
    }
    if (fault_strikes(world, world->faults.spawn_failure))
        return errors[schedule_choose(world->schedule, 3)];
    return 0;
}

/* Says that the start waits, and later that it continues. Returns how long it waits. */
static uint64_t delay_spawn(struct world *world, struct actor *actor, struct attempt_id id)
{
    uint64_t delay = actor->lack_usec * 1000;
    struct report report = {.kind = INPUT_START_DELAYED,
                            .actor = world_number_of(world, actor),
                            .id = id,
                            .lacks = true};

    actor->lack_usec = 0;
    if (delay == 0 && fault_strikes(world, world->faults.lack))
        delay = fault_delay(world);
    if (delay == 0)
        return 0;
    fault_note(world, actor, "start delayed", id);
    fault_send(world, actor, &report, 0);
    report.lacks = false;
    fault_send(world, actor, &report, delay);
    return delay;
}

/* The process begins, or fails to. */
static void spawn(struct world *world, struct actor *actor, struct process *process)
{
    uint32_t number = world_number_of(world, actor);
    int error = spawn_error(world, actor);
    uint64_t wait = delay_spawn(world, actor, process->id);
    uint64_t delay =
        wait + (fault_strikes(world, world->faults.slow_spawn) ? fault_delay(world) : 0);

    if (error) {
        struct report report = {
            .kind = INPUT_SPAWN_FAILED, .actor = number, .id = process->id, .error = error};
        process_become(process, PROCESS_GONE);
        process->reported = process->stillborn = true;
        fault_send(world, actor, &report, delay);
        return;
    }
    process_become(process, PROCESS_ALIVE);
    process->pid = ++world->next_pid;
    process->born_nsec = world->now_nsec;
    note_process(world, actor, process, "born");
    if (fault_strikes(world, world->faults.exit_first))
        delay += fault_delay(world);
    struct report report = {
        .kind = INPUT_SPAWNED, .actor = number, .id = process->id, .pid = process->pid};
    fault_send(world, actor, &report, delay);
    process->delayed = wait > 0;
    proceed_after(world, actor, process, wait);
}

/* Each start takes the next model of the child, the last one again and
 * again. */
void process_start(struct world *world, struct actor *actor, struct attempt_id id)
{
    struct process *process = &actor->processes[id.attempt % WORLD_PROCESSES];
    size_t model = actor->starts < actor->n_models ? actor->starts : actor->n_models - 1;

    actor->starts++;
    *process = (struct process){.id = id,
                                .wait_serial = process->wait_serial, /* of a start lost before */
                                .leftovers = actor->child->config->declaration.leftovers,
                                .model = &actor->models[model],
                                .traits = model_traits(&actor->models[model]),
                                .health = STEP_HEALTHY};
    spawn(world, actor, process);
}

/* As the traits of the program say. */
void process_obey_cancel(struct world *world, struct actor *actor, struct process *process)
{
    process->told_cancel = process->heard_cancel = true;
    process->cancel_nsec = world->now_nsec;
    if (process->state == PROCESS_LEFTOVER)
        end_leftover(world, actor, process);
    if (process->state == PROCESS_ALIVE && process->traits.stop_fails)
        tell_commands(world, actor, process, COMMANDS_STOP, false, 0);
    if (process->state != PROCESS_ALIVE || process->traits.ignores_cancel || process->obeys)
        return;
    process->obeys = true;
    if (process->waits_for_cancel && process->next_step < process->model->count &&
        model_step_runs(&process->model->steps[process->next_step])) {
        proceed_after(world, actor, process, 0);
        return;
    }
    process->completion = (struct completion){.by_signal = true, .signal = SIGTERM};
    process_queue_end(world, actor, process, true, process->traits.cancel_takes_usec * 1000);
}

/* A process that hangs takes its time, or never ends. */
void process_obey_abort(struct world *world, struct actor *actor, struct process *process)
{
    process->told_abort = true;
    if (process->traits.hang_usec == MODEL_FOREVER)
        return;
    if (process->state == PROCESS_FOLLOWED || process->state == PROCESS_LEFTOVER) {
        process_queue_end(world, actor, process, false, process->traits.hang_usec * 1000);
        return;
    }
    process->traits.double_forks = false; /* all of it goes */
    process->completion = (struct completion){.by_signal = true, .signal = SIGKILL};
    process_queue_end(world, actor, process, true, process->traits.hang_usec * 1000);
}

void process_power_off(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        for (int k = 0; k < WORLD_PROCESSES; k++)
            if (world->actors[i].processes[k].state != PROCESS_UNBORN)
                process_become(&world->actors[i].processes[k], PROCESS_GONE);
    for (uint32_t i = world->n_pending; i-- > 0;)
        if (world->pending[i].kind != PENDING_TURN)
            world->pending[i] = world->pending[--world->n_pending];
    world->n_in_doubt = 0;
}

void process_run_reload(struct world *world, struct actor *actor, const struct process *process)
{
    if (process->state == PROCESS_ALIVE)
        tell_commands(world, actor, process, COMMANDS_RELOAD, !process->traits.reload_fails,
                      process->traits.reload_takes_usec * 1000);
}

void process_take_reload(struct world *world, struct actor *actor, struct process *process)
{
    if (process->state != PROCESS_ALIVE)
        return;
    process->has_reload = !process->waits_for_reload;
    if (process->waits_for_reload)
        proceed_after(world, actor, process, 0);
    process->waits_for_reload = false;
}
