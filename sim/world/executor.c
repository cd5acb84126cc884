/*
 * Executor: the core's ports in the simulated world, and the processes behind them.
 */
#include "world/world.h"

#include "checks/calls.h"
#include "checks/ledger.h"
#include "world/disk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LEFTOVER_NSEC MSEC /* from the stop signal to the end of what was left behind */

static uint32_t number_of(const struct world *world, const struct actor *actor)
{
    return (uint32_t)(actor - world->actors);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool strikes(struct world *world, uint16_t per_mille)
{
    return world->now_nsec >= world->faults.from_nsec &&
           world->now_nsec < world->faults.until_nsec &&
           schedule_strikes(world->schedule, per_mille);
}

static uint64_t some_delay(struct world *world)
{
    static const uint64_t delays[] = {MSEC,    10 * MSEC, 100 * MSEC, SEC,
                                      4 * SEC, 12 * SEC,  31 * SEC};
    return delays[schedule_choose(world->schedule, sizeof(delays) / sizeof(delays[0]))];
}

static void note_fault(struct world *world, const struct actor *actor, const char *what,
                       struct attempt_id id)
{
    world->marks[1] |= UINT64_C(1) << 63;
    world_note(world, &(struct record){.kind = RECORD_FAULT,
                                       .what = what,
                                       .child = actor->declaration->id,
                                       .has_attempt = true,
                                       .generation = id.generation,
                                       .attempt = id.attempt});
}

/* Sends a report on its way into the core, which it may reach late, or twice. */
static void send(struct world *world, struct actor *actor, const struct report *report,
                 uint64_t delay)
{
    if (strikes(world, world->faults.delay)) {
        delay += some_delay(world);
        note_fault(world, actor, "delayed", report->id);
    }
    world_queue_report(world, report, delay);
    if (strikes(world, world->faults.duplicate)) {
        world_queue_report(world, report, delay + some_delay(world));
        note_fault(world, actor, "doubled", report->id);
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

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
                 actor->processes[i].state == PROCESS_LEFTOVER;
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

static void queue_end(struct world *world, struct actor *actor, const struct process *process,
                      bool dies, uint64_t delay)
{
    world_queue_process(world,
                        &(struct pending){.kind = PENDING_END,
                                          .actor = number_of(world, actor),
                                          .attempt = process->id.attempt,
                                          .dies = dies},
                        delay);
}

static void say(struct world *world, struct actor *actor, const struct process *process,
                struct notify_message message)
{
    struct report report = {.kind = INPUT_NOTIFY,
                            .actor = number_of(world, actor),
                            .id = process->id,
                            .message = message};
    send(world, actor, &report, 0);
}

static void report_end(struct world *world, struct actor *actor, struct process *process)
{
    struct report report = {.kind = INPUT_COMPLETED,
                            .actor = number_of(world, actor),
                            .id = process->id,
                            .completion = process->completion};

    /* As the daemon's executor: it keeps so much, and says whether there was more. */
    report.completion.output.size =
        process->result_bytes < JOB_OUTPUT_MAX ? process->result_bytes : JOB_OUTPUT_MAX;
    report.completion.output.truncated = process->result_bytes > JOB_OUTPUT_MAX;
    /* A processor is its own half of the time that it lives. */
    report.completion.cpu_usec = (world->now_nsec - process->born_nsec) / 2000;
    process->reported = true;
    send(world, actor, &report, 0);
    if (strikes(world, world->faults.late_notify)) {
        note_fault(world, actor, "late message", process->id);
        say(world, actor, process,
            (struct notify_message){.flags = schedule_choose(world->schedule, 2) ? NOTIFY_HEARTBEAT
                                                                                 : NOTIFY_READY});
    }
}

static void is_gone(struct world *world, struct actor *actor, struct process *process)
{
    process->state = PROCESS_GONE;
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
        queue_end(world, actor, process, false,
                  due > world->now_nsec ? due - world->now_nsec : LEFTOVER_NSEC);
}

/* The attempt is over, and what it has left is nobody's business any more. */
static void leave_behind(struct world *world, struct actor *actor, struct process *process)
{
    process->state = PROCESS_KEPT;
    process->completion.left = 1;
    note_process(world, actor, process, "main process gone, one stays");
    if (!actor->hold_reports)
        report_end(world, actor, process);
}

static void report_leftover(struct world *world, struct actor *actor, struct process *process)
{
    struct report report = {.kind = INPUT_MAIN_EXITED,
                            .actor = number_of(world, actor),
                            .id = process->id,
                            .completion = process->completion};

    report.completion.left = 1;
    process->state = PROCESS_LEFTOVER;
    note_process(world, actor, process, "main process gone, one left over");
    send(world, actor, &report, 0);
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

void executor_end(struct world *world, struct actor *actor, struct process *process, bool dies)
{
    if (dies)
        die(world, actor, process, process->completion);
    else if (process->state == PROCESS_LEFTOVER)
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

void executor_beat(struct world *world, struct actor *actor, struct process *process)
{
    say(world, actor, process, (struct notify_message){.flags = NOTIFY_HEARTBEAT});
    world_queue_process(world,
                        &(struct pending){.kind = PENDING_BEAT,
                                          .actor = number_of(world, actor),
                                          .attempt = process->id.attempt},
                        process->beat_usec * 1000);
}

static void proceed_after(struct world *world, struct actor *actor, struct process *process,
                          uint64_t delay)
{
    world_queue_process(world,
                        &(struct pending){.kind = PENDING_STEP,
                                          .actor = number_of(world, actor),
                                          .attempt = process->id.attempt,
                                          .wait_serial = ++process->wait_serial},
                        delay);
}

static uint64_t ago(const struct world *world, uint64_t usec)
{
    uint64_t now = world_usec(world);
    return now > usec ? now - usec : 1;
}

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

    if (step->kind == STEP_STATUS)
        message.status = step->word;
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
        executor_beat(world, actor, process);
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
        return true; /* traits */
    }
    __builtin_unreachable();
}

void executor_proceed(struct world *world, struct actor *actor, struct process *process)
{
    process->delayed = false;
    while (process->next_step < process->model->count)
        if (!take_step(world, actor, process, &process->model->steps[process->next_step++]))
            return;
    if (process->cancels > 0 && process->waits_for_cancel)
        die(world, actor, process, (struct completion){}); /* the end of what a cancel began */
}

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

/* ---- the daemon's death ---------------------------------------------------------------------- */

/* Whether something that the core asks for happens: not in a past that is lived through once more,
 * and not when the daemon has died before it could do it. */
static bool happens(struct world *world)
{
    if (world->cut && !world->dead && world->effects_left-- == 0)
        world->dead = true;
    return !world->dead;
}

static void doubt(struct world *world, const struct actor *actor, uint64_t attempt, bool abort)
{
    if (world->disk && world->n_in_doubt < WORLD_DOUBTS)
        world->in_doubt[world->n_in_doubt++] =
            (struct doubt){.actor = number_of(world, actor), .attempt = attempt, .abort = abort};
}

/* ---- ports ----------------------------------------------------------------------------------- */

static struct actor *actor_of(struct world *world, struct child *child)
{
    if (!child->host) {
        struct actor *actor = world_find(world, child->id);
        if (actor->serial != child->serial) {
            memset(actor->processes, 0, sizeof(actor->processes));
            actor->starts = 0;
        }
        actor->child = child;
        actor->serial = child->serial;
        child->host = actor;
    }
    return child->host;
}

static void note_call(struct world *world, const struct actor *actor, const char *what,
                      struct attempt_id id)
{
    world->calls++;
    world->hash = (world->hash ^ id.attempt ^ (uint64_t)what[0] << 32) * UINT64_C(0x100000001B3);
    world_note(world, &(struct record){.kind = RECORD_CALL,
                                       .what = what,
                                       .child = actor->declaration->id,
                                       .has_attempt = true,
                                       .generation = id.generation,
                                       .attempt = id.attempt});
}

static uint64_t monotonic(void *userdata)
{
    return world_usec(userdata);
}

static uint64_t realtime(void *userdata)
{
    return world_clocks(userdata).realtime_usec;
}

static void *port_allocate(void *userdata, size_t size)
{
    struct world *world = userdata;
    world->allocations++;
    return memory_allocate(world->memory, size);
}

static void port_release(void *userdata, void *memory)
{
    struct world *world = userdata;
    memory_release(world->memory, memory);
}

static int spawn_error(struct world *world, struct actor *actor)
{
    static const int errors[] = {EAGAIN, ENOMEM, ENOENT};

    if (actor->fail_spawns > 0) {
        actor->fail_spawns--;
        return actor->fail_errno;
    }
    if (strikes(world, world->faults.spawn_failure))
        return errors[schedule_choose(world->schedule, 3)];
    return 0;
}

/* Says that the start waits, and later that it goes on. Returns how long it waits. */
static uint64_t delay_spawn(struct world *world, struct actor *actor, struct attempt_id id)
{
    uint64_t delay = actor->lack_usec * 1000;
    struct report report = {
        .kind = INPUT_START_DELAYED, .actor = number_of(world, actor), .id = id, .lacks = true};

    actor->lack_usec = 0;
    if (delay == 0 && strikes(world, world->faults.lack))
        delay = some_delay(world);
    if (delay == 0)
        return 0;
    note_fault(world, actor, "start delayed", id);
    send(world, actor, &report, 0);
    report.lacks = false;
    send(world, actor, &report, delay);
    return delay;
}

static void spawn(struct world *world, struct actor *actor, struct process *process)
{
    uint32_t number = number_of(world, actor);
    int error = spawn_error(world, actor);
    uint64_t wait = delay_spawn(world, actor, process->id);
    uint64_t delay = wait + (strikes(world, world->faults.slow_spawn) ? some_delay(world) : 0);

    if (error) {
        struct report report = {
            .kind = INPUT_SPAWN_FAILED, .actor = number, .id = process->id, .error = error};
        process->state = PROCESS_GONE;
        process->reported = process->stillborn = true;
        send(world, actor, &report, delay);
        return;
    }
    process->state = PROCESS_ALIVE;
    process->pid = ++world->next_pid;
    process->born_nsec = world->now_nsec;
    note_process(world, actor, process, "born");
    if (strikes(world, world->faults.exit_first))
        delay += some_delay(world);
    struct report report = {
        .kind = INPUT_SPAWNED, .actor = number, .id = process->id, .pid = process->pid};
    send(world, actor, &report, delay);
    process->delayed = wait > 0;
    proceed_after(world, actor, process, wait);
}

void executor_start(struct world *world, struct actor *actor, struct attempt_id id)
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

static void port_start(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    struct actor *actor = actor_of(world, child);
    checks_start(world, actor, id);
    note_call(world, actor, "start", id);
    if (happens(world))
        executor_start(world, actor, id);
}

static void obey_cancel(struct world *world, struct actor *actor, struct process *process)
{
    process->told_cancel = process->heard_cancel = true;
    process->cancel_nsec = world->now_nsec;
    if (process->state == PROCESS_LEFTOVER)
        end_leftover(world, actor, process);
    if (process->state != PROCESS_ALIVE || process->traits.ignores_cancel || process->obeys)
        return;
    process->obeys = true;
    if (process->waits_for_cancel && process->next_step < process->model->count &&
        model_step_runs(&process->model->steps[process->next_step])) {
        proceed_after(world, actor, process, 0);
        return;
    }
    process->completion = (struct completion){.by_signal = true, .signal = SIGTERM};
    queue_end(world, actor, process, true, process->traits.cancel_takes_usec * 1000);
}

static void port_cancel(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, "cancel", id);
    doubt(world, actor, id.attempt, false);
    if (!world->disk || process) /* else its start was lost with the daemon */
        checks_cancel(world, actor, process);
    if (!process)
        return;
    process->cancels++;
    if (!happens(world))
        return;
    if (actor->lose_cancels > 0 || strikes(world, world->faults.lost_cancel)) {
        actor->lose_cancels -= actor->lose_cancels > 0;
        process->told_cancel = true;
        note_fault(world, actor, "cancel lost", id);
        return;
    }
    obey_cancel(world, actor, process);
}

static void obey_abort(struct world *world, struct actor *actor, struct process *process)
{
    process->told_abort = true;
    if (process->traits.hang_usec == MODEL_FOREVER)
        return;
    if (process->state == PROCESS_LEFTOVER) {
        queue_end(world, actor, process, false, process->traits.hang_usec * 1000);
        return;
    }
    process->traits.double_forks = false; /* all of it goes */
    process->completion = (struct completion){.by_signal = true, .signal = SIGKILL};
    queue_end(world, actor, process, true, process->traits.hang_usec * 1000);
}

static void port_abort(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, "abort", id);
    doubt(world, actor, id.attempt, true);
    if (!world->disk || process)
        checks_abort(world, actor, process);
    if (!process)
        return;
    process->aborts++;
    if (!happens(world))
        return;
    if (actor->lose_aborts > 0 || strikes(world, world->faults.lost_abort)) {
        actor->lose_aborts -= actor->lose_aborts > 0;
        process->told_abort = true;
        note_fault(world, actor, "abort lost", id);
        return;
    }
    obey_abort(world, actor, process);
}

static void port_escalate(void *userdata, struct child *child, struct attempt_id id, int signal)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, "escalate", id);
    if (!process)
        return;
    checks_escalate(world, actor, process);
    process->escalations++;
    if (!happens(world) || process->traits.heeds != signal)
        return;
    if (process->state == PROCESS_ALIVE)
        process->completion = (struct completion){.by_signal = true, .signal = signal};
    queue_end(world, actor, process, process->state == PROCESS_ALIVE, 0);
}

