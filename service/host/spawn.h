/*
 * Spawn: makes one process, straight into its cgroup, with a pidfd.
 *
 * clone3 with CLONE_VFORK and CLONE_VM, on a stack of its own: nothing is copied, the parent goes
 * on when the program has been executed, and a failure is told through shared memory with its
 * errno, never as exit code 127. Without clone3: vfork and pidfd_open. The child side makes
 * nothing but system calls.
 */
#pragma once

#include "process_spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn_request {
    const struct process_spec *spec;
    char **environment; /* complete */
    char *watchdog_pid; /* points into environment: digits are written here; NULL: none */
    char *listen_pid;   /* the same */
    int input;          /* becomes standard input */
    int output;         /* becomes standard output and error */
    int cgroup;         /* -1: none */
    int keep;           /* stays open until the program is executed: close-on-exec, and high; -1 */
    uint64_t *mark;     /* gets mark_value when nothing but the exec is left; NULL: none */
    uint64_t mark_value;
    const int *sockets; /* and a job's result: become descriptors 3 and up; all are higher now */
    size_t n_sockets;
};

struct spawn_result {
    pid_t pid;
    int pidfd;
    const char *step; /* what failed: "execve", "chdir", "user", ... */
};

/* Returns 0, or a negative errno with the step that failed. The caller owns the pidfd. */
int spawn(const struct spawn_request *request, struct spawn_result *result);
