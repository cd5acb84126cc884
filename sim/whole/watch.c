/*
 * Watches what proctord does to processes: no two of one child, no SIGKILL
 * before its time, no signal to strangers, and a loop that never waits.
 */
#include "whole/watch.h"

#include "machine/calls.h"
#include "machine/runner.h"

#include <signal.h>
#include <string.h>

#define MSEC      UINT64_C(1000000)
#define LOOP_MAX  (50 * MSEC)
#define TOLERANCE (5 * MSEC) /* the loop's clock is that of its last wake-up */
/* Without cgroups, one whose parent has ended in the moment of the stop is found later. */
#define LATE (200 * MSEC)

/* Each of them is alone: of the program and the commands before it, one works at a time. */
static bool is_of_attempt(const struct player *actor)
{
    return actor->is_child || actor->is_before;
}

/* A second process of a child is the worst fault of all. */
void watch_start(struct watch *watch, const struct task *task, const struct player *actor)
{
    watch->starts++;
    if (!is_of_attempt(actor))
        return;
    for (const struct habit *habit = watch->habits->list; habit; habit = habit->next)
        if (!habit->is_over && is_of_attempt(habit->actor) && task_is_alive(habit->task) &&
            strcmp(habit->actor->child, actor->child) == 0) {
            machine_fail(watch->machine, "%s starts as PID %d while PID %d of it still works",
                         actor->path, task->pid, habit->task->pid);
            return;
        }
}

/* Guests are proctord and what it is made of: the spawner, its helpers, a child before its exec. */
static bool is_guest(const struct machine *machine, const struct task *task)
{
    return task->program == machine->program;
}

/* SIGKILL needs a stop signal before it, and the time that the declaration
 * gives. */
static void look_at_kill(struct watch *watch, const struct habit *habit)
{
    uint64_t now = watch->machine->now_nsec;
    uint64_t tolerance = habit->is_main || watch->machine->cgroup_files ? TOLERANCE : LATE;

    watch->kills++;
    if (watch->hurried || watch->disk_failed || !habit->actor->is_child ||
        (!habit->is_main && habit->actor->kills_left))
        return;
    if (habit->asked_nsec == 0)
        machine_fail(watch->machine, "PID %d of %s gets SIGKILL without a stop signal before",
                     habit->task->pid, habit->actor->path);
    else if (now + tolerance < habit->asked_nsec + habit->actor->grace_nsec)
        machine_fail(watch->machine, "PID %d of %s gets SIGKILL %llu ms after its stop signal",
                     habit->task->pid, habit->actor->path,
                     (unsigned long long)((now - habit->asked_nsec) / MSEC));
}

/* In another call than its poll. */
static bool waits_elsewhere(const struct runner *runner)
{
    const char *name = calls_name(runner->call.number);

    return runner->state == RUNNER_WAITS && name && strncmp(name, "epoll_", 6) != 0;
}

/* The main thread may wait in its event loop, and nowhere else for long. */
void watch_loop(struct watch *watch, const struct task *proctord)
{
    const struct machine *machine = watch->machine;

    for (const struct runner *runner = machine->runners; runner && proctord;
         runner = runner->next) {
        if (runner->gone || runner->task != proctord || runner->thread != proctord->threads)
            continue;
        uint64_t waited = machine->now_nsec - runner->call.since_nsec;
        if (waited > LOOP_MAX && (proctord->stuck || waits_elsewhere(runner)))
            machine_fail(watch->machine, "the loop of proctord waits in %s for %llu ms",
                         calls_name(runner->call.number), (unsigned long long)(waited / MSEC));
    }
}

/* Signals that proctord sends. */
void watch_signal(struct watch *watch, const struct task *sender, const struct task *to, int signal)
{
    struct habit *habit = habits_find(watch->habits, to);

    if (!sender || signal == 0 || !is_guest(watch->machine, sender))
        return;
    watch->signals++;
    if (!habit && !is_guest(watch->machine, to)) {
        machine_fail(watch->machine, "proctord sends signal %d to PID %d, which is not its own",
                     signal, to->pid);
        return;
    }
    if (!habit || habit->is_over)
        return;
    if (signal == SIGKILL)
        look_at_kill(watch, habit);
    else if (signal == SIGTERM && habit->asked_nsec == 0)
        habit->asked_nsec = watch->machine->now_nsec;
}
