/*
 * Signals: sent to processes, threads, groups and everybody; pending, blocked, ignored or deadly.
 *
 * A standard signal that is pending already is not pending twice: that is why a SIGCHLD can stand
 * for several ends. Those from SIGRTMIN on are queued.
 */
#pragma once

#include "kernel/task.h"

/* kill(2): pid > 0, 0 (the sender's group), -1 (everybody), < -1 (a group). sender NULL: the
 * kernel. Returns 0 or a negative errno. */
int signal_send(struct task *sender, struct task_table *table, pid_t pid, int signal);
int signal_send_thread(struct task *sender, struct thread *to, int signal); /* tgkill(2) */
/* pidfd_send_signal(2); info: NULL, or what sigqueue(3) says. */
int signal_send_task(struct task *sender, struct task *to, int signal, const siginfo_t *info);
int signal_send_group(struct task *sender, struct task_table *table, pid_t group, int signal);
/* PIDFD_SIGNAL_PROCESS_GROUP: the group that a task leads or led. */
int signal_send_group_of(struct task *sender, struct task *leader, int signal);
/* By the kernel: SIGPIPE, SIGKILL of cgroup.kill, a timer. */
void signal_raise(struct task *to, int signal, const siginfo_t *info);
void signal_raise_thread(struct thread *to, int signal, const siginfo_t *info);

/* sigaction(2): what was pending and is ignored now is gone. Either may be NULL. */
int signal_act(struct task *task, int signal, const struct signal_action *action,
               struct signal_action *before);
/* SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK. What was pending and deadly and is blocked no more strikes.
 */
void signal_block(struct thread *thread, int how, signal_set set, signal_set *before);

/* Takes a pending one of the set, the lowest first: signalfd, sigtimedwait. -EAGAIN: there is
 * none. Returns its number. */
int signal_take(struct thread *thread, signal_set set, siginfo_t *info);
/* For the handlers: takes one that the thread does not block. 0: there is none. *action: what is to
 * be done about it, always a handler. */
int signal_next(struct thread *thread, siginfo_t *info, struct signal_action *action);
bool signal_is_pending(const struct thread *thread, signal_set set); /* of the thread or the task */
