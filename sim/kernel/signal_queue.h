/*
 * Signal queue: what is pending of a task or of a thread.
 */
#pragma once

#include "kernel/task.h"

/* What is pending of a task or of a thread. */
struct signal_pending {
    signal_set *set;
    struct signal_queue **queue;
};

/* thread NULL: of the task. */
struct signal_pending signal_pending_of(struct task *task, struct thread *thread);

/* An ordinary signal that waits already is dropped. */
void signal_enqueue(struct signal_pending pending, int signal, const siginfo_t *info);
/* The first of a signal; the set loses it when there is no other. */
void signal_dequeue(struct signal_pending pending, int signal, siginfo_t *info);
/* Drops all signals of the set. */
void signal_forget(struct signal_pending pending, signal_set set);
void signal_queue_free(struct signal_queue **queue);
