/*
 * Signals that wait: one bit for each number, and a queue with what is known
 * about each. Ordinary signals wait once at most, real-time ones as often as
 * they were sent.
 */
#include "kernel/signal_queue.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>

#define FIRST_QUEUED 32 /* below, a signal is pending once */

struct signal_queue {
    struct signal_queue *next;
    siginfo_t info;
};

struct signal_pending signal_pending_of(struct task *task, struct thread *thread)
{
    return thread ? (struct signal_pending){&thread->pending, &thread->queue}
                  : (struct signal_pending){&task->pending, &task->queue};
}

void signal_queue_free(struct signal_queue **queue)
{
    while (*queue) {
        struct signal_queue *first = *queue;

        *queue = first->next;
        free(first);
    }
}

/* An ordinary signal that waits already is dropped, with its sender: that is
 * why SIGCHLD says nothing about how many children ended. */
void signal_enqueue(struct signal_pending pending, int signal, const siginfo_t *info)
{
    struct signal_queue **end = pending.queue;

    if (signal < FIRST_QUEUED && (*pending.set & SIGNAL_BIT(signal)))
        return;
    struct signal_queue *entry = malloc(sizeof(*entry));
    INVARIANT(entry);
    *entry = (struct signal_queue){NULL, *info};
    while (*end)
        end = &(*end)->next;
    *end = entry;
    *pending.set |= SIGNAL_BIT(signal);
}

/* Takes the oldest of this number; the bit stays if there are more. */
void signal_dequeue(struct signal_pending pending, int signal, siginfo_t *info)
{
    struct signal_queue **at = pending.queue;
    bool more = false;

    while ((*at)->info.si_signo != signal)
        at = &(*at)->next;
    struct signal_queue *entry = *at;
    *at = entry->next;
    for (const struct signal_queue *other = *at; other; other = other->next)
        more = more || other->info.si_signo == signal;
    if (!more)
        *pending.set &= ~SIGNAL_BIT(signal);
    *info = entry->info;
    free(entry);
}

/* Drops signals, as when one is ignored from now on. */
void signal_forget(struct signal_pending pending, signal_set set)
{
    for (struct signal_queue **at = pending.queue; *at;) {
        struct signal_queue *entry = *at;

        if (SIGNAL_BIT(entry->info.si_signo) & set) {
            *at = entry->next;
            free(entry);
        } else {
            at = &entry->next;
        }
    }
    *pending.set &= ~set;
}
