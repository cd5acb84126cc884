/*
 * Exit status: how a process ended, also where it is not ours to wait for.
 *
 * A child of ours is waited for, which reaps it. One that an earlier proctord started is whose
 * subreaper that was: its status is in /proc while nobody has reaped it, and Linux 6.15 tells it to
 * whoever holds a pidfd afterwards. So it is with a child of ours that is traced: its tracer has it
 * first, and may never let it go.
 */
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

/* pid: the number that pidfd's process had; pidfd: -1 where none could be had, of a child of ours
 * that nobody else reaps. si_code and si_status of *info are set as by waitid(2). Returns 1; 0
 * where it has not ended; -EAGAIN where it has, and its status may be told later; -ENODATA where it
 * never will be. */
int exit_status_take(pid_t pid, int pidfd, siginfo_t *info, struct rusage *usage);