void executor_power_off(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        for (int k = 0; k < WORLD_PROCESSES; k++)
            if (world->actors[i].processes[k].state != PROCESS_UNBORN)
                world->actors[i].processes[k].state = PROCESS_GONE;
    for (uint32_t i = world->n_pending; i-- > 0;)
        if (world->pending[i].kind != PENDING_TURN)
            world->pending[i] = world->pending[--world->n_pending];
    world->n_in_doubt = 0;
}

void executor_do_again(struct world *world, const struct doubt *doubt)
{
    struct actor *actor = &world->actors[doubt->actor];
    struct process *process = actor->child ? world_process(actor, doubt->attempt) : NULL;

    if (!process || process->state == PROCESS_GONE)
        return;
    if (doubt->abort)
        obey_abort(world, actor, process);
    else
        obey_cancel(world, actor, process);
}

static void take_reload(struct world *world, struct actor *actor, struct process *process)
{
    if (process->state != PROCESS_ALIVE)
        return;
    process->has_reload = !process->waits_for_reload;
    if (process->waits_for_reload)
        proceed_after(world, actor, process, 0);
    process->waits_for_reload = false;
}

static int port_kill(void *userdata, struct child *child, struct attempt_id id, int signal,
                     bool whole)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return 0;
    struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, whole ? "kill all" : "kill", id);
    if (!happens(world) || !process)
        return 0;
    if (signal == child->config->declaration.process.reload_signal)
        take_reload(world, actor, process);
    if (signal == SIGKILL) {
        process->completion = (struct completion){.by_signal = true, .signal = SIGKILL};
        queue_end(world, actor, process, true, 0);
    }
    return 0;
}

