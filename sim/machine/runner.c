/*
 * Runners: each stands for one thread of a guest that the model knows. Here
 * they are made, renewed by exec, and dropped.
 */
#include "machine/runner.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- what goes wrong ------------------------------------------------------------------------- */

/* The run ends with this text. Only the first one is kept, since the others
 * follow from it. */
int machine_fail(struct machine *machine, const char *format, ...)
{
    va_list list;

    if (machine->failed)
        return -EIO;
    va_start(list, format);
    vsnprintf(machine->why, sizeof(machine->why), format, list);
    va_end(list);
    machine->failed = true;
    return -EIO;
}

/* ---- runners --------------------------------------------------------------------------------- */

struct program *program_of(const struct task *task)
{
    return task->runner;
}

struct description *runner_description(const struct runner *runner, uint64_t number)
{
    return descriptors_get(program_of(runner->task)->descriptors, (int)number);
}

struct runner *machine_runner_of(const struct thread *thread)
{
    return thread->runner;
}

/* New ones come last: the schedule's first choice is the oldest. */
struct runner *machine_add_runner(struct machine *machine, struct thread *thread, uint32_t slot)
{
    struct runner *fresh = calloc(1, sizeof(*fresh));
    struct runner **at = &machine->runners;

    if (!fresh)
        return NULL;
    *fresh = (struct runner){.machine = machine,
                             .thread = thread,
                             .task = task_hold(thread->task),
                             .slot = slot,
                             .call = {.deadline = MACHINE_NEVER}};
    thread->runner = fresh;
    while (*at)
        at = &(*at)->next;
    *at = fresh;
    return fresh;
}

/* It is taken from the list when nobody walks along it. */
void machine_drop_runner(struct runner *runner)
{
    if (runner->gone)
        return;
    runner->gone = true;
    if (runner->thread)
        runner->thread->runner = NULL;
    runner->thread = NULL;
    runner->machine->changes++;
    guest_give_slot(runner->machine->guest, runner->slot);
}

/* Not at once, because the caller may still hold one. */
void runner_free_gone(struct machine *machine)
{
    for (struct runner **at = &machine->runners; *at;) {
        struct runner *runner = *at;
        if (!runner->gone) {
            at = &runner->next;
            continue;
        }
        *at = runner->next;
        task_release(runner->task);
        free(runner);
    }
}

/* exec: another real process takes over the place of the runner. */
int machine_renew(struct runner *runner, const char *arguments, size_t arguments_size,
                  const char *environment, size_t environment_size)
{
    struct machine *machine = runner->machine;
    uint32_t slot;
    int r = guest_take_slot(machine->guest, &slot);

    if (r < 0)
        return machine_fail(machine, "there are too many threads");
    pid_t process =
        guest_begin(machine->guest, slot, arguments, arguments_size, environment, environment_size);
    if (process < 0)
        return machine_fail(machine, "a guest does not begin: %s", strerror(-process));
    if (runner->process > 0) {
        guest_kill(machine->guest, runner->process);
        guest_give_slot(machine->guest, runner->slot);
    }
    runner->slot = slot;
    runner->process = process;
    runner->state = RUNNER_READY;
    runner->action = WIRE_RETURN;
    return 0;
}

/* ---- programs -----------------------------------------------------------------------------------
 */

/* fork: descriptors and limits are copied. */
int machine_copy_program(struct machine *machine, const struct task *task, struct task *child)
{
    const struct program *from = program_of(task);
    struct program *program = calloc(1, sizeof(*program));

    if (!program || !from) {
        free(program);
        return -ENOMEM;
    }
    *program = *from;
    program->maker = NULL;
    program->memory = ++machine->memories;
    program->descriptors = descriptors_copy(from->descriptors);
    child->runner = program;
    return program->descriptors ? 0 : -ENOMEM;
}

void runner_free_program(struct task *task)
{
    struct program *program = task->runner;

    if (!program)
        return;
    task->runner = NULL;
    descriptors_free(program->descriptors);
    free(program);
}
