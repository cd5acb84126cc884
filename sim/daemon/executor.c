/*
 * The ports of the core, carried out by the model: starts, cancels, aborts,
 * timers. Each call is checked, noted and then obeyed, lost or delayed as the
 * faults of the world demand.
 *
 * During a recovery the same calls come again, and nothing of them may happen a
 * second time.
 */
#include "daemon/executor.h"

#include "checks/calls.h"
#include "checks/ledger.h"
#include "checks/told.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/moment.h"
#include "daemon/disk.h"
#include "world/fault.h"
#include "world/process.h"

#include <signal.h>
#include <string.h>

/* Whether something that the core asks for happens: not in a past that is replayed,
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
        world->in_doubt[world->n_in_doubt++] = (struct doubt){
            .actor = world_number_of(world, actor), .attempt = attempt, .abort = abort};
}

/* A child's actor, found by its id when the core calls about it for the first
 * time. */
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

/* Notes a call for the log, the hash and the comparison with the reference. */
static void note_call_with(struct world *world, const struct actor *actor, enum ref_call_kind kind,
                           const char *what, struct attempt_id id, int64_t number, bool whole)
{
    world->calls++;
    told_call(world, actor, kind, id, number, whole);
    world->hash = (world->hash ^ id.attempt ^ (uint64_t)what[0] << 32) * UINT64_C(0x100000001B3);
    world_note(world, &(struct record){.kind = RECORD_CALL,
                                       .what = what,
                                       .child = actor->declaration->id,
                                       .has_attempt = true,
                                       .generation = id.generation,
                                       .attempt = id.attempt});
}

static void note_call(struct world *world, const struct actor *actor, enum ref_call_kind kind,
                      const char *what, struct attempt_id id)
{
    note_call_with(world, actor, kind, what, id, 0, false);
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

/* It is asked of the attempt that the child has. */
static bool is_of(const struct child *child, const struct actor *actor, struct attempt_id id)
{
    return actor && actor->child == child && child->attempt.active &&
           child->attempt.number == id.attempt && child->serial == id.serial;
}

/* The process of the model begins, unless the daemon dies just before. */
static void port_start(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    struct actor *actor = actor_of(world, child);
    checks_start(world, actor, id);
    note_call(world, actor, REF_CALL_START, "start", id);
    if (happens(world))
        process_start(world, actor, id);
}

/* The request may be lost between daemon and process; then the deadline of the
 * stop has to help. */
static void port_cancel(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    INVARIANT(is_of(child, actor, id));
    struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, REF_CALL_CANCEL, "cancel", id);
    doubt(world, actor, id.attempt, false);
    if (!world->disk || process) /* else its start was lost with the daemon */
        checks_cancel(world, actor, process);
    if (!process)
        return;
    process->cancels++;
    if (!happens(world))
        return;
    if (actor->lose_cancels > 0 || fault_strikes(world, world->faults.lost_cancel)) {
        actor->lose_cancels -= actor->lose_cancels > 0;
        process->told_cancel = true;
        fault_note(world, actor, "cancel lost", id);
        return;
    }
    process_obey_cancel(world, actor, process);
}

/* An abort may be lost, too, as it is when a process is stuck in the kernel. */
static void port_abort(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    INVARIANT(is_of(child, actor, id));
    struct process *process = world_process(actor, id.attempt);
    note_call(world, actor, REF_CALL_ABORT, "abort", id);
    doubt(world, actor, id.attempt, true);
    if (!world->disk || process)
        checks_abort(world, actor, process);
    if (!process)
        return;
    process->aborts++;
    if (!happens(world))
        return;
    if (actor->lose_aborts > 0 || fault_strikes(world, world->faults.lost_abort)) {
        actor->lose_aborts -= actor->lose_aborts > 0;
        process->told_abort = true;
        fault_note(world, actor, "abort lost", id);
        return;
    }
    process_obey_abort(world, actor, process);
}

/* A process that does not heed this signal continues as if nothing had
 * happened. */