/* A process that is healthy, or not, says so at once; a mute one never. */
static void port_check(void *userdata, struct child *child, struct attempt_id id, uint32_t number)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    const struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, "check", id);
    if (!happens(world) || !process || process->state != PROCESS_ALIVE ||
        process->health == STEP_MUTE)
        return;
    struct report report = {.kind = INPUT_CHECKED,
                            .actor = number_of(world, actor),
                            .id = id,
                            .check = number,
                            .passed = process->health == STEP_HEALTHY};
    send(world, actor, &report, 0);
}

static void port_check_end(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;

    if (!world->recovering)
        note_call(world, child->host, "end check", id);
}

static void port_forget(void *userdata, struct child *child)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    struct actor *actor = actor_of(world, child);
    note_call(world, actor, "forget", (struct attempt_id){});
    checks_forget(world, actor);
    actor->child = NULL;
}

static void port_set_timer(void *userdata, uint64_t deadline_usec)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    world->timer_usec = deadline_usec;
    world->timer_order = ++world->next_order;
    world->timer_due_nsec = (era_clock(&world->era, deadline_usec) + world->boot_usec) * 1000;
    if (deadline_usec == 0)
        return;
    if (world->timer_due_nsec < world->now_nsec)
        world->timer_due_nsec = world->now_nsec;
    if (strikes(world, world->faults.late_timer))
        world->timer_due_nsec += some_delay(world);
}

static void port_event(void *userdata, const struct event *event)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    if (event->child)
        actor_of(world, event->child);
    checks_event(world, event);
}

void executor_ports(struct world *world, struct core_ports *ports)
{
    *ports = (struct core_ports){
        .userdata = world,
        .monotonic = monotonic,
        .realtime = realtime,
        .allocate = port_allocate,
        .release = port_release,
        .start = port_start,
        .cancel = port_cancel,
        .abort = port_abort,
        .escalate = port_escalate,
        .check = port_check,
        .check_end = port_check_end,
        .kill = port_kill,
        .forget = port_forget,
        .set_timer = port_set_timer,
        .record = disk_record,
        .event = port_event,
    };
}
