/*
 * Wait: how a task learns of the ends of its children: waitid(2), and pidfds.
 */
#pragma once

#include "kernel/task.h"

#include <sys/wait.h>

struct wait_result {
    siginfo_t info;    /* si_pid 0: nobody, with WNOHANG */
    int status;        /* as waitpid(2) has it */
    struct task *task; /* held; may be reaped now. NULL: nobody */
};

/* P_ALL, P_PID, P_PGID; WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT. Returns 0; -ECHILD;
 * -EAGAIN where it would wait. */
int wait_for(struct task *task, idtype_t type, pid_t id, int options, struct wait_result *result);
/* The same for one child, as by its pidfd. */
int wait_for_task(struct task *task, struct task *child, int options, struct wait_result *result);

/* A pidfd is a held task (task_hold()). -ESRCH, -EINVAL: not the number of a main thread. */
int pid_fd_open(struct task_table *table, pid_t pid, struct task **task);
/* EPOLLIN: all its threads have ended; with EPOLLHUP once it is reaped. */
unsigned pid_fd_poll(const struct task *task);