static void port_escalate(void *userdata, struct child *child, struct attempt_id id, int signal)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return;
    INVARIANT(is_of(child, actor, id) && signal > 0 && signal < NSIG);
    struct process *process = world_process(actor, id.attempt);
    note_call_with(world, actor, REF_CALL_ESCALATE, "escalate", id, signal, false);
    if (!process)
        return;
    checks_escalate(world, actor, process);
    process->escalations++;
    if (!happens(world) || process->traits.heeds != signal)
        return;
    if (process->state == PROCESS_ALIVE)
        process->completion = (struct completion){.by_signal = true, .signal = signal};
    process_queue_end(world, actor, process, process->state == PROCESS_ALIVE, 0);
}

/* A call that may or may not have happened before the daemon died is repeated,
 * since a process that has got a signal twice is no worse off. */
void executor_do_again(struct world *world, const struct doubt *doubt)
{
    struct actor *actor = &world->actors[doubt->actor];
    struct process *process = actor->child ? world_process(actor, doubt->attempt) : NULL;

    INVARIANT(doubt->actor < world->n_actors);
    if (!process || process->state == PROCESS_GONE)
        return;
    if (doubt->abort)
        process_obey_abort(world, actor, process);
    else
        process_obey_cancel(world, actor, process);
}

/* Signal 0 stands for the command of a reload, which is run instead of sending
 * a signal. */
static int port_kill(void *userdata, struct child *child, struct attempt_id id, int signal,
                     bool whole)
{
    struct world *world = userdata;
    struct actor *actor = child->host;

    if (world->recovering)
        return 0;
    INVARIANT(is_of(child, actor, id) && signal >= 0 && signal < NSIG);
    struct process *process = world_process(actor, id.attempt);
    note_call_with(world, actor, REF_CALL_KILL, whole ? "kill all" : "kill", id, signal, whole);
    if (!happens(world) || !process)
        return 0;
    if (signal == 0)
        process_run_reload(world, actor, process);
    if (signal == child->config->declaration.process.reload_signal)
        process_take_reload(world, actor, process);
    if (signal == SIGKILL) {
        process->completion = (struct completion){.by_signal = true, .signal = SIGKILL};
        process_queue_end(world, actor, process, true, 0);
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
    INVARIANT(is_of(child, actor, id));
    const struct process *process = world_process(actor, id.attempt);
    note_call_with(world, actor, REF_CALL_CHECK, "check", id, number, false);
    if (!happens(world) || !process || process->state != PROCESS_ALIVE ||
        process->health == STEP_MUTE)
        return;
    struct report report = {.kind = INPUT_CHECKED,
                            .actor = world_number_of(world, actor),
                            .id = id,
                            .check = number,
                            .passed = process->health == STEP_HEALTHY};
    fault_send(world, actor, &report, 0);
}

static void port_check_end(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;

    if (!world->recovering)
        note_call(world, child->host, REF_CALL_CHECK_END, "end check", id);
}

static void port_forget(void *userdata, struct child *child)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    struct actor *actor = actor_of(world, child);
    note_call(world, actor, REF_CALL_FORGET, "forget", (struct attempt_id){});
    checks_forget(world, actor);
    actor->child = NULL;
}

/* Time of the core becomes time of the world: the core's clock begins again
 * with each boot. A fault may let the timer come late, never early. */
static void port_set_timer(void *userdata, uint64_t deadline_usec)
{
    struct world *world = userdata;

    if (world->recovering)
        return;
    INVARIANT(deadline_usec <= MOMENT_MAX);
    world->timer_usec = deadline_usec;
    world->timer_order = ++world->next_order;
    world->timer_due_nsec = (era_clock(&world->era, deadline_usec) + world->boot_usec) * 1000;
    if (deadline_usec == 0)
        return;
    if (world->timer_due_nsec < world->now_nsec)
        world->timer_due_nsec = world->now_nsec;
    if (fault_strikes(world, world->faults.late_timer))
        world->timer_due_nsec += fault_delay(world);
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

/* All ports, filled in one place. */
void executor_ports(struct world *world, struct core_ports *ports)
{
    INVARIANT(ports);
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
        .sink = world,
        .event = port_event,
    };
}
