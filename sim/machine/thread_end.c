/*
 * What is left to do when a thread of a guest ends, as the kernel does it: the
 * word that other threads wait on is cleared and they are woken, and a parent
 * that was suspended by vfork continues.
 */
#include "machine/thread_end.h"

#include "kernel/signals.h"

void calls_wake_futex(struct machine *machine, uint64_t memory, uint64_t address, unsigned count)
{
    for (struct runner *runner = machine->runners; runner && count > 0; runner = runner->next)
        if (!runner->gone && runner->futex == address && !runner->woken &&
            program_of(runner->task)->memory == memory) {
            runner->woken = true;
            count--;
        }
}

void calls_clear_tid(struct runner *runner)
{
    const uint32_t none = 0;

    if (!runner->clear || runner->process <= 0)
        return;
    guest_write(runner->process, runner->clear, &none, sizeof(none));
    calls_wake_futex(runner->machine, program_of(runner->task)->memory, runner->clear, 1);
    runner->clear = 0;
}

void calls_release_maker(struct task *task)
{
    struct program *program = program_of(task);

    if (!program->maker)
        return;
    program->maker->suspends = NULL;
    program->maker = NULL;
}

void calls_raise_broken_pipe(struct runner *runner)
{
    signal_raise_thread(runner->thread, SIGPIPE, NULL);
}
