/*
 * Exit status: how a process ended, also where it is not ours to wait for.
 *
 * A child of ours is waited for, which reaps it. One that an earlier proctord started is whose
 * subreaper that was: its status is in /proc until it is reaped, and Linux 6.15 gives it to a
 * holder of its pidfd afterwards. So it is with a child of ours that is traced: its tracer has it
 * first, and may never let it go.
 */
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

/* pid: the number that pidfd's process had; pidfd: -1 if none could be opened, for a child of ours
 * that only we reap. si_code and si_status of *info are set as by waitid(2). Returns 1; 0 where it
 * has not ended; -EAGAIN if it has, and its status may be known later; -ENODATA where it never
 * will be. */
int exit_status_take(pid_t pid, int pidfd, siginfo_t *info, struct rusage *usage);
